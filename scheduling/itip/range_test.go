package itip

import (
	"errors"
	"strings"
	"testing"

	"github.com/convene-server/convene/scheduling/ics"
)

// What one RANGE is written out to is bounded, in instances and in octets.
func TestUnrangedBounds(t *testing.T) {
	test := func(rule, note string, components int) {
		t.Helper()
		at := func(id string) string {
			return "BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20310101T000000Z\r\nDTSTART:20310203T100000Z\r\nDTEND:20310203T110000Z\r\n" + id + "END:VEVENT\r\n"
		}
		o, err := ics.Parse([]byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"+at("RRULE:"+rule+"\r\n")+
			at("RECURRENCE-ID;RANGE=THISANDFUTURE:20310203T100000Z\r\nDESCRIPTION:"+note+"\r\n")+"END:VCALENDAR\r\n"), ics.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := Actor{}.Unranged(o, false)
		var refused *Refusal
		switch {
		case components == 0:
			if !errors.As(err, &refused) || refused.Precondition != SupportedData {
				t.Errorf("%s: %v", rule, err)
			}
		case err != nil:
			t.Errorf("%s: %v", rule, err)
		case len(out.Main()) != components || Ranged(out):
			t.Errorf("%s: %d components", rule, len(out.Main()))
		}
	}
	test("FREQ=DAILY;COUNT=400", "short", 401)
	test("FREQ=DAILY;COUNT=401", "short", 0)
	test("FREQ=DAILY", "short", 0)
	test("FREQ=DAILY;COUNT=300", strings.Repeat("x", 20_000), 0)
	test("FREQ=DAILY;COUNT=30", strings.Repeat("x", 20_000), 31)
}
