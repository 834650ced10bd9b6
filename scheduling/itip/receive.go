package itip

import (
	"fmt"
	"slices"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Receive decides what an iTIP message does to the copy that the recipient
// has (nil: none). A message that is stale, repeated or not for him is no
// error: Outcome.Ignored. The error is a *Refusal.
func Receive(me Actor, have *ics.Object, msg Message) (Outcome, error) {
	switch o := msg.Body; {
	case o == nil || !schedules(o.Kind()):
		return ignored("nothing in it that can be scheduled"), nil
	case !oneUID(o):
		return ignored("more than one UID in a message"), nil
	case have != nil && have.UID() != o.UID():
		return ignored("the message is about another UID"), nil
	case have != nil && have.Kind() != o.Kind():
		return ignored("the message is about a %s, the copy is a %s", o.Kind(), have.Kind()), nil
	case malformed(o):
		return ignored("a RECURRENCE-ID or DTSTART that cannot be read"), nil
	}
	msg.Body = me.asMember(have, msg)
	if Ranged(msg.Body) && msg.Method != Cancel {
		body, err := me.unrange(have, msg.Body)
		if err != nil {
			return me.cannot(have, msg, "3.14;Unsupported capability;RANGE=THISANDFUTURE", rangeRule(err)), nil
		}
		msg.Body = body
	}
	var out Outcome
	var err error
	switch msg.Method {
	case Request:
		out, err = me.receiveRequest(have, msg)
	case Cancel:
		out, err = me.receiveCancel(have, msg)
	case Reply:
		out, err = me.receiveReply(have, msg)
	case Add:
		out, err = me.receiveAdd(have, msg)
	case Publish:
		out, err = me.receivePublish(have, msg)
	case Refresh:
		out, err = me.receiveRefresh(have, msg)
	case Counter:
		out, err = me.receiveCounter(have, msg)
	case DeclineCounter:
		out, err = me.receiveDeclineCounter(have, msg)
	default:
		return ignored("%s is not applied", msg.Method), nil
	}
	if err == nil && me.Agent {
		Free(me, &out)
	}
	if err == nil && out.Object != nil {
		bad := out.Object.Check()
		if ics.OtherScale(bad) && msg.Method == Request { // RFC 7529 §7
			return me.cannot(have, msg, "3.1;Invalid property value;RRULE", bad.Error()), nil
		}
		if bad != nil { // whatever a stranger sends, what is stored is sound
			return ignored("it would spoil the copy: %v", bad), nil
		}
	}
	return out, err
}

// Free takes what was called off out of a copy: whole, or as an EXDATE of its
// series. What it was is remembered against messages that come late.
func Free(me Actor, out *Outcome) {
	if out.Object == nil {
		return
	}
	s := newSeries(out.Object, out.Object.Root())
	var gone []*ics.Component
	stays := 0
	for _, p := range s.parts {
		if cancelled(p.comp) {
			gone = append(gone, p.comp)
		} else {
			stays++
		}
	}
	if len(gone) == 0 {
		return
	}
	out.Left = AddLeft(me.leaving(out.Object, gone, true), out.Left)
	if stays == 0 || s.master != nil && cancelled(s.master.comp) {
		out.Object, out.Remove = nil, true
		return
	}
	root := &ics.Component{Name: "VCALENDAR", Props: out.Object.Root().Props}
	for _, c := range out.Object.Root().Children {
		switch {
		case slices.Contains(gone, c):
			continue
		case s.master != nil && c == s.master.comp:
			c = c.Clone()
			out0 := datesOf(out.Object, c, "EXDATE")
			for _, g := range gone {
				if r := out.Object.RID(g); !out0[r] {
					c.Add(out.Object.DateProp("EXDATE", r))
				}
			}
		}
		root.Children = append(root.Children, c)
	}
	out.Object = ics.New(root)
}

func ignored(format string, args ...any) Outcome {
	return Outcome{Ignored: true, Rule: fmt.Sprintf(format, args...)}
}

func oneUID(o *ics.Object) bool {
	uid := o.UID()
	for _, c := range o.Main() {
		if schedules(c.Name) && trim(c.Value("UID")) != uid {
			return false
		}
	}
	return uid != ""
}

// malformed reports whether a component's place in the series or in time
// cannot be read, so that it could be taken for another.
func malformed(o *ics.Object) bool {
	seen := map[ics.RID]bool{}
	for _, c := range o.Main() {
		if !schedules(c.Name) {
			continue
		}
		if p := c.Prop("DTSTART"); p != nil {
			if _, err := o.PropTime(p); err != nil {
				return true
			}
		}
		r := o.RID(c)
		if r == "" && c.Prop("RECURRENCE-ID") != nil || seen[r] {
			return true
		}
		seen[r] = true
	}
	return false
}

// floating is the zone of floating times; never nil.
func (me Actor) floating() *time.Location {
	if me.Floating == nil {
		return time.UTC
	}
	return me.Floating
}

// samePerson reports whether two addresses name one person. Local parts that
// differ in case do to the many programs that write them in lower case.
func samePerson(a, b cuaddr.Address) bool { return a == b || a.Fold() == b.Fold() }

func isPerson(who cuaddr.Address) func(cuaddr.Address) bool {
	return func(a cuaddr.Address) bool { return samePerson(a, who) }
}

// sameLine reports whether a line names somebody.
func sameLine(p *ics.Prop, who cuaddr.Address) bool {
	a := ics.CalAddress(p)
	return !a.IsZero() && !who.IsZero() && samePerson(a, who)
}
