package itip_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

// FuzzCore gives the core whatever parses. It must not panic, must leave what
// it was given as it was, and must make objects that parse.
func FuzzCore(f *testing.F) {
	files, _ := filepath.Glob("../testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, o := range objectsIn(string(text)) {
			f.Add([]byte(o), []byte(o), uint8(0))
		}
	}
	// Each mutation is played as several people and methods.
	f.Fuzz(func(t *testing.T, a, b []byte, how uint8) {
		lim := ics.Limits{Bytes: 1 << 16, Components: 30, Properties: 300}
		before, errA := ics.Parse(a, lim)
		after, errB := ics.Parse(b, lim)
		if errB != nil {
			return
		}
		if errA != nil {
			before = nil
		}
		was, is := string(a), string(b)
		for _, who := range []string{"ann@example.org", "ben@example.org", "bob@example.com"} {
			me := actor(who)
			me.Bound = ics.Bound{Instances: 1000, Steps: 20_000}
			opt := Options{NoReply: how&1 != 0, Silent: how&2 != 0, Seen: how&4 != 0}
			if before == nil || before.Check() == nil {
				if after.Check() == nil {
					if out, err := Originate(me, before, after, opt); err == nil {
						sane(t, out)
					}
				}
				if out, err := Originate(me, before, nil, opt); err == nil {
					sane(t, out)
				}
				from := ics.Organizer(&ics.Component{})
				if c := after.First(); c != nil {
					from = ics.Organizer(c)
				}
				for _, m := range []Method{Request, Cancel, Reply, Counter, Refresh, Add, Publish} {
					if m == Reply {
						from = cuaddr.Mailto("ben@example.org")
					}
					out, err := Receive(me, before, Message{Method: m, UID: after.UID(), From: from, To: me.Address, Body: after})
					if err == nil {
						sane(t, out)
					}
				}
			}
			if before != nil {
				Participation(before, after, me.Self)
			}
			SetPartStat(after, me.Self, "20310203T100000Z", "ACCEPTED", "")
		}
		if string(a) != was || string(b) != is || before != nil && string(before.Bytes()) != was || string(after.Bytes()) != is {
			t.Error("what the core was given changed")
		}
	})
}

func sane(t *testing.T, out Outcome) {
	t.Helper()
	if out.Rule == "" {
		t.Error("no rule")
	}
	if out.Ignored && (out.Object != nil || len(out.Messages) > 0) {
		t.Errorf("ignored with an effect: %s", out.Rule)
	}
	objects := []*ics.Object{out.Object}
	for _, m := range out.Messages {
		objects = append(objects, m.Body)
		if m.To.IsZero() || m.Body.Method() != string(m.Method) {
			t.Errorf("a message to %q with METHOD %q", m.To, m.Body.Method())
		}
	}
	for _, o := range objects {
		if o == nil {
			continue
		}
		if _, err := ics.Parse(o.Bytes(), ics.Limits{}); err != nil {
			t.Errorf("%v in\n%s", err, o.Bytes())
		}
	}
}

// objectsIn turns the blocks of a script into objects for a start.
func objectsIn(script string) []string {
	var out []string
	var block []string
	for _, l := range append(strings.Split(script, "\n"), "end") {
		if strings.HasPrefix(l, " ") {
			l = strings.TrimPrefix(strings.TrimSpace(l), "+ ")
			if strings.Contains(l, ":") && !strings.Contains(l, " => ") && !strings.HasPrefix(l, "@") {
				block = append(block, l)
			}
			continue
		}
		if len(block) > 3 {
			text := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:" + present.Format("20060102T150405Z") + "\r\n" + strings.Join(block, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
			for _, name := range []string{"ann", "ben", "bob"} {
				text = strings.ReplaceAll(text, ":"+name+"\r\n", ":mailto:"+map[string]string{"ann": "ann@example.org", "ben": "ben@example.org", "bob": "bob@example.com"}[name]+"\r\n")
			}
			out = append(out, text)
		}
		block = nil
	}
	return out
}

// big makes a series with guests and overrides.
func big(b testing.TB, guests, overrides int, extra string) *ics.Object {
	var people strings.Builder
	people.WriteString("ORGANIZER:mailto:ann@example.org\n")
	for i := range guests {
		people.WriteString("ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Guest:mailto:guest" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + "@example.org\n")
	}
	day := time.Date(2031, 2, 3, 10, 0, 0, 0, time.UTC)
	stamp := func(t time.Time) string { return t.Format("20060102T150405Z") }
	lines := []string{"DTSTART:" + stamp(day) + "\nDTEND:" + stamp(day.Add(time.Hour)) + "\nRRULE:FREQ=DAILY;COUNT=400\nSUMMARY:Budget\n" + extra + people.String()}
	for i := range overrides {
		at := day.AddDate(0, 0, 3*i+1)
		lines = append(lines, "--", "RECURRENCE-ID:"+stamp(at)+"\nDTSTART:"+stamp(at.Add(time.Hour))+"\nDTEND:"+stamp(at.Add(2*time.Hour))+"\nSUMMARY:Budget, late\n"+extra+people.String())
	}
	o := event(b, lines...)
	if err := o.Check(); err != nil {
		b.Fatal(err)
	}
	return o
}

func BenchmarkOriginateUpdate(b *testing.B) {
	before, after := big(b, 200, 50, ""), big(b, 200, 50, "LOCATION:Room 5\n")
	me := actor("ann@example.org")
	b.ReportAllocs()
	for b.Loop() {
		out, err := Originate(me, before, after, Options{})
		if err != nil || len(out.Messages) != 200 {
			b.Fatal(len(out.Messages), err)
		}
	}
}

func BenchmarkReceiveMerge(b *testing.B) {
	have, body := big(b, 200, 50, ""), big(b, 200, 50, "LOCATION:Room 5\n")
	root := body.Root().Clone()
	root.Set(ics.NewProp("METHOD", "REQUEST"))
	msg := Message{Method: Request, UID: "1", From: cuaddr.Mailto("ann@example.org"), Body: ics.New(root)}
	me := actor("guestaa@example.org")
	b.ReportAllocs()
	for b.Loop() {
		out, err := Receive(me, have, msg)
		if err != nil || out.Ignored {
			b.Fatal(out.Rule, err)
		}
	}
}

func BenchmarkReceiveReply(b *testing.B) {
	have := big(b, 200, 50, "")
	reply := event(b, when+ann+"ATTENDEE;PARTSTAT=ACCEPTED:mailto:guestaa@example.org")
	msg := Message{Method: Reply, UID: "1", From: cuaddr.Mailto("guestaa@example.org"), Body: reply}
	me := actor("ann@example.org")
	b.ReportAllocs()
	for b.Loop() {
		out, err := Receive(me, have, msg)
		if err != nil || out.Ignored {
			b.Fatal(out.Rule, err)
		}
	}
}

func BenchmarkOriginateSingle(b *testing.B) {
	before, after := event(b, when+ann+ben+bob), event(b, when+ann+ben+bob+"LOCATION:x")
	me := actor("ann@example.org")
	b.ReportAllocs()
	for b.Loop() {
		if out, err := Originate(me, before, after, Options{}); err != nil || len(out.Messages) != 2 {
			b.Fatal(len(out.Messages), err)
		}
	}
}
