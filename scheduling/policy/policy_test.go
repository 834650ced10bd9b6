package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

func TestParse(t *testing.T) {
	good := func(lines ...string) {
		t.Helper()
		if p, err := Parse(lines); err != nil || !p.Automatic() {
			t.Errorf("%q: %v, %v", lines, p, err)
		}
	}
	good("schedule_in_freebusy")
	good("schedule_in_freebusy 3")
	good("  ACT_ACCEPT  ", "")
	good("ACT_ACCEPT:example.org", "ACT_REJECT:*", "ACT_REJECT_IF_CONFLICT:ann@example.org")
	good("ACT_ACCEPT_IF_NO_CONFLICT", "ACT_REJECT_IF_CONFLICT")
	if p, err := Parse(nil); err != nil || p.Automatic() {
		t.Errorf("no rules: %v, %v", p, err)
	}
	for _, l := range []string{
		"schedule_corrected_in_freebusy", "schedule_next_available_in_freebusy 2", "permitted_times 0,15,30,45", "permitted_times 8,9:0,30",
		"same_domain_only", "access_control_list accept organizer ann@example.org", "access_control_list decline", "may_book example.org ann@example.net",
		"check_quota cars P1D", "check_quota cars *", "schedule_across_quota cars", "schedule_for_delegate a@example.org b@example.org",
		"pool a@example.org", "ACT_MANUAL", "ACT_ACCEPT_AND_NOTIFY", "ACT_STORE_AND_NOTIFY", "EVENT_ACCEPT", "TASK_ACCEPT",
		"ACT_TENTATIVE_IF_NO_CONFLICT", "ACT_MANUAL:example.org", "ACT_SAVE_TO_CALENDAR", "ALL_SAVE_AND_FORWARD", "accept_mode if-free",
		"accept_mode decline_if_busy", "booking_window P180D", "booking_window PT1H P1W", "shortest PT15M", "longest PT8H", "granularity PT30M",
		"working_hours MO-FR 08:00-18:00", "working_hours SA,SU 10:00-24:00 Europe/Berlin", "buffer PT10M", "buffer PT5M PT10M",
		"within_capacity", "within_capacity 12", "endless refuse", "auto_release", "recurring refuse", "check_quota cars PT8H sales@example.org example.net",
		"pool most_available a@example.org", "schedule_for_delegate most_available a@example.org",
	} {
		good(l)
	}
	// These say how, and answer nothing by themselves.
	for _, l := range []string{"owner a@example.org", "ALL_UPDATE_AND_NOTIFY", "TASK_CANCEL_DELETE", "freebusy_offers PT10M", "all_or_nothing", "conflicts_allowed 10%", "conflicts_allowed 3",
		"request_out_of_policy", "request_out_of_policy example.org ann@example.org", "organizer_info", "additional_response Take the key back, please.", "delete_attachments",
		"delete_comments", "delete_subject", "add_organizer_to_subject", "remove_private_property", "forget_after P100D", "private_calendar private",
		"confidential_calendar secret", "recurring accept", "endless accept"} {
		if p, err := Parse([]string{l}); err != nil || p.Automatic() {
			t.Errorf("%q: %v, %v", l, p, err)
		}
	}
	bad := func(line string) {
		t.Helper()
		if _, err := Parse([]string{"ACT_ACCEPT", line}); err == nil {
			t.Errorf("%q was read", line)
		}
	}
	for _, l := range []string{
		"schedule_in_freebuzy", "permitted_times 0,60", "permitted_times", "permitted_times 24:0", "same_domain_only x", "access_control_list",
		"access_control_list allow", "access_control_list accept organizer", "access_control_list accept friend a@example.org",
		"access_control_list accept organizer nobody", "may_book", "check_quota cars", "check_quota cars P1X", "check_quota cars -P1D", "schedule_across_quota",
		"schedule_for_delegate", "schedule_for_delegate somebody", "pool", "owner", "owner x", "freebusy_offers", "accept_mode", "accept_mode perhaps",
		"booking_window", "booking_window P7D P1D", "shortest", "longest soon", "granularity PT7M", "granularity PT0S", "working_hours MO-FR",
		"working_hours XX 08:00-18:00", "working_hours MO 18:00-08:00", "working_hours MO 08:00-25:00", "working_hours MO 08:00-18:00 Mars/Base", "buffer",
		"within_capacity 0", "endless", "endless maybe", "all_or_nothing now", "conflicts_allowed 0%", "conflicts_allowed", "auto_release now",
		"conflicts_allowed 101", "conflicts_allowed many", "recurring", "recurring maybe", "request_out_of_policy nobody@", "organizer_info me", "additional_response",
		"delete_subject now", "forget_after", "forget_after soon", "private_calendar", "private_calendar a/b", "check_quota cars PT8H x@", "pool most_available",
		"ACT_DELEGATE", "EVENT_DELEGATE_IF_CONFLICT", "TASK_TENTATIVE", "TASK_ACCEPT_IF_NO_CONFLICT", "ACT", "ACT_", "OTHER_ACCEPT",
	} {
		bad(l)
	}
	bad("act_accept")
	bad("ACT_ACEPT")
	bad("ACT_ACCEPT:")
	bad("ACT_ACCEPT now")
	bad("schedule_in_freebusy zero")
	bad("schedule_in_freebusy 0")
	bad("schedule_in_freebusy 1 2")
	bad("schedule_in_freebusy:example.org")
}

