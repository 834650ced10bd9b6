package caldav

import (
	"regexp"
	"strings"
	"testing"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

const (
	annBox = annHome + "notification/"
	bobBox = bobHome + "notification/"
)

// postXML sends what Apple's programs post about sharing.
func (h *house) postXML(who, path, body string) reply {
	h.t.Helper()
	return h.do(who, "POST", path, `<?xml version="1.0" encoding="UTF-8"?>`+strings.Replace(body, ">", namespaces+">", 1), "Content-Type", "application/xml; charset=utf-8")
}

// share invites somebody; access is "read" or "read-write".
func (h *house) share(who, calendar, sharee, access string) reply {
	h.t.Helper()
	return h.postXML(who, calendar, `<CS:share><CS:set>`+href(sharee)+`<CS:common-name>Somebody</CS:common-name><CS:summary>Ours</CS:summary><CS:`+access+`/></CS:set></CS:share>`)
}

func (h *house) unshare(who, calendar, sharee string) reply {
	h.t.Helper()
	return h.postXML(who, calendar, `<CS:share><CS:remove>`+href(sharee)+`</CS:remove></CS:share>`)
}

// notifications are those of somebody, by the state or the kind that they tell,
// read as Apple's programs do: the list, then each that it can handle.
func (h *house) notifications(who, box string) []*dav.Element {
	h.t.Helper()
	var all []*dav.Element
	for _, r := range h.propfind(who, box, "1", "D:getetag CS:notificationtype").rows(h.t) {
		if r.href == box {
			continue
		}
		if !strings.HasPrefix(r.text("CS:notificationtype"), `<CS:invite-`) {
			h.t.Errorf("%+v", r)
		}
		root := parseXML(h.t, h.do(who, "GET", r.href, "").want(h.t, 200).body)
		if root.Name != dav.CS("notification") || root.Child(dav.CS("dtstamp")) == nil {
			h.t.Errorf("%s", inner(root))
		}
		all = append(all, root.Children()[1])
	}
	return all
}

// invitation is the one that somebody has, with the state that it tells.
func (h *house) invitation(who, box, state string) (uid string) {
	h.t.Helper()
	all := h.notifications(who, box)
	if len(all) != 1 || all[0].Name != dav.CS("invite-notification") || all[0].Child(dav.CS(state)) == nil || all[0].Attr("shared-type") != "calendar" {
		h.t.Fatalf("%d notifications", len(all))
	}
	return all[0].Child(dav.CS("uid")).Text()
}

func (h *house) answer(who, home, host, uid, verb, summary string) reply {
	h.t.Helper()
	if summary != "" {
		summary = "<CS:summary>" + summary + "</CS:summary>"
	}
	return h.postXML(who, home, `<CS:invite-reply>`+href("mailto:"+who)+`<CS:`+verb+`/><CS:hosturl>`+href(host)+`</CS:hosturl><CS:in-reply-to>`+uid+`</CS:in-reply-to>`+summary+`</CS:invite-reply>`)
}

// accepted is where a calendar is after a reply.
func (r reply) accepted(t *testing.T) string {
	t.Helper()
	root := parseXML(t, r.want(t, 200).body)
	if root.Name != dav.CS("shared-as") {
		t.Fatalf("%s", r.body)
	}
	return root.Child(dav.D("href")).Text()
}

var uidOf = regexp.MustCompile(`<CS:uid>[^<]*</CS:uid>`)

// sharees is what the owner sees of them.
func (h *house) sharees(owner, calendar string) string {
	h.t.Helper()
	w := h.propfind(owner, calendar, "0", "CS:invite").row(h.t, calendar)
	if w.lacks("CS:invite") {
		return "none"
	}
	return uidOf.ReplaceAllString(w.text("CS:invite"), "")
}

func user(address, name, access, state string) string {
	return "<CS:user>" + href("mailto:"+address) + "<CS:common-name>" + name + "</CS:common-name><CS:access><CS:" + access + "/></CS:access><CS:" + state + "/></CS:user>"
}

func homeSync(token, level string) string {
	return `<D:sync-collection><D:sync-token>` + token + `</D:sync-token><D:sync-level>` + level + `</D:sync-level><D:prop><D:resourcetype/></D:prop></D:sync-collection>`
}

// The whole way, by the requests of macOS's and iOS's programs (caldav-sharing
// §5.3, §5.4): Ann invites, Bob finds it, takes it, and gives it back.
func TestShareByInvitation(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		if o := h.do(ann, "OPTIONS", annHome, "").want(t, 200); !strings.Contains(o.header.Get("DAV"), "calendarserver-sharing") {
			t.Error(o.header)
		}
		body := event("a", "20261102T100000Z", "20261102T110000Z", "")
		h.put(ann, annCalendar+"a.ics", body).want(t, 201)
		w := h.propfind(ann, annCalendar, "0", "D:resourcetype CS:allowed-sharing-modes CS:invite CS:shared-url").row(t, annCalendar)
		if w.text("D:resourcetype") != "<D:collection/><C:calendar/>" || w.text("CS:allowed-sharing-modes") != "<CS:can-be-shared/>" || !w.lacks("CS:invite") || !w.lacks("CS:shared-url") {
			t.Errorf("%+v", w)
		}
		// Who was never told anything has an empty collection.
		if w := h.propfind(bob, bobPath, "0", "CS:notification-URL").row(t, bobPath); w.text("CS:notification-URL") != href(bobBox) {
			t.Errorf("%+v", w)
		}
		if w := h.propfind(ann, bobPath, "0", "CS:notification-URL").row(t, bobPath); !w.lacks("CS:notification-URL") {
			t.Errorf("%+v", w)
		}
		box := h.propfind(bob, bobBox, "0", "D:resourcetype D:sync-token CS:getctag").row(t, bobBox)
		if box.text("D:resourcetype") != "<D:collection/><CS:notification/>" {
			t.Errorf("%+v", box)
		}
		if n := len(h.notifications(bob, bobBox)); n != 0 {
			t.Errorf("%d notifications", n)
		}
		sync := func(token string) ([]row, string) {
			t.Helper()
			r := h.report(bob, bobHome, homeSync(token, "1"))
			return r.rows(t), parseXML(t, r.body).Child(dav.D("sync-token")).Text()
		}
		_, token := sync("")

		h.share(ann, annCalendar, "mailto:BOB@example.org", "read").want(t, 200)
		if w := h.propfind(ann, annCalendar, "0", "D:resourcetype").row(t, annCalendar); w.text("D:resourcetype") != "<D:collection/><C:calendar/><CS:shared-owner/>" {
			t.Errorf("%+v", w)
		}
		equal(t, "asked", h.sharees(ann, annCalendar), user(bob, "Bob", "read", "invite-noresponse"))
		h.do(bob, "GET", annCalendar+"a.ics", "").refused(t, 403, "D:need-privileges") // it is a question yet
		after := h.propfind(bob, bobBox, "0", "D:sync-token CS:getctag").row(t, bobBox)
		if after.text("CS:getctag") == box.text("CS:getctag") || after.text("D:sync-token") == box.text("D:sync-token") {
			t.Errorf("a poll finds nothing: %+v", after)
		}
		if rs := h.report(bob, bobBox, homeSync(box.text("D:sync-token"), "1")).rows(t); len(rs) != 1 {
			t.Errorf("%+v", rs)
		}
		rs := h.report(bob, bobBox, homeSync("", "1")).rows(t)
		if len(rs) != 1 {
			t.Fatalf("%+v", rs)
		}
		note := parseXML(t, h.do(bob, "GET", rs[0].href, "").want(t, 200).body)
		uid := h.invitation(bob, bobBox, "invite-noresponse")
		equal(t, "notification", inner(note.Children()[1]), `<CS:uid>`+uid+`</CS:uid>`+href("mailto:"+bob)+`<CS:invite-noresponse/><CS:access><CS:read/></CS:access><CS:hosturl>`+href(annCalendar)+
			`</CS:hosturl><CS:organizer>`+href("mailto:"+ann)+`<CS:common-name>Ann Ärmel</CS:common-name></CS:organizer><CS:summary>Ours</CS:summary><C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>`)
		// The same again tells nobody anything.
		before := h.propfind(bob, bobBox, "0", "D:getetag").row(t, bobBox).text("D:getetag")
		h.share(ann, annCalendar, "mailto:"+bob, "read").want(t, 200)
		equal(t, "sharees", h.sharees(ann, annCalendar), user(bob, "Bob", "read", "invite-noresponse"))
		equal(t, "invitation", h.invitation(bob, bobBox, "invite-noresponse"), uid)
		equal(t, "etag", h.do(bob, "GET", rs[0].href, "", "If-None-Match", h.propfind(bob, rs[0].href, "0", "D:getetag").row(t, rs[0].href).text("D:getetag")).status, 304)
		_ = before

		at := h.answer(bob, bobHome, annCalendar, uid, "invite-accepted", "Ann and I").accepted(t)
		if !strings.HasPrefix(at, bobHome) {
			t.Fatal(at)
		}
		if n := len(h.notifications(bob, bobBox)); n != 0 {
			t.Errorf("%d notifications", n)
		}
		equal(t, "accepted", h.sharees(ann, annCalendar), user(bob, "Bob", "read", "invite-accepted"))
		told := h.notifications(ann, annBox)
		if len(told) != 1 || inner(told[0]) != href("mailto:"+bob)+`<CS:invite-accepted/><CS:hosturl>`+href(annCalendar)+`</CS:hosturl><CS:in-reply-to>`+uid+`</CS:in-reply-to><CS:summary>Ann and I</CS:summary><CS:common-name>Bob</CS:common-name>` {
			t.Errorf("%v", told)
		}
		// It is his, and hers.
		changed, token2 := sync(token)
		if !hasRow(changed, at) || changed[0].status != "" {
			t.Errorf("%+v", changed)
		}
		w = h.propfind(bob, bobHome, "1", "D:resourcetype D:displayname D:owner C:schedule-calendar-transp CS:shared-url CS:invite D:current-user-privilege-set CS:allowed-sharing-modes").row(t, at)
		if w.text("D:resourcetype") != "<D:collection/><C:calendar/><CS:shared/>" || w.text("D:displayname") != "Ann and I" || w.text("D:owner") != href(annPath) ||
			w.text("C:schedule-calendar-transp") != "<C:transparent/>" || w.text("CS:shared-url") != href(annCalendar) || !w.lacks("CS:allowed-sharing-modes") ||
			!strings.Contains(w.text("D:current-user-privilege-set"), "<D:write-properties/>") || strings.Contains(w.text("D:current-user-privilege-set"), "<D:write-content/>") {
			t.Errorf("%+v", w)
		}
		equal(t, "invite", uidOf.ReplaceAllString(w.text("CS:invite"), ""), "<CS:organizer>"+href("mailto:"+ann)+"<CS:common-name>Ann Ärmel</CS:common-name></CS:organizer>"+user(bob, "Bob", "read", "invite-accepted"))
		// Once: programs that read every home do not see it twice.
		if w := h.propfind(bob, bobPath, "0", "C:calendar-home-set").row(t, bobPath); w.text("C:calendar-home-set") != href(bobHome) {
			t.Errorf("%+v", w)
		}
		equal(t, "her home", names(t, h.propfind(bob, annHome, "1", "D:displayname"), annHome), []string{""})
		equal(t, "members", names(t, h.propfind(bob, at, "1", "D:getetag"), at), []string{"", "a.ics"})
		equal(t, "body", h.do(bob, "GET", at+"a.ics", "").want(t, 200).body, body)
		h.put(bob, at+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).refused(t, 403, "D:need-privileges")
		h.report(bob, at, homeSync("", "1")).row(t, at+"a.ics")
		h.report(bob, at, `<C:calendar-multiget><D:prop><D:getetag/><C:calendar-data/></D:prop>`+href(at+"a.ics")+`</C:calendar-multiget>`).row(t, at+"a.ics")
		h.report(bob, at, `<C:calendar-query><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20261101T000000Z" end="20261105T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`).row(t, at+"a.ics")
		h.report(bob, bobHome, `<C:calendar-multiget><D:prop><D:getetag/></D:prop>`+href(at+"a.ics")+`</C:calendar-multiget>`).row(t, at+"a.ics")
		// Name and colour are his own (caldav-sharing §5.5.3).
		set := func(prop string) row {
			t.Helper()
			return h.proppatch(bob, at, `<D:set><D:prop>`+prop+`</D:prop></D:set>`).row(t, at)
		}
		for _, prop := range []string{"<D:displayname>Mine</D:displayname>", "<A:calendar-color>#123456</A:calendar-color>", "<C:calendar-description>d</C:calendar-description>", "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>", "<C:schedule-calendar-transp><C:opaque/></C:schedule-calendar-transp>"} {
			if w := set(prop); w.props["HTTP/1.1 200 OK"] == nil {
				t.Errorf("%+v", w)
			}
		}
		for _, prop := range []string{"<CS:invite/>", "<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>"} {
			if w := set(prop); w.props["HTTP/1.1 403 Forbidden"] == nil {
				t.Errorf("%+v", w)
			}
		}
		if w := h.propfind(bob, at, "0", "D:displayname A:calendar-color C:calendar-description").row(t, at); w.text("D:displayname") != "Mine" || w.text("A:calendar-color") != "#123456" || w.text("C:calendar-description") != "d" {
			t.Errorf("%+v", w)
		}
		if w := h.propfind(ann, annCalendar, "0", "D:displayname A:calendar-color C:calendar-description").row(t, annCalendar); w.text("D:displayname") != "calendar" || !w.lacks("A:calendar-color") || !w.lacks("C:calendar-description") {
			t.Errorf("%+v", w)
		}

		// More: he is told, and may.
		h.share(ann, annCalendar, bobPath, "read-write").want(t, 200)
		equal(t, "invitation", h.invitation(bob, bobBox, "invite-accepted"), uid)
		equal(t, "more", h.sharees(ann, annCalendar), user(bob, "Bob", "read-write", "invite-accepted"))
		h.put(bob, at+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.do(ann, "GET", annCalendar+"b.ics", "").want(t, 200)
		h.do(bob, "DELETE", at+"b.ics", "").want(t, 204)
		h.do(bob, "POST", at+addMemberName, event("c", "20261102T100000Z", "20261102T110000Z", ""), "Content-Type", "text/calendar").want(t, 201)
		h.share(bob, at, "mailto:room@example.org", "read").refused(t, 403, "D:need-privileges")
		h.do(bob, "MOVE", at, "", "Destination", bobHome+"mine/").refused(t, 403, "D:need-privileges")
		h.propfind(bob, annCalendar, "0", "D:displayname").row(t, annCalendar) // where it was shared from, too

		// He gives it back: it is declined, and lives.
		h.do(bob, "DELETE", at, "").want(t, 204)
		h.do(bob, "DELETE", at, "").want(t, 404)
		h.propfind(bob, at, "0", "D:displayname").want(t, 404)
		h.do(bob, "GET", annCalendar+"a.ics", "").refused(t, 403, "D:need-privileges")
		h.do(ann, "GET", annCalendar+"a.ics", "").want(t, 200)
		equal(t, "declined", h.sharees(ann, annCalendar), user(bob, "Bob", "read-write", "invite-declined"))
		told = h.notifications(ann, annBox)
		if len(told) != 1 || told[0].Child(dav.CS("invite-declined")) == nil {
			t.Errorf("%v", told)
		}
		gone, token3 := sync(token2)
		if !hasRow(gone, at) || gone[0].status != "HTTP/1.1 404 Not Found" {
			t.Errorf("%+v", gone)
		}

		// Asked again, he takes it; then she takes it away.
		h.share(ann, annCalendar, "mailto:"+bob, "read-write").want(t, 200)
		at = h.answer(bob, bobHome, annCalendar, h.invitation(bob, bobBox, "invite-noresponse"), "invite-accepted", "").accepted(t)
		if again := h.answer(bob, bobHome, annCalendar, uid, "invite-accepted", "").accepted(t); again != at {
			t.Errorf("%s, then %s", at, again)
		}
		if w := h.propfind(bob, at, "0", "D:displayname").row(t, at); w.text("D:displayname") != "Ours" {
			t.Errorf("%+v", w)
		}
		changed, token4 := sync(token3)
		if !hasRow(changed, at) {
			t.Errorf("%+v", changed)
		}
		h.unshare(ann, annCalendar, "mailto:"+bob).want(t, 200)
		h.propfind(bob, at, "0", "D:displayname").want(t, 404)
		equal(t, "sharees", h.sharees(ann, annCalendar), "none")
		h.invitation(bob, bobBox, "invite-deleted")
		if gone, _ := sync(token4); !hasRow(gone, at) {
			t.Errorf("%+v", gone)
		}
		for _, r := range h.propfind(bob, bobBox, "1", "D:getetag").rows(t)[1:] {
			h.do(bob, "DELETE", r.href, "").want(t, 204)
		}
		if n := len(h.notifications(bob, bobBox)); n != 0 {
			t.Errorf("%d notifications", n)
		}
		// An invitation that is taken back before an answer leaves nothing.
		h.share(ann, annCalendar, "mailto:"+bob, "read").want(t, 200)
		uid = h.invitation(bob, bobBox, "invite-noresponse")
		h.unshare(ann, annCalendar, "mailto:"+bob).want(t, 200)
		if n := len(h.notifications(bob, bobBox)); n != 0 {
			t.Errorf("%d notifications", n)
		}
		h.answer(bob, bobHome, annCalendar, uid, "invite-accepted", "").want(t, 403)
	})
}

