package directory

import (
	"fmt"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
)

// Rename gives somebody another primary address. He keeps the old one as an
// alias: mail and old URLs still reach him. Groups, rules and preferences that
// name the old address name the new one. db.ErrExists if it is somebody
// else's, ErrAddress if it is none.
func Rename(tx *db.Tx, p db.Principal, address string) error {
	a := cuaddr.Mailto(strings.TrimSpace(address))
	if a.IsZero() {
		return fmt.Errorf("%w: %q", ErrAddress, address)
	}
	if err := tx.RenamePrincipal(p.ID, a.Mail()); err != nil {
		return err
	}
	old := strings.ToLower(p.Address)
	if old == strings.ToLower(a.Mail()) {
		return nil
	}
	return respell(tx, old, a.Mail())
}

// respell puts a word in place of another one, in whatever case, in rules and
// lists of addresses.
func respell(tx *db.Tx, old, word string) error {
	speaking, err := tx.Speaking(old)
	if err != nil {
		return err
	}
	for _, p := range speaking {
		if text, changed := reword(p.Policy, old, word); changed {
			p.Policy = text
			if err := tx.UpdatePrincipal(&p); err != nil {
				return err
			}
		}
	}
	preferring, err := tx.Preferring(old, FreeBusyDetails, KnownOrganizers)
	if err != nil {
		return err
	}
	for id, prefs := range preferring {
		for name, value := range prefs {
			if text, changed := reword(value, old, word); changed {
				if err := tx.SetPreference(id, name, text); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// reword replaces whole words; a rule's argument may begin with "mailto:".
func reword(text, old, word string) (string, bool) {
	var b strings.Builder
	changed := false
	for len(text) > 0 {
		n := strings.IndexAny(text, " \t\n,:")
		end := n
		if n < 0 {
			n, end = len(text), len(text)-1
		}
		if strings.EqualFold(text[:n], old) {
			b.WriteString(word)
			b.WriteString(text[n : end+1])
			changed = true
		} else {
			b.WriteString(text[:end+1])
		}
		text = text[end+1:]
	}
	return b.String(), changed
}

// RenameDomain gives somebody who has addresses in one domain the same ones in
// another: a primary address becomes the new one, of every other one there is a
// second. The old ones stay. It reports whether the primary address changed.
// db.ErrExists names the first address that is somebody else's.
func RenameDomain(tx *db.Tx, p db.Principal, from, to string) (renamed bool, err error) {
	addresses, err := tx.Addresses(p.ID)
	if err != nil {
		return false, err
	}
	alls, err := tx.CatchAlls(p.ID)
	if err != nil {
		return false, err
	}
	have := map[string]bool{}
	for _, a := range append(addresses, alls...) {
		have[strings.ToLower(a)] = true
	}
	for i, a := range append(addresses, alls...) {
		at := strings.LastIndexByte(a, '@')
		if at < 0 || !strings.EqualFold(a[at+1:], from) {
			continue
		}
		other := a[:at+1] + to
		switch {
		case i == 0:
			if err := Rename(tx, p, other); err != nil {
				return false, err
			}
			renamed = true
		case !have[strings.ToLower(other)]:
			if err := AddAlias(tx, p.ID, other); err != nil {
				return false, err
			}
		}
	}
	return renamed, nil
}

// RenameDomainIn puts a domain in place of another one in rules and lists that
// speak of whole domains.
func RenameDomainIn(tx *db.Tx, from, to string) error {
	for _, w := range [][2]string{{"@" + from, "@" + to}, {from, to}, {"." + from, "." + to}} {
		if err := respell(tx, w[0], w[1]); err != nil {
			return err
		}
	}
	return nil
}
