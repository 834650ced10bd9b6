package db

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind of a principal; its text is RFC 5545 §3.2.3's CUTYPE in lower case.
type Kind string

const (
	Person   Kind = "individual"
	Room     Kind = "room"
	Resource Kind = "resource"
	Group    Kind = "group"
)

// Principal is a calendar user: a person, a room, a resource, a group.
type Principal struct {
	ID         int64
	Address    string // primary mail address, as given
	Kind       Kind
	Name       string
	Language   string // BCP 47, "" unknown
	TZ         string // IANA name, "" unknown
	Password   string // encoded hash, "" cannot log in
	MailCopies string // auto, always, never
	Policy     string // rules of the policy vocabulary, one a line
	Capacity   int
	LastDAV    time.Time // last authenticated DAV request, to the hour
	Version    int64     // raised by every change; caches of credentials compare it
	Created    time.Time
	Recorded   time.Time // until when what programs of this user do is recorded, zero: not
	Guest      bool      // has, or had, a calendar of somebody else in his home (Mounts)
}

const principalColumns = `p.id, p.address, p.kind, p.name, p.language, p.tz, p.password, p.mail_copies, p.policy, p.capacity, p.last_dav, p.version, p.created, p.recorded, p.guest`

func (p *Principal) fields() []any {
	return []any{&p.ID, &p.Address, &p.Kind, &p.Name, &p.Language, &p.TZ, &p.Password, &p.MailCopies, &p.Policy,
		&p.Capacity, when{&p.LastDAV}, &p.Version, when{&p.Created}, when{&p.Recorded}, flag{&p.Guest}}
}

// Principal returns one by id, ErrNotFound without it.
func (tx *Tx) Principal(id int64) (p Principal, err error) {
	err = tx.row(`SELECT `+principalColumns+` FROM principal p WHERE p.id = $1`, []any{id}, p.fields()...)
	return p, err
}

// PrincipalByAddress finds one by its primary address or an alias. name is
// cuaddr.Address.Fold of it without "mailto:".
func (tx *Tx) PrincipalByAddress(name string) (p Principal, err error) {
	if !key(name) {
		return p, ErrNotFound
	}
	err = tx.row(`SELECT `+principalColumns+` FROM address a JOIN principal p ON p.id = a.principal WHERE a.name = $1`,
		[]any{name}, p.fields()...)
	return p, err
}

// PrincipalsByAddress finds many at once, by these names; absent ones are left out.
func (tx *Tx) PrincipalsByAddress(names []string) (map[string]Principal, error) {
	found := make(map[string]Principal, len(names))
	err := chunks(keys(names), 1, func(in string, args []any) error {
		return tx.rows(`SELECT a.name, `+principalColumns+` FROM address a JOIN principal p ON p.id = a.principal WHERE a.name IN `+in,
			args, func(scan func(...any) error) error {
				var name string
				var p Principal
				if err := scan(append([]any{&name}, p.fields()...)...); err != nil {
					return err
				}
				found[name] = p
				return nil
			})
	})
	return found, err
}

// PrincipalsByLocalPart finds those whose primary address has this local part
// (lower case), for log-in names without a domain; at most two.
func (tx *Tx) PrincipalsByLocalPart(local string) ([]Principal, error) {
	if !key(local) {
		return nil, nil
	}
	return collect(tx, `SELECT `+principalColumns+` FROM principal p WHERE p.local = $1 ORDER BY p.id LIMIT 2`,
		[]any{local}, (*Principal).fields)
}

// Principals lists all, by address in lower case, page by page.
func (tx *Tx) Principals(afterAddress string, limit int) ([]Principal, error) {
	if !text(afterAddress) {
		return nil, nil
	}
	return collect(tx, `SELECT `+principalColumns+` FROM principal p WHERE p.sort > $1 ORDER BY p.sort LIMIT $2`,
		[]any{strings.ToLower(afterAddress), limit}, (*Principal).fields)
}