// inTeam knows one group and who is in it.
func inTeam(named, who cuaddr.Address) bool { return named.Local() == "team" && who.Local() == "ann" }

func TestAbout(t *testing.T) {
	test := func(sender, organizer string, want bool) {
		t.Helper()
		p, err := Parse([]string{"ACT_ACCEPT" + sender})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.actions[0].about("VEVENT", cuaddr.Mailto(organizer), inTeam); got != want {
			t.Errorf("%q about %s: %v", sender, organizer, got)
		}
	}
	test("", "a@example.net", true)
	test(":*", "a@example.net", true)
	test(":example.org", "a@example.org", true)
	test(":Example.ORG", "a@sub.example.org", true)
	test(":.example.org", "a@sub.example.org", true)
	test(":example.org", "a@badexample.org", false)
	test(":example.org", "example.org@example.net", false)
	test(":ann@example.org", "Ann@example.org", true)
	test(":ann@example.org", "joann@example.org", false)
	test(":team@example.org", "ann@example.org", true)
	test(":team@example.org", "ben@example.org", false)
}

var now = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// at makes spans of "03T10-11": day and hours in March 2026.
func at(t *testing.T, spans ...string) (out []ics.Span) {
	t.Helper()
	for _, s := range spans {
		var day, from, to int
		if _, err := fmt.Sscanf(s, "%dT%d-%d", &day, &from, &to); err != nil {
			t.Fatal(err)
		}
		d := time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC)
		out = append(out, ics.Span{Start: d.Add(time.Duration(from) * time.Hour), End: d.Add(time.Duration(to) * time.Hour), Type: ics.Busy})
	}
	return out
}

const room = "mailto:room@example.org"

func self(a cuaddr.Address) bool { return a.String() == room }

