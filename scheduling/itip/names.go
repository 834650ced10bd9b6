package itip

import "github.com/convene-server/convene/scheduling/ics"

// name tells with the address of everybody who is in the directory what he is
// called there, where the organizer's program does not say it: programs show what
// they find, and not all look it up (RFC 5545 §3.2.2). The people outside have
// the names that they are given.
func (v *revision) name(c *ics.Component) {
	if v.me.Named == nil {
		return
	}
	for i := range c.Props {
		p := &c.Props[i]
		if p.Name != "ATTENDEE" && p.Name != "ORGANIZER" || trim(p.Param("CN")) != "" {
			continue
		}
		if name := v.me.Named(ics.CalAddress(p)); name != "" {
			c.Props[i] = p.WithParam("CN", name)
			v.is.dirty = true
		}
	}
}
