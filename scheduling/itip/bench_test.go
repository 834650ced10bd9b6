package itip_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

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

// BenchmarkGroup opens a group up for an organizer, and writes the event again.
func BenchmarkGroup(b *testing.B) {
	for _, n := range []int{50, 500, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all := cuaddr.Mailto("all@example.org")
			var members []Member
			for i := range n {
				members = append(members, Member{Address: cuaddr.Mailto(fmt.Sprintf("p%d@example.org", i))})
			}
			me := Actor{
				Self: func(a cuaddr.Address) bool { return a == cuaddr.Mailto("ann@example.org") }, Address: cuaddr.Mailto("ann@example.org"),
				Now: present, Floating: time.UTC,
				Members: func(a cuaddr.Address) []Member {
					if a == all {
						return members
					}
					return nil
				},
			}
			o := event(b, when+ann+"ATTENDEE:mailto:all@example.org")
			for b.Loop() {
				out, err := Originate(me, nil, o, Options{})
				if err != nil || len(out.Messages) != n {
					b.Fatal(err, len(out.Messages))
				}
				if out, err = Originate(me, out.Object, o, Options{}); err != nil || len(out.Messages) != 0 {
					b.Fatal(err, len(out.Messages))
				}
			}
		})
	}
}
