package itip_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
				if before != nil {
					if parts, err := Split(me, before, "20310211T100000Z", "2", "set"); err == nil {
						for _, o := range []*ics.Object{parts.Before, parts.From} {
							sane(t, Outcome{Object: o, Rule: "split"})
						}
					}
				}
				me.Proposals = func() []Proposal {
					return []Proposal{{Attendee: cuaddr.Mailto("ben@example.org"), Body: after}, {Attendee: cuaddr.Mailto("bob@example.com"), RID: "20310210T100000Z", Body: after}}
				}
				if before != nil {
					for _, p := range me.Proposals() {
						if after.First() != nil {
							Accepted(before, p)
							Decline(me, before, p, "")
						}
					}
					if after.First() != nil {
						Lapsed(me, before)
					}
				}
				if after.First() == nil {
					me.Proposals = nil
				}
				if out, err := Originate(me, before, nil, opt); err == nil {
					sane(t, out)
				}
				from := ics.Organizer(&ics.Component{})
				if c := after.First(); c != nil {
					from = ics.Organizer(c)
				}
				for _, m := range []Method{Request, Cancel, Reply, Counter, Refresh, Add, Publish, DeclineCounter} {
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

// TestShuffledLines gives the core scripts' objects with lines lost, moved,
// and put in, which bytewise mutation seldom finds. What is stored must be
// storable.
func TestShuffledLines(t *testing.T) {
	files, _ := filepath.Glob("../testdata/*.txt")
	var seeds []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, objectsIn(string(text))...)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		before, _ := ics.Parse([]byte(shuffled(r, seeds)), ics.Limits{})
		after, err := ics.Parse([]byte(shuffled(r, seeds)), ics.Limits{})
		if err != nil || after.First() == nil {
			continue
		}
		if before != nil && before.Check() != nil {
			before = nil
		}
		for _, who := range []string{"ann@example.org", "ben@example.org"} {
			me := actor(who)
			var outs []Outcome
			if after.Check() == nil {
				if out, err := Originate(me, before, after, Options{}); err == nil {
					outs = append(outs, out)
				}
			}
			for _, m := range []Method{Request, Cancel, Reply} {
				from := ics.Organizer(after.First())
				if m == Reply {
					from = cuaddr.Mailto("ben@example.org")
				}
				if out, err := Receive(me, before, Message{Method: m, UID: after.UID(), From: from, To: me.Address, Body: after}); err == nil {
					outs = append(outs, out)
				}
			}
			for _, out := range outs {
				sane(t, out)
				if out.Object == nil {
					continue
				}
				if err := storable(out.Object); err != nil {
					t.Fatal(err)
				}
			}
			if before != nil {
				Participation(before, after, me.Self)
			}
		}
	}
}

// shuffled returns one of the seeds with up to five lines changed.
func shuffled(r *rand.Rand, seeds []string) string {
	odd := []string{
		"RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "RRULE:FREQ=DAILY;COUNT=99999999", "RRULE:FREQ=WEEKLY;UNTIL=99991231T000000Z",
		"RECURRENCE-ID:20310210T100000Z", "RECURRENCE-ID:99990210T100000Z", "DTSTART:00010101T000000Z", "DTSTART;VALUE=DATE:20310203",
		"DURATION:P9999999W", "EXDATE:20310210T100000Z", "STATUS:CANCELLED", "SEQUENCE:3", "RDATE;VALUE=PERIOD:20310210T100000Z/PT1H",
		"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20310101T000000Z", "ORGANIZER:", "ATTENDEE:", "UID:2", "SUMMARY:",
		`ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO="mailto:bob@example.com":mailto:ben@example.org`,
	}
	lines := strings.Split(seeds[r.IntN(len(seeds))], "\r\n")
	for range r.IntN(6) {
		i, j := r.IntN(len(lines)), r.IntN(len(lines))
		switch r.IntN(4) {
		case 0:
			lines = slices.Delete(lines, i, i+1)
		case 1:
			lines = slices.Insert(lines, i, odd[r.IntN(len(odd))])
		case 2:
			lines[i], lines[j] = lines[j], lines[i]
		case 3:
			lines[i] = odd[r.IntN(len(odd))]
		}
		if len(lines) == 0 {
			break
		}
	}
	return strings.Join(lines, "\r\n")
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
