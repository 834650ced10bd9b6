package directory

import (
	"slices"

	"github.com/convene-server/convene/db"
)

// ShareRights are what an invitation into a calendar offers (caldav-sharing
// §5.5.1). What everybody sees of the calendar itself stays its owner's: a
// sharee has name, colour and the like for himself (§5.5.3).
func ShareRights(writes bool) Rights {
	if writes {
		return Reading | WriteContent | Bind | Unbind
	}
	return Reading
}

// Grant gives somebody exactly these rights by name, before all other entries
// of a calendar; 0: no entry names him any longer.
func Grant(aces []db.ACE, grantee int64, rights Rights) []db.ACE {
	rest := slices.DeleteFunc(slices.Clone(aces), func(a db.ACE) bool { return a.Grantee == grantee })
	if rights == 0 {
		return rest
	}
	return append([]db.ACE{{Grantee: grantee, Rights: uint64(rights)}}, rest...)
}

// Named are the rights that entries give to a principal by name.
func Named(aces []db.ACE, grantee int64) Rights {
	return Decided(map[int64]bool{grantee: true}, aces)
}

// MarkShared says of a calendar whether there is anything to tell of its
// sharees: somebody was asked, or may read it because an entry names him.
func MarkShared(tx *db.Tx, calendar int64) error {
	aces, err := tx.ACEs(db.OnCollection, calendar)
	if err != nil {
		return err
	}
	shares, err := tx.Shares(calendar)
	if err != nil {
		return err
	}
	return tx.MarkShared(calendar, len(shares) > 0 || slices.ContainsFunc(aces, func(a db.ACE) bool {
		return a.Grantee > 0 && Named(aces, a.Grantee)&Read != 0
	}))
}

// Withdraw takes from guests what they may not read any more in the homes of
// owner: calendars out of their own homes, and what they have for themselves of
// objects.
func Withdraw(tx *db.Tx, owner db.Principal) error {
	guests, err := tx.Owning(owner.ID)
	if err != nil {
		return err
	}
	mounts, err := tx.MountsFrom(owner.ID)
	if err != nil {
		return err
	}
	for _, m := range mounts {
		guests = append(guests, m.Sharee)
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(guests))) {
		if err := withdrawFrom(tx, id, owner, mounts); err != nil {
			return err
		}
	}
	return nil
}

// WithdrawFrom is Withdraw for one guest.
func WithdrawFrom(tx *db.Tx, guest int64, owner db.Principal) error {
	mounts, err := tx.MountsFrom(owner.ID)
	if err != nil {
		return err
	}
	return withdrawFrom(tx, guest, owner, mounts)
}

func withdrawFrom(tx *db.Tx, guest int64, owner db.Principal, mounts []db.Mount) error {
	who, err := tx.Principal(guest)
	if err != nil {
		return err
	}
	g, err := Granted(tx, who, owner)
	if err != nil {
		return err
	}
	for collection, may := range g.Collections {
		if may&Read == 0 {
			if err := tx.DropOwn(guest, collection); err != nil {
				return err
			}
		}
	}
	for _, m := range mounts {
		if m.Sharee != guest || g.Collections[m.Collection]&Read != 0 {
			continue
		}
		if m.Group != 0 { // he may be in it again
			err = tx.Unmount(m.Collection, guest)
		} else {
			err = tx.DropShare(m.Collection, guest)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