// InsertPrincipal stores p and its primary address and sets p.ID, p.Version
// and, if it is zero, p.Created; ErrExists if the address is taken by anybody.
func (tx *Tx) InsertPrincipal(p *Principal) error {
	name := strings.ToLower(p.Address)
	if err := needText([]string{name}, p.Name, p.Language, p.TZ, p.Password, p.Policy); err != nil {
		return err
	}
	if p.MailCopies == "" {
		p.MailCopies = "auto"
	}
	if p.Created.IsZero() {
		p.Created = tx.stamp()
	}
	// An alias of somebody may be this address: nobody must own half of it.
	var taken int64
	switch err := tx.row(`SELECT principal FROM address WHERE name = $1`, []any{name}, &taken); {
	case err == nil:
		return fmt.Errorf("%w: the address %s", ErrExists, p.Address)
	case !errors.Is(err, ErrNotFound):
		return err
	}
	err := tx.row(`INSERT INTO principal (address, sort, local, kind, name, language, tz, password, mail_copies, policy, capacity, last_dav, version, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13) ON CONFLICT (sort) DO NOTHING RETURNING id`,
		[]any{p.Address, name, localPart(name), string(p.Kind), p.Name, p.Language, p.TZ, p.Password, p.MailCopies, p.Policy,
			p.Capacity, micros(p.LastDAV), micros(p.Created)}, &p.ID)
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: the address %s", ErrExists, p.Address)
	}
	if err != nil {
		return err
	}
	p.Version = 1
	n, err := tx.exec(`INSERT INTO address (name, principal, address, main, tagged) VALUES ($1, $2, $3, 1, $4) ON CONFLICT (name) DO NOTHING`,
		name, p.ID, p.Address, bit(tagged(name)))
	if err == nil && n == 0 { // taken since we looked
		err = tx.fail(ErrConflict)
	}
	if err != nil {
		return err
	}
	return tx.regram(p.ID)
}

// UpdatePrincipal stores everything but ID, Address, Created, LastDAV,
// Recorded and Guest and raises Version.
func (tx *Tx) UpdatePrincipal(p *Principal) error {
	if err := needText(nil, p.Name, p.Language, p.TZ, p.Password, p.Policy); err != nil {
		return err
	}
	err := tx.row(`UPDATE principal SET kind = $2, name = $3, language = $4, tz = $5, password = $6, mail_copies = $7, policy = $8,
		capacity = $9, version = version + 1 WHERE id = $1 RETURNING version`,
		[]any{p.ID, string(p.Kind), p.Name, p.Language, p.TZ, p.Password, p.MailCopies, p.Policy, p.Capacity}, &p.Version)
	if err != nil {
		return err
	}
	return tx.regram(p.ID)
}

// TouchPrincipal sets LastDAV.
func (tx *Tx) TouchPrincipal(id int64, at time.Time) error {
	_, err := tx.exec(`UPDATE principal SET last_dav = $2 WHERE id = $1 AND last_dav < $2`, id, micros(at))
	return err
}

