package itip

import (
	"slices"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Participation returns an attendee's copy with the participation of the
// others as the organizer's copy has it: who is in each occurrence that he has,
// and what they answered (RFC 6638 §4.2), with the properties that attendees
// set for everybody (Actor.SharedX). Nothing else changes, self's own lines
// never. It returns copy itself where nothing differs.
func Participation(copy, organizers *ics.Object, self func(cuaddr.Address) bool, shared ...string) *ics.Object {
	truth := newSeries(organizers, organizers.Root())
	mine := newSeries(copy, copy.Root())
	edits := map[*ics.Component][]ics.Prop{} // new properties, by component of the copy
	for _, p := range mine.parts {
		if theirs := truth.at(p.rid); theirs != nil && !cancelled(p.comp) {
			if props, changed := participants(p.comp, theirs.comp, self, shared); changed {
				edits[p.comp] = props
			}
		}
	}
	// Who is in one occurrence, or answered for it, can be told of only in an
	// override: it is made here too, if this attendee is invited to it.
	var added []*ics.Component
	for _, p := range truth.parts {
		if p.rid == "" || mine.byRID[p.rid] != nil || cancelled(p.comp) || ics.Attendee(p.comp, self) == nil {
			continue
		}
		one := mine.regular(p.rid) // a component of its own
		if one == nil {
			continue
		}
		if truth.master != nil { // as the master is from now on
			one.Props, _ = participants(one, truth.master.comp, self, shared)
		}
		if props, changed := participants(one, p.comp, self, shared); changed {
			added = append(added, &ics.Component{Name: one.Name, Props: props, Children: one.Children})
		}
	}
	if len(edits) == 0 && len(added) == 0 {
		return copy
	}
	root := copy.Root().Clone()
	for i, c := range copy.Root().Children {
		if props, ok := edits[c]; ok {
			root.Children[i].Props = props
		}
	}
	root.Children = append(root.Children, added...)
	return ics.New(root)
}

// participants returns the properties of mine with the ATTENDEE lines of
// theirs as others may see them, and their shared properties; self's own lines
// stay.
func participants(mine, theirs *ics.Component, self func(cuaddr.Address) bool, shared []string) (props []ics.Prop, changed bool) {
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
	for _, name := range shared {
		if slices.Equal(valuesOf(mine, name), valuesOf(theirs, name)) {
			continue
		}
		props = slices.DeleteFunc(props, func(p ics.Prop) bool { return p.Name == name })
		for _, p := range theirs.PropsNamed(name) {
			props = append(props, *p)
		}
		changed = true
	}
	return props, changed
}
