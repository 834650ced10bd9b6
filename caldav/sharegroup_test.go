package caldav

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
)

// Who comes into a group is asked then whether he wants its calendars, and who
// leaves it has them no longer, nor their time; through a group in a group too.
func TestShareFollowsGroup(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const cyn, dan, team, all = "cyn@example.org", "dan@example.org", "team@example.org", "all@example.org"
		home := func(who string) string { return "/dav/calendars/" + who + "/" }
		box := func(who string) string { return home(who) + "notification/" }
		for _, who := range []string{cyn, dan} {
			h.add(db.Principal{Address: who, Kind: db.Person, Name: who})
		}
		h.add(db.Principal{Address: team, Kind: db.Group, Name: "Team"})
		h.add(db.Principal{Address: all, Kind: db.Group, Name: "All"})
		members := func(group string, who ...string) {
			t.Helper()
			if err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
				g, err := tx.PrincipalByAddress(group)
				if err == nil {
					err = tx.SetMembers(g.ID, who)
				}
				if err == nil {
					err = FollowGroup(tx, g, now)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		take := func(who string) string {
			t.Helper()
			return h.answer(who, home(who), annCalendar, h.invitation(who, box(who), "invite-noresponse"), "invite-accepted", "").accepted(t)
		}
		none := func(who string) {
			t.Helper()
			if n := len(h.notifications(who, box(who))); n != 0 {
				t.Errorf("%s has %d notifications", who, n)
			}
		}
		h.put(ann, annCalendar+"a.ics", event("a", "20261103T100000Z", "20261103T110000Z", "")).want(t, 201)
		members(all, team)
		h.share(ann, annCalendar, "mailto:"+all, "read-write").want(t, 200) // nobody is in it yet
		none(bob)
		members(team, bob, ann, "room@example.org", "out@example.net")
		none(ann)
		at := take(bob)
		h.put(bob, at+"b.ics", event("b", "20261104T100000Z", "20261104T110000Z", "")).want(t, 201)
		members(team, bob, cyn)
		cyns := take(cyn)
		none(bob) // who was there is not asked again
		members(all, team, dan)
		h.invitation(dan, box(dan), "invite-noresponse")

		// What was taken goes, what was not answered is no question any longer.
		h.proppatch(cyn, cyns, `<D:set><D:prop><C:schedule-calendar-transp><C:opaque/></C:schedule-calendar-transp></D:prop></D:set>`).row(t, cyns)
		busy := func(want bool) {
			t.Helper()
			if b := h.do(bob, "GET", "/freebusy/"+cyn+"?start=20261103T000000Z&end=20261104T000000Z", "").want(t, 200).body; strings.Contains(b, "FREEBUSY;") != want {
				t.Errorf("%s", b)
			}
		}
		busy(true)
		members(team, bob)
		h.invitation(cyn, box(cyn), "invite-deleted")
		h.propfind(cyn, cyns, "0", "D:displayname").want(t, 404)
		busy(false)
		members(all, team)
		none(dan)
		h.do(bob, "GET", at+"b.ics", "").want(t, 200)

		// Who was asked by himself keeps it without the group.
		h.share(ann, annCalendar, bobPath, "read").want(t, 200)
		members(team)
		h.do(bob, "GET", at+"b.ics", "").want(t, 200)
		h.put(bob, at+"c.ics", event("c", "20261105T100000Z", "20261105T110000Z", "")).refused(t, 403, "D:need-privileges")
		// Without the group nobody who comes is asked.
		h.unshare(ann, annCalendar, "mailto:"+all).want(t, 200)
		members(team, dan)
		none(dan)
	})
}
