package directory

import (
	"context"
	"errors"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
)

// Directory resolves addresses to principals and checks passwords. What it
// caches carries the principal's version, so that every node sees a change at
// once (decision 31).
type Directory struct{}

// New makes the directory over a store.
func New(store *db.Store) *Directory { panic("directory: not built yet") }

var (
	// ErrUnknown: the directory does not hold the address.
	ErrUnknown = errors.New("directory: unknown")
	// ErrDenied: wrong log-in name or password; it never says which.
	ErrDenied = errors.New("directory: log-in refused")
)

// Authenticate checks a log-in name (the address, an alias, or the local part
// where that is unambiguous) and a password. A verified credential is cached,
// keyed by the principal's version, so that Basic authentication costs no hash
// per request; guesses are slowed down. ErrDenied, or db.ErrAway.
func (d *Directory) Authenticate(ctx context.Context, login, password string) (db.Principal, error) {
	panic("directory: not built yet")
}

// Lookup finds whom an address names: primary address, alias, plus-tag of
// either, urn:uuid: and principal URL. ErrUnknown if nobody here. Inside a
// transaction it uses that transaction only.
func Lookup(tx *db.Tx, a cuaddr.Address) (db.Principal, error) { panic("directory: not built yet") }

// LookupAll does so for many addresses with few statements; unknown ones are
// left out.
func LookupAll(tx *db.Tx, as []cuaddr.Address) (map[cuaddr.Address]db.Principal, error) {
	panic("directory: not built yet")
}

// Self returns a function that recognises all addresses of a principal: every
// spelling that Lookup resolves to it. groups adds the addresses of the groups
// that hold it (decision 29).
func Self(tx *db.Tx, p db.Principal, groups bool) (func(cuaddr.Address) bool, error) {
	panic("directory: not built yet")
}

// Expand returns the people, rooms and resources behind a principal: itself,
// or the members of a group, nested ones flattened, loops cut, external
// members as addresses.
func Expand(tx *db.Tx, p db.Principal) (local []db.Principal, external []cuaddr.Address, err error) {
	panic("directory: not built yet")
}

// Add creates a principal with what it needs to be reached: people get
// calendar/ (events, the default), tasks/, inbox/, outbox/ and an address book
// contacts/; rooms and resources calendar/ and inbox/; groups nothing.
// db.ErrExists if the address is taken.
func Add(tx *db.Tx, p *db.Principal, aliases []string) error { panic("directory: not built yet") }

// HashPassword returns the encoded argon2id hash of a password (RFC 9106).
func HashPassword(password string) (string, error) { panic("directory: not built yet") }