func hasRow(rs []row, href string) bool {
	for _, r := range rs {
		if r.href == href {
			return true
		}
	}
	return false
}

// Who cannot be asked is named, and nobody else is asked either; what makes no
// sense changes nothing.
func TestShareRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		refused := func(who string, want map[string]string) {
			t.Helper()
			body := "<CS:share>"
			for sharee := range want {
				body += "<CS:set>" + href(sharee) + "<CS:read/></CS:set>"
			}
			for _, r := range h.postXML(who, annCalendar, body+"</CS:share>").rows(t) {
				if want[r.href] != r.status {
					t.Errorf("%s: %s, want %s", r.href, r.status, want[r.href])
				}
				delete(want, r.href)
			}
			if len(want) > 0 {
				t.Errorf("no word of %v", want)
			}
		}
		const no, dependent = "HTTP/1.1 403 Forbidden", "HTTP/1.1 424 Failed Dependency"
		refused(ann, map[string]string{"mailto:" + bob: dependent, "mailto:out@example.net": no, bobPath: dependent, "mailto:room@example.org": no, "mailto:ann.b@example.org": no,
			annPath: no, "/dav/principals/nobody@example.org/": no, "https://elsewhere.example/dav/principals/bob@example.org/": no, "": no, "mailto:": no, "urn:uuid:x": no, bobCalendar: no})
		equal(t, "sharees", h.sharees(ann, annCalendar), "none")
		if n := len(h.notifications(bob, bobBox)); n != 0 {
			t.Errorf("%d notifications", n)
		}
		// To remove who is not there is done already, and nobody can lose his own.
		for _, who := range []string{"mailto:out@example.net", annPath, bobPath} {
			h.unshare(ann, annCalendar, who).want(t, 200)
		}
		test := func(who, path, body string, status int) {
			t.Helper()
			h.postXML(who, path, body).want(t, status)
		}
		set := "<CS:set>" + href(bobPath) + "<CS:read/></CS:set>"
		test(ann, annCalendar, "<CS:share></CS:share>", 400)
		test(ann, annCalendar, "<CS:share><CS:set><CS:read/></CS:set></CS:share>", 400)
		test(ann, annCalendar, "<CS:share><CS:set>"+href(bobPath)+"</CS:set></CS:share>", 400)
		test(ann, annCalendar, "<CS:share><CS:set>"+href(bobPath)+"<CS:read/><CS:summary>"+strings.Repeat("x", maxSummary+1)+"</CS:summary></CS:set></CS:share>", 400)
		test(ann, annCalendar, "<CS:share>"+strings.Repeat(set, maxSharees+1)+"</CS:share>", 403)
		test(ann, annCalendar, "<CS:publish-calendar></CS:publish-calendar>", 403)
		test(ann, annHome, "<CS:share>"+set+"</CS:share>", 403)
		test(ann, annCalendar+"none.ics", "<CS:share>"+set+"</CS:share>", 404)
		test(ann, annInbox, "<CS:share>"+set+"</CS:share>", 403)
		test(bob, annCalendar, "<CS:share>"+set+"</CS:share>", 403)
		h.do(ann, "POST", annCalendar, "<CS:share", "Content-Type", "text/xml").want(t, 400)
		h.do(ann, "POST", annCalendar, "", "Content-Type", "text/xml").want(t, 400)
		h.do(ann, "POST", annCalendar, "x", "Content-Type", "text/plain").want(t, 405)

		h.share(ann, annCalendar, bobPath, "read").want(t, 200)
		uid := h.invitation(bob, bobBox, "invite-noresponse")
		answer := func(who, home, uid, more string, status int) {
			t.Helper()
			test(who, home, "<CS:invite-reply><CS:in-reply-to>"+uid+"</CS:in-reply-to>"+more+"</CS:invite-reply>", status)
		}
		answer(bob, bobHome, uid, "", 400)
		answer(bob, bobHome, uid, "<CS:invite-accepted/><CS:invite-declined/>", 400)
		answer(bob, bobHome, "", "<CS:invite-accepted/>", 400)
		answer(bob, bobHome, "none", "<CS:invite-accepted/>", 403)
		answer(ann, annHome, uid, "<CS:invite-accepted/>", 403) // not hers
		answer(ann, bobHome, uid, "<CS:invite-accepted/>", 403)
		answer(bob, bobHome, uid, "<CS:invite-accepted/><CS:summary>"+strings.Repeat("x", maxSummary+1)+"</CS:summary>", 403)
		equal(t, "sharees", h.sharees(ann, annCalendar), user(bob, "Bob", "read", "invite-noresponse"))

		// Nobody but the server puts anything there, and nobody else looks.
		h.do(bob, "PUT", bobBox+"x.xml", "<x/>").refused(t, 403, "D:need-privileges")
		h.do(bob, "DELETE", bobBox, "").refused(t, 403, "D:need-privileges")
		h.do(bob, "MKCALENDAR", bobBox, "").want(t, 403)
		h.do(bob, "MOVE", bobBox+uid+".xml", "", "Destination", bobCalendar+"x.ics").refused(t, 403, "D:need-privileges")
		h.acl(bob, bobBox, aceFor(href(annPath), "D:read")).refused(t, 403, "D:need-privileges")
		h.acl(bob, bobHome, aceFor(href(annPath), "D:read")).want(t, 200)
		h.propfind(ann, bobBox, "1", "D:getetag").want(t, 404)
		h.do(ann, "GET", bobBox+uid+".xml", "").want(t, 404)
		equal(t, "home", names(t, h.propfind(ann, bobHome, "1", "D:displayname"), bobHome), []string{"", "calendar/", "inbox/", "outbox/", "tasks/"})
	})
}

