package itip

import (
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// AgainAfter is how long ago an answer must have been sent before it is sent again
// to an organizer who asks how things stand: a younger one may be on its way.
const AgainAfter = time.Hour

// again repeats what an attendee has answered, to an organizer whose REQUEST
// asks for nothing but that (RFC 5546 §3.2.2.7): it is of the revision that he
// answered, nothing in it is new, and it shows him as one who has not answered and
// shall (RSVP=TRUE). So an answer that was lost comes to her after all. nil: she asks
// for more, or he has no answer to all of it.
func (me Actor) again(have *ics.Object, in *series, msg Message) []Message {
	if msg.Echo || msg.Prompt { // whoever is served here knows what he answered
		return nil
	}
	s := newSeries(have, have.Root().Clone())
	asked := false
	for _, p := range in.parts {
		l, old := p.self(me), s.exactly(p.rid)
		if l == nil || old == nil || old.self(me) == nil || sequence(old.comp) != sequence(p.comp) {
			return nil
		}
		switch says := ics.PartStat(l); {
		case says == ics.PartStat(old.self(me)):
		case says == "NEEDS-ACTION" && strings.EqualFold(l.Param("RSVP"), "TRUE"):
			asked = true
		default:
			return nil
		}
	}
	if !asked {
		return nil
	}
	for _, p := range s.parts {
		l := p.self(me)
		if l == nil || cancelled(p.comp) {
			continue
		}
		if !slices.Contains([]string{"ACCEPTED", "TENTATIVE", "DECLINED", "IN-PROCESS", "COMPLETED"}, ics.PartStat(l)) || l.HasParam(paramSaid) || l.HasParam(paramAnswers) {
			return nil
		}
	}
	for _, p := range s.parts {
		for i := range p.comp.Props {
			if l := &p.comp.Props[i]; l.Name == "ORGANIZER" {
				*l = l.WithParam("SCHEDULE-FORCE-SEND", string(Reply)) // as he would (RFC 6638 §7.2)
			}
		}
	}
	out, err := Originate(me, have, ics.New(s.root), Options{})
	if err != nil || len(out.Messages) != 1 || out.Messages[0].Method != Reply {
		return nil
	}
	return out.Messages
}
