package scheduling

import (
	"strings"
	"sync"

	"github.com/convene-server/convene/scheduling/policy"
)

// rulebook remembers rules that were read, by their text: a room with many
// rules does not read them again for each answer.
type rulebook struct {
	mu    sync.Mutex
	known map[string]reading
}

type reading struct {
	rules policy.Policy
	err   error
}

// maxReadings bounds what is remembered; few sites have as many different lists
// of rules.
const maxReadings = 1000

// parse is policy.Parse of lines of text.
func (b *rulebook) parse(text string) (policy.Policy, error) {
	if b == nil {
		return policy.Parse(strings.Split(text, "\n"))
	}
	b.mu.Lock()
	r, ok := b.known[text]
	b.mu.Unlock()
	if ok {
		return r.rules, r.err
	}
	r.rules, r.err = policy.Parse(strings.Split(text, "\n"))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil || len(b.known) >= maxReadings {
		b.known = map[string]reading{}
	}
	b.known[text] = r
	return r.rules, r.err
}
