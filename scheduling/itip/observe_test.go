package itip

import (
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

func TestObserved(t *testing.T) {
	me := Actor{Self: func(a cuaddr.Address) bool { return a.Mail() == "ann@example.org" }, Address: cuaddr.Mailto("ann@example.org"), Now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	parse := func(s string) *ics.Object {
		t.Helper()
		if s == "" {
			return nil
		}
		o, err := ics.Parse([]byte(strings.ReplaceAll(s, "\n", "\r\n")), ics.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	object := func(method string, components ...string) string {
		s := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\n" + method
		for _, c := range components {
			s += "BEGIN:VEVENT\nUID:u1\n" + c + "END:VEVENT\n"
		}
		return s + "END:VCALENDAR\n"
	}
	// test names what must and ("!") what must not stand in the result; "none"
	// for no object, "same" for the one that was there.
	test := func(what, have, sent string, rule string, want ...string) {
		t.Helper()
		before := parse(have)
		after, why := Observed(me, before, parse(sent))
		if !strings.HasPrefix(why, rule) {
			t.Errorf("%s: rule %q, want %q", what, why, rule)
		}
		text := ""
		if after != nil {
			text = strings.ReplaceAll(string(after.Bytes()), "\r\n", "\n")
		}
		for _, w := range want {
			no, negated := strings.CutPrefix(w, "!")
			switch {
			case w == "none":
				if after != nil {
					t.Errorf("%s: %s", what, text)
				}
			case w == "same":
				if after != before {
					t.Errorf("%s: changed to %s", what, text)
				}
			case negated == strings.Contains(text, no):
				t.Errorf("%s: %s in it: %v\n%s", what, no, !negated, text)
			}
		}
	}
	const mine = "ORGANIZER:mailto:ann@example.org\nATTENDEE:mailto:ann@example.org\n"
	const two = mine + "ATTENDEE:mailto:ben@example.org\nATTENDEE:mailto:cleo@example.net\n"
	const his = "ORGANIZER:mailto:cleo@example.net\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:ann@example.org\n"
	at := func(seq, stamp string) string {
		return "DTSTAMP:202603" + stamp + "T000000Z\nSEQUENCE:" + seq + "\nDTSTART:20260309T090000Z\nDTEND:20260309T100000Z\n"
	}
	const alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nDESCRIPTION:x\nEND:VALARM\n"
	series := object("", at("1", "01")+two+"RRULE:FREQ=DAILY;COUNT=5\n")
	rid := "RECURRENCE-ID:20260310T090000Z\n"

	test("new", "", object("METHOD:REQUEST\n", at("0", "01")+two), "invited by mail", "ben@example.org", "!METHOD")
	test("not his", "", object("METHOD:REQUEST\n", at("0", "01")+his), "sent in the name of somebody else", "none")
	test("update keeps his alarm", object("", at("1", "01")+two+alarm), object("METHOD:REQUEST\n", at("2", "02")+two+"LOCATION:x\n"), "invited by mail", "LOCATION:x", "VALARM")
	test("stale", object("", at("2", "02")+two), object("METHOD:REQUEST\n", at("1", "03")+two), "stale: SEQUENCE", "same")
	test("somebody else's meeting", object("", at("2", "02")+his), object("METHOD:REQUEST\n", at("3", "03")+two), "the meeting is somebody else's", "same")
	test("one instance", series, object("METHOD:REQUEST\n", rid+at("1", "02")+two+"SUMMARY:moved\n"), "invited by mail", "RRULE", "SUMMARY:moved")
	withOverride := object("", at("1", "01")+two+"RRULE:FREQ=DAILY;COUNT=5\n", rid+at("1", "01")+two+"SUMMARY:old\n")
	test("the instance again", withOverride, object("METHOD:REQUEST\n", rid+at("2", "02")+two+"SUMMARY:new\n"), "invited by mail", "SUMMARY:new", "!SUMMARY:old")

	test("cancel", object("", at("1", "01")+two), object("METHOD:CANCEL\n", at("2", "02")+two), "cancelled by mail", "none")
	test("cancel for all, nobody named", object("", at("1", "01")+two), object("METHOD:CANCEL\n", at("2", "02")+"ORGANIZER:mailto:ann@example.org\n"), "cancelled by mail", "none")
	test("cancel for one", object("", at("1", "01")+two), object("METHOD:CANCEL\n", at("2", "02")+"ORGANIZER:mailto:ann@example.org\nATTENDEE:mailto:ben@example.org\n"), "cancelled by mail", "!ben@example.org", "cleo@example.net", "ATTENDEE:mailto:ann@example.org")
	test("cancel of an instance", withOverride, object("METHOD:CANCEL\n", rid+at("2", "02")+two), "cancelled by mail", "EXDATE:20260310T090000Z", "!SUMMARY:old", "RRULE")
	test("cancel of two instances", withOverride, object("METHOD:CANCEL\n", rid+at("2", "02")+two, "RECURRENCE-ID:20260311T090000Z\n"+at("2", "02")+two), "cancelled by mail", "EXDATE:20260310T090000Z", "EXDATE:20260311T090000Z")
	test("stale cancel", object("", at("3", "01")+two), object("METHOD:CANCEL\n", at("2", "02")+two), "stale: SEQUENCE", "same")
	test("cancel of nothing", "", object("METHOD:CANCEL\n", at("2", "02")+two), "no such meeting", "none")
	test("cancel of somebody else's", object("", at("1", "01")+his), object("METHOD:CANCEL\n", at("2", "02")+two), "sent in the name of somebody else", "same")

	reply := object("METHOD:REPLY\n", at("1", "02")+"ORGANIZER:mailto:cleo@example.net\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org\n")
	test("answer", object("", at("1", "01")+his), reply, "answered by mail", "PARTSTAT=ACCEPTED")
	test("answer to nothing", "", reply, "no such meeting", "none")
	test("answer of somebody else", object("", at("1", "01")+his), strings.Replace(reply, "ann@", "ben@", 1), "sent in the name of somebody else", "same")
	test("publish", series, object("METHOD:PUBLISH\n", at("5", "05")+two), "sent by mail: PUBLISH", "same")
}
