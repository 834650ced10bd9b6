package policy

import (
	"errors"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// keeps is what a room's copy loses of what the organizer wrote: those who look
// into its calendar see when it is booked and for whom, and need no more.
type keeps struct {
	noAttachments, noComments, noSubject bool
	organizer                            bool // the title begins with his name
	public                               bool // it is not marked as private
}

func keep(set func(*keeps)) func(p *Policy, args []string) error {
	return func(p *Policy, args []string) error {
		set(&p.keeps)
		return none(args)
	}
}

// Keep returns the copy that stays in the calendar of a booking that was
// answered, or is put there for somebody to answer.
func (p Policy) Keep(o *ics.Object) *ics.Object {
	if p.keeps == (keeps{}) || o == nil {
		return o
	}
	root := o.Root().Clone()
	for _, c := range root.Children {
		if c.Name != o.Kind() {
			continue
		}
		if p.keeps.noAttachments {
			c.Remove("ATTACH", "IMAGE")
		}
		if p.keeps.noComments {
			c.Remove("DESCRIPTION", "STYLED-DESCRIPTION", "COMMENT", "X-ALT-DESC")
		}
		if p.keeps.public {
			c.Remove("CLASS")
		}
		title := c.Text("SUMMARY")
		who := ""
		if p.keeps.organizer {
			who = organizerName(c)
		}
		if rest, again := strings.CutPrefix(title, who); again { // a copy that was kept before
			title = strings.TrimPrefix(rest, ": ")
		}
		if p.keeps.noSubject {
			title = ""
		}
		if who != "" && title != "" {
			who += ": "
		}
		if title = who + title; title != c.Text("SUMMARY") {
			c.Remove("SUMMARY")
			if title != "" {
				c.Set(ics.NewProp("SUMMARY", ics.Escape(title)))
			}
		}
	}
	return ics.New(root)
}

func organizerName(c *ics.Component) string {
	line := c.Prop("ORGANIZER")
	if line == nil {
		return ""
	}
	if name := strings.TrimSpace(line.Param("CN")); name != "" {
		return name
	}
	return ics.CalAddress(line).Mail()
}

// Forgets returns how long a booking stays in the calendar after its end; 0: for
// ever.
func (p Policy) Forgets() time.Duration { return p.forget }

// drawers are calendars by the CLASS of what comes into them.
type drawers struct{ private, confidential string }

func drawer(class string) func(p *Policy, args []string) error {
	return func(p *Policy, args []string) error {
		if len(args) != 1 || strings.Contains(args[0], "/") {
			return errors.New("takes the name of a calendar, as in its address")
		}
		if class == "PRIVATE" {
			p.drawers.private = args[0]
		} else {
			p.drawers.confidential = args[0]
		}
		return nil
	}
}

// Drawer returns the name of the calendar into which an invitation comes because
// of its CLASS (RFC 5545 §3.8.1.3); "" where no rule says so.
func (p Policy) Drawer(o *ics.Object) string {
	if p.drawers == (drawers{}) || o == nil || o.First() == nil {
		return ""
	}
	switch strings.ToUpper(o.First().Value("CLASS")) {
	case "PRIVATE":
		return p.drawers.private
	case "CONFIDENTIAL":
		return p.drawers.confidential
	}
	return ""
}