// changed raises a principal's version, so that no cache of what belongs to it
// is believed any longer.
func (tx *Tx) changed(id int64) error {
	n, err := tx.exec(`UPDATE principal SET version = version + 1 WHERE id = $1`, id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// DeletePrincipal removes the row, its addresses, memberships and collections
// with everything in them, what it proposed, and mail that waits to tell it
// something. Mail in its name stays: it tells others that it is gone.
func (tx *Tx) DeletePrincipal(id int64) error {
	if err := tx.changed(id); err != nil {
		return err
	}
	ids, err := collect(tx, `SELECT id FROM collection WHERE owner = $1 ORDER BY id`, []any{id}, func(id *int64) []any { return []any{id} })
	if err != nil {
		return err
	}
	for _, c := range ids {
		if err := tx.DeleteCollection(c); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	addresses, err := tx.Addresses(id)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		for _, q := range []string{
			`DELETE FROM delivery WHERE rcpt = $1 AND local_copy = 1 AND token = ''`,
			`DELETE FROM proposal WHERE LOWER(attendee) = LOWER($1)`,
		} {
			if _, err := tx.exec(q, "mailto:"+a); err != nil {
				return err
			}
		}
	}
	for _, q := range []string{
		`DELETE FROM property WHERE resource IN ('principal', 'calendar-home', 'addressbook-home') AND id = $1`,
		`DELETE FROM ace WHERE resource IN ('calendar-home', 'addressbook-home') AND id = $1`,
		`DELETE FROM ace WHERE grantee = $1`,
		`DELETE FROM davlock WHERE owner = $1 OR holder = $1`,
		`DELETE FROM proxy WHERE principal = $1 OR proxy = $1`,
		`DELETE FROM gone WHERE owner = $1`,
		`DELETE FROM personal WHERE principal = $1`,
		`DELETE FROM own WHERE principal = $1`,
		`DELETE FROM share WHERE sharee = $1 OR grp = $1`,
		`DELETE FROM preference WHERE principal = $1`,
		`DELETE FROM quarantine WHERE principal = $1`,
		`DELETE FROM proposal WHERE principal = $1`,
		`DELETE FROM availability WHERE principal = $1`,
		`DELETE FROM remembered WHERE principal = $1`,
		`DELETE FROM gram WHERE principal = $1`,
		`DELETE FROM member WHERE grp = $1`,
		`DELETE FROM member WHERE name IN (SELECT name FROM address WHERE principal = $1)`,
		`DELETE FROM address WHERE principal = $1`,
		`DELETE FROM principal WHERE id = $1`,
	} {
		if _, err := tx.exec(q, id); err != nil {
			return err
		}
	}
	return nil
}

func texts(tx *Tx, q string, args ...any) ([]string, error) {
	return collect(tx, q, args, func(s *string) []any { return []any{s} })
}

// Addresses returns all addresses, the primary one first, without those that
// stand for a whole domain.
func (tx *Tx) Addresses(principal int64) ([]string, error) {
	return texts(tx, `SELECT address FROM address WHERE principal = $1 AND name NOT LIKE '@%' ORDER BY main DESC, name`, principal)
}

// CatchAlls returns the domains, as "@example.org", of which a principal has
// every address that nobody else has.
func (tx *Tx) CatchAlls(principal int64) ([]string, error) {
	return texts(tx, `SELECT address FROM address WHERE principal = $1 AND name LIKE '@%' ORDER BY name`, principal)
}

// AllCatchAlls returns these of everybody who has any.
func (tx *Tx) AllCatchAlls() (map[int64][]string, error) {
	all := make(map[int64][]string)
	return all, tx.rows(`SELECT principal, address FROM address WHERE name >= '@' AND name < 'A' ORDER BY name`, nil, addressInto(all))
}

// addressInto reads rows of a principal and an address of his.
func addressInto(all map[int64][]string) func(func(...any) error) error {
	return func(scan func(...any) error) error {
		var id int64
		var a string
		err := scan(&id, &a)
		all[id] = append(all[id], a)
		return err
	}
}

// localPart of an address; all of what is none.
func localPart(name string) string {
	if at := strings.LastIndexByte(name, '@'); at >= 0 {
		return name[:at]
	}
	return name
}

func tagged(name string) bool { return strings.Contains(name, "+") }

// AddressesOf returns all addresses of many principals, the primary one first.
func (tx *Tx) AddressesOf(principals []int64) (map[int64][]string, error) {
	all := make(map[int64][]string, len(principals))
	principals = slices.Compact(slices.Sorted(slices.Values(principals)))
	err := chunks(principals, 1, func(in string, args []any) error {
		return tx.rows(`SELECT principal, address FROM address WHERE principal IN `+in+` AND name NOT LIKE '@%' ORDER BY principal, main DESC, name`, args, addressInto(all))
	})
	return all, err
}

// TaggedAddresses returns the addresses with a "+" in them, in lower case, and
// whose they are: they are no tags of somebody else's address.
func (tx *Tx) TaggedAddresses() (map[string]int64, error) {
	all := make(map[string]int64)
	err := tx.rows(`SELECT name, principal FROM address WHERE tagged = 1`, nil, func(scan func(...any) error) error {
		var name string
		var id int64
		err := scan(&name, &id)
		all[name] = id
		return err
	})
	return all, err
}

// AddAlias adds an address and raises Version; ErrExists if it is taken.
func (tx *Tx) AddAlias(principal int64, address string) error {
	name := strings.ToLower(address)
	if err := needText([]string{name}); err != nil {
		return err
	}
	n, err := tx.exec(`INSERT INTO address (name, principal, address, main, tagged) VALUES ($1, $2, $3, 0, $4) ON CONFLICT (name) DO NOTHING`,
		name, principal, address, bit(tagged(name)))
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("%w: the address %s", ErrExists, address)
	}
	if err := tx.changed(principal); err != nil {
		return err
	}
	return tx.regram(principal)
}

// RemoveAlias removes one that is not the primary and raises Version;
// ErrNotFound without it.
func (tx *Tx) RemoveAlias(principal int64, address string) error {
	n, err := tx.exec(`DELETE FROM address WHERE name = $2 AND principal = $1 AND main = 0`, principal, strings.ToLower(address))
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNotFound
	}
	if err := tx.changed(principal); err != nil {
		return err
	}
	return tx.regram(principal)
}

// Members returns the addresses of a group's members, as given.
func (tx *Tx) Members(group int64) ([]string, error) {
	return texts(tx, `SELECT address FROM member WHERE grp = $1 ORDER BY place`, group)
}

// SetMembers replaces them and raises Version.
func (tx *Tx) SetMembers(group int64, addresses []string) error {
	if err := needText(addresses); err != nil {
		return err
	}
	if err := tx.changed(group); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM member WHERE grp = $1`, group); err != nil {
		return err
	}
	var rows [][]any
	for i, a := range addresses {
		rows = append(rows, []any{group, i, strings.ToLower(a), a})
	}
	return tx.insertMany(`INSERT INTO member (grp, place, name, address)`, ``, rows, nil)
}

// GroupsOf returns the groups that list one of a principal's addresses
// directly, by address.
func (tx *Tx) GroupsOf(principal int64) ([]Principal, error) {
	return collect(tx, `SELECT `+principalColumns+` FROM principal p WHERE p.id IN
		(SELECT m.grp FROM address a JOIN member m ON m.name = a.name WHERE a.principal = $1) ORDER BY p.sort`,
		[]any{principal}, (*Principal).fields)
}
