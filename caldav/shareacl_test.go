package caldav

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

// An invitation that was accepted is an entry of the ACL, and an entry that
// names somebody is told like one: there is one truth.
func TestShareIsACL(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		take := func() string {
			t.Helper()
			return h.answer(bob, bobHome, annCalendar, h.invitation(bob, bobBox, "invite-noresponse"), "invite-accepted", "").accepted(t)
		}
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.share(ann, annCalendar, bobPath, "read-write").want(t, 200)
		at := take()
		entries := h.propfind(ann, annCalendar, "0", "D:acl").row(t, annCalendar).text("D:acl")
		if !strings.Contains(entries, "<D:principal>"+href(bobPath)+"</D:principal><D:grant><D:privilege><D:read/></D:privilege><D:privilege><D:write-content/></D:privilege><D:privilege><D:bind/></D:privilege><D:privilege><D:unbind/></D:privilege></D:grant>") {
			t.Errorf("%s", entries)
		}
		// Less, by the ACL.
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read")).want(t, 200)
		equal(t, "less", h.sharees(ann, annCalendar), user(bob, "Bob", "read", "invite-accepted"))
		h.put(bob, at+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).refused(t, 403, "D:need-privileges")
		// Nothing, by the ACL: it is gone from his home, with what he had for himself.
		own := strings.Replace(event("a", "20261102T100000Z", "20261102T110000Z", ""), "END:VEVENT", "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT", 1)
		h.put(bob, at+"a.ics", own).want(t, 204)
		h.acl(ann, annCalendar, "").want(t, 200)
		equal(t, "nothing", h.sharees(ann, annCalendar), "none")
		h.propfind(bob, at, "0", "D:displayname").want(t, 404)
		equal(t, "his home", names(t, h.propfind(bob, bobHome, "1", "D:displayname"), bobHome), []string{"", "calendar/", "inbox/", "notification/", "outbox/", "tasks/"})

		// Granted by the ACL: he sees it where she has it, as ever, and she sees that he does.
		h.acl(ann, annCalendar, aceFor(href(bobPath), "D:read")).want(t, 200)
		equal(t, "granted", h.sharees(ann, annCalendar), user(bob, "Bob", "read", "invite-accepted"))
		if w := h.propfind(ann, annCalendar, "0", "D:resourcetype").row(t, annCalendar); !strings.Contains(w.text("D:resourcetype"), "<CS:shared-owner/>") {
			t.Errorf("%+v", w)
		}
		if w := h.propfind(bob, bobPath, "0", "C:calendar-home-set").row(t, bobPath); w.text("C:calendar-home-set") != href(bobHome)+href(annHome) {
			t.Errorf("%+v", w)
		}
		if w := h.propfind(bob, annHome, "1", "D:resourcetype CS:invite").row(t, annCalendar); w.text("D:resourcetype") != "<D:collection/><C:calendar/>" || !w.lacks("CS:invite") {
			t.Errorf("%+v", w)
		}
		if g := h.do(bob, "GET", annCalendar+"a.ics", "").want(t, 200); strings.Contains(g.body, "VALARM") {
			t.Errorf("%s", g.body)
		}
		// More, by an invitation: at once, and he may take it into his home.
		h.share(ann, annCalendar, bobPath, "read-write").want(t, 200)
		equal(t, "more", h.sharees(ann, annCalendar), user(bob, "Bob", "read-write", "invite-accepted"))
		h.put(bob, annCalendar+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		at = take()
		h.do(bob, "GET", at+"b.ics", "").want(t, 200)
		// Taken away by its removal, the entry is, too.
		h.unshare(ann, annCalendar, bobPath).want(t, 200)
		h.do(bob, "GET", annCalendar+"a.ics", "").refused(t, 403, "D:need-privileges")
		// One that was granted by the ACL alone likewise.
		h.acl(ann, annTasks, aceFor(href(bobPath), "D:read")).want(t, 200)
		h.unshare(ann, annTasks, bobPath).want(t, 200)
		h.propfind(bob, annTasks, "0", "D:displayname").refused(t, 403, "D:need-privileges")
	})
}

