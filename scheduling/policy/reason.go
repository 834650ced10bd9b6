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
	// For is what the reason is about, in turn; nil: nothing else.
	For *Reason
	// Said is what a person adds, in whatever language that is.
	Said string
}

// Comment is what an answer of a room says beside yes or no: why, who looks after
// the room ("" if nobody is said to), and what its rules add.
func (p Policy) Comment(r Reason, l *words.Language, owner string) string {
	text := r.In(l)
	if owner != "" {
		text += "\n" + l.Say("Looked after by %s.", owner)
	}
	if p.response != "" {
		text += "\n" + p.response
	}
	return text
}

// String returns it in English.
func (r Reason) String() string { return r.In(words.Default().For("")) }

// In returns it in somebody's language.
func (r Reason) In(l *words.Language) string {
	text := l.Say(r.Text, r.Args...)
	if r.Some > 0 {
		text += " " + l.Say("(%d of %d occurrences)", r.Some, r.All)
	}
	if r.For != nil {
		text += ": " + r.For.In(l)
	}
	if r.Said != "" {
		text += ": " + r.Said
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
