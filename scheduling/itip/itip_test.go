package itip_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

var present = time.Date(2031, 1, 1, 9, 0, 0, 0, time.UTC)

func actor(mail string) Actor {
	own := cuaddr.Mailto(mail)
	return Actor{Self: func(a cuaddr.Address) bool { return a == own }, Address: own, Now: present, Floating: time.UTC}
}

// event makes an object of the property lines of its components, "--" between
// them.
func event(t interface {
	Helper()
	Fatal(...any)
}, lines ...string) *ics.Object {
	t.Helper()
	text := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20310101T000000Z\n" + strings.Join(lines, "\n") + "\nEND:VEVENT\nEND:VCALENDAR\n"
	text = strings.ReplaceAll(text, "\n--\n", "\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20310101T000000Z\n")
	o, err := ics.Parse([]byte(strings.ReplaceAll(text, "\n", "\r\n")), ics.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

const (
	when = "DTSTART:20310203T100000Z\nDTEND:20310203T110000Z\nSUMMARY:Budget\n"
	ann  = "ORGANIZER:mailto:ann@example.org\n"
	ben  = "ATTENDEE:mailto:ben@example.org\n"
	bob  = "ATTENDEE:mailto:bob@example.com\n"
)

func TestStamp(t *testing.T) {
	o := event(t, when+ann+"ATTENDEE:mailto:ann@example.org\n"+ben+"ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:bob@example.com")
	status := map[cuaddr.Address]string{cuaddr.Mailto("ben@example.org"): StatusDelivered, cuaddr.Mailto("bob@example.com"): StatusSent, cuaddr.Mailto("ann@example.org"): StatusSent}
	n := StampLater(o, status)
	test := func(want string) {
		t.Helper()
		if !strings.Contains(string(n.Bytes()), "\r\n"+want+"\r\n") {
			t.Errorf("no %s in\n%s", want, n.Bytes())
		}
	}
	test("ATTENDEE;SCHEDULE-STATUS=1.2:mailto:ben@example.org")
	test("ORGANIZER;SCHEDULE-STATUS=1.1:mailto:ann@example.org")
	test("ATTENDEE:mailto:ann@example.org")                       // the organizer is told by his ORGANIZER line
	test("ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:bob@example.com") // RFC 6638 §7.3: not ours to set
	if again := StampLater(n, status); again != n {
		t.Error("nothing differs, and yet it is another object")
	}
	n = Stamp(o, status) // just sent: the CANCEL that left him to his program (§3.2.1.2)
	test("ATTENDEE;SCHEDULE-AGENT=CLIENT;SCHEDULE-STATUS=1.1:mailto:bob@example.com")
	if again := Stamp(n, status); again != n {
		t.Error("nothing differs, and yet it is another object")
	}
	if same := Stamp(o, nil); same != o {
		t.Error("no status, and yet it is another object")
	}
}

func TestSetPartStat(t *testing.T) {
	who := actor("ben@example.org").Self
	series := event(t, when+"RRULE:FREQ=DAILY;COUNT=3\n"+ann+ben, "--", "RECURRENCE-ID:20310204T100000Z\n"+when+ann+ben)
	test := func(o *ics.Object, r ics.RID, want string) {
		t.Helper()
		n := SetPartStat(o, who, r, "DECLINED", "Away; sorry")
		if n == nil {
			if want != "" {
				t.Errorf("%q: nothing", r)
			}
			return
		}
		got := ""
		for _, c := range n.Main() {
			if ics.PartStat(ics.Attendee(c, who)) == "DECLINED" && c.Text("COMMENT") == "Away; sorry" {
				got += fmt.Sprintf("%q ", n.RID(c))
			}
		}
		if got != want {
			t.Errorf("%q: declined in %s, want %s", r, got, want)
		}
	}
	test(series, "", `"" "20310204T100000Z" `)
	test(series, "20310204T100000Z", `"20310204T100000Z" `)
	test(series, "20310205T100000Z", `"20310205T100000Z" `) // an override is made
	test(series, "20310206T100000Z", "")                    // no such instance
	test(event(t, when+ann+bob), "", "")                    // no such attendee
}

// Recipients of the same share one body, so that it is parsed and stored once.
func TestBodiesAreShared(t *testing.T) {
	guests := ben + bob + "ATTENDEE:mailto:eve@example.net\n"
	o := event(t, when+"RRULE:FREQ=DAILY;COUNT=3\n"+ann+guests, "--", "RECURRENCE-ID:20310204T100000Z\n"+when+ann+ben+bob)
	out, err := Originate(actor("ann@example.org"), nil, o, Options{})
	if err != nil || len(out.Messages) != 3 {
		t.Fatalf("%d messages, %v", len(out.Messages), err)
	}
	m := out.Messages
	if m[0].Body != m[1].Body || m[0].Body == m[2].Body {
		t.Error("ben and bob get the same, eve does not")
	}
	for _, m := range m {
		if !m.Significant {
			t.Errorf("%v is invited: significant", m.To)
		}
	}
}

// RFC 6638 §3.2.8: the organizer may ask anew, if the program knew the answer.
func TestOrganizerAsksAnew(t *testing.T) {
	before := event(t, when+ann+"ATTENDEE;PARTSTAT=ACCEPTED:mailto:ben@example.org\nATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.com")
	after := event(t, when+ann+"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:ben@example.org\nATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.com")
	test := func(seen bool, partstat, seq string, messages int) {
		t.Helper()
		out, err := Originate(actor("ann@example.org"), before, after, Options{Seen: seen})
		if err != nil {
			t.Fatal(err)
		}
		if got := ics.PartStat(ics.Attendee(out.Object.Master(), actor("ben@example.org").Self)); got != partstat {
			t.Errorf("seen %v: %s", seen, got)
		}
		if got := out.Object.Master().Value("SEQUENCE"); got != seq || len(out.Messages) != messages {
			t.Errorf("seen %v: SEQUENCE %q, %d messages", seen, got, len(out.Messages))
		}
		for _, m := range out.Messages {
			if m.To != cuaddr.Mailto("ben@example.org") || !m.Significant {
				t.Errorf("%v %v", m.To, m.Significant)
			}
		}
	}
	test(false, "ACCEPTED", "", 0) // he may only not have seen it
	test(true, "NEEDS-ACTION", "1", 1)
}

func TestRefusals(t *testing.T) {
	test := func(before, after *ics.Object, want string) {
		t.Helper()
		me := actor("ann@example.org")
		me.MaxAttendees = 2
		_, err := Originate(me, before, after, Options{})
		var r *Refusal
		if !errors.As(err, &r) || r.Precondition != want || r.Detail == "" {
			t.Errorf("%v, want %s", err, want)
		}
	}
	test(nil, event(t, when+ann+ben+bob+"ATTENDEE:mailto:eve@example.net"), MaxAttendeesPerInstance)
	other := strings.Replace(string(event(t, when+ann+ben).Bytes()), "UID:1", "UID:2", 1)
	o, _ := ics.Parse([]byte(other), ics.Limits{})
	test(event(t, when+ann+ben), o, NoUIDConflict)
}

// Silent stores: import, moves between own calendars.
func TestSilent(t *testing.T) {
	o := event(t, when+ann+"ATTENDEE;PARTSTAT=ACCEPTED:mailto:ben@example.org")
	me := actor("ann@example.org")
	out, err := Originate(me, nil, o, Options{Silent: true})
	if err != nil || len(out.Messages) != 0 || out.Object != o || out.Changed || !out.Scheduled {
		t.Errorf("%+v %v", out, err)
	}
	out, err = Originate(me, o, nil, Options{Silent: true})
	if err != nil || len(out.Messages) != 0 || !out.Remove {
		t.Errorf("%+v %v", out, err)
	}
}

// A program's bytes are kept where nothing had to be changed: its ETag holds
// (RFC 4791 §5.3.4).
func TestBytesAreKept(t *testing.T) {
	test := func(me string, before, after *ics.Object) {
		t.Helper()
		out, err := Originate(actor(me), before, after, Options{})
		if err != nil || out.Object != after || out.Changed {
			t.Errorf("%v\n%s\nwas\n%s", err, out.Object.Bytes(), after.Bytes())
		}
	}
	meeting := when + ann + "ATTENDEE;CN=\"B\";PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ben@example.org\n" +
		strings.Replace(bob, "ATTENDEE", "ATTENDEE;RSVP=TRUE", 1)
	test("ann@example.org", nil, event(t, meeting))
	test("ann@example.org", event(t, meeting), event(t, meeting+"LOCATION:x"))
	test("ben@example.org", event(t, meeting), event(t, meeting+"COLOR:red\nX-MOZ-LASTACK:1"))
	test("ben@example.org", event(t, meeting), event(t, strings.Replace(meeting, "NEEDS-ACTION;RSVP=TRUE", "ACCEPTED", 1)))
	test("eve@example.org", nil, event(t, meeting))
}