// Notifications of one person are bounded: the oldest gives way.
func TestNotificationsBound(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.share(ann, annCalendar, bobPath, "read").want(t, 200)
		first := h.invitation(bob, bobBox, "invite-noresponse")
		err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(bob)
			if err != nil {
				return err
			}
			c, err := tx.CollectionByName(p.ID, db.Notifications, wordNotifications)
			if err != nil {
				return err
			}
			m, err := tx.BumpCollections(c.ID)
			for i := 1; i < maxNotifications && err == nil; i++ {
				err = tx.PutObject(&db.Object{Collection: c.ID, Name: randomName(), UID: fileUID(), Component: inviteReply, Modseq: m[c.ID]}, []byte("<x/>"), db.Indexed{}, 0)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		h.share(ann, annTasks, bobPath, "read").want(t, 200)
		rs := h.propfind(bob, bobBox, "1", "D:getetag").rows(t)
		if len(rs) != maxNotifications+1 || hasRow(rs, bobBox+first+".xml") {
			t.Errorf("%d rows", len(rs))
		}
	})
}

// Who shares nothing pays nothing: what Apple's programs ask of a home needs as
// many statements with all that belongs to sharing as without it.
func TestSharingCostsNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		least := func(props string) int64 {
			t.Helper()
			n := int64(1 << 60)
			h.propfind(ann, annHome, "1", props).want(t, 207)
			for range 10 { // what is done beside it, now and then, is counted too
				h.propfind(ann, annTasks, "0", "D:sync-token").row(t, annTasks)
				before := h.store.Ran()
				h.propfind(ann, annHome, "1", props).want(t, 207)
				n = min(n, h.store.Ran()-before)
			}
			return n
		}
		const asked = "D:resourcetype D:displayname CS:getctag D:sync-token D:current-user-privilege-set C:max-instances" // of calendars
		without := least(asked)
		if with := least(asked + " CS:allowed-sharing-modes CS:invite CS:shared-url"); with != without {
			t.Errorf("%d statements, %d without what belongs to sharing", with, without)
		}
	})
}

