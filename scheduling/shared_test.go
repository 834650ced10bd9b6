package scheduling_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/scheduling"
)

// Private properties stay with whoever set them, unless the configuration says
// that organizers tell them, or that attendees set them for everybody.
func TestPrivatePropertiesToldByConfiguration(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		h := newHouse(t, s)
		opt := options()
		opt.PublicX, opt.SharedX = []string{"X-TEAM-LINK"}, []string{"X-TEAM-NOTES"}
		h.desk = scheduling.New(s, opt)
		h.persons("ann", "ben", "cem")
		test := func(who, name, want string) {
			t.Helper()
			var got []string
			for _, p := range h.object(who, "m1").First().PropsNamed(name) {
				got = append(got, p.Value)
			}
			if fmt.Sprint(got) != want {
				t.Errorf("%s has %s %v, want %s", who, name, got, want)
			}
		}
		edit := func(who string, pairs ...string) scheduling.Written {
			t.Helper()
			return h.put(who, strings.NewReplacer(pairs...).Replace(strings.ReplaceAll(string(h.has(who, "m1").Body), "\r\n ", "")))
		}
		const end = "END:VEVENT"
		body := invitation("m1", "20260303T1000", "20260303T1100", "ann", "ben", "cem")
		h.put("ann", strings.Replace(body, end, "X-TEAM-LINK:https://a.example.org\r\nX-TEAM-NOTES:one\r\nX-OWN:a\r\n"+end, 1))
		test("ben", "X-TEAM-LINK", "[https://a.example.org]")
		test("ben", "X-TEAM-NOTES", "[one]")
		test("ben", "X-OWN", "[]")

		// The organizer alone may change the one, anybody the other, with or
		// without an answer.
		before := h.has("cem", "m1").ScheduleTag
		edit("ben", "a.example.org", "b.example.org", "X-TEAM-NOTES:one", "X-TEAM-NOTES:two\r\nX-OWN:b")
		h.work()
		for _, who := range []string{"ann", "ben", "cem"} {
			test(who, "X-TEAM-LINK", "[https://a.example.org]")
			test(who, "X-TEAM-NOTES", "[two]")
			h.says(who, "m1", "", "ben", "NEEDS-ACTION")
		}
		test("ann", "X-OWN", "[a]")
		test("ben", "X-OWN", "[b]")
		if n := len(h.inbox("cem")); n != 1 {
			t.Errorf("%d items for who was told by another attendee", n)
		}
		if n := len(h.inbox("ann")); n != 1 {
			t.Errorf("%d items for the organizer", n)
		}
		if h.has("cem", "m1").ScheduleTag == before {
			t.Error("the tag stayed though more than an answer changed")
		}
		edit("cem", "X-TEAM-NOTES:two\r\n", "", "PARTSTAT=NEEDS-ACTION:mailto:cem", "PARTSTAT=ACCEPTED:mailto:cem")
		h.work()
		for _, who := range []string{"ann", "ben", "cem"} {
			test(who, "X-TEAM-NOTES", "[]")
		}
		edit("ann", "X-TEAM-LINK:https://a.example.org", "X-TEAM-LINK:https://c.example.org\r\nX-TEAM-NOTES:three")
		for _, who := range []string{"ben", "cem"} {
			test(who, "X-TEAM-LINK", "[https://c.example.org]")
			test(who, "X-TEAM-NOTES", "[three]")
		}
		if n := len(h.inbox("cem")); n != 2 {
			t.Errorf("%d items for who was told by the organizer", n)
		}
		edit("ben", "RSVP=TRUE:mailto:ben", "RSVP=TRUE;X-TEAM-NOTES=late:mailto:ben")
		h.work()
		for _, who := range []string{"ann", "ben", "cem"} {
			if l := line(h.object(who, "m1").First(), "ben"); l.Param("X-TEAM-NOTES") != "late" {
				t.Errorf("%s has %s", who, h.object(who, "m1").Bytes())
			}
		}
		edit("ann", "X-OWN:a", "X-OWN:c")
		test("ann", "X-OWN", "[c]")
		if n := len(h.inbox("cem")); n != 2 {
			t.Errorf("%d items after a private change", n)
		}
	})
}
