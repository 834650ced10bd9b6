package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// guests makes a meeting on the 3rd, 10:00 to 11:00, with attendees
// "ann DECLINED" beside the room.
func guests(t *testing.T, who ...string) *ics.Object {
	t.Helper()
	c := "03T10 03T11"
	for _, w := range who {
		name, partstat, _ := strings.Cut(w, " ")
		cutype := ""
		if strings.HasPrefix(name, "beamer") {
			cutype = ";CUTYPE=RESOURCE"
		}
		if partstat != "" {
			partstat = ";PARTSTAT=" + partstat
		}
		c += " ATTENDEE" + cutype + partstat + ":mailto:" + name + "@example.org"
	}
	return event(t, c)
}

func TestWhoMayBook(t *testing.T) {
	test := func(lines, organizer, want string, attendees ...string) {
		t.Helper()
		q := question(nil, guests(t, attendees...), nil)
		q.Organizer = cuaddr.Mailto(organizer)
		q.Named = func(named, who cuaddr.Address) bool {
			return named.Mail() == "staff@example.org" && who.Local() == "ben"
		}
		if got := told(t, rules(t, lines), q); got != want {
			t.Errorf("%s, %s: %q, want %q", lines, organizer, got, want)
		}
	}
	test("same_domain_only", "ann@example.org", "ACCEPTED")
	test("same_domain_only", "ann@EXAMPLE.org", "ACCEPTED")
	test("same_domain_only", "ann@example.net", "DECLINED")
	test("same_domain_only", "ann@sub.example.org", "DECLINED")

	test("access_control_list accept organizer ann@example.org", "ann@example.org", "ACCEPTED")
	test("access_control_list accept organizer ann@example.org", "ben@example.org", "DECLINED")
	test("access_control_list decline organizer ann@example.org", "ann@example.org", "DECLINED")
	test("access_control_list decline organizer ann@example.org", "ben@example.org", "ACCEPTED")
	test("access_control_list decline organiser ann@example.org; access_control_list accept", "ann@example.org", "DECLINED") // the rest is the rest
	test("access_control_list decline; access_control_list accept attendees cat@example.org", "ann@example.org", "DECLINED", "dan")
	test("access_control_list decline; access_control_list accept attendees cat@example.org", "ann@example.org", "ACCEPTED", "cat", "dan")
	test("access_control_list accept organizer ann@example.org; access_control_list reject attendee cat@example.org", "ann@example.org", "DECLINED", "cat")

	test("may_book ann@example.org", "ann@example.org", "ACCEPTED")
	test("may_book ann@example.org", "ben@example.org", "DECLINED")
	test("may_book example.org", "ben@sub.example.org", "ACCEPTED")
	test("may_book example.org", "ben@badexample.org", "DECLINED")
	test("may_book staff@example.org", "ben@example.org", "ACCEPTED") // a group that holds him
	test("may_book staff@example.org", "ann@example.org", "DECLINED")
}

func TestWithinCapacity(t *testing.T) {
	test := func(lines string, holds int, want string, attendees ...string) {
		t.Helper()
		q := question(nil, guests(t, attendees...), nil)
		q.Capacity = holds
		if got := told(t, rules(t, lines), q); got != want {
			t.Errorf("%s, %q: %q, want %q", lines, attendees, got, want)
		}
	}
	test("within_capacity", 3, "ACCEPTED", "ann", "ben", "cat")
	test("within_capacity", 3, "DECLINED", "ben", "cat", "dan") // and ann, who organizes
	test("within_capacity", 3, "ACCEPTED", "ann", "ben", "cat", "dan DECLINED", "beamer")
	test("within_capacity", 0, "ACCEPTED", "ann", "ben", "cat", "dan")
	test("within_capacity 2", 9, "DECLINED", "ann", "ben", "cat")
}

