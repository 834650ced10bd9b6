package main

import (
	"fmt"
	"net/http"
	"net/smtp"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/cmd/convene/catcher"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// What people do beside writing their copies, through the other doors.

// carry moves or copies a copy into another calendar of its owner's: nobody hears
// of the one, and the other is refused (decision 23).
func (h *history) carry(p *neighbour, method string) {
	f := h.copy(p)
	if f == nil {
		return
	}
	to := p.calendars(h.kind)[1]
	if strings.HasPrefix(f.Href, to) {
		to = p.calendars(h.kind)[0]
	}
	status, text := p.asks(h.w.t, method, f.Href, "", "Destination", p.base+to+h.uid+".ics", "Overwrite", "F")
	calendar := strings.Split(to, "/")[4]
	statement := strings.ToLower(method) + " " + p.name() + " " + calendar
	switch {
	case status == http.StatusNotFound: // cancelled or moved since
		statement = ""
	case method == "MOVE" && status/100 != 2, method == "COPY" && (status != http.StatusForbidden || !strings.Contains(text, "unique-scheduling-object-resource")):
		defer h.failf("%s: %d %s", method, status, text)
	case method == "COPY":
		statement += "\nrefused C:unique-scheduling-object-resource"
	}
	h.did(p, fmt.Sprintf("%s to %s %d", method, calendar, status), statement, nil)
}

// drops removes a calendar of somebody's: each meeting in it ends as if it were
// removed alone (RFC 6638 §3.2.3.2).
func (h *history) drops(p *neighbour) {
	h.w.nextSecond() // he may have answered in this one
	at := p.calendars(h.kind)[1]
	for _, kind := range []string{"VEVENT", "VTODO"} {
		for _, f := range p.list(h.w.t, at, kind, "") {
			if of := h.w.history(f.Object.UID()); of != nil {
				of.did(p, "drops the calendar that it is in", "drop "+p.name()+" second", nil)
				of.gone[p] = true
				delete(of.seen, p)
			}
		}
	}
	if status, text := p.asks(h.w.t, "DELETE", at, ""); status != http.StatusNoContent {
		h.failf("DELETE of a calendar: %d %s", status, text)
	}
	p.makes(h.w.t, "second")
	// The meetings end one by one in the queue. An invitation that comes before its
	// turn would be a new one, and what it is not about stays unanswered.
	for end := time.Now().Add(patience); slices.ContainsFunc(h.w.stores[:], h.w.due); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			h.w.t.Fatal("the jobs do not end")
		}
	}
}

var itemsOf = regexp.MustCompile(`<D:href>([^<]*\.ics)</D:href>`)

// tidies empties somebody's inbox, as programs do when they have read it.
func (h *history) tidies(p *neighbour) {
	at := "/dav/calendars/" + p.address + "/inbox/"
	_, text := p.asks(h.w.t, "PROPFIND", at, `<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>`, "Depth", "1", "Content-Type", "text/xml")
	for _, m := range itemsOf.FindAllStringSubmatch(text, -1) {
		status, body := p.asks(h.w.t, "GET", m[1], "")
		if o, err := ics.Parse([]byte(body), ics.Limits{}); status != http.StatusOK || err != nil || o.Method() == "" {
			h.failf("%s: %d %v\n%s", m[1], status, err, body)
		}
		if status, text := p.asks(h.w.t, "DELETE", m[1], ""); status != http.StatusNoContent {
			h.failf("DELETE %s: %d %s", m[1], status, text)
		}
	}
}

// calmly is an act that crosses nothing.
func (h *history) calmly() {
	h.calm = true
	defer func() { h.calm = false }()
	all := append(slices.Clone(h.w.people), h.w.bob)
	who := all[h.IntN(len(all))]
	switch h.IntN(16) {
	case 0, 1, 2, 3:
		h.delegate(who)
	case 4, 5:
		h.replies(who)
	case 6:
		h.tells()
	case 7:
		h.adds()
	case 8:
		h.parts(true)
	case 9:
		h.parts(false)
	}
}

// delegate sends somebody else to all of the meeting, by PUT or by mail.
func (h *history) delegate(p *neighbour) {
	to := h.others()[h.IntN(len(h.others()))]
	if p == h.organizer || to == p.address || h.gone[p] {
		return
	}
	h.write(p, func(f *found) (string, *ics.Object) {
		root := f.Object.Root().Clone()
		all, _ := events(root)
		did := false
		for _, c := range all {
			if l := ics.Attendee(c, p.self); l != nil {
				*l = l.WithParam("PARTSTAT", "DELEGATED").WithParam("DELEGATED-TO", "mailto:"+to)
				did = true
			}
		}
		if !did {
			return "", nil
		}
		h.sent = append(h.sent, to)
		return "sends " + to, ics.New(root)
	})
}

