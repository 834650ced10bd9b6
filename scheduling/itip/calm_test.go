package itip_test

import (
	"os"
	"slices"
	"strings"
)

// calm are the acts that do not begin at any time. CONVENE_CROSS names those that
// shall all the same, to see what becomes of it.
var calm = map[string]bool{
	// An answer from another mail program crosses no mail between the same two. The
	// server that observes it says it again where its organizer could mean something
	// else by it (RFC 5546 §3.2.2.2), and mostly all copies agree without that; those
	// that were seen not to had answers of both kinds to a series, and a day of it that
	// was moved and moved back meanwhile: such programs do not name the occurrences for
	// which an answer to the series is none (RFC 6638 §3.2.2.3). All other mail may be
	// under way.
	"answers": true,
	// A series is parted while no mail is under way, and what that tells arrives
	// before something else happens. Answers that cross it count for both parts, and
	// mostly all copies agree without that; those that were seen not to had a
	// delegation that crossed it and was taken back: what a first copy of the earlier
	// part says of whom somebody sends is not taken for the organizer's word alone.
	"split": true,
}

// between returns a mail under way from one of some people to another of them, -1
// without one.
func (s *simulation) between(some []*somebody) int {
	return slices.IndexFunc(s.mail, func(p *packet) bool {
		return slices.Contains(some, s.at[p.m.From]) && slices.Contains(some, s.at[p.m.To])
	})
}

func calmly(act string) bool { return calm[act] && !strings.Contains(os.Getenv("CONVENE_CROSS"), act) }
