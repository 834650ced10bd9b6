package itip

import (
	"slices"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Mail does not keep its order: a delegate may answer, or send somebody else, before
// the organizer knows that he was sent.

// paramClaim stands on an attendee's line in the organizer's object: somebody
// answered as his delegate before he himself said that he sends him. Its value
// is "PARTSTAT SEQUENCE/DTSTAMP ADDRESS", and whom that one sends behind it. It is
// never sent.
const paramClaim = "X-CONVENE-CLAIM"

// claim is such an answer; the zero one is none.
type claim struct {
	said  string
	since since
	who   cuaddr.Address
	to    cuaddr.Address // whom he sends
}

func claimOf(l *ics.Prop) claim {
	f := strings.Fields(l.Param(paramClaim))
	if len(f) < 3 {
		return claim{}
	}
	who, err := cuaddr.Parse(f[2])
	if err != nil || who.IsZero() {
		return claim{}
	}
	out := claim{said: f[0], since: parseSince(f[1]), who: who}
	if len(f) > 3 {
		out.to, _ = cuaddr.Parse(f[3])
	}
	return out
}

func (k claim) String() string {
	v := k.said + " " + k.since.String() + " " + k.who.String()
	if !k.to.IsZero() {
		v += " " + k.to.String()
	}
	return v
}

// answer gives his line what he said.
func (k claim) answer(line ics.Prop) ics.Prop {
	line = line.WithParam("PARTSTAT", k.said).WithParam(paramSince, k.since.String()).WithParam("SCHEDULE-STATUS", StatusSuccess).WithoutParams("RSVP")
	if !k.to.IsZero() {
		line = line.WithParam("DELEGATED-TO", k.to.String())
	}
	return line
}

// claims reads the answer of somebody who says that he was sent; false: it is none
// that can wait.
func (r *replying) claims(c *part, l *ics.Prop) (claim, bool) {
	k := claim{said: ics.PartStat(l), since: answeredBy(c.comp), who: ics.CalAddress(l)}
	if to := persons(l, "DELEGATED-TO"); k.said == "DELEGATED" && len(to) == 1 && !r.me.Self(to[0]) {
		k.to = to[0]
	}
	return k, mayAnswer(c.comp.Name, k.said) && k.said != "NEEDS-ACTION" && (k.said != "DELEGATED" || !k.to.IsZero()) && !r.me.Self(k.who)
}

// delegator returns the line of whoever is in a part and has sent somebody, says he.
func (r *replying) delegator(p *part, l *ics.Prop) *ics.Prop {
	for _, from := range persons(l, "DELEGATED-FROM") {
		if by := find(p, from); by != nil && !r.me.Self(from) {
			return by
		}
	}
	return nil
}

// waits reports whether somebody answers an occurrence to whose series somebody is
// invited who sends him, says he.
func (r *replying) waits(c, p *part, l *ics.Prop) bool {
	_, ok := r.claims(c, l)
	return ok && r.delegator(p, l) != nil
}

// early notes the answer of a delegate whose delegator has not said yet that he
// sends him. false: he names nobody who is invited.
func (r *replying) early(c, p *part, l *ics.Prop) bool {
	k, ok := r.claims(c, l)
	by := r.delegator(p, l)
	if !ok || by == nil {
		return false
	}
	if sends(by, k.who) { // his line got lost
		line := l.WithoutParams(ownParams...).WithoutParams("RSVP").WithParam(paramSince, k.since.String()).WithParam("SCHEDULE-STATUS", statusOf(c.comp))
		p.comp.Add(line)
		p.moved()
		r.passOn(p, k.who)
		r.noted, r.news = true, true
		return true
	}
	r.claim = true
	if old := claimOf(by); samePerson(old.who, k.who) && old.since.stamp > k.since.stamp {
		return true // a later one came before (RFC 5546 §2.1.5)
	}
	*by = by.WithParam(paramClaim, k.String())
	r.noted = true
	return true
}

// passOn puts into a part whom a new delegate sends in his turn, and invites him: he
// is known by that one's word alone.
func (r *replying) passOn(p *part, who cuaddr.Address) {
	l := find(p, who)
	if l == nil || ics.PartStat(l) != "DELEGATED" {
		return
	}
	for _, a := range persons(l, "DELEGATED-TO") {
		if behind(p, who, a) || r.me.Self(a) || r.me.MaxAttendees > 0 && len(p.guests()) >= r.me.MaxAttendees {
			continue
		}
		if line := find(p, a); line != nil {
			if !namesIn(line, "DELEGATED-FROM", who) && line.HasParam("DELEGATED-FROM") {
				*line = line.WithParam("DELEGATED-FROM", append(line.ParamValues("DELEGATED-FROM"), who.String())...)
			}
		} else {
			p.comp.Add(ics.NewProp("ATTENDEE", a.String(),
				ics.Param{Name: "PARTSTAT", Values: []string{"NEEDS-ACTION"}}, ics.Param{Name: "RSVP", Values: []string{"TRUE"}},
				ics.Param{Name: "DELEGATED-FROM", Values: []string{who.String()}}))
			p.moved()
		}
		if !r.calledOff(p) && !slices.Contains(r.back, a) {
			r.back = append(r.back, a)
		}
	}
}
