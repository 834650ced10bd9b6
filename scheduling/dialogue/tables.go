package dialogue

import (
	"fmt"
	"slices"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// table is what RFC 5546 §3.2 to §3.4 say of one METHOD of one component: what
// each component has once, at least once, once at most, and never. All else may
// be there.
type table struct{ one, some, few, none string }

const (
	eventFew = "CLASS CREATED DESCRIPTION DTEND DURATION GEO LAST-MODIFIED LOCATION PRIORITY STATUS TRANSP URL "
	taskFew  = "CLASS COMPLETED CREATED DESCRIPTION DTSTART DUE DURATION GEO LAST-MODIFIED LOCATION PERCENT-COMPLETE STATUS URL "
	asked    = "ATTACH CATEGORIES CLASS CONTACT CREATED DESCRIPTION DTSTART DURATION EXDATE GEO LAST-MODIFIED LOCATION PRIORITY RDATE RELATED-TO REQUEST-STATUS RESOURCES RRULE SEQUENCE STATUS URL VALARM "
)

// tables are by component and METHOD, each with its section. Of three rows less is
// asked: an organizer's task without DTSTART is sent without, and SUMMARY and
// PRIORITY come with the mail.
var tables = map[string]table{
	"VEVENT PUBLISH":        {"DTSTAMP DTSTART ORGANIZER SUMMARY UID", "", eventFew + "CONTACT SEQUENCE RECURRENCE-ID RRULE", "ATTENDEE REQUEST-STATUS"}, // §3.2.1
	"VTODO PUBLISH":         {"DTSTAMP ORGANIZER PRIORITY SUMMARY UID", "", taskFew + "SEQUENCE RECURRENCE-ID RRULE", "ATTENDEE REQUEST-STATUS"},         // §3.4.1
	"VEVENT REQUEST":        {"DTSTAMP DTSTART ORGANIZER SUMMARY UID", "ATTENDEE", eventFew + "SEQUENCE RECURRENCE-ID RRULE", "REQUEST-STATUS"},          // §3.2.2
	"VEVENT REPLY":          {"ATTENDEE DTSTAMP ORGANIZER UID", "", eventFew + "DTSTART SEQUENCE SUMMARY RECURRENCE-ID RRULE", "VALARM"},                 // §3.2.3
	"VEVENT ADD":            {"DTSTAMP DTSTART ORGANIZER SEQUENCE SUMMARY UID", "", eventFew, "EXDATE RECURRENCE-ID REQUEST-STATUS RDATE RRULE"},         // §3.2.4
	"VEVENT CANCEL":         {"DTSTAMP ORGANIZER SEQUENCE UID", "", eventFew + "DTSTART SUMMARY RECURRENCE-ID RRULE", "REQUEST-STATUS VALARM"},           // §3.2.5
	"VEVENT REFRESH":        {"ATTENDEE DTSTAMP ORGANIZER UID", "", "RECURRENCE-ID", asked + "DTEND SUMMARY TRANSP"},                                     // §3.2.6
	"VEVENT COUNTER":        {"DTSTAMP DTSTART ORGANIZER SEQUENCE SUMMARY UID", "", eventFew + "RECURRENCE-ID RRULE", ""},                                // §3.2.7
	"VEVENT DECLINECOUNTER": {"DTSTAMP ORGANIZER SEQUENCE UID", "ATTENDEE", eventFew + "DTSTART SUMMARY RECURRENCE-ID RRULE", "VALARM"},                  // §3.2.8
	"VFREEBUSY PUBLISH":     {"DTSTAMP DTSTART DTEND ORGANIZER UID", "", "CONTACT URL", "ATTENDEE DURATION REQUEST-STATUS VALARM"},                       // §3.3.1
	"VFREEBUSY REPLY":       {"ATTENDEE DTSTAMP DTEND DTSTART ORGANIZER UID", "", "CONTACT URL", "DURATION SEQUENCE VALARM"},                             // §3.3.3
	"VTODO REQUEST":         {"DTSTAMP ORGANIZER PRIORITY SUMMARY UID", "ATTENDEE", taskFew + "SEQUENCE RECURRENCE-ID RRULE", "REQUEST-STATUS"},          // §3.4.2
	"VTODO REPLY":           {"ATTENDEE DTSTAMP ORGANIZER UID", "", taskFew + "PRIORITY RRULE RECURRENCE-ID SEQUENCE SUMMARY", "VALARM"},                 // §3.4.3
	"VTODO ADD":             {"DTSTAMP ORGANIZER PRIORITY SEQUENCE SUMMARY UID", "", taskFew, "EXDATE RECURRENCE-ID REQUEST-STATUS RDATE RRULE"},         // §3.4.4
	"VTODO CANCEL":          {"UID DTSTAMP ORGANIZER SEQUENCE", "", taskFew + "RECURRENCE-ID RRULE PRIORITY", "REQUEST-STATUS VALARM"},                   // §3.4.5
	"VTODO REFRESH":         {"ATTENDEE DTSTAMP UID", "", "RECURRENCE-ID", asked + "COMMENT COMPLETED DUE ORGANIZER PERCENT-COMPLETE"},                   // §3.4.6
	"VTODO COUNTER":         {"DTSTAMP ORGANIZER PRIORITY SUMMARY UID", "ATTENDEE", taskFew + "RECURRENCE-ID RRULE SEQUENCE", ""},                        // §3.4.7
	"VTODO DECLINECOUNTER":  {"DTSTAMP ORGANIZER SEQUENCE UID", "ATTENDEE", taskFew + "PRIORITY RECURRENCE-ID RRULE", "VALARM"},                          // §3.4.8
}

// statuses are what STATUS may be; of all else nothing is said.
var statuses = map[string][]string{
	"VEVENT REQUEST": {"TENTATIVE", "CONFIRMED"}, "VEVENT ADD": {"TENTATIVE", "CONFIRMED"}, "VEVENT DECLINECOUNTER": {"TENTATIVE", "CONFIRMED"},
	"VEVENT COUNTER": {"TENTATIVE", "CONFIRMED", "CANCELLED"}, "VEVENT CANCEL": {"CANCELLED"}, "VTODO CANCEL": {"CANCELLED"},
	"VTODO REQUEST": {"COMPLETED", "NEEDS-ACTION", "IN-PROCESS"}, "VTODO ADD": {"COMPLETED", "NEEDS-ACTION", "IN-PROCESS"}, "VTODO DECLINECOUNTER": {"COMPLETED", "NEEDS-ACTION", "IN-PROCESS"},
	"VTODO COUNTER": {"COMPLETED", "NEEDS-ACTION", "IN-PROCESS", "CANCELLED"},
}

// Breaks says how a message that the server makes breaks the table of its METHOD,
// "" if it does not. mailed: as it leaves by mail, with all that this adds.
func Breaks(o *ics.Object, mailed bool) string {
	if o.Root().Value("VERSION") != "2.0" || len(o.Root().PropsNamed("PRODID")) != 1 || len(o.Root().PropsNamed("METHOD")) != 1 { // §3.1.1
		return "no VERSION, PRODID or METHOD"
	}
	method := o.Method()
	for _, c := range o.Main() {
		name := c.Name + " " + method
		t, ok := tables[name]
		switch {
		case !ok:
			return "no such message: " + name
		case c.Name != o.Main()[0].Name || c.Value("UID") != o.UID():
			return "components of several kinds or UIDs" // §3.2
		case len(o.Main()) > 1 && slices.Contains([]string{"ADD", "REFRESH", "COUNTER"}, method):
			return "more than one component in a " + name
		}
		if why := t.broken(c, name, mailed); why != "" {
			return why
		}
		if in := statuses[name]; c.Prop("STATUS") != nil && in != nil && !slices.Contains(in, c.Value("STATUS")) {
			return fmt.Sprintf("STATUS:%s in a %s", c.Value("STATUS"), name)
		}
		if c.Name == "VFREEBUSY" {
			if why := badBusyTime(c); why != "" {
				return why
			}
		}
	}
	if mailed {
		return zonesMissing(o)
	}
	return ""
}

func (t table) broken(c *ics.Component, name string, mailed bool) string {
	n := func(name string) int {
		n := len(c.PropsNamed(name))
		for _, ch := range c.Children {
			if ch.Name == name {
				n++
			}
		}
		return n
	}
	// Who delegates names his delegate, too (§3.2.2.3).
	delegated := strings.HasSuffix(name, " REPLY") && n("ATTENDEE") > 0 && ics.PartStat(ics.Attendees(c)[0]) == "DELEGATED"
	for _, p := range strings.Fields(t.one) {
		late := !mailed && (p == "SUMMARY" || p == "PRIORITY")
		if n(p) != 1 && !(late && n(p) == 0) && !(p == "ATTENDEE" && delegated) {
			return fmt.Sprintf("%d %s in a %s", n(p), p, name)
		}
	}
	for _, p := range strings.Fields(t.some) {
		if n(p) == 0 {
			return fmt.Sprintf("no %s in a %s", p, name)
		}
	}
	for _, p := range strings.Fields(t.few) {
		if n(p) > 1 {
			return fmt.Sprintf("%d %s in a %s", n(p), p, name)
		}
	}
	for _, p := range strings.Fields(t.none) {
		if n(p) > 0 {
			return fmt.Sprintf("%s in a %s", p, name)
		}
	}
	switch {
	case n("DTEND")+n("DUE") > 0 && n("DURATION") > 0:
		return "an end and a DURATION in a " + name
	case strings.HasSuffix(name, " ADD") && c.Value("SEQUENCE") == "0":
		return "SEQUENCE:0 in a " + name // §3.2.4
	}
	return ""
}

// badBusyTime holds a VFREEBUSY against RFC 5546 §3.3: times in UTC, periods in
// ascending order, none twice.
func badBusyTime(c *ics.Component) string {
	for _, p := range []string{"DTSTART", "DTEND"} {
		if !strings.HasSuffix(c.Value(p), "Z") {
			return p + " that is not in UTC"
		}
	}
	last := ""
	for _, p := range c.PropsNamed("FREEBUSY") {
		for _, period := range strings.Split(p.Value, ",") {
			if period <= last {
				return "periods twice or out of order: " + last + ", " + period
			}
			last = period
		}
	}
	return ""
}

// zonesMissing names a zone to which something refers and that is not there
// (§3.1.2).
func zonesMissing(o *ics.Object) string {
	here := map[string]bool{}
	for _, c := range o.Root().Children {
		if c.Name == "VTIMEZONE" {
			here[c.Value("TZID")] = true
		}
	}
	for _, c := range o.Main() {
		for i := range c.Props {
			if id := c.Props[i].Param("TZID"); id != "" && !here[id] {
				return "no VTIMEZONE " + id
			}
		}
	}
	return ""
}