// A sharee may write what is in a calendar, and does not speak for its owner:
// a change that would send something is refused, nothing is moved out of the
// calendar, and it does not become the one where his invitations arrive
// (caldav-sharing §5.5.5).
func TestShareSchedulesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		if o := h.do(ann, "OPTIONS", annHome, ""); !strings.Contains(o.header.Get("DAV"), "calendarserver-sharing-no-scheduling") {
			t.Error(o.header)
		}
		h.share(ann, annCalendar, bobPath, "read-write").want(t, 200)
		at := h.answer(bob, bobHome, annCalendar, h.invitation(bob, bobBox, "invite-noresponse"), "invite-accepted", "").accepted(t)
		h.put(ann, annCalendar+"m.ics", meeting("m", "20261203T100000Z", "20261203T110000Z", "out@example.net")).want(t, 201)
		h.put(ann, annCalendar+"a.ics", event("a", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.put(bob, at+"n.ics", meeting("n", "20261203T100000Z", "20261203T110000Z", "out@example.net")).want(t, 403)
		h.put(bob, at+"m.ics", meeting("m", "20261203T120000Z", "20261203T130000Z", "out@example.net")).want(t, 403)
		h.do(bob, "DELETE", at+"m.ics", "").want(t, 403)
		h.do(bob, "MOVE", at+"a.ics", "", "Destination", bobCalendar+"a.ics").refused(t, 403, "C:unique-scheduling-object-resource")
		h.put(bob, bobCalendar+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
		h.do(bob, "MOVE", bobCalendar+"b.ics", "", "Destination", at+"b.ics").refused(t, 403, "C:unique-scheduling-object-resource")
		h.do(bob, "MOVE", at+"a.ics", "", "Destination", at+"c.ics").want(t, 201) // within it
		h.do(ann, "GET", annCalendar+"c.ics", "").want(t, 200)
		h.do(bob, "COPY", at+"c.ics", "", "Destination", bobCalendar+"copy.ics").want(t, 201)
		w := h.proppatch(bob, bobHome+"inbox/", `<D:set><D:prop><C:schedule-default-calendar-URL>`+href(at)+`</C:schedule-default-calendar-URL></D:prop></D:set>`).row(t, bobHome+"inbox/")
		if w.props["HTTP/1.1 403 Forbidden"] == nil {
			t.Errorf("%+v", w)
		}
		// Locks hold by either path.
		r, token := h.lock(bob, at+"c.ics", "exclusive", "0")
		r.want(t, 200)
		h.put(ann, annCalendar+"c.ics", event("a", "20261102T100000Z", "20261102T120000Z", "")).refused(t, 423, "D:lock-token-submitted")
		h.put(bob, at+"c.ics", event("a", "20261102T100000Z", "20261102T120000Z", ""), "If", "<"+h.http.URL+at+"c.ics> ("+token+")").want(t, 204)
		h.do(bob, "UNLOCK", at+"c.ics", "", "Lock-Token", token).want(t, 204)
	})
}