func TestTimings(t *testing.T) {
	test := func(lines, when, want string) {
		t.Helper()
		if got := decide(t, rules(t, lines), nil, event(t, when), nil); got != want {
			t.Errorf("%s, %s: %q, want %q", lines, when, got, want)
		}
	}
	// It is the 2nd of March, 8:00, a Monday.
	test("booking_window P7D", "09T07 09T08", "ACCEPTED")
	test("booking_window P7D", "09T08 09T09", "DECLINED")
	test("booking_window PT4H P7D", "02T11 02T13", "DECLINED")
	test("booking_window PT4H P7D", "02T12 02T13", "ACCEPTED")
	test("booking_window P7D", "06T10 06T11 RRULE:FREQ=DAILY;COUNT=4", "ACCEPTED, 09=DECLINED")
	test("booking_window P7D", "06T10 06T11 RRULE:FREQ=DAILY", "DECLINED")
	test("endless refuse", "06T10 06T11 RRULE:FREQ=DAILY", "DECLINED")
	test("endless accept", "06T10 06T11 RRULE:FREQ=DAILY", "ACCEPTED")
	test("endless refuse", "06T10 06T11 RRULE:FREQ=DAILY;COUNT=3", "ACCEPTED")
	test("shortest PT2H", "03T10 03T11", "DECLINED")
	test("shortest PT2H", "03T10 03T12", "ACCEPTED")
	test("longest PT2H", "03T10 03T12", "ACCEPTED")
	test("longest PT2H", "03T10 03T13", "DECLINED")
	test("granularity PT2H", "03T10 03T12", "ACCEPTED")
	test("granularity PT2H", "03T11 03T13", "DECLINED")
	test("granularity PT2H", "03T10 03T13", "DECLINED")
	test("working_hours MO-FR 08:00-18:00", "03T08 03T18", "ACCEPTED")
	test("working_hours MO-FR 08:00-18:00", "03T07 03T09", "DECLINED")
	test("working_hours MO-FR 08:00-18:00", "03T17 03T19", "DECLINED")
	test("working_hours MO-FR 08:00-18:00", "07T10 07T11", "DECLINED")
	test("working_hours MO-FR 08:00-18:00; working_hours SA 10:00-12:00", "07T10 07T11", "ACCEPTED")
	test("working_hours MO-FR 08:00-18:00 Europe/Berlin", "03T07 03T08", "ACCEPTED")
	test("working_hours FR-MO 08:00-18:00", "08T10 08T11", "ACCEPTED")
	test("working_hours FR-MO 08:00-18:00", "04T10 04T11", "DECLINED")
	test("working_hours MO-FR 08:00-18:00", "06T10 06T11 RRULE:FREQ=DAILY;COUNT=4", "ACCEPTED, 07=DECLINED, 08=DECLINED")
	test("permitted_times 8,12:0,30", "03T10 03T11", "DECLINED")
	test("permitted_times 8,12:0,30", "03T12 03T13", "ACCEPTED")
}

func TestBuffer(t *testing.T) {
	busy := at(t, "03T10-12")
	test := func(lines, when, want string) {
		t.Helper()
		if got := decide(t, rules(t, lines), nil, event(t, when), busy); got != want {
			t.Errorf("%s, %s: %q, want %q", lines, when, got, want)
		}
	}
	test("buffer PT1H", "03T08 03T09", "ACCEPTED")
	test("buffer PT1H", "03T09 03T10", "DECLINED")
	test("buffer PT1H", "03T12 03T13", "DECLINED")
	test("buffer PT1H", "03T13 03T14", "ACCEPTED")
	test("buffer PT1H PT5M", "03T09 03T10", "DECLINED")
	test("buffer PT5M PT1H", "03T12 03T13", "DECLINED")
	test("buffer PT1H", "03T11 03T13", "DECLINED")
}

// minutes makes a meeting on the 3rd from and to a clock "10:05-10:55".
func minutes(t *testing.T, clocks string, lines ...string) *ics.Object {
	t.Helper()
	from, to, _ := strings.Cut(clocks, "-")
	f := func(s string) string { return "03T" + strings.Replace(s, ":", "", 1) }
	o := event(t, "03T10 03T11 "+strings.Join(lines, " "))
	root := o.Root().Clone()
	for _, c := range root.Children {
		c.Set(ics.NewProp("DTSTART", "202603"+f(from)+"00Z"))
		c.Set(ics.NewProp("DTEND", "202603"+f(to)+"00Z"))
	}
	return ics.New(root)
}

