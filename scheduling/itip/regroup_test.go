package itip_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

// What a change of a group makes of its organizer's object.
func TestRegroup(t *testing.T) {
	ann, team, crew := cuaddr.Mailto("ann@example.org"), cuaddr.Mailto("team@example.org"), cuaddr.Mailto("crew@example.org")
	me := Actor{
		Self: func(a cuaddr.Address) bool { return a == ann }, Address: ann, Floating: time.UTC,
		Now: time.Date(2031, 2, 10, 0, 0, 0, 0, time.UTC),
		Members: func(a cuaddr.Address) []Member {
			switch a {
			case team:
				return []Member{}
			case crew:
				return []Member{{Address: cuaddr.Mailto("eve@example.org")}}
			}
			return nil
		},
	}
	object := func(events ...string) *ics.Object {
		t.Helper()
		text := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n"
		for _, e := range events {
			text += "BEGIN:VEVENT\nUID:1\nDTSTAMP:20310101T000000Z\nORGANIZER:mailto:ann@example.org\n" + e + "\nEND:VEVENT\n"
		}
		o, err := ics.Parse([]byte(strings.ReplaceAll(text+"END:VCALENDAR\n", "\n", "\r\n")), ics.Limits{Bytes: 1 << 24, Properties: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	member := func(name string) Member { return Member{Address: cuaddr.Mailto(name + "@example.org")} }
	change := func(joined []Member, left ...string) Membership {
		return Membership{Group: func(a cuaddr.Address) bool { return a == team }, Joined: joined,
			Left: func(a cuaddr.Address) bool { return slices.Contains(left, a.Mail()) }}
	}
	test := func(what string, o *ics.Object, m Membership, want ...string) {
		t.Helper()
		r := Regroup(me, o, m)
		var got []string
		if r.Object != nil {
			for _, c := range r.Object.Main() {
				var who []string
				for _, l := range ics.Attendees(c) {
					who = append(who, ics.CalAddress(l).Local()+strings.ReplaceAll(l.Param("MEMBER"), "mailto:", "/"))
				}
				got = append(got, strings.Join(who, " "))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	const group, ben, eve = "ATTENDEE:mailto:team@example.org", `ATTENDEE;MEMBER="mailto:team@example.org":mailto:ben@example.org`, `ATTENDEE;MEMBER="mailto:team@example.org":mailto:eve@example.org`
	at := func(day int) string { return fmt.Sprintf("DTSTART:203102%02dT100000Z\nDURATION:PT1H\n", day) }

	one := object(at(12) + group + "\n" + ben)
	test("joins", one, change([]Member{member("dan")}), "team dan/team@example.org ben/team@example.org")
	test("is in it", one, change([]Member{member("BEN")}))
	test("the organizer joins", one, change([]Member{member("ann")}))
	test("leaves", one, change(nil, "ben@example.org"), "team")
	test("another leaves", one, change(nil, "dan@example.org"))
	test("is over", object(at(9)+group+"\n"+ben), change([]Member{member("dan")}, "ben@example.org"))
	test("is called off", object(at(12)+"STATUS:CANCELLED\n"+group+"\n"+ben), change([]Member{member("dan")}))
	test("was stored without inviting anybody", object(at(12)+group), change([]Member{member("dan")}))
	fresh := change([]Member{member("dan")})
	fresh.Fresh = true
	test("nobody was in the group", object(at(12)+group), fresh, "team dan/team@example.org")
	test("the program invites", object(at(12)+"ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:team@example.org\n"+ben), change([]Member{member("dan")}))
	test("is in another group", object(at(12)+group+"\n"+eve+"\nATTENDEE:mailto:crew@example.org"), change(nil, "eve@example.org"), "team eve/crew@example.org crew")
	test("a past occurrence of a series", object(
		at(3)+"RRULE:FREQ=WEEKLY\n"+group+"\n"+ben,
		at(3)+"RECURRENCE-ID:20310203T100000Z\n"+group+"\n"+ben,
		at(18)+"RECURRENCE-ID:20310217T100000Z\n"+group+"\n"+ben), change([]Member{member("dan")}),
		"team dan/team@example.org ben/team@example.org", "team ben/team@example.org", "team dan/team@example.org ben/team@example.org")
	test("whom he sent goes with him", object(at(12)+group+"\n"+strings.Replace(ben, ":mailto:ben", ";PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:guy@example.net\":mailto:ben", 1)+
		"\nATTENDEE;DELEGATED-FROM=\"mailto:ben@example.org\":mailto:guy@example.net"), change(nil, "ben@example.org"), "team")

	r := Regroup(me, object(at(12)+group+"\n"+strings.Replace(ben, "MEMBER", "PARTSTAT=DECLINED;MEMBER", 1)), change(nil, "ben@example.org"))
	if len(r.Declined) != 1 || r.Declined[0].Mail() != "ben@example.org" {
		t.Errorf("declined: %v", r.Declined)
	}
	var crowd strings.Builder
	for i := range 9_999 {
		fmt.Fprintf(&crowd, "\nATTENDEE;MEMBER=\"mailto:team@example.org\":mailto:m%d@example.org", i)
	}
	r = Regroup(me, object(at(12)+group+crowd.String()), change([]Member{member("dan"), member("eve"), member("guy")}))
	if n := len(ics.Attendees(r.Object.First())); n != 10_001 || r.Over != 2 {
		t.Errorf("%d lines, %d over the bound", n, r.Over)
	}
}

// What is to come of a series, and whether any of it has been.
func TestUnderway(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	me := Actor{Floating: berlin, Now: time.Date(2031, 2, 10, 23, 30, 0, 0, time.UTC)} // the 11th in Berlin
	test := func(event string, begun bool, next ics.RID) {
		t.Helper()
		text := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20310101T000000Z\n" + event + "\nEND:VEVENT\nEND:VCALENDAR\n"
		o, err := ics.Parse([]byte(strings.ReplaceAll(text, "\n", "\r\n")), ics.Limits{Bytes: 1 << 16, Properties: 1 << 10})
		if err != nil {
			t.Fatal(err)
		}
		if got, was := Underway(me, o); got != next || was != begun {
			t.Errorf("%s: %q %v, want %q %v", event, got, was, next, begun)
		}
	}
	test("DTSTART:20310209T100000Z", false, "")
	test("DTSTART:20310211T100000Z\nRRULE:FREQ=DAILY", false, "20310211T100000Z")
	test("DTSTART:20310209T100000Z\nRRULE:FREQ=DAILY", true, "20310211T100000Z")
	test("DTSTART:20310209T233000Z\nRRULE:FREQ=DAILY", true, "20310210T233000Z") // begins now
	test("DTSTART;TZID=Europe/Berlin:20310209T100000\nRRULE:FREQ=DAILY", true, "20310211T090000Z")
	test("DTSTART:20310209T000000\nRRULE:FREQ=DAILY", true, "20310212T000000")        // half past midnight there
	test("DTSTART;VALUE=DATE:20310209\nRRULE:FREQ=DAILY", true, "20310212")           // today has begun
	test("DTSTART;VALUE=DATE:20310211\nRRULE:FREQ=DAILY;COUNT=2", true, "20310212")   // so here
	test("DTSTART:20310210T230000Z\nDURATION:PT1H\nRDATE:20310201T230000Z", true, "") // the last one is on
	test("DTSTART:20310101T100000Z\nRRULE:FREQ=DAILY;COUNT=5", true, "")              // over
}
