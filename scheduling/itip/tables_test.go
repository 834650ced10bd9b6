package itip_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

// table is what RFC 5546 §3.2.2 to §3.2.8 say of a METHOD of a VEVENT, and §3.4.2
// to §3.4.8 of a VTODO: what each component has once, and what it never has. All
// else may be there; what once says may be there no more than once. VTIMEZONEs
// come with the mail (rule R7), and an empty SUMMARY.
type table struct{ one, none string }

var tables = map[Method]table{
	Request:        {"DTSTART", "REQUEST-STATUS"},
	Reply:          {"ATTENDEE", ""},
	Add:            {"DTSTART SEQUENCE", "EXDATE RECURRENCE-ID REQUEST-STATUS RDATE RRULE"},
	Cancel:         {"SEQUENCE", "REQUEST-STATUS"},
	Refresh:        {"ATTENDEE", "ATTACH CATEGORIES CLASS CONTACT CREATED DESCRIPTION DTEND DTSTART DUE DURATION EXDATE GEO LAST-MODIFIED LOCATION PRIORITY RDATE RELATED-TO REQUEST-STATUS RESOURCES RRULE SEQUENCE STATUS SUMMARY TRANSP URL PERCENT-COMPLETE COMPLETED"},
	Counter:        {"DTSTART SEQUENCE", ""},
	DeclineCounter: {"SEQUENCE", ""},
}

const once = "CLASS COMPLETED CREATED DESCRIPTION DTEND DTSTART DUE DURATION GEO LAST-MODIFIED LOCATION PERCENT-COMPLETE PRIORITY RECURRENCE-ID RRULE SEQUENCE STATUS SUMMARY TRANSP URL"

// breaks says how a message that leaves breaks its table, "" if it does not.
func breaks(m Message) string {
	t, ok := tables[m.Method]
	if !ok || m.Echo { // among copies here
		return ""
	}
	task := false
	for _, c := range m.Body.Main() {
		n := func(name string) int { return len(c.PropsNamed(name)) }
		task = c.Name == "VTODO"
		for _, name := range strings.Fields(t.one) {
			delegated := m.Method == Reply && name == "ATTENDEE" && ics.PartStat(ics.Attendees(c)[0]) == "DELEGATED"
			if n(name) != 1 && !delegated && !(task && name == "DTSTART") {
				return fmt.Sprintf("%d %s in a %s", n(name), name, m.Method)
			}
		}
		for _, name := range strings.Fields(t.none) {
			if n(name) > 0 {
				return fmt.Sprintf("%s in a %s", name, m.Method)
			}
		}
		for _, name := range strings.Fields(once) {
			if n(name) > 1 {
				return "two " + name
			}
		}
		status := c.Value("STATUS")
		switch {
		case n("DTEND")+n("DUE") > 0 && n("DURATION") > 0:
			return "an end and a DURATION"
		case status == "CANCELLED" && slices.Contains([]Method{Request, Add, DeclineCounter}, m.Method), m.Method == Cancel && status != "" && status != "CANCELLED":
			return fmt.Sprintf("STATUS:%s in a %s", status, m.Method)
		}
	}
	if n := len(m.Body.Main()); n > 1 && slices.Contains([]Method{Add, Refresh, Counter}, m.Method) {
		return fmt.Sprintf("%d components in a %s", n, m.Method)
	}
	return ""
}