func TestAnotherTime(t *testing.T) {
	test := func(lines, when, want string, busy ...string) {
		t.Helper()
		if got := decide(t, rules(t, lines), nil, minutes(t, when), at(t, busy...)); got != want {
			t.Errorf("%s, %s with %q: %q, want %q", lines, when, busy, got, want)
		}
	}
	corrected := "permitted_times 0,15,30,45; schedule_corrected_in_freebusy"
	test(corrected, "10:15-11:00", "ACCEPTED")
	test(corrected, "10:05-10:55", "COUNTER 03T10:15-11:05") // as long as it was
	test(corrected, "10:05-10:55", "DECLINED", "03T11-12")
	test(corrected, "10:15-11:00", "DECLINED", "03T10-11")
	test(corrected, "23:50-23:59", "COUNTER 04T00:00-00:09")
	next := "schedule_next_available_in_freebusy"
	test(next, "10:30-11:30", "ACCEPTED")
	test(next, "10:30-11:30", "COUNTER 03T11:00-12:00", "03T10-11", "03T14-15")
	test(next, "10:30-11:30", "COUNTER 03T12:00-13:00", "03T10-11", "03T11-12", "03T14-15")
	test(next, "10:30-11:30", "COUNTER 08T08:00-09:00", "01T0-176", "08T9-10") // the gap before the last booking
	test(next+"; permitted_times 30", "10:00-11:00", "COUNTER 03T11:30-12:30", "03T11-11", "03T10-11")
	test(next+"; permitted_times 9:0", "10:00-11:00", "COUNTER 04T09:00-10:00")
	test(next+"; working_hours MO-FR 09:00-17:00", "16:30-17:30", "DECLINED") // refused before a time is looked for
	test(next+"; working_hours MO-FR 09:00-17:00", "16:00-17:00", "COUNTER 04T09:00-10:00", "03T16-17")
	test(next+"; same_domain_only", "10:30-11:30", "COUNTER 03T11:00-12:00", "03T10-11")
	test("schedule_next_available_in_freebusy 2", "10:30-11:30", "ACCEPTED", "03T10-11")
	test("schedule_next_available_in_freebusy 2", "10:30-11:30", "COUNTER 03T11:00-12:00", "03T10-11", "03T10-11")
	test(next, "10:30-11:30", "DECLINED", "01T0-5000") // nothing within the search

	// Others who are invited must be free at the time that is proposed.
	q := question(nil, minutes(t, "10:30-11:30"), at(t, "03T10-11"))
	q.Others = func(from, to time.Time) ([]ics.Span, error) {
		return between(at(t, "03T11-13"))(ics.WantedIn(from, to))
	}
	if got := told(t, rules(t, next), q); got != "COUNTER 03T13:00-14:00" {
		t.Errorf("with others: %s", got)
	}
	a, err := rules(t, next+"; freebusy_offers PT10M").Decide(q)
	if err != nil || a.Counter == nil || a.Counter.Hold != 10*time.Minute {
		t.Errorf("%+v, %v", a, err)
	}
	// For a series no other time is proposed, occurrence by occurrence.
	if got := decide(t, rules(t, next), nil, minutes(t, "10:30-11:30", "RRULE:FREQ=DAILY;COUNT=3"), at(t, "04T10-11")); got != "ACCEPTED, 04=DECLINED" {
		t.Errorf("a series: %s", got)
	}
	// A day has no time to be corrected.
	day := minutes(t, "10:00-11:00").Root().Clone()
	day.Children[0].Set(ics.NewProp("DTSTART", "20260303", ics.Param{Name: "VALUE", Values: []string{"DATE"}}))
	day.Children[0].Remove("DTEND")
	if got := decide(t, rules(t, corrected), nil, ics.New(day), nil); got != "DECLINED" {
		t.Errorf("a day: %s", got)
	}
}