// parts gives a part of the series another UID: by the server, or as programs do.
func (h *history) parts(byServer bool) {
	f := h.copy(h.organizer)
	if f == nil || h.half || f.Object.Master() == nil {
		return
	}
	r := instance(f.Object, 1+h.IntN(3))
	if r == "" || r == instance(f.Object, 0) || byServer && h.organizer.server == nil {
		return
	}
	half := &history{Rand: h.Rand, w: h.w, uid: h.uid + "-half", kind: h.kind, at: h.at, organizer: h.organizer, half: true, acts: slices.Clone(h.acts)}
	half.log = [2][]entry{slices.Clone(h.log[0]), slices.Clone(h.log[1])}
	half.reset()
	half.sent = h.sent
	h.half, h.seen = true, map[*neighbour]*found{}
	if byServer {
		for p := range h.gone {
			half.gone[p] = true
		}
		for p := range h.silent {
			half.silent[p] = true
		}
		status, text := h.organizer.asks(h.w.t, "POST", f.Href+"?action=split&rid="+string(r)+"&uid="+half.uid, "")
		h.did(h.organizer, fmt.Sprintf("parts the series at %s %d", r, status), fmt.Sprintf("split %s %s %s", h.organizer.name(), r, half.uid), nil)
		half.acts = slices.Clone(h.acts)
		half.log = [2][]entry{slices.Clone(h.log[0]), slices.Clone(h.log[1])}
		if status/100 != 2 {
			h.failf("POST: %d %s", status, text)
			return
		}
		h.w.hs = append(h.w.hs, half)
		return
	}
	before := f.Object
	h.write(h.organizer, func(f *found) (string, *ics.Object) {
		if !f.Object.HasInstance(r) {
			return "", nil
		}
		before = f.Object
		root := f.Object.Root().Clone()
		without(root, func(c *ics.Component) bool { return c.Prop("RECURRENCE-ID") != nil && f.Object.RID(c) >= r })
		_, m := events(root)
		at, layout := strings.TrimSuffix(string(r), "Z"), "20060102T150405"
		if len(r) == 8 {
			layout = "20060102"
		}
		last, err := time.Parse(layout, at)
		if err != nil {
			h.w.t.Fatal(err)
		}
		until := stamp(last.Add(-time.Second))
		if len(r) == 8 {
			until = last.AddDate(0, 0, -1).Format(layout)
		}
		m.Set(ics.NewProp("RRULE", "FREQ=DAILY;UNTIL="+until))
		m.RemoveFunc(func(p *ics.Prop) bool { return p.Name == "RDATE" })
		return "ends before " + string(r), ics.New(root)
	})
	c := before.Occurrence(r)
	if c == nil {
		return
	}
	c = c.Clone()
	c.Remove("RECURRENCE-ID", "RDATE", "EXDATE", "STATUS")
	c.Set(ics.NewProp("UID", half.uid))
	c.Set(ics.NewProp("RRULE", "FREQ=DAILY;COUNT=3"))
	h.bare(c)
	rest := ics.New(&ics.Component{Name: "VCALENDAR", Props: []ics.Prop{ics.NewProp("VERSION", "2.0"), ics.NewProp("PRODID", "-//two servers//EN")}, Children: []*ics.Component{c}})
	if h.organizer.server == nil {
		half.programPuts(h.organizer, "begins the rest", nil, rest)
	} else {
		status, text := h.organizer.asks(h.w.t, "PUT", h.organizer.calendars(h.kind)[0]+half.uid+".ics", string(rest.Bytes()), "If-None-Match", "*", "Content-Type", "text/calendar; charset=utf-8")
		half.did(h.organizer, "begins the rest", "put "+h.organizer.name(), rest)
		if status/100 != 2 {
			half.failf("%d %s", status, text)
		}
	}
	h.w.hs = append(h.w.hs, half)
}

var (
	pageLink = regexp.MustCompile(`http://[^\s"<>]+/rsvp/[A-Za-z0-9_.~-]+`)
	choices  = regexp.MustCompile(`<option value="([^"]*)"`)
)

