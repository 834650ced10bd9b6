package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"html"
	"path"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/dialogue"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// What people of scripts do with their calendars beside meeting each other.

func (h *stage) home(who string) string { return "/dav/calendars/" + h.person(who).Address + "/" }

// calendar returns the path of a person's calendar, which is made if it is not
// there.
func (h *stage) calendar(who, name string) string {
	at := h.home(who) + name + "/"
	if name != "calendar" && !h.more[at] {
		if code, text, _ := h.dav(who, "MKCALENDAR", at, ""); code != 201 {
			h.t.Fatalf("MKCALENDAR %s: %d %s", at, code, text)
		}
		if h.more == nil {
			h.more = map[string]bool{}
		}
		h.more[at] = true
	}
	return at
}

func (h *stage) Move(who, uid, calendar string, c dialogue.Condition) error {
	return h.carry("MOVE", who, uid, calendar, c)
}

func (h *stage) Copy(who, uid, calendar string, c dialogue.Condition) error {
	return h.carry("COPY", who, uid, calendar, c)
}

func (h *stage) carry(method, who, uid, calendar string, c dialogue.Condition) error {
	from := h.find(who, uid)
	header := append(h.conditions(who, from, c), "Destination", h.web.URL+h.calendar(who, calendar)+path.Base(from))
	code, text, moved := h.dav(who, method, from, "", header...)
	if err := h.answer(code, text); err != nil {
		return err
	}
	return h.sameTag(who, h.find(who, uid), moved)
}

func (h *stage) Store(who, calendar string, object []byte) error {
	o, err := ics.Parse(object, ics.Limits{})
	if err != nil {
		return err
	}
	code, text, _ := h.dav(who, "PUT", h.calendar(who, calendar)+o.UID()+"-too.ics", string(object), "Content-Type", "text/calendar")
	return h.answer(code, text)
}

func (h *stage) Drop(who, calendar string, silent bool) error {
	at := h.calendar(who, calendar)
	var header []string
	if silent {
		header = []string{"Schedule-Reply", "F"}
	}
	code, text, _ := h.dav(who, "DELETE", at, "", header...)
	if code < 300 {
		delete(h.more, at)
	}
	return h.answer(code, text)
}

func (h *stage) Lies(who, uid string) string {
	at := strings.TrimPrefix(h.find(who, uid), h.home(who))
	calendar, _, _ := strings.Cut(at, "/")
	return calendar
}

func (h *stage) Default(who, calendar string) error {
	code, text, _ := h.dav(who, "PROPPATCH", h.home(who)+"inbox/", `<propertyupdate xmlns="DAV:"><set><prop>`+
		`<schedule-default-calendar-URL xmlns="urn:ietf:params:xml:ns:caldav"><href xmlns="DAV:">`+h.calendar(who, calendar)+`</href></schedule-default-calendar-URL>`+
		`</prop></set></propertyupdate>`, "Content-Type", "text/xml")
	if code == 207 && !strings.Contains(text, "HTTP/1.1 200") {
		return fmt.Errorf("PROPPATCH: %s", text)
	}
	return h.answer(code, text)
}

func (h *stage) Grant(who, box, whom string, privileges []string) error {
	var b strings.Builder
	for _, p := range privileges {
		if !strings.Contains(p, ":") {
			p = "C:" + p
		}
		b.WriteString("<D:privilege><" + p + "/></D:privilege>")
	}
	code, text, _ := h.dav(who, "ACL", h.place(who, box), `<D:acl`+davNames+`><D:ace><D:principal><D:href>/dav/principals/`+h.person(whom).Address+
		`/</D:href></D:principal><D:grant>`+b.String()+`</D:grant></D:ace></D:acl>`, "Content-Type", "text/xml")
	return h.answer(code, text)
}

// owner is somebody's row.
func (h *stage) owner(who string) (p db.Principal, first int64, err error) {
	err = h.store.View(context.Background(), func(tx *db.Tx) error {
		if p, err = tx.PrincipalByAddress(h.person(who).Address); err != nil {
			return err
		}
		c, err := tx.CollectionByName(p.ID, db.Calendar, "calendar")
		first = c.ID
		return err
	})
	return p, first, err
}

func (h *stage) Import(who string, object []byte) error {
	p, first, err := h.owner(who)
	if err != nil {
		return err
	}
	o, err := ics.Parse(object, ics.Limits{})
	if err != nil {
		return err
	}
	_, err = h.desk.Put(context.Background(), scheduling.Put{Actor: p, Collection: first, Name: objectName(o.UID()), Body: object, Door: "import", Silent: true})
	return err
}

func (h *stage) Remove(who, heir string) error {
	p, _, err := h.owner(who)
	if err != nil {
		return err
	}
	var next db.Principal
	if heir != "" {
		if next, _, err = h.owner(heir); err != nil {
			return err
		}
	}
	if _, err := endMeetings(context.Background(), h.store, h.desk, p, next); err != nil {
		return err
	}
	return h.store.Write(context.Background(), nil, func(tx *db.Tx) error { return tx.DeletePrincipal(p.ID) })
}

func (h *stage) Sweep() error {
	if err := h.store.Sweep(context.Background(), keep); err != nil {
		return err
	}
	_, err := h.desk.Forget(context.Background())
	return err
}

func (h *stage) Keep(who string) {
	if h.kept == nil {
		h.kept = map[string]map[string]bool{}
	}
	h.kept[who] = map[string]bool{}
}

