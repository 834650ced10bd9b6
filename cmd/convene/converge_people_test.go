package main

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/mail"
	"net/smtp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/cmd/convene/catcher"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// neighbour is somebody with a calendar on one of two servers, a room there, or
// somebody who has nothing but mail.
type neighbour struct {
	address string
	server  *process // nil: he has nothing but mail
	davClient
	room      bool
	secretary *neighbour // who acts for him, too
	removed   bool

	store, left map[string]*ics.Object // of his mail program, by UID
}

func (n *neighbour) name() string {
	if n == nil {
		return ""
	}
	name, _, _ := strings.Cut(n.address, "@")
	return name
}

func (n *neighbour) self(a cuaddr.Address) bool { return a.Mail() == n.address }

// calendars are his own: where invitations come, and another.
func (n *neighbour) calendars(kind string) []string {
	first := calendarOf(n.address)
	if n.room {
		return []string{first}
	}
	second := strings.Replace(first, "/calendar/", "/second/", 1)
	if kind == "VTODO" {
		first = strings.Replace(first, "/calendar/", "/tasks/", 1)
	}
	return []string{first, second}
}

// makes a calendar.
func (n *neighbour) makes(t *testing.T, name string) {
	t.Helper()
	if status, text := n.asks(t, "MKCALENDAR", "/dav/calendars/"+n.address+"/"+name+"/", ""); status != http.StatusCreated {
		t.Fatal(status, text)
	}
}

// asks makes one request, which no server may fail to answer.
func (n *neighbour) asks(t *testing.T, method, path, body string, header ...string) (int, string) {
	t.Helper()
	status, _, text, err := n.do(t.Context(), method, path, body, header...)
	if err != nil || status >= 500 {
		t.Fatalf("%s %s by %s: %d %s %v", method, path, n.user, status, text, err)
	}
	return status, text
}

// list returns what is in a calendar, or with a UID what has that.
func (n *neighbour) list(t *testing.T, at, kind, uid string) (all []found) {
	t.Helper()
	filter := ""
	if uid != "" {
		filter = `<C:prop-filter name="UID"><C:text-match collation="i;octet" match-type="equals">` + uid + `</C:text-match></C:prop-filter>`
	}
	status, text := n.asks(t, "REPORT", at, `<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:schedule-tag/><C:calendar-data/></D:prop>`+
		`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="`+kind+`">`+filter+`</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`,
		"Depth", "1", "Content-Type", "text/xml; charset=utf-8")
	if status == http.StatusNotFound {
		return nil
	}
	var answer struct {
		Responses []struct {
			Href string `xml:"DAV: href"`
			Prop struct {
				ETag string `xml:"DAV: getetag"`
				Tag  string `xml:"urn:ietf:params:xml:ns:caldav schedule-tag"`
				Data string `xml:"urn:ietf:params:xml:ns:caldav calendar-data"`
			} `xml:"DAV: propstat>prop"`
		} `xml:"DAV: response"`
	}
	if err := xml.Unmarshal([]byte(text), &answer); status != http.StatusMultiStatus || err != nil {
		t.Fatalf("%s: %d %s %v", at, status, text, err)
	}
	for _, r := range answer.Responses {
		o, err := ics.Parse([]byte(r.Prop.Data), ics.Limits{})
		if err == nil {
			err = o.Check()
		}
		if err == nil && !bytes.Equal(itip.Shown(o.Bytes()), o.Bytes()) {
			err = fmt.Errorf("it shows what the server remembers things by")
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", r.Href, err, r.Prop.Data)
		}
		all = append(all, found{Href: r.Href, ETag: r.Prop.ETag, ScheduleTag: r.Prop.Tag, Object: o})
	}
	return all
}

