package db

import (
	"errors"
	"fmt"
	"time"
)

// DavLock is a lock of WebDAV (RFC 4918 §6). It stands on a path: it stays
// when what is there is moved away, and covers what comes in its place.
type DavLock struct {
	Token   string         // urn:uuid:..., nobody can guess it
	Owner   int64          // of the home
	Home    CollectionKind // Calendar or AddressBook
	Path    string         // below the home, decoded, "calendar/a.ics"
	Holder  int64          // principal who took it
	Shared  bool
	Deep    bool   // everything below, too
	About   string // the DAV:owner element as it was sent
	Timeout time.Duration
	Expires time.Time
}

func (l *DavLock) fields() []any {
	return []any{&l.Token, &l.Owner, &l.Home, &l.Path, &l.Holder, flag{&l.Shared}, flag{&l.Deep}, &l.About, &l.Timeout, when{&l.Expires}}
}

const davLockColumns = `token, owner, home, path, holder, shared, deep, about, seconds, expires`

// DavLocks returns the locks in a home that have not run out at now, by path.
func (tx *Tx) DavLocks(owner int64, home CollectionKind, now time.Time) ([]DavLock, error) {
	all, err := collect(tx, `SELECT `+davLockColumns+` FROM davlock WHERE owner = $1 AND home = $2 AND expires > $3 ORDER BY path, token`,
		[]any{owner, home.home(), micros(now)}, (*DavLock).fields)
	for i := range all {
		all[i].Timeout *= time.Second
	}
	return all, err
}

// InsertDavLock stores one, and removes those of the home that have run out at
// now. The caller holds the collection's row (BumpCollections), so that nobody
// writes meanwhile.
func (tx *Tx) InsertDavLock(l DavLock, now time.Time) error {
	if err := needText([]string{l.Token, l.Path}, l.About); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM davlock WHERE owner = $1 AND home = $2 AND expires <= $3`, l.Owner, l.Home.home(), micros(now)); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO davlock (`+davLockColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		l.Token, l.Owner, l.Home.home(), l.Path, l.Holder, bit(l.Shared), bit(l.Deep), l.About, int64(l.Timeout/time.Second), micros(l.Expires))
	return err
}

// RefreshDavLock gives a lock more time; ErrNotFound if it is gone.
func (tx *Tx) RefreshDavLock(token string, timeout time.Duration, expires time.Time) error {
	n, err := tx.exec(`UPDATE davlock SET seconds = $2, expires = $3 WHERE token = $1`, token, int64(timeout/time.Second), micros(expires))
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: a lock", ErrNotFound)
	}
	return err
}

// DeleteDavLocks removes locks by their tokens.
func (tx *Tx) DeleteDavLocks(tokens ...string) error {
	for _, t := range tokens {
		if !key(t) {
			continue
		}
		if _, err := tx.exec(`DELETE FROM davlock WHERE token = $1`, t); err != nil {
			return err
		}
	}
	return nil
}

// HasDavLocks reports whether a home has any lock, run out or not: mostly
// there is none, and nothing more to ask.
func (tx *Tx) HasDavLocks(owner int64) (bool, error) {
	var one int64
	err := tx.row(`SELECT 1 FROM davlock WHERE owner = $1 LIMIT 1`, []any{owner}, &one)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