func (h *stage) Inbox(who string) int { return len(h.items(who)) }

func (h *stage) Clear(who string) error {
	for _, at := range h.items(who) {
		if code, text, _ := h.dav(who, "DELETE", at, ""); code != 204 {
			return h.answer(code, text)
		}
	}
	return nil
}

func (h *stage) Delegate(room, who string) error {
	return h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
		p, err := tx.PrincipalByAddress(h.person(room).Address)
		if err != nil {
			return err
		}
		q, err := tx.PrincipalByAddress(h.person(who).Address)
		if err != nil {
			return err
		}
		return tx.SetProxies(p.ID, true, []int64{q.ID})
	})
}

// Confirm answers in a room's calendar, where the program finds the meeting.
func (h *stage) Confirm(who, room, uid string, rid ics.RID, partstat string) error {
	found := h.queryAt(who, h.home(room)+"calendar/", "VEVENT", uid)
	if len(found) != 1 {
		return &itip.Refusal{Precondition: "unseen"}
	}
	code, text, header := h.dav(who, "GET", found[0], "")
	if code != 200 {
		return h.answer(code, text)
	}
	o, err := ics.Parse([]byte(text), ics.Limits{})
	if err != nil {
		return err
	}
	me := cuaddr.Mailto(h.person(room).Address)
	n := itip.SetPartStat(o, func(a cuaddr.Address) bool { return a == me }, rid, partstat, "")
	if n == nil {
		return fmt.Errorf("%s is not invited to that", room)
	}
	code, text, _ = h.dav(who, "PUT", found[0], string(n.Bytes()), "If-Match", header.Get("ETag"), "Content-Type", "text/calendar")
	return h.answer(code, text)
}

func (h *stage) Arrive(room string) error {
	var p db.Principal
	err := h.store.View(context.Background(), func(tx *db.Tx) (err error) {
		p, err = tx.PrincipalByAddress(h.person(room).Address)
		return err
	})
	if err != nil {
		return err
	}
	came, err := h.desk.CheckIn(context.Background(), p, "command")
	if err == nil && len(came) == 0 {
		err = fmt.Errorf("nothing is booked there")
	}
	return err
}

func (h *stage) Again() error {
	p := &process{lmtp: h.lmtp}
	return p.deliver(h.last.from, h.last.to, h.last.data)
}

func (h *stage) Reads(who, copies string) error {
	return h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
		p, err := tx.PrincipalByAddress(h.person(who).Address)
		if err != nil {
			return err
		}
		p.MailCopies = copies
		return tx.UpdatePrincipal(&p)
	})
}

func (h *stage) Words(who string) (text []string) {
	h.t.Helper()
	for _, m := range h.relay.taken() {
		if m.to == h.person(who).Address && !m.read {
			text = append(text, m.data)
		}
	}
	h.relay.markRead(h.person(who).Address)
	return text
}

// items are the paths of what lies in somebody's inbox.
func (h *stage) items(who string) (paths []string) {
	h.t.Helper()
	code, text, _ := h.dav(who, "PROPFIND", h.home(who)+"inbox/", `<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>`, "Depth", "1", "Content-Type", "text/xml")
	if code != 207 {
		h.t.Fatalf("PROPFIND of the inbox: %d\n%s", code, text)
	}
	for _, m := range hrefs.FindAllStringSubmatch(text, -1) {
		if !strings.HasSuffix(m[1], "/") {
			paths = append(paths, m[1])
		}
	}
	return paths
}

const davNames = ` xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"`

// place is the path of what a script names: a calendar, the home, the principal.
func (h *stage) place(who, of string) string {
	switch of {
	case "principal":
		return "/dav/principals/" + h.person(who).Address + "/"
	case "home":
		return h.home(who)
	case "inbox", "outbox":
		return h.home(who) + of + "/"
	}
	return h.calendar(who, of)
}

func (h *stage) SetProperty(who, of, name, value string) error {
	if !strings.HasPrefix(value, "<") {
		value = html.EscapeString(value)
	}
	code, text, _ := h.dav(who, "PROPPATCH", h.place(who, of), `<D:propertyupdate`+davNames+`><D:set><D:prop><`+name+`>`+value+`</`+name+`></D:prop></D:set></D:propertyupdate>`,
		"Content-Type", "text/xml")
	if code == 207 && !strings.Contains(text, "HTTP/1.1 200") {
		return fmt.Errorf("PROPPATCH: %s", text)
	}
	return h.answer(code, text)
}

func (h *stage) Property(who, of, name string) (value string, ok bool) {
	h.t.Helper()
	code, text, _ := h.dav(who, "PROPFIND", h.place(who, of), `<D:propfind`+davNames+`><D:prop><`+name+`/></D:prop></D:propfind>`, "Depth", "0", "Content-Type", "text/xml")
	if code != 207 {
		h.t.Fatalf("PROPFIND: %d %s", code, text)
	}
	_, local, _ := strings.Cut(name, ":")
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if err != nil {
			return "", false
		}
		if start, is := token.(xml.StartElement); is && start.Name.Local == local {
			var in struct {
				Text string `xml:",innerxml"`
			}
			err := d.DecodeElement(&in, &start)
			return html.UnescapeString(in.Text), err == nil && strings.Contains(text, "HTTP/1.1 200")
		}
	}
}