// event makes an object of components, each "start end lines...".
func event(t *testing.T, components ...string) *ics.Object {
	t.Helper()
	b := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n"
	for _, c := range components {
		f := strings.Fields(c)
		partstat := "NEEDS-ACTION"
		b += "BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260301T000000Z\r\nDTSTART:202603" + f[0] + "0000Z\r\nDTEND:202603" + f[1] + "0000Z\r\n"
		for _, l := range f[2:] {
			if p, ok := strings.CutPrefix(l, "PARTSTAT="); ok {
				partstat = p
				continue
			}
			b += l + "\r\n"
		}
		if partstat != "none" {
			b += "ATTENDEE;PARTSTAT=" + partstat + ":" + room + "\r\n"
		}
		b += "END:VEVENT\r\n"
	}
	o, err := ics.Parse([]byte(b+"END:VCALENDAR\r\n"), ics.Limits{})
	if err == nil {
		err = o.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// question asks about a room that is busy at some times.
func question(before, after *ics.Object, busy []ics.Span) Question {
	return Question{
		Before: before, After: after, Self: self, Address: cuaddr.Mailto("room@example.org"), Organizer: cuaddr.Mailto("ann@example.org"),
		Unattended: true, Now: now, Floating: time.UTC, Busy: between(busy),
		Booked: func(after time.Time) (last time.Time, err error) {
			for _, s := range busy {
				if s.End.After(after) && s.End.After(last) {
					last = s.End
				}
			}
			return last, nil
		},
	}
}

// between returns a function that gives what of spans lies in some periods.
func between(spans []ics.Span) func(ics.Wanted) ([]ics.Span, error) {
	return func(at ics.Wanted) (out []ics.Span, err error) {
		for _, s := range spans {
			if at.Meet(s.Start.UnixMicro(), s.End.UnixMicro()) {
				out = append(out, s)
			}
		}
		return out, nil
	}
}

// decide asks and returns the answer as text: "ACCEPTED, 05=DECLINED".
func decide(t *testing.T, p Policy, before, after *ics.Object, busy []ics.Span) string {
	t.Helper()
	return told(t, p, question(before, after, busy))
}

// told returns an answer as text.
func told(t *testing.T, p Policy, q Question) string {
	t.Helper()
	a, err := p.Decide(q)
	if err != nil {
		t.Fatal(err)
	}
	if a.None() != (a.Reason.Text == "") {
		t.Errorf("reason %q of %+v", a.Reason, a)
	}
	out := []string{a.Master}
	for _, o := range a.Single {
		out = append(out, strings.TrimPrefix(string(o.RID), "202603")[:2]+"="+o.PartStat)
	}
	if c := a.Counter; c != nil {
		out = append(out, "COUNTER "+c.Start.Format("02T15:04")+"-"+c.End.Format("15:04"))
	}
	if !a.Delegate.IsZero() {
		out = append(out, "DELEGATED "+a.Delegate.Mail())
	}
	if a.Ask {
		out = append(out, "ask")
	}
	if a.Tell {
		out = append(out, "tell")
	}
	return strings.Trim(strings.Join(out, ", "), ", ")
}

// rules reads a policy, its lines parted by "; ".
func rules(t *testing.T, lines string) Policy {
	t.Helper()
	p, err := Parse(strings.Split(lines, "; "))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDecide(t *testing.T) {
	test := func(want string, before, after *ics.Object, busy ...string) {
		t.Helper()
		if got := decide(t, Policy{}, before, after, at(t, busy...)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	one := event(t, "03T10 03T11")
	test("ACCEPTED", nil, one)
	test("DECLINED", nil, one, "03T9-12")
	test("DECLINED", nil, one, "03T10-11")
	test("ACCEPTED", nil, one, "03T9-10", "03T11-12")
	test("DECLINED", nil, one, "01T0-200", "03T11-12") // one that began long before
	test("ACCEPTED", nil, event(t, "03T10 03T11 TRANSP:TRANSPARENT"), "03T10-11")
	test("", nil, event(t, "01T10 01T11"), "01T10-11") // past
	test("DECLINED", nil, event(t, "01T10 03T11"), "03T10-11")
	test("", nil, event(t, "03T10 03T11 STATUS:CANCELLED"))
	test("", nil, event(t, "03T10 03T11 PARTSTAT=none"))

	// What was answered stands, unless the time changed. Only our own copy tells.
	yes := event(t, "03T10 03T11 PARTSTAT=ACCEPTED")
	test("", yes, yes, "03T10-11")
	test("DECLINED", nil, yes, "03T10-11")
	test("DECLINED", one, yes, "03T10-11")
	test("DECLINED", yes, event(t, "03T10 03T12 PARTSTAT=ACCEPTED"), "03T11-12")
	test("ACCEPTED", yes, one)
	no := event(t, "03T10 03T11 PARTSTAT=DECLINED")
	test("", no, no)
	test("ACCEPTED", no, one)

	weekly := event(t, "03T10 03T11 RRULE:FREQ=DAILY;COUNT=4")
	test("ACCEPTED", nil, weekly)
	test("ACCEPTED, 05=DECLINED", nil, weekly, "05T10-11")
	test("DECLINED", nil, weekly, "03T10-11", "04T10-11", "05T10-11", "06T10-11")
	test("ACCEPTED, 04=DECLINED, 05=DECLINED", nil, weekly, "04T10-11", "05T10-11")
	test("DECLINED, 03=ACCEPTED", nil, weekly, "04T10-11", "05T10-11", "06T10-11")
	moved := event(t, "03T10 03T11 RRULE:FREQ=DAILY;COUNT=4", "05T14 05T15 RECURRENCE-ID:20260305T100000Z")
	test("ACCEPTED, 05=ACCEPTED", nil, moved, "05T10-11")
	test("ACCEPTED, 05=DECLINED", nil, moved, "05T14-15")
	// An answered series, one occurrence of which moves.
	test("05=DECLINED",
		event(t, "03T10 03T11 PARTSTAT=ACCEPTED RRULE:FREQ=DAILY;COUNT=4"),
		event(t, "03T10 03T11 PARTSTAT=ACCEPTED RRULE:FREQ=DAILY;COUNT=4", "05T14 05T15 RECURRENCE-ID:20260305T100000Z"), "05T14-15", "03T10-11")
	// A longer one: only what is new is looked at.
	test("ACCEPTED, 07=DECLINED",
		event(t, "03T10 03T11 PARTSTAT=ACCEPTED RRULE:FREQ=DAILY;COUNT=4"),
		event(t, "03T10 03T11 PARTSTAT=ACCEPTED RRULE:FREQ=DAILY;COUNT=6"), "04T10-11", "07T10-11")
	// A declined series that goes on: the declined ones stay declined.
	test("ACCEPTED, 03=DECLINED, 04=DECLINED",
		event(t, "03T10 03T11 PARTSTAT=DECLINED RRULE:FREQ=DAILY;COUNT=2"),
		event(t, "03T10 03T11 PARTSTAT=DECLINED RRULE:FREQ=DAILY;COUNT=4"), "03T10-11", "04T10-11")
	// Invited to some occurrences only.
	test("05=DECLINED", nil, event(t, "03T10 03T11 PARTSTAT=none RRULE:FREQ=DAILY;COUNT=4", "05T10 05T11 RECURRENCE-ID:20260305T100000Z"), "05T10-11")

	endless := event(t, "03T10 03T11 RRULE:FREQ=DAILY")
	test("ACCEPTED", nil, endless)
	test("ACCEPTED, 09=DECLINED", nil, endless, "09T10-11")
	var many []ics.Span
	for i := range MaxExceptions + 1 {
		d := time.Date(2026, 3, 3+i, 10, 0, 0, 0, time.UTC)
		many = append(many, ics.Span{Start: d, End: d.Add(time.Hour), Type: ics.Busy})
	}
	if got := decide(t, Policy{}, nil, endless, many[:MaxExceptions]); !strings.HasPrefix(got, "ACCEPTED, 03=DECLINED") {
		t.Errorf("%d conflicts: %s", MaxExceptions, got)
	}
	if got := decide(t, Policy{}, nil, endless, many); got != "DECLINED" {
		t.Errorf("%d conflicts: %s", len(many), got)
	}
	// A booking far beyond ten years is found.
	far := time.Date(2051, 3, 3, 10, 0, 0, 0, time.UTC)
	if got := decide(t, Policy{}, nil, endless, []ics.Span{{Start: far, End: far.Add(time.Hour), Type: ics.Busy}}); !strings.HasPrefix(got, "ACCEPTED, ") {
		t.Errorf("a booking in 2051: %s", got)
	}
}

// Several bookings at one time: what counts is the busiest instant.
func TestCapacity(t *testing.T) {
	p, err := Parse([]string{"schedule_in_freebusy 2"})
	if err != nil {
		t.Fatal(err)
	}
	test := func(want string, busy ...string) {
		t.Helper()
		if got := decide(t, p, nil, event(t, "03T10 03T14"), at(t, busy...)); got != want {
			t.Errorf("%q: %s, want %s", busy, got, want)
		}
	}
	test("ACCEPTED", "03T10-14")
	test("ACCEPTED", "03T10-12", "03T12-14", "03T9-10", "03T14-15")
	test("DECLINED", "03T10-12", "03T11-14")
	test("DECLINED", "03T8-20", "03T13-14")
	test("ACCEPTED", "03T8-11", "03T11-12", "03T12-13", "03T13-20")
}

func TestRules(t *testing.T) {
	busy := at(t, "03T10-11")
	free, taken := event(t, "04T10 04T11"), event(t, "03T10 03T11")
	test := func(rules string, whenFree, whenTaken string) {
		t.Helper()
		p, err := Parse(strings.Split(rules, ","))
		if err != nil {
			t.Fatal(err)
		}
		if got := decide(t, p, nil, free, busy); got != whenFree {
			t.Errorf("%s, free: %q, want %q", rules, got, whenFree)
		}
		if got := decide(t, p, nil, taken, busy); got != whenTaken {
			t.Errorf("%s, taken: %q, want %q", rules, got, whenTaken)
		}
	}
	test("ACT_ACCEPT", "ACCEPTED", "DECLINED") // a room never holds two (Wallace)
	test("accept_mode always", "ACCEPTED", "ACCEPTED")
	test("accept_mode never", "DECLINED", "DECLINED")
	test("accept_mode none", "", "")
	test("accept_mode if-free", "ACCEPTED", "")
	test("accept_mode decline-if-busy", "", "DECLINED")
	test("accept_mode automatic", "ACCEPTED", "DECLINED")
	test("accept_mode manual", "TENTATIVE, ask", "DECLINED")
	test("ACT_MANUAL", "TENTATIVE, ask", "DECLINED")
	test("ACT_ACCEPT_AND_NOTIFY", "ACCEPTED, tell", "DECLINED")
	test("ACT_TENTATIVE", "TENTATIVE", "DECLINED")
	test("ACT_MANUAL:example.net,ACT_ACCEPT", "ACCEPTED", "DECLINED")
	test("TASK_ACCEPT", "DECLINED", "DECLINED") // no action for meetings
	test("ACT_REJECT", "DECLINED", "DECLINED")
	test("schedule_in_freebusy", "ACCEPTED", "DECLINED")
	test("ACT_REJECT_IF_CONFLICT,ACT_ACCEPT", "ACCEPTED", "DECLINED")
	test("ACT_ACCEPT_IF_NO_CONFLICT", "ACCEPTED", "DECLINED") // nobody else would answer
	test("ACT_REJECT_IF_CONFLICT", "ACCEPTED", "DECLINED")
	test("ACT_REJECT_IF_CONFLICT:example.org,ACT_REJECT:example.net", "ACCEPTED", "DECLINED")
	test("ACT_REJECT_IF_CONFLICT:example.net", "DECLINED", "DECLINED") // not about this sender
	test("ACT_REJECT:example.net,ACT_ACCEPT", "ACCEPTED", "DECLINED")
	test("ACT_REJECT:example.org,ACT_ACCEPT", "DECLINED", "DECLINED")
}

// What no rule decides, a person answers by hand.
func TestAttended(t *testing.T) {
	p, err := Parse([]string{"ACT_ACCEPT_IF_NO_CONFLICT"})
	if err != nil {
		t.Fatal(err)
	}
	q := Question{
		After: event(t, "03T10 03T11 RRULE:FREQ=DAILY;COUNT=3"), Self: self, Now: now, Floating: time.UTC,
		Busy:   func(ics.Wanted) ([]ics.Span, error) { return at(t, "04T10-11"), nil },
		Booked: func(time.Time) (time.Time, error) { return time.Time{}, nil },
	}
	a, err := p.Decide(q)
	if err != nil || a.Master != accepted || len(a.Single) != 1 || a.Single[0].PartStat != needsAction {
		t.Errorf("%+v, %v", a, err)
	}
	q.Busy = func(ics.Wanted) ([]ics.Span, error) { return at(t, "02T0-200"), nil }
	if a, err := p.Decide(q); err != nil || !a.None() {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := (Policy{}).Decide(q); err != nil || !a.None() {
		t.Errorf("without rules: %+v, %v", a, err)
	}
	failure := errors.New("away")
	q.Busy = func(ics.Wanted) ([]ics.Span, error) { return nil, failure }
	if _, err := p.Decide(q); !errors.Is(err, failure) {
		t.Errorf("%v", err)
	}
}

func BenchmarkDecide(b *testing.B) {
	o, _ := ics.Parse([]byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260301T000000Z\r\nDTSTART:20260303T100000Z\r\nDTEND:20260303T110000Z\r\nRRULE:FREQ=DAILY\r\nATTENDEE:"+room+"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"), ics.Limits{})
	var busy []ics.Span
	for i := range 20_000 {
		s := now.Add(time.Duration(i)*4*time.Hour + 4*time.Hour)
		busy = append(busy, ics.Span{Start: s, End: s.Add(time.Hour), Type: ics.Busy})
	}
	q := Question{
		After: o, Self: self, Now: now, Floating: time.UTC, Unattended: true,
		Busy:   func(ics.Wanted) ([]ics.Span, error) { return busy, nil },
		Booked: func(time.Time) (time.Time, error) { return time.Time{}, nil },
	}
	p := Policy{}
	for b.Loop() {
		if _, err := p.Decide(q); err != nil {
			b.Fatal(err)
		}
	}
}

func TestMode(t *testing.T) {
	test := func(lines, mode string) {
		t.Helper()
		if got := Mode(strings.ReplaceAll(lines, "; ", "\n")); got != mode {
			t.Errorf("%s: %q, want %q", lines, got, mode)
		}
	}
	test("", "automatic")
	test("same_domain_only; longest PT8H", "automatic")
	test("accept_mode if_free", "if-free")
	test("ACT_MANUAL", "")
	test("accept_mode automatic; ACT_MANUAL", "")

	with := func(lines, mode, want string) {
		t.Helper()
		got, ok := WithMode(strings.ReplaceAll(lines, "; ", "\n"), mode)
		got = strings.ReplaceAll(got, "\n", "; ")
		if got != want || ok != (want != "") || ok && Mode(got) != mode && Mode(strings.ReplaceAll(got, "; ", "\n")) != mode {
			t.Errorf("%s with %s: %q, want %q", lines, mode, got, want)
		}
	}
	with("", "never", "accept_mode never")
	with("", "automatic", "accept_mode automatic")
	with("same_domain_only; accept_mode never", "automatic", "same_domain_only")
	with("same_domain_only; ACT_MANUAL; ACT_ACCEPT:example.org; ACT_UPDATE_AND_NOTIFY", "always", "same_domain_only; ACT_UPDATE_AND_NOTIFY; accept_mode always")
	with("same_domain_only", "sometimes", "")
}