// A group cannot accept: it has the calendar at once, and each member may take
// it into his home for as long as he is in the group.
func TestShareWithGroup(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const cyn, team = "cyn@example.org", "/dav/principals/team@example.org/"
		cynHome := "/dav/calendars/" + cyn + "/"
		cynBox := cynHome + "notification/"
		h.add(db.Principal{Address: cyn, Kind: db.Person, Name: "Cyn"})
		h.add(db.Principal{Address: "team@example.org", Kind: db.Group, Name: "Team"})
		members := func(who ...string) {
			t.Helper()
			err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
				g, err := tx.PrincipalByAddress("team@example.org")
				if err != nil {
					return err
				}
				if err := tx.SetMembers(g.ID, who); err != nil {
					return err
				}
				return FollowGroup(tx, g, now)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		members(bob, cyn, ann, "room@example.org", "out@example.net")
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.share(ann, annCalendar, team, "read").want(t, 200)
		all := user("team@example.org", "Team", "read", "invite-accepted")
		equal(t, "sharees", h.sharees(ann, annCalendar), all) // who is in it is not told by that
		h.do(bob, "GET", annCalendar+"a.ics", "").want(t, 200)
		if n := len(h.notifications(ann, annBox)); n != 0 {
			t.Errorf("%d notifications", n)
		}
		at := h.answer(bob, bobHome, annCalendar, h.invitation(bob, bobBox, "invite-noresponse"), "invite-accepted", "").accepted(t)
		cyns := h.answer(cyn, cynHome, annCalendar, h.invitation(cyn, cynBox, "invite-noresponse"), "invite-accepted", "").accepted(t)
		h.do(bob, "GET", at+"a.ics", "").want(t, 200)
		if n := len(h.notifications(ann, annBox)); n != 0 {
			t.Errorf("%d notifications", n)
		}
		if w := h.propfind(bob, at, "0", "CS:invite").row(t, at); strings.Contains(w.text("CS:invite"), "cyn") || strings.Contains(w.text("CS:invite"), "team") {
			t.Errorf("%+v", w)
		}
		// Bob puts it away; the others have it.
		h.do(bob, "DELETE", at, "").want(t, 204)
		h.do(bob, "GET", annCalendar+"a.ics", "").want(t, 200)
		equal(t, "sharees", h.sharees(ann, annCalendar), all)
		// Cyn leaves.
		token := parseXML(t, h.report(cyn, cynHome, homeSync("", "1")).body).Child(dav.D("sync-token")).Text()
		members(bob)
		h.propfind(cyn, cyns, "0", "D:displayname").want(t, 404)
		if gone := h.report(cyn, cynHome, homeSync(token, "1")).rows(t); !hasRow(gone, cyns) {
			t.Errorf("%+v", gone)
		}
		equal(t, "her home", hasRow(h.propfind(cyn, cynHome, "1", "D:displayname").rows(t), cyns), false)
		// More for the group.
		h.share(ann, annCalendar, team, "read-write").want(t, 200)
		h.put(bob, annCalendar+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		at = h.answer(bob, bobHome, annCalendar, h.invitation(bob, bobBox, "invite-noresponse"), "invite-accepted", "").accepted(t)
		// He is in another one, too: he keeps it when the first loses it.
		h.add(db.Principal{Address: "all@example.org", Kind: db.Group, Name: "All"})
		if err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
			g, err := tx.PrincipalByAddress("all@example.org")
			if err != nil {
				return err
			}
			return tx.SetMembers(g.ID, []string{bob})
		}); err != nil {
			t.Fatal(err)
		}
		h.share(ann, annCalendar, "mailto:all@example.org", "read").want(t, 200)
		h.unshare(ann, annCalendar, team).want(t, 200)
		h.do(bob, "GET", at+"a.ics", "").want(t, 200)
		h.put(bob, at+"c.ics", event("c", "20261102T100000Z", "20261102T110000Z", "")).refused(t, 403, "D:need-privileges")
		h.share(ann, annCalendar, team, "read-write").want(t, 200)
		h.unshare(ann, annCalendar, "mailto:all@example.org").want(t, 200)
		h.put(bob, at+"c.ics", event("c", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		// Nothing for the group.
		h.unshare(ann, annCalendar, team).want(t, 200)
		equal(t, "sharees", h.sharees(ann, annCalendar), "none")
		h.propfind(bob, at, "0", "D:displayname").want(t, 404)
		h.invitation(bob, bobBox, "invite-deleted")
		h.do(bob, "GET", annCalendar+"a.ics", "").refused(t, 403, "D:need-privileges")
	})
}

