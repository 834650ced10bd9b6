package policy

import (
	"fmt"
	"strings"
	"time"
)

// Reason says in few words why an answer is as it is. Text is a format of fmt
// in English, which a catalogue translates.
type Reason struct {
	Text string
	Args []any
}

// String returns it in English.
func (r Reason) String() string {
	if len(r.Args) == 0 {
		return r.Text
	}
	return fmt.Sprintf(r.Text, r.Args...)
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