func TestQuota(t *testing.T) {
	test := func(lines string, used time.Duration, after *ics.Object, want string) {
		t.Helper()
		q := question(nil, after, nil)
		q.Named = inTeam
		q.Used = func(quota string, organizer cuaddr.Address, together string) (time.Duration, error) {
			if quota != "cars" || organizer.Local() != "ann" {
				t.Errorf("quota %s of %s", quota, organizer)
			}
			if together != "" {
				return 10 * used, nil
			}
			return used, nil
		}
		if got := told(t, rules(t, lines), q); got != want {
			t.Errorf("%s with %s used: %q, want %q", lines, used, got, want)
		}
	}
	hour := event(t, "03T10 03T11")
	test("check_quota cars PT2H", 0, hour, "ACCEPTED")
	test("check_quota cars PT2H", time.Hour, hour, "ACCEPTED")
	test("check_quota cars PT2H", 61*time.Minute, hour, "DECLINED")
	test("check_quota cars PT2H", 0, event(t, "03T10 03T11 RRULE:FREQ=DAILY;COUNT=2"), "ACCEPTED")
	test("check_quota cars PT2H", 0, event(t, "03T10 03T11 RRULE:FREQ=DAILY;COUNT=3"), "DECLINED")
	test("check_quota cars PT2H", 0, event(t, "03T10 03T11 RRULE:FREQ=DAILY"), "DECLINED")
	test("check_quota cars *", 900*time.Hour, event(t, "03T10 03T11 RRULE:FREQ=DAILY"), "ACCEPTED")
	test("check_quota cars PT2H", 3*time.Hour, event(t, "03T10 03T11 TRANSP:TRANSPARENT"), "DECLINED") // used up
	test("check_quota cars PT2H", time.Hour, event(t, "03T10 03T15 TRANSP:TRANSPARENT"), "ACCEPTED")

	// Those who are named have theirs together, wherever the line stands.
	test("check_quota cars PT2H; check_quota cars PT20H team@example.org", time.Hour, hour, "ACCEPTED")
	test("check_quota cars PT2H; check_quota cars PT20H team@example.org", 2*time.Hour, hour, "DECLINED")
	test("check_quota cars PT20H example.org; check_quota cars PT2H", 2*time.Hour, hour, "DECLINED")
	test("check_quota cars PT20H example.net; check_quota cars PT2H", time.Hour, hour, "ACCEPTED")
	test("check_quota cars PT20H example.net", 0, hour, "DECLINED") // nothing is allotted to her
	test("check_quota cars PT20H example.net; check_quota cars *", 0, hour, "ACCEPTED")

	across := func(want string, reserved ...string) {
		t.Helper()
		q := question(nil, hour, nil)
		q.Reserved = func(quota string, _ cuaddr.Address, from, to time.Time) ([]ics.Span, error) {
			return between(at(t, reserved...))(ics.WantedIn(from, to))
		}
		if got := told(t, rules(t, "schedule_across_quota cars"), q); got != want {
			t.Errorf("reserved %q: %q, want %q", reserved, got, want)
		}
	}
	across("ACCEPTED")
	across("ACCEPTED", "03T9-10", "03T11-12")
	across("DECLINED", "03T9-12")
}

