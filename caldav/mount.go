package caldav

import (
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// A calendar that was taken by invitation is in the sharee's home under a name
// of its own, and is the owner's calendar all the same: a path there is read as
// one in the owner's home, and what is told of it has the path by which it was
// asked for.

// mountPrefix begins the names of such calendars, so that nothing is asked
// about any other name. What follows is random: nobody has it already.
const mountPrefix = "shared-"

// loadMounts finds what I have taken into my home, before a request names it.
func (x *exchange) loadMounts() error {
	if !x.me.Guest || x.mounts != nil {
		return nil
	}
	var all []db.Mount
	err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		all, err = tx.Mounts(x.me.ID)
		return err
	})
	if err != nil {
		return err
	}
	x.mounts, x.through = make(map[string]*db.Mount, len(all)), make(map[int64]*db.Mount)
	if x.owners == nil {
		x.owners = make(map[string]*db.Principal)
	}
	for i := range all {
		m := &all[i]
		x.mounts[m.Name] = m
		x.owners[strings.ToLower(m.Owner.Address)] = &m.Owner
	}
	return nil
}

// mayNameMount reports whether a path is one in my home that a calendar of
// somebody else may have.
func (x *exchange) mayNameMount(segments []string) bool {
	return x.me.Guest && len(segments) > 3 && segments[1] == wingCalendars && strings.HasPrefix(segments[3], mountPrefix)
}

// ownersPlace reads a place in my home as that of the calendar that is there.
func (x *exchange) ownersPlace(p place) place {
	m := x.mounts[p.coll]
	if m == nil || p.owner != "" || p.wing.home != db.Calendar {
		return p
	}
	x.through[m.Collection] = m
	p.owner, p.coll = strings.ToLower(m.Owner.Address), m.Calendar.Name
	return p
}

// resourceOf a collection, under the path by which this request knows it.
func (x *exchange) resourceOf(owner *db.Principal, c db.Collection) *resource {
	r := collectionResource(owner, c)
	if m := x.through[c.ID]; m != nil {
		r.mount, r.href = m, x.mountHref(m)
	}
	return r
}

// name of a collection in the home in which this request knows it.
func (r *resource) name() string {
	if r.mount != nil {
		return r.mount.Name
	}
	return r.coll.Name
}

func (x *exchange) mountHref(m *db.Mount) string {
	return homeHref(wings[wingCalendars], &x.me) + encodePath(m.Name) + "/"
}

// mounted lists what I have taken into a home, if that is my calendar home, and
// may still read.
func (x *exchange) mounted(home *resource) ([]*resource, error) {
	if home.kind != kCalendarHome || home.owner.ID != x.me.ID {
		return nil, nil
	}
	var all []*resource
	for _, m := range x.inOrder() {
		x.through[m.Collection] = m
		r := x.resourceOf(&m.Owner, m.Calendar)
		have, err := x.rights(r)
		if err != nil {
			return nil, err
		}
		if have&directory.Read != 0 {
			all = append(all, r)
		}
	}
	return all, nil
}

// inOrder are my mounts by name.
func (x *exchange) inOrder() []*db.Mount {
	var all []*db.Mount
	for _, m := range x.mounts {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *db.Mount) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// elsewhere reports whether I have a calendar of somebody else in my own home:
// then it is not listed in his, or programs would show it twice.
func (x *exchange) elsewhere(c *db.Collection) bool {
	if c.Owner == x.me.ID || !c.Shared {
		return false
	}
	for _, m := range x.mounts {
		if m.Collection == c.ID {
			return true
		}
	}
	return false
}

// anyLeft reports whether there is anything to see in somebody else's calendar
// home that I have not taken into mine.
func (x *exchange) anyLeft(owner *db.Principal, g *directory.Grants) (bool, error) {
	if len(x.mounts) == 0 || g.CalendarHome&directory.Knowing != 0 {
		return true, nil
	}
	cs, err := x.collections(owner, wings[wingCalendars])
	for i := range cs {
		if g.Collections[cs[i].ID]&directory.Knowing != 0 && !x.elsewhere(&cs[i]) {
			return true, err
		}
	}
	return false, err
}
