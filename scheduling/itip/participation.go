package itip

import (
	"slices"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Participation returns an attendee's copy with the participation of the
// others as the organizer's copy has it: who is in each occurrence that he has,
// and what they answered (RFC 6638 §3.2.6). Nothing else changes, self's own
// lines never. It returns copy itself where nothing
// differs.
func Participation(copy, organizers *ics.Object, self func(cuaddr.Address) bool) *ics.Object {
	var root *ics.Component // a clone, made when the first line differs
	edit := func(i int) *ics.Component {
		if root == nil {
			root = copy.Root().Clone()
		}
		return root.Children[i]
	}
	for _, theirs := range organizers.Main() {
		r := organizers.RID(theirs)
		mine := copy.Master()
		if r != "" {
			mine = copy.Override(r)
		}
		if mine != nil {
			if props, changed := participants(mine, theirs, self); changed {
				edit(slices.Index(copy.Root().Children, mine)).Props = props
			}
			continue
		}
		// Somebody answered for one occurrence: it needs an override here too,
		// if this attendee is invited to it.
		if r == "" || copy.Master() == nil || ics.Attendee(theirs, self) == nil {
			continue
		}
		if props, changed := participants(copy.Master(), theirs, self); changed {
			if one := copy.Occurrence(r); one != nil {
				attendees := slices.DeleteFunc(props, func(p ics.Prop) bool { return p.Name != "ATTENDEE" })
				one.Remove("ATTENDEE")
				for _, p := range attendees {
					one.Add(p)
				}
				edit(0)
				root.Children = append(root.Children, one)
			}
		}
	}
	if root == nil {
		return copy
	}
	return ics.New(root)
}

// participants returns the properties of mine with the ATTENDEE lines of
// theirs as others may see them; self's own lines stay.
func participants(mine, theirs *ics.Component, self func(cuaddr.Address) bool) (props []ics.Prop, changed bool) {
	want := map[cuaddr.Address]ics.Prop{}
	var order []cuaddr.Address
	for _, p := range ics.Attendees(theirs) {
		if a := ics.CalAddress(p); !a.IsZero() && !self(a) {
			if _, twice := want[a]; !twice {
				order = append(order, a)
			}
			want[a] = publicAttendee(*p)
		}
	}
	last := -1
	for i := range mine.Props {
		p := mine.Props[i]
		if a := ics.CalAddress(&p); p.Name == "ATTENDEE" && !a.IsZero() && !self(a) {
			w, in := want[a]
			delete(want, a)
			if !in {
				changed = true
				continue
			}
			if !p.Equal(&w) {
				p, changed = w, true
			}
		}
		props = append(props, p)
		if p.Name == "ATTENDEE" {
			last = len(props) - 1
		}
	}
	var added []ics.Prop
	for _, a := range order {
		if w, left := want[a]; left {
			added = append(added, w)
		}
	}
	if len(added) > 0 {
		props, changed = slices.Insert(props, last+1, added...), true
	}
	return props, changed
}
