package directory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
)

// Directory resolves addresses to principals and checks passwords. What it
// caches carries the principal's version, so that every node sees a change at
// once (decision 31).
type Directory struct {
	store   *db.Store
	secret  [32]byte      // of this process: the cache holds no password
	hashing chan struct{} // one token for each hash that may be computed at once
	flight  singleflight.Group

	mu       sync.Mutex
	verified map[credential]seen
	denied   map[credential]seen
	failures map[credential]failure // by log-in name alone
	touched  map[int64]time.Time
}

// credential is a keyed hash of a log-in name and a password.
type credential [32]byte

// seen is a principal as it was when a credential was checked; the zero
// principal where nobody has the log-in name.
type seen struct{ p db.Principal }

// failure counts the refusals of a log-in name.
type failure struct {
	n    int
	last time.Time
}

// ErrDenied: wrong log-in name or password; it never says which.
var ErrDenied = errors.New("directory: log-in refused")

const (
	// cached bounds each cache, in entries of some 400 octets.
	cached = 8192
	// forgive is how long a log-in name must rest to be answered at once again.
	forgive = 10 * time.Minute
	// patience is how many refusals in a row are not slowed down.
	patience = 5
)

// New makes the directory over a store.
func New(store *db.Store) *Directory {
	d := &Directory{
		store:    store,
		hashing:  make(chan struct{}, runtime.GOMAXPROCS(0)),
		verified: make(map[credential]seen),
		denied:   make(map[credential]seen),
		failures: make(map[credential]failure),
		touched:  make(map[int64]time.Time),
	}
	rand.Read(d.secret[:])
	return d
}

// credential is the key of both caches: a digest that nobody outside of this
// process sees or can compute, so that the secret before what is hashed is
// enough, and half of the time of an HMAC.
func (d *Directory) credential(login, password string) credential {
	var most [256]byte // longer ones are allocated
	b := append(most[:0], d.secret[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(login)))
	b = append(b, login...)
	b = append(b, password...)
	return sha256.Sum256(b)
}

// AuthenticateCached returns whose credentials these were when they were last
// checked, without asking the database, for the one request in a thousand that
// is worth it: GET of an object. They count only while the principal's version
// is still p.Version, and the caller must see that version in the statement
// that it runs anyway (db.Tx.ObjectAt returns the owner's; another principal's
// is read by db.Tx.Principal). If it differs, or ok is false, Authenticate
// decides.
//
//	p, ok := dir.AuthenticateCached(login, password)
//	o, kind, version, err := tx.ObjectAt(p.ID, db.Calendar, "calendar", name)
//	if !ok || version != p.Version { /* Authenticate, and again */ }
func (d *Directory) AuthenticateCached(login, password string) (p db.Principal, ok bool) {
	c := d.credential(login, password)
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.verified[c]
	return s.p, ok
}

// Authenticate checks a log-in name (the address, an alias, or the local part
// where that is unambiguous) and a password. A verified credential is cached,
// keyed by the principal's version, so that Basic authentication costs no hash
// per request but one small statement; guesses are slowed down. ErrDenied, or
// db.ErrAway.
func (d *Directory) Authenticate(ctx context.Context, login, password string) (db.Principal, error) {
	if login == "" || len(login) > cuaddr.MaxLen || password == "" || len(password) > maxPassword {
		return db.Principal{}, ErrDenied
	}
	c := d.credential(login, password)
	p, err := d.find(ctx, login)
	if err != nil {
		return db.Principal{}, err
	}
	same := func(s seen) bool { return s.p.ID == p.ID && s.p.Version == p.Version }
	d.mu.Lock()
	good, isGood := d.verified[c]
	bad, isBad := d.denied[c]
	d.mu.Unlock()
	if isGood && p.ID != 0 && same(good) {
		return p, nil
	}
	if isBad && same(bad) {
		return db.Principal{}, d.refuse(ctx, login)
	}
	// Many connections of one program log in at once: one hash serves them. It
	// does not end with the request that happened to come first.
	flight := binary.BigEndian.AppendUint64(c[:], uint64(p.ID))
	flight = binary.BigEndian.AppendUint64(flight, uint64(p.Version)) // a changed password never joins
	done := d.flight.DoChan(string(flight), func() (any, error) {
		d.hashing <- struct{}{}
		defer func() { <-d.hashing }()
		hash := p.Password
		if hash == "" {
			hash = dummy
		}
		ok := verify(hash, password) && p.Password != ""
		d.mu.Lock()
		defer d.mu.Unlock()
		if ok {
			keep(d.verified, c, seen{p})
			delete(d.denied, c)
			delete(d.failures, d.credential(login, ""))
		} else {
			keep(d.denied, c, seen{p})
			delete(d.verified, c)
		}
		return ok, nil
	})
	select {
	case r := <-done:
		if r.Val == true {
			return p, nil
		}
		return db.Principal{}, d.refuse(ctx, login)
	case <-ctx.Done():
		return db.Principal{}, ctx.Err()
	}
}

// keep stores an entry and, in a full cache, loses any other.
func keep[V any](m map[credential]V, c credential, v V) {
	if len(m) >= cached {
		for other := range m {
			delete(m, other)
			break
		}
	}
	m[c] = v
}

// find returns who has a log-in name, the zero principal if nobody has.
func (d *Directory) find(ctx context.Context, login string) (p db.Principal, err error) {
	err = d.store.View(ctx, func(tx *db.Tx) error {
		if strings.Contains(login, "@") {
			a := cuaddr.Mailto(login)
			if a.IsZero() {
				return nil
			}
			p, err = tx.PrincipalByAddress(strings.TrimPrefix(a.Fold(), "mailto:"))
			if errors.Is(err, db.ErrNotFound) {
				return nil
			}
			return err
		}
		ps, err := tx.PrincipalsByLocalPart(strings.ToLower(login))
		if len(ps) == 1 {
			p = ps[0]
		}
		return err
	})
	return p, err
}

// refuse answers ErrDenied, the later the more often it had to.
func (d *Directory) refuse(ctx context.Context, login string) error {
	name := d.credential(login, "")
	d.mu.Lock()
	f := d.failures[name]
	if time.Since(f.last) > forgive {
		f = failure{}
	}
	f.n++
	f.last = time.Now()
	keep(d.failures, name, f)
	d.mu.Unlock()
	if f.n <= patience {
		return ErrDenied
	}
	wait := 100 * time.Millisecond << min(f.n-patience-1, 5) // up to 3.2 s
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	return ErrDenied
}

// Touch notes that somebody made an authenticated DAV request (decision 5), in
// the database at most once an hour.
func (d *Directory) Touch(ctx context.Context, p db.Principal) error {
	now := time.Now()
	d.mu.Lock()
	last := d.touched[p.ID]
	if p.LastDAV.After(last) {
		last = p.LastDAV
	}
	if now.Sub(last) < time.Hour {
		d.mu.Unlock()
		return nil
	}
	d.touched[p.ID] = now
	d.mu.Unlock()
	err := d.store.Write(ctx, nil, func(tx *db.Tx) error {
		at, err := tx.Now()
		if err != nil {
			return err
		}
		return tx.TouchPrincipal(p.ID, at.Truncate(time.Hour))
	})
	if err != nil {
		d.mu.Lock()
		delete(d.touched, p.ID) // the next request tries again
		d.mu.Unlock()
	}
	return err
}
