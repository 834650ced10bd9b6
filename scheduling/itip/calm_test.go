package itip_test

import (
	"os"
	"slices"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// calm are the acts that do not begin at any time. CONVENE_CROSS names those that
// shall all the same, to see what becomes of it.
var calm = map[string]bool{
	// A delegation crosses no mail between those whom it concerns: the organizer, the
	// delegator, his delegate, and who is sent by or sends either. Mostly all copies
	// agree without that too; those that were seen not to had a delegate who is in
	// some occurrences in his own right.
	"delegate": true,
	// An answer from another mail program crosses no mail between the same two. The
	// server that observes it says it again where its organizer could mean something
	// else by it (RFC 5546 §3.2.2.2), and mostly all copies agree without that; those
	// that were seen not to had answers of both kinds to a series, and a day of it that
	// was moved and moved back meanwhile: such programs do not name the occurrences for
	// which an answer to the series is none (RFC 6638 §3.2.2.3). All other mail may be
	// under way.
	"answers": true,
	// A series is parted while no mail is under way, and what that tells arrives
	// before something else happens. An answer that crosses it counts for both parts;
	// but whoever has answered the earlier part by its new UID, and only then all of
	// the series as he still has it, has said two things of that part.
	"split": true,
}

// between returns a mail under way from one of some people to another of them, -1
// without one.
func (s *simulation) between(some []*somebody) int {
	return slices.IndexFunc(s.mail, func(p *packet) bool {
		return slices.Contains(some, s.at[p.m.From]) && slices.Contains(some, s.at[p.m.To])
	})
}

// concerned are the organizer, who sends another, and all who are a delegator or a
// delegate of anybody in what either of them has, or in a mail under way.
func (s *simulation) concerned(who *somebody) []*somebody {
	out := []*somebody{who, s.org}
	objects := []*ics.Object{s.object(who), s.object(s.org)}
	for _, p := range s.mail {
		objects = append(objects, p.m.Body)
	}
	for _, o := range objects {
		if o == nil {
			continue
		}
		for _, c := range o.Main() {
			for _, l := range ics.Attendees(c) {
				if p := s.at[ics.CalAddress(l)]; p != nil && (l.HasParam("DELEGATED-FROM") || l.HasParam("DELEGATED-TO")) {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

func calmly(act string) bool { return calm[act] && !strings.Contains(os.Getenv("CONVENE_CROSS"), act) }
