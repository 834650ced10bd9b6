package db

// Share is an invitation into a calendar, and what became of it. What the
// sharee may do there is in the ACEs of the calendar.
type Share struct {
	Collection int64
	Sharee     int64
	Group      int64  // the group by which he was asked; 0: himself
	UID        string // of the invitation
	Writes     bool   // he is to change what is in it, too
	Declined   bool
	Summary    string // what the owner calls it to him
	Name       string // in his calendar home; "" while it is not there
	Title      string // what he calls it, "" as the owner does
	Busy       bool   // it counts as his busy time
}

const shareColumns = `s.collection, s.sharee, s.grp, s.uid, s.writes, s.declined, s.summary, s.name, s.title, s.busy`

func (s *Share) fields() []any {
	return []any{&s.Collection, &s.Sharee, &s.Group, &s.UID, flag{&s.Writes}, flag{&s.Declined}, &s.Summary, &s.Name, &s.Title, flag{&s.Busy}}
}

// Shares returns the invitations into a calendar, in the order in which they
// were made.
func (tx *Tx) Shares(collection int64) ([]Share, error) {
	return collect(tx, `SELECT `+shareColumns+` FROM share s WHERE s.collection = $1 ORDER BY s.id`, []any{collection}, (*Share).fields)
}

// ShareByUID returns the invitation that has a UID.
func (tx *Tx) ShareByUID(uid string) (s Share, err error) {
	if !key(uid) {
		return s, ErrNotFound
	}
	err = tx.row(`SELECT `+shareColumns+` FROM share s WHERE s.uid = $1`, []any{uid}, s.fields()...)
	return s, err
}

// Mount is a calendar of somebody else in one's own home.
type Mount struct {
	Share
	Calendar Collection
	Owner    Principal
}

func (m *Mount) fields() []any {
	return append(append(m.Share.fields(), m.Calendar.fields()...), m.Owner.fields()...)
}

// Mounts returns the calendars that somebody has taken into his home, by name.
func (tx *Tx) Mounts(sharee int64) ([]Mount, error) {
	return collect(tx, mounts+` WHERE s.sharee = $1 AND s.name <> '' ORDER BY s.name`, []any{sharee}, (*Mount).fields)
}

// Offers returns the calendars that somebody was asked to share and has not
// answered, the latest first.
func (tx *Tx) Offers(sharee int64, limit int) ([]Mount, error) {
	return collect(tx, mounts+` WHERE s.sharee = $1 AND s.name = '' AND s.declined = 0 ORDER BY s.id DESC LIMIT $2`, []any{sharee, limit}, (*Mount).fields)
}

// MountsFrom returns those that others have taken from an owner.
func (tx *Tx) MountsFrom(owner int64) ([]Mount, error) {
	return collect(tx, mounts+` WHERE c.owner = $1 AND s.name <> '' ORDER BY s.id`, []any{owner}, (*Mount).fields)
}

const mounts = `SELECT ` + shareColumns + `, ` + collectionColumns + `, ` + principalColumns + `
	FROM share s JOIN collection c ON c.id = s.collection JOIN principal p ON p.id = c.owner`

// SetShare stores an invitation by its Collection and Sharee. Whoever has taken
// a name from it must have called Unmount before.
func (tx *Tx) SetShare(s Share) error {
	if err := needText([]string{s.UID}, s.Summary, s.Name, s.Title); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO share (collection, sharee, grp, uid, writes, declined, summary, name, title, busy) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (collection, sharee) DO UPDATE SET grp = excluded.grp, uid = excluded.uid, writes = excluded.writes, declined = excluded.declined,
		summary = excluded.summary, name = excluded.name, title = excluded.title, busy = excluded.busy`,
		s.Collection, s.Sharee, s.Group, s.UID, bit(s.Writes), bit(s.Declined), s.Summary, s.Name, s.Title, bit(s.Busy))
	return err
}

// Unmount takes a calendar out of the home of a sharee, and remembers under
// which name it was there.
func (tx *Tx) Unmount(collection, sharee int64) error {
	if err := tx.leaveShares(` AND s.sharee = $3`, collection, micros(tx.stamp()), sharee); err != nil {
		return err
	}
	_, err := tx.exec(`UPDATE share SET name = '', title = '', busy = 0 WHERE collection = $1 AND sharee = $2`, collection, sharee)
	return err
}

// leaveShares is leave for the homes of sharees.
func (tx *Tx) leaveShares(which string, args ...any) error {
	_, err := tx.exec(`INSERT INTO gone (collection, owner, home, name, at, modseq)
		SELECT c.id, s.sharee, c.home, s.name, $2, c.modseq FROM share s JOIN collection c ON c.id = s.collection WHERE s.collection = $1 AND s.name <> ''`+which+`
		ON CONFLICT (collection, name) DO UPDATE SET at = excluded.at, modseq = excluded.modseq`, args...)
	return err
}

// DropShare removes an invitation, and the calendar from the home of who had
// taken it.
func (tx *Tx) DropShare(collection, sharee int64) error {
	if err := tx.Unmount(collection, sharee); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM share WHERE collection = $1 AND sharee = $2`, collection, sharee)
	return err
}

// dropShares removes all of a calendar.
func (tx *Tx) dropShares(collection int64) error {
	if err := tx.leaveShares(``, collection, micros(tx.stamp())); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM share WHERE collection = $1`, collection)
	return err
}

// Counted is a calendar that counts as the busy time of somebody who has it
// from its owner.
type Counted struct {
	Sharee, Collection, Owner int64
	Group                     int64 // by which he was asked; 0: himself
}

// CountedBy returns the calendars of others that count as the busy time of some
// people.
func (tx *Tx) CountedBy(sharees []int64) (all []Counted, err error) {
	err = chunks(sharees, 1, func(in string, args []any) error {
		part, err := collect(tx, counted+in, args, func(c *Counted) []any { return []any{&c.Sharee, &c.Collection, &c.Owner, &c.Group} })
		all = append(all, part...)
		return err
	})
	return all, err
}

// counted is answered by an index of those alone.
const counted = `SELECT s.sharee, s.collection, c.owner, s.grp FROM share s JOIN collection c ON c.id = s.collection WHERE s.busy = 1 AND s.name <> '' AND s.sharee IN `

// MarkShared stores Collection.Shared.
func (tx *Tx) MarkShared(collection int64, shared bool) error {
	_, err := tx.exec(`UPDATE collection SET shared = $2 WHERE id = $1`, collection, bit(shared))
	return err
}

// BecomeGuest stores Principal.Guest, and locks the principal: before any
// collection is locked.
func (tx *Tx) BecomeGuest(principal int64) error {
	n, err := tx.exec(`UPDATE principal SET guest = 1, version = version + 1 WHERE id = $1`, principal)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}
