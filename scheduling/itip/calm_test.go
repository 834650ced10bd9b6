package itip_test

import (
	"os"
	"slices"
	"strings"
)

// calm are the acts that do not begin at any time. CONVENE_CROSS names those that
// shall all the same, to see what becomes of it.
var calm = map[string]bool{
	// An answer from another mail program crosses no mail between the same two.
	// Other programs repeat what SEQUENCE they like, so the organizer does not
	// confirm such an answer (RFC 5546 §3.2.2.2), and the copy of who gave it shows
	// until his next answer that he is asked. Nor do they name the occurrences for
	// which an answer to the series is none (RFC 6638 §3.2.2.3), so it is not known
	// of which it speaks if it overtakes earlier ones. All other mail may be under
	// way.
	"answers": true,
}

// between returns a mail under way from one of some people to another of them, -1
// without one.
func (s *simulation) between(some []*somebody) int {
	return slices.IndexFunc(s.mail, func(p *packet) bool {
		return slices.Contains(some, s.at[p.m.From]) && slices.Contains(some, s.at[p.m.To])
	})
}

func calmly(act string) bool { return calm[act] && !strings.Contains(os.Getenv("CONVENE_CROSS"), act) }
