package caldav

import (
	"net/http"
	"slices"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/caldav/filter"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
)

// calendarComponents are those that a calendar may take.
var calendarComponents = []string{"VEVENT", "VTODO", "VJOURNAL", "VAVAILABILITY"}

// writeComponents is for MKCALENDAR only (RFC 4791 §5.2.3: protected).
func writeComponents(x *exchange, r *resource, c dav.Change, u *update) error {
	if !u.creating || c.Remove {
		return errProtected
	}
	var comps []string
	for _, e := range c.Prop.Children() {
		if e.Name != dav.C("comp") {
			continue
		}
		switch name := strings.ToUpper(e.Attr("name")); {
		case slices.Contains(comps, name):
		case slices.Contains(calendarComponents, name):
			comps = append(comps, name)
		case slices.Contains([]string{"VCALENDAR", "VTIMEZONE", "VFREEBUSY", "VALARM", "VPOLL"}, name):
			// KDAV lists everything that iCalendar has.
		default:
			return &dav.Error{Status: http.StatusConflict, Cond: dav.C("supported-calendar-component")}
		}
	}
	if len(comps) == 0 {
		return &dav.Error{Status: http.StatusConflict, Cond: dav.C("supported-calendar-component")}
	}
	u.coll.Components = strings.Join(comps, ",")
	return nil
}

// writeTimezone takes an iCalendar object with one VTIMEZONE (RFC 4791
// §5.2.2), or a bare VTIMEZONE as some programs send it. What counts is the zone
// that it names; rules that are nobody's zone cannot be kept.
func writeTimezone(x *exchange, r *resource, c dav.Change, u *update) error {
	if c.Remove {
		u.zone("")
		return u.keep(c)
	}
	text := strings.TrimSpace(c.Prop.Text())
	if strings.EqualFold(c.Prop.Attr("content-type"), filter.JCal) { // kept in the form in which others ask for it
		o, err := ics.ParseJCal([]byte(text), ics.Limits{})
		if err != nil {
			return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("valid-calendar-data"), Detail: err.Error()}
		}
		text = string(o.Bytes())
		doc := dav.Document(dav.D("prop"), func(w *dav.Writer) { w.Element(c.Prop.Name, text) })
		root, err := dav.Parse(strings.NewReader(string(doc)), dav.Limits{})
		if err != nil {
			return err
		}
		c.Prop = root.Children()[0]
	}
	if strings.HasPrefix(text, "BEGIN:VTIMEZONE") {
		text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + text + "\r\nEND:VCALENDAR\r\n"
	}
	loc, err := filter.Zone(text)
	if err != nil {
		return err
	}
	if loc == nil {
		u.zone("") // RFC 7809 §3.1.5: calendar-timezone-id never names another zone
	} else {
		u.zone(loc.String())
	}
	return u.keep(c)
}

// writeTimezoneID takes an IANA name (RFC 7809 §5.2). It replaces what
// calendar-timezone said.
func writeTimezoneID(x *exchange, r *resource, c dav.Change, u *update) error {
	gone := dav.Change{Remove: true, Prop: &dav.Element{Name: dav.C("calendar-timezone")}}
	if c.Remove {
		u.zone("")
		return u.keep(gone)
	}
	loc := ics.Location(c.Prop.Trimmed())
	if loc == nil {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("valid-timezone")}
	}
	u.zone(loc.String())
	return u.keep(gone)
}

func (u *update) zone(tz string) {
	if u.coll.TZ != tz {
		u.coll.TZ, u.touched, u.rezoned = tz, true, true
	}
}

// alarms checks the value of a default alarm: VALARMs as they would stand in a
// component, or none.
func alarms(text string) error {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	o, err := ics.Parse([]byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n"+text+"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"), ics.Limits{})
	if err == nil && len(o.Main()) == 1 {
		c := o.First()
		if len(c.Props) == 0 && !slices.ContainsFunc(c.Children, func(a *ics.Component) bool { return a.Name != "VALARM" }) {
			return nil
		}
	}
	return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("valid-calendar-data"), Detail: "a default alarm is a VALARM"}
}

func writeTransp(x *exchange, r *resource, c dav.Change, u *update) error {
	transparent := false
	switch {
	case c.Remove: // RFC 6638 §9.1: opaque is the default
	case c.Prop.Child(dav.C("transparent")) != nil:
		transparent = true
	case c.Prop.Child(dav.C("opaque")) == nil:
		return conflict("neither opaque nor transparent")
	}
	if u.coll.Transparent != transparent {
		u.coll.Transparent, u.touched = transparent, true
	}
	return nil
}

// writeDefaultCalendar chooses where invitations arrive (RFC 6638 §9.2,
// §4.3.1.2).
func writeDefaultCalendar(x *exchange, r *resource, c dav.Change, u *update) error {
	invalid := &dav.Error{Status: http.StatusForbidden, Cond: dav.C("valid-schedule-default-calendar-URL")}
	href := c.Prop.Child(dav.D("href"))
	if c.Remove { // RFC 6638 §4.3.1.1
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("default-calendar-needed")}
	}
	cal, err := x.calendarAt(href)
	if err != nil || cal.owner.ID != r.owner.ID {
		return invalid
	}
	u.makeDefault = cal.coll.ID
	return nil
}

// writeFreeBusySet makes the calendars that it names opaque and all others
// transparent, which is what RFC 6638 §9.1 put in its place. It cannot be
// removed, and takes nothing but calendars for events.
func writeFreeBusySet(x *exchange, r *resource, c dav.Change, u *update) error {
	if c.Remove || r.owner.ID != x.me.ID {
		return errProtected
	}
	busy := []int64{}
	for _, href := range c.Prop.Children() {
		cal, err := x.calendarAt(href)
		if err != nil || cal.owner.ID != r.owner.ID {
			return conflict("not a calendar of one's own for events")
		}
		busy = append(busy, cal.coll.ID)
	}
	u.busy = busy
	return nil
}

// calendarAt finds the calendar for events that an href in a body names.
func (x *exchange) calendarAt(href *dav.Element) (*resource, error) {
	if href == nil || href.Name != dav.D("href") {
		return nil, notFound
	}
	p, ok := x.placeOfHref(href.Trimmed())
	if !ok || p.member != "" || p.wing.home != db.Calendar {
		return nil, notFound
	}
	cal, err := x.collection(p)
	if err == nil && (cal.kind != kCalendar || !takes(cal.coll, "VEVENT")) {
		err = notFound
	}
	return cal, err
}

// writeAvailability takes an iCalendar object of VAVAILABILITY components (RFC
// 7953 §7.2.4).
func writeAvailability(x *exchange, r *resource, c dav.Change, u *update) error {
	text := ""
	if !c.Remove {
		text = strings.TrimSpace(c.Prop.Text())
		if err := x.desk.CheckAvailability(text); err != nil {
			return err
		}
	}
	u.available = &text
	return nil
}

// takes reports whether a calendar takes a component.
func takes(c *db.Collection, component string) bool {
	return c.Components == "" || slices.Contains(strings.Split(c.Components, ","), component)
}
