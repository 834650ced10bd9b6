package itip

import (
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Choice is an answer to one occurrence.
type Choice struct {
	RID      ics.RID
	PartStat string
	To       cuaddr.Address // whom he sends in his place; zero: nobody
}

// SetAnswer returns o with the answers of an attendee who decides about each
// occurrence: whole for the series ("" leaves it as it is), and single for those
// that differ. Overrides that neither speaks of keep what they have.
func SetAnswer(o *ics.Object, self func(cuaddr.Address) bool, whole string, single []Choice) *ics.Object {
	set := func(r ics.RID, partstat string) {
		if n := SetPartStat(o, self, r, partstat, ""); n != nil {
			o = n
		}
	}
	if whole != "" {
		stands := map[ics.RID]string{}
		for _, c := range o.Overrides() {
			if me := ics.Attendee(c, self); me != nil {
				stands[o.RID(c)] = ics.PartStat(me)
			}
		}
		was := ""
		if m := o.Master(); m != nil {
			if me := ics.Attendee(m, self); me != nil {
				was = ics.PartStat(me)
			}
		}
		if was != whole {
			set("", whole) // of all components; the overrides get theirs back
		}
		for r, partstat := range stands {
			if c := o.Override(r); c != nil {
				if me := ics.Attendee(c, self); me != nil && ics.PartStat(me) != partstat {
					set(r, partstat)
				}
			}
		}
	}
	for _, one := range single {
		if one.To.IsZero() {
			set(one.RID, one.PartStat)
		} else {
			o = PassOn(o, self, one.RID, one.To)
		}
	}
	return o
}

// PassOn returns o with the attendee's line saying that he sends another in his
// place, who is invited by it (RFC 5546 §3.2.2.3): to the component of one
// instance only, or with "" to all.
func PassOn(o *ics.Object, self func(cuaddr.Address) bool, r ics.RID, to cuaddr.Address) *ics.Object {
	root := o.Root().Clone()
	for i, c := range root.Children {
		mine := ics.Attendee(c, self)
		if mine == nil || r != "" && o.RID(o.Root().Children[i]) != r {
			continue
		}
		line := ics.NewProp("ATTENDEE", to.String(), ics.Param{Name: "PARTSTAT", Values: []string{"NEEDS-ACTION"}},
			ics.Param{Name: "RSVP", Values: []string{"TRUE"}}, ics.Param{Name: "DELEGATED-FROM", Values: []string{ics.CalAddress(mine).String()}})
		if t := mine.Param("CUTYPE"); t != "" {
			line = line.WithParam("CUTYPE", t)
		}
		*mine = mine.WithoutParams("RSVP").WithParam("PARTSTAT", "DELEGATED").WithParam("DELEGATED-TO", to.String())
		if ics.Attendee(c, isPerson(to)) == nil { // else he has it already
			c.Add(line)
		}
	}
	return ics.New(root)
}
