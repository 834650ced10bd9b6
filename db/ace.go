package db

import (
	"fmt"
	"slices"
)

// ACE is an access control entry that somebody has set (RFC 3744 §5.5): what a
// principal may do with a collection, or with everything in a home.
type ACE struct {
	Grantee int64  // a principal, Authenticated or Everybody
	Rights  uint64 // bits, which the door gives their meaning
	Deny    bool   // not granted but denied
}

// Grantees who are no single principal.
const (
	Authenticated int64 = 0  // whoever has logged in
	Everybody     int64 = -1 // DAV:all
)

func (a *ACE) fields() []any { return []any{&a.Grantee, &a.Rights, flag{&a.Deny}} }

// The resources that entries are set on.
const (
	OnCollection   = "collection"
	OnCalendarHome = "calendar-home"
	OnBookHome     = "addressbook-home"
)

// ACEs returns the entries set on a resource, in their order.
func (tx *Tx) ACEs(resource string, id int64) ([]ACE, error) {
	return collect(tx, `SELECT grantee, rights, deny FROM ace WHERE resource = $1 AND id = $2 ORDER BY place`, []any{resource, id}, (*ACE).fields)
}

// ACEsOf returns those of many resources, by id.
func (tx *Tx) ACEsOf(resource string, ids []int64) (map[int64][]ACE, error) {
	all := make(map[int64][]ACE)
	err := chunks(ids, 2, func(in string, args []any) error {
		return tx.rows(`SELECT id, grantee, rights, deny FROM ace WHERE resource = $1 AND id IN `+in+` ORDER BY id, place`,
			append([]any{resource}, args...), func(scan func(...any) error) error {
				var id int64
				var a ACE
				err := scan(append([]any{&id}, a.fields()...)...)
				all[id] = append(all[id], a)
				return err
			})
	})
	return all, err
}

// SetACEs replaces the entries of a resource.
func (tx *Tx) SetACEs(resource string, id int64, aces []ACE) error {
	if _, err := tx.exec(`DELETE FROM ace WHERE resource = $1 AND id = $2`, resource, id); err != nil {
		return err
	}
	var rows [][]any
	for i, a := range aces {
		rows = append(rows, []any{resource, id, i, a.Grantee, int64(a.Rights), bit(a.Deny)})
	}
	return tx.insertMany(`INSERT INTO ace (resource, id, place, grantee, rights, deny)`, ``, rows, nil)
}

// GrantedTo returns the owners of homes and collections in which any of the
// grantees is named, ascending.
func (tx *Tx) GrantedTo(grantees []int64) (owners []int64, err error) {
	seen := make(map[int64]bool)
	err = chunks(grantees, 1, func(in string, args []any) error {
		return tx.rows(`SELECT c.owner FROM ace a JOIN collection c ON c.id = a.id WHERE a.resource = '`+OnCollection+`' AND a.deny = 0 AND a.grantee IN `+in+`
			UNION SELECT a.id FROM ace a WHERE a.resource <> '`+OnCollection+`' AND a.deny = 0 AND a.grantee IN `+in+` ORDER BY 1`, args,
			func(scan func(...any) error) error {
				var id int64
				err := scan(&id)
				if !seen[id] {
					seen[id] = true
					owners = append(owners, id)
				}
				return err
			})
	})
	return owners, err
}

// CalendarsFor returns the calendars in which an entry grants somebody something
// by name, ascending.
func (tx *Tx) CalendarsFor(grantee int64) ([]Collection, error) {
	return collect(tx, `SELECT `+collectionColumns+` FROM collection c WHERE c.kind = 'calendar' AND c.id IN
		(SELECT a.id FROM ace a WHERE a.grantee = $1 AND a.resource = '`+OnCollection+`' AND a.deny = 0) ORDER BY c.id`, []any{grantee}, (*Collection).fields)
}

// Proxy is somebody who may act for a principal (calendar-proxy).
type Proxy struct {
	Principal int64
	Proxy     int64
	Writes    bool // calendar-proxy-write, else calendar-proxy-read
}

func (p *Proxy) fields() []any { return []any{&p.Principal, &p.Proxy, flag{&p.Writes}} }

// Proxies returns who may act for a principal.
func (tx *Tx) Proxies(principal int64) ([]Proxy, error) {
	return collect(tx, `SELECT principal, proxy, writes FROM proxy WHERE principal = $1 ORDER BY proxy, writes`, []any{principal}, (*Proxy).fields)
}

// ProxiesFor returns for whom any of these principals may act.
func (tx *Tx) ProxiesFor(proxies []int64) (all []Proxy, err error) {
	err = chunks(proxies, 1, func(in string, args []any) error {
		part, err := collect(tx, `SELECT principal, proxy, writes FROM proxy WHERE proxy IN `+in+` ORDER BY principal, proxy, writes`, args, (*Proxy).fields)
		all = append(all, part...)
		return err
	})
	return all, err
}

// SetProxies replaces one of the two groups of proxies of a principal.
func (tx *Tx) SetProxies(principal int64, writes bool, proxies []int64) error {
	if _, err := tx.exec(`DELETE FROM proxy WHERE principal = $1 AND writes = $2`, principal, bit(writes)); err != nil {
		return err
	}
	var rows [][]any
	for _, p := range proxies {
		if p == principal {
			return fmt.Errorf("db: a principal cannot be its own proxy")
		}
		rows = append(rows, []any{principal, p, bit(writes)})
	}
	return tx.insertMany(`INSERT INTO proxy (principal, proxy, writes)`, ``, rows, nil)
}

// InboxACEs returns the entries set on the inboxes of many owners, by owner.
func (tx *Tx) InboxACEs(owners []int64) (map[int64][]ACE, error) {
	all := make(map[int64][]ACE)
	owners = slices.Compact(slices.Sorted(slices.Values(owners)))
	err := chunks(owners, 1, func(in string, args []any) error {
		return tx.rows(inboxACEs+in+` ORDER BY a.id, a.place`, args, func(scan func(...any) error) error {
			var owner int64
			var a ACE
			err := scan(append([]any{&owner}, a.fields()...)...)
			all[owner] = append(all[owner], a)
			return err
		})
	})
	return all, err
}

// inboxACEs is the statement of InboxACEs. TestPlans keeps it on its indexes.
const inboxACEs = `SELECT c.owner, a.grantee, a.rights, a.deny FROM collection c JOIN ace a ON a.resource = 'collection' AND a.id = c.id WHERE c.kind = 'inbox' AND c.owner IN `