func TestPool(t *testing.T) {
	test := func(lines string, after *ics.Object, busy string, members map[string]string, want string) {
		t.Helper()
		q := question(nil, after, nil)
		if busy != "" {
			q = question(nil, after, at(t, busy))
		}
		q.Member = func(m cuaddr.Address, when ics.Wanted) ([]ics.Span, bool, error) {
			spans, known := members[m.Local()]
			if !known || spans == "" {
				return nil, known, nil
			}
			busy, err := between(at(t, spans))(when)
			return busy, true, err
		}
		if got := told(t, rules(t, lines), q); got != want {
			t.Errorf("%s: %q, want %q", lines, got, want)
		}
	}
	hour := event(t, "03T10 03T11")
	two := "schedule_for_delegate car1@example.org car2@example.org"
	test(two, hour, "", map[string]string{"car1": "", "car2": ""}, "ACCEPTED")
	test(two, hour, "03T10-11", map[string]string{"car1": "", "car2": ""}, "DELEGATED car1@example.org")
	test(two, hour, "03T10-11", map[string]string{"car1": "03T9-12", "car2": "03T11-12"}, "DELEGATED car2@example.org")
	test(two, hour, "03T10-11", map[string]string{"car1": "03T9-12", "car2": "03T9-12"}, "DECLINED")
	test(two, hour, "03T10-11", nil, "DECLINED") // nobody who answers
	test(two, event(t, "03T10 03T11 ATTENDEE:mailto:car1@example.org"), "03T10-11", map[string]string{"car1": "", "car2": ""}, "DELEGATED car2@example.org")
	test(two, event(t, "03T10 03T11 RRULE:FREQ=DAILY;COUNT=3"), "04T10-11", map[string]string{"car1": "05T10-11", "car2": ""}, "DELEGATED car2@example.org")
	test(two, event(t, "03T10 03T11 RRULE:FREQ=DAILY;COUNT=3"), "04T10-11", map[string]string{"car1": "05T10-11"}, "ACCEPTED, 04=DECLINED")
	test(two+"; same_domain_only", hour, "03T10-11", map[string]string{"car1": ""}, "DELEGATED car1@example.org")
	// The one with the fewest conflicts, where none is wholly free; itself, if
	// none has fewer.
	most := "schedule_for_delegate most_available car1@example.org car2@example.org"
	series := event(t, "03T10 03T11 RRULE:FREQ=DAILY;COUNT=3")
	test(most, hour, "03T10-11", map[string]string{"car1": "03T9-12", "car2": "03T9-12"}, "DECLINED")
	test(most, series, "03T0-40", map[string]string{"car1": "04T0-40", "car2": "05T10-11"}, "DELEGATED car2@example.org")
	test(most, series, "04T10-11", map[string]string{"car1": "04T0-40", "car2": "05T10-11"}, "ACCEPTED, 04=DECLINED")
	test("pool most_available car1@example.org car2@example.org", series, "", map[string]string{"car1": "03T0-100", "car2": "03T0-100"}, "DECLINED")
	pool := "pool car1@example.org car2@example.org"
	test(pool, hour, "", map[string]string{"car1": "", "car2": ""}, "DELEGATED car1@example.org")
	test(pool, hour, "", map[string]string{"car1": "03T9-12", "car2": "03T9-12"}, "DECLINED")
	// Who got it from another passes it on to nobody.
	from := event(t, "03T10 03T11 PARTSTAT=none ATTENDEE;DELEGATED-FROM=\"mailto:pool@example.org\":"+room)
	test(two, from, "03T10-11", map[string]string{"car1": "", "car2": ""}, "DECLINED")
	test(two, from, "", map[string]string{"car1": "", "car2": ""}, "ACCEPTED")
	// Moved: the one that has it keeps it if it can, else another gets it.
	has := event(t, "03T10 03T11 PARTSTAT=none ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:car1@example.org\":"+room+
		" ATTENDEE;DELEGATED-FROM=\""+room+"\":mailto:car1@example.org")
	test(two, has, "03T10-11", map[string]string{"car1": "", "car2": ""}, "")
	test(pool, has, "", map[string]string{"car1": "03T9-12", "car2": ""}, "DELEGATED car2@example.org")
	// The same, asked anew, as whoever moves a meeting asks.
	anew := event(t, "03T10 03T11 PARTSTAT=none ATTENDEE;PARTSTAT=NEEDS-ACTION;DELEGATED-TO=\"mailto:car2@example.org\":"+room+
		" ATTENDEE;PARTSTAT=NEEDS-ACTION;DELEGATED-FROM=\""+room+"\":mailto:car2@example.org")
	test(pool, anew, "", map[string]string{"car1": "", "car2": ""}, "DELEGATED car2@example.org")
	test(pool, anew, "", map[string]string{"car1": "", "car2": "03T9-12"}, "DELEGATED car1@example.org")
}

func TestTogether(t *testing.T) {
	test := func(lines, want string, busy ...string) {
		t.Helper()
		if got := decide(t, rules(t, lines), nil, event(t, "03T10 03T11 RRULE:FREQ=DAILY;COUNT=4"), at(t, busy...)); got != want {
			t.Errorf("%s with %q: %q, want %q", lines, busy, got, want)
		}
	}
	test("all_or_nothing; schedule_in_freebusy", "ACCEPTED")
	test("all_or_nothing; schedule_in_freebusy", "DECLINED", "04T10-11")
	test("conflicts_allowed 25%; schedule_in_freebusy", "ACCEPTED, 04=DECLINED", "04T10-11")
	test("conflicts_allowed 25%; schedule_in_freebusy", "DECLINED", "04T10-11", "05T10-11")
	test("conflicts_allowed 1; schedule_in_freebusy", "ACCEPTED, 04=DECLINED", "04T10-11")
	test("conflicts_allowed 1; schedule_in_freebusy", "DECLINED", "04T10-11", "05T10-11")
	test("conflicts_allowed 90%; conflicts_allowed 1; schedule_in_freebusy", "DECLINED", "04T10-11", "05T10-11")
	test("conflicts_allowed 3; conflicts_allowed 25%; schedule_in_freebusy", "DECLINED", "04T10-11", "05T10-11")
}