// A calendar that is deleted goes from every home, and so does what was said of
// it; what was said to somebody goes with him.
func TestShareEnds(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const cyn = "cyn@example.org"
		h.add(db.Principal{Address: cyn, Kind: db.Person, Name: "Cyn"})
		cynHome := "/dav/calendars/" + cyn + "/"
		plans := annHome + "plans/"
		h.do(ann, "MKCALENDAR", plans, "").want(t, 201)
		h.put(ann, plans+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.share(ann, plans, bobPath, "read").want(t, 200)
		h.share(ann, plans, "mailto:"+cyn, "read").want(t, 200)
		at := h.answer(bob, bobHome, plans, h.invitation(bob, bobBox, "invite-noresponse"), "invite-accepted", "").accepted(t)
		token := parseXML(t, h.report(bob, bobHome, homeSync("", "infinite")).body).Child(dav.D("sync-token")).Text()
		// She calls it something else: his stays where it is.
		h.do(ann, "MOVE", plans, "", "Destination", annHome+"renamed/").want(t, 201)
		h.do(bob, "GET", at+"a.ics", "").want(t, 200)
		changed := h.report(bob, bobHome, homeSync(token, "infinite"))
		if rs := changed.rows(t); !hasRow(rs, at) || hasRow(rs, at+"a.ics") {
			t.Errorf("%+v", rs)
		}
		token = parseXML(t, changed.body).Child(dav.D("sync-token")).Text()

		h.do(ann, "DELETE", annHome+"renamed/", "").want(t, 204)
		h.propfind(bob, at, "0", "D:displayname").want(t, 404)
		if gone := h.report(bob, bobHome, homeSync(token, "infinite")).rows(t); !hasRow(gone, at) {
			t.Errorf("%+v", gone)
		}
		h.invitation(bob, bobBox, "invite-deleted")
		if n := len(h.notifications(cyn, cynHome+"notification/")); n != 0 {
			t.Errorf("%d notifications", n)
		}
		h.share(ann, annCalendar, "mailto:"+cyn, "read").want(t, 200)
		if err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(cyn)
			if err != nil {
				return err
			}
			return tx.DeletePrincipal(p.ID)
		}); err != nil {
			t.Fatal(err)
		}
		equal(t, "sharees", uidOf.ReplaceAllString(h.propfind(ann, annCalendar, "0", "CS:invite").row(t, annCalendar).text("CS:invite"), ""), "")

		// What asks for something that is gone goes with the answer.
		for _, r := range h.propfind(bob, bobBox, "1", "D:getetag").rows(t)[1:] {
			h.do(bob, "DELETE", r.href, "").want(t, 204)
		}
		h.share(ann, annTasks, bobPath, "read").want(t, 200)
		uid := h.invitation(bob, bobBox, "invite-noresponse")
		if err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(ann)
			if err != nil {
				return err
			}
			return tx.DeletePrincipal(p.ID)
		}); err != nil {
			t.Fatal(err)
		}
		h.answer(bob, bobHome, annTasks, uid, "invite-accepted", "").want(t, 403)
		if n := len(h.notifications(bob, bobBox)); n != 0 {
			t.Errorf("%d notifications", n)
		}
	})
}