// Whose programs know nothing of invitations takes a calendar on the page at
// "/", and has it in all of them.
func TestShareOnPage(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		press := func(who, body string) reply {
			t.Helper()
			return h.do(who, "POST", "/", body, "Content-Type", "application/x-www-form-urlencoded")
		}
		offered := func(who string) bool {
			t.Helper()
			page := h.do(who, "GET", "/?login", "").want(t, 200).body
			return strings.Contains(page, "<dt>Ours</dt><dd>Ann Ärmel &lt;ann@example.org&gt;")
		}
		h.share(ann, annCalendar, bobPath, "read").want(t, 200)
		uid := h.invitation(bob, bobBox, "invite-noresponse")
		if !offered(bob) || offered(ann) {
			t.Error("not offered to Bob, or to Ann")
		}
		press("", "invitation="+uid+"&answer=accept").want(t, 401)
		press(ann, "invitation="+uid+"&answer=accept").want(t, 303)
		press(bob, "invitation=none&answer=accept").want(t, 303)
		equal(t, "sharees", h.sharees(ann, annCalendar), user(bob, "Bob", "read", "invite-noresponse"))
		for _, body := range []string{"", "invitation=" + uid, "invitation=" + uid + "&answer=maybe", "%zz", strings.Repeat("x", 5<<10)} {
			press(bob, body).want(t, 400)
		}
		h.do(bob, "POST", "/", "x", "Content-Type", "text/plain").want(t, 405)
		if r := press(bob, "invitation="+uid+"&answer=accept").want(t, 303); r.header.Get("Location") != "/?login" {
			t.Errorf("%v", r.header)
		}
		if offered(bob) {
			t.Error("it is offered still")
		}
		equal(t, "sharees", h.sharees(ann, annCalendar), user(bob, "Bob", "read", "invite-accepted"))
		at := ""
		for _, r := range h.propfind(bob, bobHome, "1", "D:resourcetype").rows(t) {
			if strings.Contains(r.text("D:resourcetype"), "<CS:shared/>") {
				at = r.href
			}
		}
		h.report(bob, at, homeSync("", "1")).want(t, 207)
		press(bob, "invitation="+uid+"&answer=decline").want(t, 303)
		equal(t, "sharees", h.sharees(ann, annCalendar), user(bob, "Bob", "read", "invite-declined"))
	})
}