func TestAutoRelease(t *testing.T) {
	yes := "ACCEPTED"
	test := func(want string, attendees ...string) {
		t.Helper()
		o := guests(t, attendees...)
		root := o.Root().Clone()
		for _, a := range root.Children[0].PropsNamed("ATTENDEE") {
			if a.Value == room {
				*a = a.WithParam("PARTSTAT", yes)
			}
		}
		o = ics.New(root)
		if got := decide(t, rules(t, "auto_release"), o, o, nil); got != want {
			t.Errorf("%q: %q, want %q", attendees, got, want)
		}
	}
	test("", "ben", "cat DECLINED")
	test("DECLINED", "ben DECLINED", "cat DECLINED", "beamer ACCEPTED")
	test("") // nobody else was invited
}

func TestReason(t *testing.T) {
	test := func(lines string, after *ics.Object, want string, busy ...string) {
		t.Helper()
		a, err := rules(t, lines).Decide(question(nil, after, at(t, busy...)))
		if err != nil || a.Reason.String() != want {
			t.Errorf("%s: %q, want %q, %v", lines, a.Reason, want, err)
		}
	}
	hour, series := event(t, "03T10 03T11"), event(t, "03T10 03T11 RRULE:FREQ=DAILY;COUNT=4")
	test("schedule_in_freebusy", hour, "free at that time")
	test("schedule_in_freebusy", hour, "not free at that time", "03T10-11")
	test("schedule_in_freebusy", series, "not free at that time (2 of 4 occurrences)", "04T10-11", "05T10-11")
	test("longest PT30M", hour, "longer than 30 min")
	test("longest PT90M", event(t, "03T10 05T10"), "longer than 1:30 h")
	test("booking_window P1DT6H", event(t, "09T10 09T11"), "booked at most 1 d 6 h ahead")
	test("same_domain_only; longest PT30M", hour, "longer than 30 min")
	test("ACT_REJECT", hour, "refused by its rules")
}

// A person's task is answered without a look at the time.
func TestTask(t *testing.T) {
	o, err := ics.Parse([]byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:u\r\nDTSTAMP:20260301T000000Z\r\nATTENDEE:"+room+
		"\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"), ics.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	test := func(lines, want string) {
		t.Helper()
		q := question(nil, o, nil)
		q.Unattended = false
		if got := told(t, rules(t, lines), q); got != want {
			t.Errorf("%s: %q, want %q", lines, got, want)
		}
	}
	test("TASK_ACCEPT", "ACCEPTED")
	test("ALL_REJECT", "DECLINED")
	test("EVENT_ACCEPT", "")
	test("TASK_MANUAL; ALL_ACCEPT", "")
}

func TestHandling(t *testing.T) {
	test := func(lines string, answered, calledOff Handling) {
		t.Helper()
		p, ann := rules(t, lines), cuaddr.Mailto("ann@example.org")
		if got := p.Answered("VEVENT", ann, nil); got != answered {
			t.Errorf("%s: answered %+v", lines, got)
		}
		if got := p.CalledOff("VEVENT", ann, nil); got != calledOff {
			t.Errorf("%s: called off %+v", lines, got)
		}
	}
	test("ACT_ACCEPT", Handling{}, Handling{})
	test("ACT_UPDATE", Handling{}, Handling{})
	test("ACT_UPDATE_AND_NOTIFY", Handling{Notify: true}, Handling{Notify: true})
	test("ACT_CANCEL_DELETE; ACT_UPDATE_AND_NOTIFY", Handling{Notify: true}, Handling{Forget: true})
	test("ACT_CANCEL_DELETE_AND_NOTIFY:example.net; EVENT_CANCEL_DELETE", Handling{}, Handling{Forget: true})
	test("TASK_CANCEL_DELETE_AND_NOTIFY", Handling{}, Handling{})
}