// copy returns somebody's copy, nil if he has none.
func (h *history) copy(p *neighbour) *found {
	if p.server == nil {
		if o := p.store[h.uid]; o != nil {
			return &found{Object: o}
		}
		return nil
	}
	if p.removed {
		return nil
	}
	var list []found
	for _, at := range p.calendars(h.kind) {
		list = append(list, p.list(h.w.t, at, h.kind, h.uid)...)
	}
	if len(list) > 1 {
		h.w.t.Fatalf("%s has %s %d times", p.address, h.uid, len(list))
	}
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// did notes what somebody did: in words, and as scripts have it, "" for what they
// cannot say.
func (h *history) did(p *neighbour, words, statement string, o *ics.Object) {
	now := time.Now()
	h.acts = append(h.acts, now.UTC().Format("15:04:05 ")+p.name()+": "+words)
	if i := h.w.of(p.address); i >= 0 {
		h.log[i] = append(h.log[i], entry{now, words, statement, o})
	}
}

// failf tells what is wrong and all that was done.
func (h *history) failf(format string, args ...any) {
	h.w.t.Helper()
	h.w.t.Errorf("%s: %s\n%s", h.uid, fmt.Sprintf(format, args...), strings.Join(h.acts, "\n"))
}

// write changes a copy, in one of the ways in which programs do it: mostly on what
// was read just now, and again where something came between; sometimes on what the
// program has had for a while. Who may act for him does, at times.
func (h *history) write(p *neighbour, change func(f *found) (what string, o *ics.Object)) {
	if p.server == nil {
		h.programWrites(p, change)
		return
	}
	by := p
	if p.secretary != nil && h.IntN(2) == 0 {
		by = p.secretary
	}
	way := h.IntN(10)
	for range 20 {
		f := h.copy(p)
		if f == nil {
			return
		}
		now := *f
		condition, tag := "If-Match", f.ETag
		if old := h.seen[p]; old != nil && old.Href == f.Href && way < 3 {
			f = old
			condition, tag = [...]string{"If-Match", "If-Schedule-Tag-Match", ""}[way], [...]string{old.ETag, old.ScheduleTag, ""}[way]
		} else if way == 3 && f.ScheduleTag != "" {
			condition, tag = "If-Schedule-Tag-Match", f.ScheduleTag
		}
		what, o := change(f)
		if what == "" {
			return
		}
		method, body := "DELETE", ""
		if o != nil {
			method, body = "PUT", string(o.Bytes())
		}
		header := []string{"Content-Type", "text/calendar; charset=utf-8"}
		if condition != "" {
			header = append(header, condition, tag)
		}
		if h.silent[p] && method == "DELETE" {
			header = append(header, "Schedule-Reply", "F")
		}
		status, text := by.asks(h.w.t, method, f.Href, body, header...)
		stale := condition == "If-Match" && tag != now.ETag || condition == "If-Schedule-Tag-Match" && tag != now.ScheduleTag
		if status == http.StatusPreconditionFailed { // he reads it again, and merges
			way = 9
			continue
		}
		words := what
		if f.ETag != now.ETag {
			words += " on an old copy"
		}
		if by != p {
			words += ", by " + by.name()
		}
		statement := "put " + p.name()
		if method == "DELETE" {
			statement = strings.TrimSpace(map[bool]string{true: "delete " + p.name() + " silent", false: "delete " + p.name()}[h.silent[p]])
		}
		if status == http.StatusForbidden {
			precondition := ""
			if m := refusals.FindStringSubmatch(text); m != nil {
				precondition = m[1]
			}
			statement += "\nrefused " + precondition
		}
		h.did(p, fmt.Sprintf("%s %d", words, status), statement, o)
		switch {
		case stale && status/100 == 2:
			h.failf("%s %s held, though it is %s %s", condition, tag, now.ETag, now.ScheduleTag)
		case status/100 != 2 && status != http.StatusForbidden || strings.Contains(text, "valid-calendar"):
			h.failf("%d %s\n%s", status, text, body)
		}
		if p == h.organizer {
			h.sequences()
		}
		delete(h.seen, p)
		if o != nil && h.IntN(2) == 0 {
			h.seen[p] = h.copy(p)
		}
		return
	}
	h.w.t.Fatalf("%s never gets to write", p.address)
}

// actor is who a mail program works for.
func (n *neighbour) actor(uid string) itip.Actor {
	return itip.Actor{Self: n.self, Address: cuaddr.Mailto(n.address), Name: n.name(), Now: time.Now().UTC(), Floating: time.UTC, MaxAttendees: 50, Agent: n.room,
		Left: n.left[uid], Prefers: func(string) string { return "any" }, Proposals: func() []itip.Proposal { return nil }}
}

// keeps stores what follows from something.
func (n *neighbour) keeps(uid string, out itip.Outcome) {
	if out.Remove {
		delete(n.store, uid)
	}
	if out.Left != nil {
		n.left[uid] = itip.AddLeft(n.left[uid], out.Left)
	}
	if out.Object != nil && !out.Ignored {
		n.store[uid] = out.Object
	}
}

// programWrites is write for somebody who has nothing but mail.
func (h *history) programWrites(p *neighbour, change func(f *found) (what string, o *ics.Object)) {
	f := h.copy(p)
	if f == nil {
		return
	}
	what, o := change(f)
	if what == "" {
		return
	}
	h.programPuts(p, what, f.Object, o)
}

func (h *history) programPuts(p *neighbour, what string, before, after *ics.Object) {
	if after != nil { // as his program would read it
		o, err := ics.Parse(after.Bytes(), ics.Limits{})
		if err != nil {
			h.w.t.Fatal(err)
		}
		after = o
	}
	out, err := itip.Originate(p.actor(h.uid), before, after, itip.Options{NoReply: h.silent[p]})
	h.did(p, fmt.Sprint(what, " ", cmp.Or(fmt.Sprint(err), "")), "", nil)
	if err != nil {
		return
	}
	p.keeps(h.uid, out)
	h.w.post(p, out.Messages)
	if p == h.organizer {
		h.sequences()
	}
}

// post mails what somebody has to say who has nothing but mail.
func (w *twoServers) post(p *neighbour, ms []itip.Message) {
	for _, m := range ms {
		if !m.Echo {
			to := []string{m.To.Mail()}
			w.send(w.mta.smtp, p.address, to, letter(p.address, to, m.Method, m.Body))
		}
	}
}

// letter is a mail from somebody's mail program.
func letter(from string, to []string, method itip.Method, body *ics.Object) []byte {
	return fmt.Appendf(nil, "From: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%d.%s>\r\nDate: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/calendar; charset=utf-8; method=%s\r\n\r\n%s",
		from, strings.Join(to, ", "), method, time.Now().UnixNano(), from, time.Now().UTC().Format(time.RFC1123Z), method, body.Bytes())
}

func (w *twoServers) send(service, from string, to []string, mail []byte) {
	w.t.Helper()
	if err := smtp.SendMail(service, nil, from, to, mail); err != nil {
		w.t.Fatal(err)
	}
}

// history of a UID, or of what asks a room's owner about it.
func (w *twoServers) history(uid string) *history {
	for _, h := range w.hs {
		if uid == h.uid || strings.HasPrefix(uid, "confirm-") && strings.HasSuffix(uid, "-"+h.uid) {
			return h
		}
	}
	return nil
}

// fresh are the mails that came to those outside since.
func (w *twoServers) fresh(to string, last *int) (out []*catcher.Mail) {
	for _, m := range w.outside.Mails() {
		if m.ID > *last && slices.Contains(m.Rcpts, to) {
			own := *m
			out = append(out, &own)
			*last = m.ID
		}
	}
	return out
}

// bobReads lets his program read what came.
func (w *twoServers) bobReads() (some bool) {
	for _, m := range w.fresh(bobOutside, &w.bobRead) {
		some = true
		if m.Calendar == nil || m.Calendar.First() == nil {
			continue
		}
		from, err := mail.ParseAddress(m.From)
		if err != nil {
			w.t.Fatal(err)
		}
		msg := itip.Message{Method: itip.Method(m.Method), UID: m.Calendar.UID(), From: cuaddr.Mailto(from.Address), To: cuaddr.Mailto(bobOutside), Body: m.Calendar}
		out, err := itip.Receive(w.bob.actor(msg.UID), w.bob.store[msg.UID], msg)
		rule := out.Rule
		if err != nil {
			rule = err.Error()
		}
		if h := w.history(msg.UID); h != nil {
			h.did(w.bob, fmt.Sprintf("gets %s from %s: %s", msg.Method, from.Address, rule), "", nil)
		}
		if err == nil {
			w.bob.keeps(msg.UID, out)
			w.post(w.bob, out.Messages)
			if len(out.Messages) > 0 { // DTSTAMP has no fractions, and the mail server keeps no order
				w.nextSecond()
			}
		}
	}
	return some
}

// tally counts what was done, by its first word that is no name.
func tally(hs []*history) string {
	n := map[string]int{}
	for _, h := range hs {
		for _, a := range h.acts {
			_, what, _ := strings.Cut(a, ": ")
			for _, word := range strings.Fields(what) {
				if !strings.ContainsAny(word, "0123456789@") {
					n[strings.TrimSuffix(word, ",")]++
					break
				}
			}
		}
	}
	var out []string
	for what, times := range n {
		out = append(out, fmt.Sprint(what, " ", times))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