// Who is removed asks nobody any longer, and takes away what others have from him.
func TestOwnerGoes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const dan = "dan@example.org"
		h.add(db.Principal{Address: dan, Kind: db.Person, Name: "Dan"})
		h.add(db.Principal{Address: "team@example.org", Kind: db.Group, Name: "Team"})
		danBox := "/dav/calendars/" + dan + "/notification/"
		h.share(ann, annCalendar, bobPath, "read").want(t, 200)
		h.answer(bob, bobHome, annCalendar, h.invitation(bob, bobBox, "invite-noresponse"), "invite-accepted", "Hers").accepted(t)
		h.share(ann, annTasks, "mailto:"+dan, "read").want(t, 200)
		h.share(ann, annTasks, "mailto:team@example.org", "read").want(t, 200)
		h.invitation(dan, danBox, "invite-noresponse")
		if err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
			for _, who := range []string{dan, ann} { // one has nothing to take back
				p, err := tx.PrincipalByAddress(who)
				if err == nil {
					err = Forget(tx, p, now)
				}
				if err != nil {
					return err
				}
				if who == ann {
					return tx.DeletePrincipal(p.ID)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if n := len(h.notifications(dan, danBox)); n != 0 {
			t.Errorf("%d notifications", n)
		}
		h.invitation(bob, bobBox, "invite-deleted")
		if told := inner(h.notifications(bob, bobBox)[0]); !strings.Contains(told, "<CS:summary>Hers</CS:summary>") {
			t.Error(told)
		}
	})
}

// Whoever shares, takes, gives back and writes at the same time: everything has
// an answer, and at the end the ACL, the homes and what the owners see agree.
func TestShareRaces(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const cyn = "cyn@example.org"
		h.add(db.Principal{Address: cyn, Kind: db.Person, Name: "Cyn"})
		cynHome := "/dav/calendars/" + cyn + "/"
		owned := map[string]string{annCalendar: ann, annTasks: ann, cynHome + "calendar/": cyn}
		// What a busy database puts off is asked for again.
		sound := func(do func() reply) reply {
			r := do()
			for n := 0; r.status == 503 && n < 20; n++ {
				r = do()
			}
			if r.status >= 500 {
				t.Errorf("%d: %s", r.status, r.body)
			}
			return r
		}
		listed := func(path, props string) []row {
			if r := sound(func() reply { return h.propfind(bob, path, "1", props) }); r.status == 207 {
				return r.rows(t)
			}
			return nil
		}
		var all sync.WaitGroup
		for calendar, owner := range owned {
			all.Go(func() {
				for i := range 6 {
					sound(func() reply { return h.share(owner, calendar, bobPath, []string{"read", "read-write"}[i%2]) })
					if i%3 == 2 {
						sound(func() reply { return h.unshare(owner, calendar, "mailto:"+bob) })
					}
				}
				sound(func() reply { return h.share(owner, calendar, bobPath, "read") })
			})
			all.Go(func() {
				for i := range 6 {
					sound(func() reply {
						return h.put(owner, calendar+fmt.Sprint(i)+".ics", event(fmt.Sprint(calendar, i), "20261102T100000Z", "20261102T110000Z", ""))
					})
				}
			})
		}
		uidIn := regexp.MustCompile(`<CS:uid>([^<]*)</CS:uid>`)
		taken := func() {
			for _, r := range listed(bobBox, "CS:notificationtype") {
				g := sound(func() reply { return h.do(bob, "GET", r.href, "") })
				if m := uidIn.FindStringSubmatch(g.body); m != nil && strings.Contains(g.body, "<CS:invite-noresponse/>") {
					sound(func() reply { return h.answer(bob, bobHome, "", m[1], "invite-accepted", "") })
				}
			}
		}
		all.Go(func() {
			for range 6 {
				taken()
				for _, r := range listed(bobHome, "D:resourcetype") {
					if strings.Contains(r.text("D:resourcetype"), "<CS:shared/>") {
						sound(func() reply { return h.do(bob, "DELETE", r.href, "") })
						break
					}
				}
			}
		})
		all.Wait()
		taken()
		mounts := h.propfind(bob, bobHome, "1", "CS:shared-url").rows(t)
		for calendar, owner := range owned {
			here := false
			for _, r := range mounts {
				here = here || r.text("CS:shared-url") == href(calendar)
			}
			invite := h.sharees(owner, calendar)
			granted := strings.Contains(h.propfind(owner, calendar, "0", "D:acl").row(t, calendar).text("D:acl"), href(bobPath))
			if accepted := strings.Contains(invite, "<CS:invite-accepted/>"); accepted != here || granted != here || strings.Count(invite, "<CS:user>") != 1 {
				t.Errorf("%s: in his home %v, granted %v, told %s", calendar, here, granted, invite)
			}
		}
	})
}