// What a condition refuses the owner decides, for those for whom the rules say
// so; who comes, and whether it is free, is not his to decide.
func TestOutOfPolicy(t *testing.T) {
	test := func(lines string, after *ics.Object, want, reason string, busy ...string) {
		t.Helper()
		q := question(nil, after, at(t, busy...))
		q.Named = inTeam
		a, err := rules(t, lines).Decide(q)
		if err != nil {
			t.Fatal(err)
		}
		if got := told(t, rules(t, lines), q); got != want || a.Reason.String() != reason {
			t.Errorf("%s: %q because %q; want %q, %q", lines, got, a.Reason, want, reason)
		}
	}
	hour, series := event(t, "03T10 03T11"), event(t, "03T10 03T11 RRULE:FREQ=DAILY;COUNT=3")
	const longer = "waits for a decision: longer than 30 min"
	test("longest PT30M; request_out_of_policy", hour, "TENTATIVE, ask", longer)
	test("longest PT2H; request_out_of_policy", hour, "ACCEPTED", "free at that time")
	test("longest PT30M; request_out_of_policy example.org", hour, "TENTATIVE, ask", longer)
	test("longest PT30M; request_out_of_policy team@example.org", hour, "TENTATIVE, ask", longer)
	test("longest PT30M; request_out_of_policy example.net", hour, "DECLINED", "longer than 30 min")
	test("longest PT30M; request_out_of_policy; ACT_ACCEPT", hour, "TENTATIVE, ask", longer)
	test("longest PT30M; request_out_of_policy", hour, "DECLINED", "not free at that time", "03T10-11")
	test("longest PT30M; buffer PT1H; request_out_of_policy", hour, "DECLINED", "too close to another booking", "03T11-12")
	test("may_book example.net; longest PT30M; request_out_of_policy", hour, "DECLINED", "not open to this organizer")
	test("working_hours MO-FR 08:00-10:00; request_out_of_policy", hour, "TENTATIVE, ask", "waits for a decision: outside of its hours")
	test("booking_window PT1H; request_out_of_policy", hour, "TENTATIVE, ask", "waits for a decision: booked at most 1 h ahead")
	test("recurring refuse; request_out_of_policy", series, "TENTATIVE, ask", "waits for a decision: not for a series")
	test("recurring refuse", series, "DECLINED", "not for a series")
	test("recurring refuse", hour, "ACCEPTED", "free at that time")
	test("endless refuse; request_out_of_policy", event(t, "03T10 03T11 RRULE:FREQ=DAILY"), "TENTATIVE, ask", "waits for a decision: a series needs an end")
	test("permitted_times 0; schedule_corrected_in_freebusy; longest PT30M; request_out_of_policy", hour, "TENTATIVE, ask", longer)
}

// What the calendar of a room keeps of a booking.
func TestKeep(t *testing.T) {
	o := guests(t, "ben")
	root := o.Root().Clone()
	c := root.Children[0]
	for _, l := range []ics.Prop{
		ics.NewProp("SUMMARY", "Budget"), ics.NewProp("DESCRIPTION", "About money"), ics.NewProp("CLASS", "PRIVATE"), ics.NewProp("ATTACH", "https://example.org/x"),
		ics.NewProp("COMMENT", "Hush"), ics.NewProp("ORGANIZER", "mailto:ann@example.org", ics.Param{Name: "CN", Values: []string{"Ann Arbor"}}),
	} {
		c.Add(l)
	}
	o = ics.New(root)
	test := func(lines, want string) {
		t.Helper()
		p := rules(t, lines)
		kept := p.Keep(p.Keep(o)) // again, as after each change
		var got []string
		for _, n := range []string{"SUMMARY", "DESCRIPTION", "COMMENT", "CLASS", "ATTACH"} {
			if kept.First().Prop(n) != nil {
				got = append(got, kept.First().Text(n))
			}
		}
		if s := strings.Join(got, ", "); s != want || kept.First().Prop("DTSTART") == nil || len(ics.Attendees(kept.First())) != 2 {
			t.Errorf("%s: %q, want %q\n%s", lines, s, want, kept.Bytes())
		}
	}
	test("", "Budget, About money, Hush, PRIVATE, https://example.org/x")
	test("delete_attachments", "Budget, About money, Hush, PRIVATE")
	test("delete_comments", "Budget, PRIVATE, https://example.org/x")
	test("remove_private_property", "Budget, About money, Hush, https://example.org/x")
	test("delete_subject", "About money, Hush, PRIVATE, https://example.org/x")
	test("add_organizer_to_subject", "Ann Arbor: Budget, About money, Hush, PRIVATE, https://example.org/x")
	test("add_organizer_to_subject; delete_subject; delete_comments; delete_attachments; remove_private_property", "Ann Arbor")
	if p := rules(t, "private_calendar mine; confidential_calendar safe"); p.Drawer(o) != "mine" || rules(t, "confidential_calendar safe").Drawer(o) != "" || p.Drawer(guests(t)) != "" {
		t.Errorf("%q", p.Drawer(o))
	}
}
