package db

import "time"

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
}

// Principal returns one by id, ErrNotFound without it.
func (tx *Tx) Principal(id int64) (Principal, error) { panic("db: not built yet") }

// PrincipalByAddress finds one by its primary address or an alias. key is
// cuaddr.Address.Fold of it without "mailto:".
func (tx *Tx) PrincipalByAddress(key string) (Principal, error) { panic("db: not built yet") }

// PrincipalsByAddress finds many at once, by key; absent ones are left out.
func (tx *Tx) PrincipalsByAddress(keys []string) (map[string]Principal, error) {
	panic("db: not built yet")
}

// PrincipalsByLocalPart finds those whose primary address has this local part
// (lower case), for log-in names without a domain; at most two.
func (tx *Tx) PrincipalsByLocalPart(local string) ([]Principal, error) { panic("db: not built yet") }

// Principals lists all, by address, page by page.
func (tx *Tx) Principals(afterAddress string, limit int) ([]Principal, error) {
	panic("db: not built yet")
}

// InsertPrincipal stores p and its primary address and sets p.ID; ErrExists if
// the address is taken by anybody.
func (tx *Tx) InsertPrincipal(p *Principal) error { panic("db: not built yet") }

// UpdatePrincipal stores everything but ID, Address, Created and LastDAV and
// raises Version.
func (tx *Tx) UpdatePrincipal(p *Principal) error { panic("db: not built yet") }

// TouchPrincipal sets LastDAV.
func (tx *Tx) TouchPrincipal(id int64, at time.Time) error { panic("db: not built yet") }

// DeletePrincipal removes the row, its addresses, memberships and collections
// with everything in them.
func (tx *Tx) DeletePrincipal(id int64) error { panic("db: not built yet") }

// Addresses returns all addresses, the primary one first.
func (tx *Tx) Addresses(principal int64) ([]string, error) { panic("db: not built yet") }

// AddAlias adds an address; ErrExists if it is taken.
func (tx *Tx) AddAlias(principal int64, address string) error { panic("db: not built yet") }

// RemoveAlias removes one that is not the primary.
func (tx *Tx) RemoveAlias(principal int64, address string) error { panic("db: not built yet") }

// Members returns the addresses of a group's members, as given.
func (tx *Tx) Members(group int64) ([]string, error) { panic("db: not built yet") }

// SetMembers replaces them.
func (tx *Tx) SetMembers(group int64, addresses []string) error { panic("db: not built yet") }

// GroupsOf returns the groups that list one of a principal's addresses
// directly.
func (tx *Tx) GroupsOf(principal int64) ([]Principal, error) { panic("db: not built yet") }
