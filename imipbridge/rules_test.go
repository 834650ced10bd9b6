package imipbridge

import (
	"bytes"
	"encoding/base64"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// calendarPart returns the header and the content of the part of a mail with
// this type.
func (h *house) calendarPart(m caught, media string) (head, text string) {
	h.Helper()
	at := bytes.Index(m.data, []byte("\r\nContent-Type: "+media))
	if at < 0 {
		h.Fatalf("no %s in\n%s", media, m.data)
	}
	head, body, _ := strings.Cut(string(m.data[at+2:]), "\r\n\r\n")
	body, _, _ = strings.Cut(body, "\r\n--")
	content, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(body, "\r\n", ""))
	if err != nil {
		h.Fatal(err)
	}
	return head, string(content)
}

// unfolded are the content lines of a calendar.
func unfolded(text string) []string {
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r\n ", ""), "\r\n"), "\r\n")
}

// What mail programs need of our mail, rule by rule, on mails as they leave for
// the relay. The numbers are those of the table in STANDARDS.md.
func TestMailRules(t *testing.T) {
	const dora = "dora@elsewhere.example" // has an account here, and a domain that is not ours
	const tagged = "cleo+Work@example.net"
	h := open(t, "sqlite")
	h.persons("ann", "ben", dora)
	send := func() map[string]caught { // by method and recipient
		h.Helper()
		h.work()
		out := map[string]caught{}
		for _, m := range h.relay.all() {
			out[h.parsed(m).Objects[0].Method()+" "+m.rcpt] = m
		}
		return out
	}
	take := func(out map[string]caught, key string) caught {
		h.Helper()
		m, ok := out[key]
		if !ok {
			var keys []string
			for k := range out {
				keys = append(keys, k)
			}
			h.Fatalf("no %s among %q", key, keys)
		}
		return m
	}
	guests := func(organizerIs string, more ...string) string {
		return organizer(organizerIs) + "ATTENDEE;PARTSTAT=ACCEPTED:mailto:" + organizerIs + "\n" + strings.Join(more, "")
	}
	guest := func(addr string) string { return "ATTENDEE:MAILTO:" + addr + "\n" }
	berlin := strings.NewReplacer("DTSTART:20260309T090000Z", "DTSTART;TZID=Europe/Berlin:20260309T100000", "DTEND:20260309T100000Z", "DURATION:PT1H")
	text := strings.Repeat("words that go on and on, ", 80)
	private := "X-MOZ-GENERATION:3\nX-EVOLUTION-CALDAV-HREF:x\nBEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT5M\nEND:VALARM\n"
	u1 := func(lines string) string {
		return berlin.Replace(event("", "u1", "DESCRIPTION:"+text+"\n"+guests(ann, guest(cleo), guest(tagged))+lines+private))
	}

	h.put("ann", u1("LOCATION:Room 1\n"))
	invited := send()
	h.want("mails", len(invited), 2)
	request := take(invited, "REQUEST "+cleo)
	h.clock.forward(time.Minute)
	h.put("ann", strings.Replace(u1("LOCATION:Room 2\n"), "T100000\n", "T110000\n", 1))
	updated := take(send(), "REQUEST "+cleo)
	h.clock.forward(time.Minute)
	h.put("ann", strings.Replace(u1("LOCATION:Room 3\n"), "T100000\n", "T110000\n", 1))
	edited := take(send(), "REQUEST "+cleo)
	h.put("ann", strings.Replace(strings.Replace(u1(""), guest(cleo), "", 1), "T100000\n", "T110000\n", 1))
	cancelled := take(send(), "CANCEL "+cleo)

	// What Ann answers to somebody outside, who invited her by a tag to a series.
	invitation := strings.Replace(event("REQUEST", "u2", "RRULE:FREQ=WEEKLY;COUNT=4\nX-MS-OLK-SENDER:mailto:x@corp.example\n"+organizer(cleo)+"ATTENDEE;RSVP=TRUE:mailto:ann+Budget@example.org\n"), "DTSTART:20260309T090000Z\nDTEND:20260309T100000Z",
		"DTSTART;TZID=America/New_York:20260309T090000\nDTEND;TZID=America/New_York:20260309T100000\nSEQUENCE:4", 1)
	invitation = strings.Replace(invitation, "SEQUENCE:0\n", "", 1)
	h.give(cleo, mailOf(cleo, ann, "", invitation), "ann+Budget@example.org")
	if h.copyOf("ann", "u2") == nil {
		t.Fatal("the invitation by a tag did not arrive")
	}
	mine := func(partstat, rid, ridPartstat string) string {
		s := strings.Replace(strings.Replace(invitation, "METHOD:REQUEST\n", "", 1), "ATTENDEE;RSVP=TRUE", "ATTENDEE;RSVP=TRUE;PARTSTAT="+partstat, 1)
		if rid != "" {
			s = strings.Replace(s, "END:VCALENDAR", "BEGIN:VEVENT\nUID:u2\nDTSTAMP:20260302T070000Z\nRECURRENCE-ID;TZID=America/New_York:"+rid+"\nDTSTART;TZID=America/New_York:"+rid+
				"\nDTEND;TZID=America/New_York:"+rid[:9]+"100000\nSUMMARY:Budget\nSEQUENCE:4\n"+organizer(cleo)+"ATTENDEE;RSVP=TRUE;PARTSTAT="+ridPartstat+":mailto:ann+Budget@example.org\nEND:VEVENT\nEND:VCALENDAR", 1)
		}
		return s
	}
	h.clock.forward(time.Minute)
	h.put("ann", mine("ACCEPTED", "", ""))
	reply := take(send(), "REPLY "+cleo)
	h.clock.forward(time.Minute)
	h.put("ann", mine("ACCEPTED", "20260316T090000", "DECLINED"))
	single := take(send(), "REPLY "+cleo)

	h.put(dora, event("", "u3", guests(dora, guest(cleo))))
	foreign := take(send(), "REQUEST "+cleo)
	all := []caught{request, updated, edited, cancelled, reply, single, foreign}

	each := func(rule string, f func(m caught, head, calendar string)) {
		t.Run(rule, func(sub *testing.T) {
			h.TB = sub
			defer func() { h.TB = t }()
			for _, m := range all {
				head, calendar := h.calendarPart(m, "text/calendar")
				f(m, head, calendar)
			}
		})
	}
	rule := func(name string, f func()) {
		t.Run(name, func(sub *testing.T) {
			h.TB = sub
			defer func() { h.TB = t }()
			f()
		})
	}
	find := func(calendar, name string) (found []string) {
		for _, l := range unfolded(calendar) {
			if strings.HasPrefix(l, name+":") || strings.HasPrefix(l, name+";") {
				found = append(found, l)
			}
		}
		return found
	}

	each("R1", func(m caught, head, calendar string) {
		_, p, err := mime.ParseMediaType(strings.TrimPrefix(strings.Split(strings.ReplaceAll(head, "\r\n ", " "), "\r\n")[0], "Content-Type: "))
		h.want("method=", p["method"], strings.TrimPrefix(find(calendar, "METHOD")[0], "METHOD:"))
		h.want("parsed", err, nil)
	})
	each("R2", func(m caught, head, calendar string) {
		h.want("charset", strings.Contains(head, `charset="UTF-8"`) && !strings.Contains(string(m.data), "charset=us-ascii"), true)
	})
	each("R3", func(m caught, _, _ string) {
		// The calendar is the last of the alternative.
		inside := m.data[bytes.Index(m.data, []byte("multipart/alternative")):]
		plain, rich, calendar, end := bytes.Index(inside, []byte("text/plain")), bytes.Index(inside, []byte("text/html")), bytes.Index(inside, []byte("text/calendar")), bytes.Index(inside, []byte("--\r\n"))
		h.want("order", plain > 0 && plain < rich && rich < calendar && calendar < end, true)
	})
	each("R4", func(_ caught, head, _ string) {
		h.want("disposition", strings.Contains(head, "Content-Disposition") || strings.Contains(head, "Content-ID"), false)
	})
	each("R5", func(m caught, _, calendar string) {
		head, attached := h.calendarPart(m, "application/ics")
		h.want("attachment", strings.Contains(head, `name="invite.ics"`) && strings.Contains(head, `attachment; filename="invite.ics"`) && attached == calendar, true)
	})
	each("R6", func(m caught, _, calendar string) {
		for l := range strings.SplitSeq(string(m.data), "\r\n") {
			if len(l) > 78 && !strings.HasPrefix(l, "Message-ID:") || strings.ContainsAny(l, "\r\n") {
				h.Errorf("mail line of %d octets: %q", len(l), l)
			}
		}
		for l := range strings.SplitSeq(calendar, "\r\n") {
			if len(l) > 75 || strings.ContainsAny(l, "\r\n") {
				h.Errorf("content line of %d octets: %q", len(l), l)
			}
		}
	})
	each("R7", func(m caught, _, calendar string) {
		for _, name := range []string{"PRODID", "VERSION", "METHOD", "CALSCALE"} {
			h.want(name, len(find(calendar, name)), 1)
		}
		events := strings.Count(calendar, "BEGIN:VEVENT")
		for _, name := range []string{"DTSTAMP", "DTSTART", "DTEND"} {
			inEvents := 0
			inside := false
			for _, l := range unfolded(calendar) {
				inside = inside && l != "END:VEVENT" || l == "BEGIN:VEVENT"
				if inside && (strings.HasPrefix(l, name+":") || strings.HasPrefix(l, name+";")) {
					inEvents++
				}
			}
			h.want(name+" of "+calendar, inEvents, events)
		}
		for _, zone := range []string{"Europe/Berlin", "America/New_York"} {
			n := 0
			if strings.Contains(calendar, ";TZID="+zone+":") {
				n = 1
			}
			h.want("VTIMEZONE of "+zone, strings.Count(calendar, "\r\nTZID:"+zone+"\r\n"), n)
		}
	})
	each("R8", func(_ caught, _, calendar string) { h.want("VALARM", strings.Contains(calendar, "VALARM"), false) })
	each("R9", func(_ caught, _, calendar string) {
		for _, l := range append(find(calendar, "ORGANIZER"), find(calendar, "ATTENDEE")...) {
			h.want(l, regexp.MustCompile(`:mailto:[^%:]+@[^%:]+$`).MatchString(l), true)
			h.want(l, regexp.MustCompile(`CN=[^";:,]*[^\w";:,]`).MatchString(l), false)
			h.want(l, strings.Contains(l, "SENT-BY"), false)
		}
		for _, bad := range []string{"SCHEDULE-", "X-MOZ", "X-EVOLUTION", "X-MS-OLK", "X-CONVENE"} {
			h.want(bad, strings.Contains(calendar, bad), false)
		}
	})
	rule("R10", func() {
		for _, m := range []caught{request, take(invited, "REQUEST "+tagged), foreign} {
			_, calendar := h.calendarPart(m, "text/calendar")
			i := slices.IndexFunc(find(calendar, "ATTENDEE"), func(l string) bool { return strings.HasSuffix(l, ":mailto:"+m.rcpt) })
			if i < 0 {
				h.Fatalf("%s is not on the list of his mail", m.rcpt)
			}
			for _, part := range []string{"CUTYPE=INDIVIDUAL", "ROLE=REQ-PARTICIPANT", "PARTSTAT=NEEDS-ACTION", "RSVP=TRUE"} {
				h.want(part, strings.Contains(find(calendar, "ATTENDEE")[i], part), true)
			}
			h.want("SEQUENCE", len(find(calendar, "SEQUENCE")), 1)
		}
	})
	each("R11", func(m caught, _, calendar string) {
		if strings.Contains(calendar, "METHOD:REPLY") {
			return // that goes to him
		}
		h.want("organizer", strings.Contains(strings.ToLower(find(calendar, "ORGANIZER")[0]), m.rcpt), false)
	})
	rule("R12", func() {
		// No mail speaks in the name of an organizer of another house.
		_, calendar := h.calendarPart(foreign, "text/calendar")
		h.want("ORGANIZER", regexp.MustCompile(`:mailto:calendar\+r[a-z2-7]+@example\.org$`).MatchString(find(calendar, "ORGANIZER")[0]), true)
	})
	rule("R13", func() {
		of := func(m caught) *ics.Component { return h.parsed(m).Objects[0].Master() }
		h.want("UID", of(updated).Value("UID")+of(edited).Value("UID")+of(cancelled).Value("UID"), "u1u1u1")
		h.want("SEQUENCE of a new time", of(updated).Value("SEQUENCE") > of(request).Value("SEQUENCE"), true)
		h.want("SEQUENCE of an edit", of(edited).Value("SEQUENCE") >= of(updated).Value("SEQUENCE"), true)
		newer := of(edited).Value("SEQUENCE") > of(updated).Value("SEQUENCE") || of(edited).Value("DTSTAMP") > of(updated).Value("DTSTAMP")
		h.want("one that can be told from the one before", newer, true)
		a, b := of(reply).Value("DTSTAMP"), h.parsed(single).Objects[0].First().Value("DTSTAMP")
		h.want("DTSTAMP of a second answer "+a+" "+b, b > a, true)
	})
	rule("R14", func() {
		p := h.parsed(request)
		h.want("From", p.From.Address.Mail(), ann)
		h.want("envelope", strings.HasSuffix(request.from, "@example.org"), true)
		p = h.parsed(foreign)
		organizerIs := p.Objects[0].Master().Prop("ORGANIZER")
		h.want("From", p.From.Address.Mail(), "calendar@example.org")
		h.want("EMAIL", organizerIs.Param("EMAIL"), dora)
		h.want("Reply-To", strings.Contains(strings.ReplaceAll(string(foreign.data), "\r\n ", " "), "Reply-To: \""+name(dora)+"\" <"+ics.CalAddress(organizerIs).Mail()+">") ||
			strings.Contains(string(foreign.data), "<"+ics.CalAddress(organizerIs).Mail()+">"), true)
	})
	rule("R15", func() {
		series := event("", "u5", "RRULE:FREQ=WEEKLY;COUNT=4\n"+guests(ann, guest("finn@example.net")))
		series = strings.Replace(series, "END:VCALENDAR", "BEGIN:VEVENT\nUID:u5\nDTSTAMP:20260302T070000Z\nRECURRENCE-ID:20260316T090000Z\nDTSTART:20260316T110000Z\nDTEND:20260316T120000Z\nSUMMARY:Budget\nSEQUENCE:0\n"+
			guests(ann, guest("finn@example.net"), guest(cleo))+"END:VEVENT\nEND:VCALENDAR", 1)
		h.put("ann", series)
		out := send()
		h.want("mails", len(out), 2)
		_, whole := h.calendarPart(take(out, "REQUEST finn@example.net"), "text/calendar")
		h.want("series and override", strings.Count(whole, "BEGIN:VEVENT"), 2)
		_, one := h.calendarPart(take(out, "REQUEST "+cleo), "text/calendar")
		h.want("only his date", strings.Count(one, "BEGIN:VEVENT") == 1 && len(find(one, "RECURRENCE-ID")) == 1 && len(find(one, "RRULE")) == 0, true)
	})
	rule("R16", func() {
		h.put("ann", event("", "u6", "RRULE:FREQ=MONTHLY;BYDAY=2MO,4MO;BYSETPOS=1;COUNT=3\n"+guests(ann, guest(cleo))))
		m := take(send(), "REQUEST "+cleo)
		plain := strings.NewReplacer("=\r\n", "").Replace(string(m.data))
		h.want("dates", strings.Contains(plain, "13 April 2026") && strings.Contains(plain, "11 May 2026"), true)
		h.want("rule", h.parsed(m).Objects[0].Master().Value("RRULE"), "FREQ=MONTHLY;BYDAY=2MO,4MO;BYSETPOS=1;COUNT=3")
	})
	rule("R17", func() {
		o := h.parsed(cancelled).Objects[0]
		c := o.Master()
		h.want("STATUS", c.Value("STATUS"), "CANCELLED")
		h.want("SEQUENCE", c.Value("SEQUENCE") >= h.parsed(edited).Objects[0].Master().Value("SEQUENCE"), true)
		h.want("ORGANIZER", ics.Organizer(c), ics.Organizer(h.parsed(request).Objects[0].Master()))
		h.want("times", c.Prop("DTSTART") != nil && c.Prop("DTEND") != nil, true)
		var list []string
		for _, a := range ics.Attendees(c) {
			list = append(list, ics.CalAddress(a).Mail())
		}
		h.want("who is called off", slices.Contains(list, cleo) && !slices.Contains(list, tagged), true)
	})
	rule("R18", func() {
		for _, m := range []caught{reply, single} {
			_, calendar := h.calendarPart(m, "text/calendar")
			list := find(calendar, "ATTENDEE")
			h.want("ATTENDEE", len(list) == 1 && strings.HasSuffix(list[0], ":mailto:ann+Budget@example.org") && !strings.Contains(list[0], "RSVP"), true)
			h.want("ORGANIZER", strings.HasSuffix(find(calendar, "ORGANIZER")[0], ":mailto:"+cleo), true)
			h.want("UID and SEQUENCE", find(calendar, "UID")[0]+" "+find(calendar, "SEQUENCE")[0], "UID:u2 SEQUENCE:4")
			h.want("REQUEST-STATUS", find(calendar, "REQUEST-STATUS")[0], "REQUEST-STATUS:2.0;Success")
		}
		_, calendar := h.calendarPart(single, "text/calendar")
		h.want("RECURRENCE-ID", find(calendar, "RECURRENCE-ID"), []string{"RECURRENCE-ID;TZID=America/New_York:20260316T090000"})
		h.want("PARTSTAT", strings.Contains(find(calendar, "ATTENDEE")[0], "PARTSTAT=DECLINED"), true)
	})
	rule("R19", func() {
		h.put("ann", mine("ACCEPTED", "20260316T090000", "DECLINED"))
		h.want("the same once more", len(send()), 0)
		silent := strings.Replace(mine("TENTATIVE", "20260316T090000", "DECLINED"), "ORGANIZER;", "ORGANIZER;SCHEDULE-AGENT=CLIENT;", -1)
		h.put("ann", silent)
		h.want("the program answers itself", len(send()), 0)
	})
	rule("R20", func() {
		path := h.link(foreign)
		status, _, _ := h.page("GET", path+"?answer=ACCEPTED", nil)
		h.want("GET", status, 200)
		h.want("answers nothing", h.partstat(dora, "u3", cleo), "NEEDS-ACTION")
		h.page("POST", path, url.Values{"ACCEPTED": {"1"}})
		h.want("POST answers", h.partstat(dora, "u3", cleo), "ACCEPTED")
	})
	each("R21", func(m caught, _, calendar string) {
		// COUNTER is taken, so nobody is told not to send one; HTML stands in a part
		// of its own.
		h.want("none of our own making", strings.Contains(calendar, "X-MICROSOFT-") || strings.Contains(calendar, "X-ALT-DESC"), false)
		h.want("HTML", bytes.Contains(m.data, []byte("text/html")), true)
	})
	rule("R22", func() {
		froms := map[string]bool{}
		for _, m := range all {
			froms[m.from] = true
			h.want("VERP", regexp.MustCompile(`^calendar\+b[a-z2-7]+@example\.org$`).MatchString(m.from), true)
		}
		h.want("one each", len(froms), len(all))
		bounced := take(invited, "REQUEST "+tagged)
		h.give("", bounceOf(tagged, "5.1.1"), bounced.from)
		h.want("status", h.status("ann", "u1", tagged), "5.2")
	})
}