// answerMails lets Hal answer what he has in his mailbox, by hand or by its link.
func (w *twoServers) answerMails() bool {
	did := false
	for _, m := range w.fresh(halOutside, &w.halRead) {
		if m.Rcpts = []string{halOutside}; !m.Answerable() {
			continue
		}
		h := w.history(m.Calendar.UID())
		if h == nil || h.IntN(3) == 0 {
			continue
		}
		did = true
		say := []string{"ACCEPTED", "DECLINED", "TENTATIVE"}[h.IntN(3)]
		if page := pageLink.FindString(m.Text); page != "" && h.IntN(2) == 0 {
			h.turns(m, page, say)
			continue
		}
		from, to, reply, err := m.Reply(say, time.Now())
		if err == nil {
			err = smtp.SendMail(w.mta.smtp, nil, from, []string{to}, reply)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		h.acts = append(h.acts, time.Now().UTC().Format("15:04:05 ")+"hal: mails "+say)
	}
	return did
}

// turns to the page of an invitation, and answers or proposes there.
func (h *history) turns(m *catcher.Mail, page, say string) {
	base, path, _ := strings.Cut(strings.TrimPrefix(page, "http://"), "/")
	visitor := &neighbour{davClient: davClient{base: "http://" + base}}
	status, text := visitor.asks(h.w.t, "GET", "/"+path, "")
	form := url.Values{say: {"1"}}
	words := say
	if all := choices.FindAllStringSubmatch(text, -1); len(all) > 0 {
		form.Set("date", all[h.IntN(len(all))][1])
		words += " " + form.Get("date")
	}
	if strings.Contains(text, `name="from"`) && h.IntN(4) == 0 {
		form.Del(say)
		form.Set("propose", "1")
		form.Set("day", time.Now().UTC().AddDate(0, 0, h.at+h.IntN(3)).Format("2006-01-02"))
		form.Set("from", "15:00")
		form.Set("to", "16:00")
		words = "another time"
	}
	if status == http.StatusOK {
		status, text = visitor.asks(h.w.t, "POST", "/"+path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	}
	if status != http.StatusOK && status != http.StatusGone && status != http.StatusConflict && status != http.StatusBadRequest {
		h.failf("the page of an invitation: %d\n%s", status, text)
	}
	h.acts = append(h.acts, fmt.Sprintf("%s hal: by the page %s %d", time.Now().UTC().Format("15:04:05"), words, status))
	i, f := h.w.of(h.organizer.address), h.copy(h.organizer)
	if i < 0 || f == nil || status != http.StatusOK || m.Calendar.UID() != h.uid {
		return
	}
	c := f.Object.Occurrence(ics.RID(form.Get("date"))) // scripts have no page; an answer by mail says the same
	if c == nil {
		c = f.Object.First()
	}
	statement := ""
	if form.Has(say) {
		statement = "mail hal " + h.organizer.name() + " REPLY"
	}
	hal := &neighbour{address: halOutside}
	h.log[i] = append(h.log[i], entry{time.Now(), "hal by the page: " + words, statement, h.mailing(itip.Reply, h.said(hal, c, ics.Param{Name: "PARTSTAT", Values: []string{say}}))})
}

// decide lets those who own rooms answer what these ask, and organizers decide
// about proposals by the links that they get.
func (w *twoServers) decide() (did bool) {
	for _, r := range w.rooms {
		if r.name() != "big" {
			continue
		}
		owner := w.people[slices.IndexFunc(w.people, func(p *neighbour) bool { return p.address == r.user })]
		for _, f := range owner.list(w.t, calendarOf(owner.address), "VEVENT", "") {
			h := w.history(f.Object.UID())
			if h == nil || h.uid == f.Object.UID() || ics.PartStat(ics.Attendee(f.Object.First(), owner.self)) != "NEEDS-ACTION" || h.IntN(2) == 0 {
				continue
			}
			say := []string{"ACCEPTED", "DECLINED"}[h.IntN(2)]
			if h.IntN(3) == 0 { // in the room's own calendar
				if now := h.copy(r); now != nil {
					if o := itip.SetPartStat(now.Object, r.self, "", say, ""); o != nil {
						h.write(r, func(*found) (string, *ics.Object) { return say + ", by its owner", o })
						did = true
					}
				}
				continue
			}
			o := itip.SetPartStat(f.Object, owner.self, "", say, "")
			status, text := owner.asks(w.t, "PUT", f.Href, string(o.Bytes()), "If-Match", f.ETag, "Content-Type", "text/calendar; charset=utf-8")
			h.did(owner, fmt.Sprintf("to the room %s %d", say, status), "meeting "+f.Object.UID()+"\nanswer "+owner.name()+" "+say, nil)
			if status/100 != 2 && status != http.StatusPreconditionFailed {
				h.failf("%d %s", status, text)
			}
			did = true
		}
	}
	for i, p := range w.servers {
		all := p.nextHop.taken()
		for _, m := range all[w.boxes[i]:] {
			page := ""
			mail, err := imip.Parse([]byte(m.data), time.Now(), imip.Limits{})
			if err == nil && len(mail.Objects) > 0 && mail.Objects[0].Method() == "COUNTER" {
				page = pageLink.FindString(strings.ReplaceAll(strings.ReplaceAll(m.data, "=\r\n", ""), "=3D", "="))
			}
			if page == "" {
				continue
			}
			h := w.history(mail.Objects[0].UID())
			if h == nil || h.IntN(2) == 0 {
				continue
			}
			say := []string{"accept", "decline"}[h.IntN(2)]
			base, path, _ := strings.Cut(strings.TrimPrefix(page, "http://"), "/")
			visitor := &neighbour{davClient: davClient{base: "http://" + base}}
			status, text := visitor.asks(w.t, "POST", "/"+path, url.Values{say: {"1"}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
			by := ics.Attendees(mail.Objects[0].First())[0]
			name, _, _ := strings.Cut(ics.CalAddress(by).Mail(), "@")
			h.did(h.organizer, fmt.Sprintf("%ss what %s proposes %d", say, name, status), strings.TrimSpace(fmt.Sprintf("%s %s %s %s", say, h.organizer.name(), name, mail.Objects[0].RID(mail.Objects[0].First()))), nil)
			if status >= 500 || status == http.StatusNotFound {
				h.failf("%d %s", status, text)
			}
			did = true
		}
		w.boxes[i] = len(all)
	}
	return did
}
