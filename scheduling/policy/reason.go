package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/convene-server/convene/words"
)

// Reason says in few words why an answer is as it is. Text is English and an id
// of the catalogues; its verbs are filled in by Args.
type Reason struct {
	Text string
	Args []any
	// Some of All occurrences are meant; zero: all, or there is only one.
	Some, All int
}

// String returns it in English.
func (r Reason) String() string { return r.In(words.Default().For("")) }

// In returns it in somebody's language.
func (r Reason) In(l *words.Language) string {
	text := l.Say(r.Text, r.Args...)
	if r.Some > 0 {
		text += " " + l.Say("(%d of %d occurrences)", r.Some, r.All)
	}
	return text
}

// Length is a duration that a person reads: "1:30 h", "20 min", "7 d".
type Length time.Duration

func (l Length) String() string {
	d := time.Duration(l)
	var parts []string
	if n := d / (24 * time.Hour); n > 0 {
		parts = append(parts, fmt.Sprintf("%d d", n))
		d -= n * 24 * time.Hour
	}
	switch h, m := d/time.Hour, d%time.Hour/time.Minute; {
	case h > 0 && m > 0:
		parts = append(parts, fmt.Sprintf("%d:%02d h", h, m))
	case h > 0:
		parts = append(parts, fmt.Sprintf("%d h", h))
	case m > 0:
		parts = append(parts, fmt.Sprintf("%d min", m))
	case len(parts) == 0:
		parts = append(parts, fmt.Sprintf("%d s", d/time.Second))
	}
	return strings.Join(parts, " ")
}
