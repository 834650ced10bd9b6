package imipbridge

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
)

var rsvpLink = regexp.MustCompile(`https://cal\.example\.org(/rsvp/[A-Za-z0-9_-]+)`)

// link returns the path of the answer page in a mail.
func (h *house) link(m caught) string {
	h.Helper()
	text := strings.ReplaceAll(string(m.data), "=\r\n", "")
	found := rsvpLink.FindStringSubmatch(text)
	if found == nil {
		h.Fatalf("no link in:\n%s", text)
	}
	return found[1]
}

func (h *house) page(method, path string, form url.Values, header ...string) (int, string, http.Header) {
	h.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.bridge.RSVP().ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Result().Body)
	return w.Code, string(body), w.Result().Header
}

func TestRSVP(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", "LOCATION:<b>Room</b>\nDESCRIPTION:Bring <b>figures</b>\\n\\, please\n"+organizer(ann)+attendees(ann, cleo)))
		h.work()
		path := h.link(h.relay.all()[0])
		status, body, header := h.page("GET", path+"?answer=DECLINED", nil)
		h.want("GET", status, 200)
		for _, part := range []string{"Budget", "9 March 2026, 10:00 – 11:00 (Europe/Berlin)", "&lt;b&gt;Room&lt;/b&gt;", "Bring &lt;b&gt;figures&lt;/b&gt;<br>, please", "Ann", cleo, "none yet",
			`name="ACCEPTED"`, `name="TENTATIVE"`, `name="DECLINED"`, `class="DECLINED chosen"`, `method="post"`} {
			if !strings.Contains(body, part) {
				t.Errorf("no %s on the page:\n%s", part, body)
			}
		}
		if strings.Contains(body, "<script") || header.Get("Cache-Control") != "no-store" || header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("header %v", header)
		}
		h.want("GET never answers", h.partstat("ann", "u1", cleo), "NEEDS-ACTION")
		status, _, _ = h.page("HEAD", path, nil)
		h.want("HEAD", status, 200)

		status, body, _ = h.page("POST", path, url.Values{"ACCEPTED": {"1"}, "comment": {"with pleasure"}})
		h.want("POST", status, 200)
		h.want("noted", strings.Contains(body, "Your answer is noted: accepted"), true)
		h.want("effect", h.partstat("ann", "u1", cleo), "ACCEPTED")
		status, _, _ = h.page("POST", path, url.Values{"ACCEPTED": {"1"}})
		h.want("once more", status, 200)
		status, _, _ = h.page("POST", path, url.Values{"partstat": {"declined"}})
		h.want("another mind", status, 200)
		h.want("effect", h.partstat("ann", "u1", cleo), "DECLINED")
		_, body, _ = h.page("GET", path, nil, "Accept-Language", "de-DE,de;q=0.9")
		h.want("in German", strings.Contains(body, "Ihre Antwort bisher") && strings.Contains(body, "abgelehnt"), true)

		status, _, _ = h.page("POST", path, url.Values{"comment": {"x"}})
		h.want("no answer", status, 400)
		status, _, _ = h.page("POST", path, url.Values{"comment": {strings.Repeat("x", 20<<10)}, "ACCEPTED": {"1"}})
		h.want("too long", status, 400)
		status, _, _ = h.page("DELETE", path, nil)
		h.want("DELETE", status, 405)
		for _, wrong := range []string{"/rsvp/", "/rsvp/x", path + "A", path[:len(path)-1], strings.ToUpper(path)} {
			status, _, _ = h.page("POST", wrong, url.Values{"ACCEPTED": {"1"}})
			h.want(wrong, status, 404)
		}
		h.want("effect", h.partstat("ann", "u1", cleo), "DECLINED")

		// She takes him off the list: the link is worth nothing.
		h.put("ann", event("", "u1", "SEQUENCE:1\n"+organizer(ann)+attendees(ann, "finn@example.net")))
		status, body, _ = h.page("GET", path, nil)
		h.want("no longer invited", status, 410)
		if strings.Contains(body, "Budget") {
			t.Error("the page tells of a meeting that is no longer his")
		}
		status, _, _ = h.page("POST", path, url.Values{"ACCEPTED": {"1"}})
		h.want("no longer invited", status, 410)

		h.clock.forward(60 * 24 * time.Hour)
		status, _, _ = h.page("GET", path, nil)
		h.want("expired", status, 410)
		h.store.Close()
	})
}

// A local attendee who has no calendar program: his own copy first.
func TestRSVPOfSomebodyHere(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.add("individual", "ben", mailCopies)
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, "ben.alias@example.org")))
		h.work()
		out := h.relay.all()
		h.want("mails", len(out), 1)
		status, _, _ := h.page("POST", h.link(out[0]), url.Values{"TENTATIVE": {""}})
		h.want("POST", status, 200)
		h.want("his copy", h.partstat("ben", "u1", "ben.alias@example.org"), "TENTATIVE")
		h.want("her copy", h.partstat("ann", "u1", "ben.alias@example.org"), "TENTATIVE")
	})
}

// A member of an invited group answers for himself.
func TestRSVPOfAGroupMember(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "dora")
		h.add("individual", "ben", mailCopies)
		g := h.add("group", "team")
		h.write(func(tx *db.Tx) error { return tx.SetMembers(g.ID, []string{ben, "dora@example.org"}) })
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, "team@example.org")))
		h.work()
		out := h.relay.all()
		h.want("mails", len(out), 1)
		status, body, _ := h.page("GET", h.link(out[0]), nil)
		h.want("GET", status, 200)
		h.want("in his own name", strings.Contains(body, "<dd>"+ben+"</dd>"), true)
		status, _, _ = h.page("POST", h.link(out[0]), url.Values{"DECLINED": {""}})
		h.want("POST", status, 200)
	})
}

// One date of a series is answered by itself; the others stay as they are.
func TestRSVPOneDate(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", "RRULE:FREQ=WEEKLY;COUNT=5\n"+organizer(ann)+attendees(ann, cleo)))
		h.work()
		path := h.link(h.relay.all()[0])
		_, body, _ := h.page("GET", path, nil)
		for _, part := range []string{`<option value="" selected>all dates</option>`, `<option value="20260316T090000Z">Monday, 16 March 2026, 10:00 – 11:00 (Europe/Berlin)</option>`} {
			if !strings.Contains(body, part) {
				t.Errorf("no %s on the page:\n%s", part, body)
			}
		}
		status, _, _ := h.page("POST", path, url.Values{"ACCEPTED": {"1"}, "date": {""}})
		h.want("all", status, 200)
		status, body, _ = h.page("POST", path, url.Values{"DECLINED": {"1"}, "date": {"20260316T090000Z"}})
		h.want("one", status, 200)
		h.want("noted", strings.Contains(body, "Your answer is noted: declined – Monday, 16 March 2026, 10:00 – 11:00 (Europe/Berlin)</p>"), true)
		h.want("said beside it, and chosen still", strings.Contains(body, `<option value="20260316T090000Z" selected>Monday, 16 March 2026, 10:00 – 11:00 (Europe/Berlin) – declined</option>`), true)
		h.want("one is chosen", strings.Count(body, `<option value="" selected>`), 0)
		h.want("all", h.partstat("ann", "u1", cleo), "ACCEPTED")
		o := h.copyOf("ann", "u1")
		h.want("one", ics.PartStat(ics.Attendee(o.Override("20260316T090000Z"), isMail(cleo))), "DECLINED")
		for _, wrong := range []string{"20260317T090000Z", "x"} {
			status, _, _ = h.page("POST", path, url.Values{"DECLINED": {"1"}, "date": {wrong}})
			h.want(wrong, status, 400)
		}
	})
}

// Another time is proposed, and decided about by a link in the mail that the
// organizer gets (RFC 5546 §3.2.7, decision 26).
func TestRSVPProposal(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo, "finn@example.net")))
		h.work()
		path := h.link(h.to(cleo, h.relay.all()))
		_, body, _ := h.page("GET", path, nil)
		for _, part := range []string{`name="day" value="2026-03-09"`, `name="from" value="10:00"`, `name="to" value="11:00"`, "Times are those of Europe/Berlin."} {
			if !strings.Contains(body, part) {
				t.Errorf("no %s on the page:\n%s", part, body)
			}
		}
		form := func(day, from, to string) url.Values {
			return url.Values{"propose": {"1"}, "day": {day}, "from": {from}, "to": {to}, "comment": {"the train"}}
		}
		for _, wrong := range []url.Values{form("2026-03-09", "11:00", "10:00"), form("tomorrow", "10:00", "11:00"), form("2026-03-09", "", ""), form("9999-03-09", "10:00", "11:00")} {
			status, body, _ := h.page("POST", path, wrong)
			h.want(wrong.Encode(), status, 400)
			h.want("said why", strings.Contains(body, "The proposal needs a day and two times"), true)
		}
		h.want("nothing", h.work(), 0)
		status, body, _ := h.page("POST", path, form("2026-03-10", "14:00", "15:30"))
		h.want("proposed", status, 200)
		h.want("said so", strings.Contains(body, "Your proposal is sent."), true)
		h.want("answered nothing", h.partstat("ann", "u1", cleo), "NEEDS-ACTION")
		h.work()
		out := h.to(ann, h.relay.all())
		m := h.parsed(out)
		h.want("Subject", m.Subject, "Proposal: Budget")
		h.want("in the mail", strings.Contains(string(out.data), "Accept the proposal"), true)
		decide := h.link(out)
		_, body, _ = h.page("GET", decide+"?decide=accept", nil)
		for _, part := range []string{"Cleo proposes another time", "Tuesday, 10 March 2026, 14:00 – 15:30 (Europe/Berlin)", "<s>Monday, 9 March 2026, 10:00 – 11:00 (Europe/Berlin)</s>", "the train", `class="accept chosen"`} {
			if !strings.Contains(body, part) {
				t.Errorf("no %s on the page:\n%s", part, body)
			}
		}
		h.want("GET decides nothing", h.copyOf("ann", "u1").Master().Value("DTSTART"), "20260309T090000Z")
		status, _, _ = h.page("POST", decide, url.Values{})
		h.want("nothing said", status, 400)
		status, body, _ = h.page("POST", decide, url.Values{"accept": {"1"}})
		h.want("accepted", status, 200)
		h.want("said so", strings.Contains(body, "The meeting has the new time, and everybody is told."), true)
		h.want("moved", h.copyOf("ann", "u1").Master().Value("DTSTART"), "20260310T130000Z")
		h.work()
		h.want("told", h.relay.rcpts(), cleo+" finn@example.net")
		status, _, _ = h.page("POST", decide, url.Values{"accept": {"1"}})
		h.want("once", status, 410)

		// The second is declined; who proposed is told, nobody else.
		status, _, _ = h.page("POST", path, form("2026-03-11", "14:00", "15:30"))
		h.want("proposed", status, 200)
		h.work()
		decide = h.link(h.to(ann, h.relay.all()))
		status, body, _ = h.page("POST", decide, url.Values{"decline": {"1"}, "comment": {"no room"}})
		h.want("declined", status, 200)
		h.want("said so", strings.Contains(body, "The proposal is declined, and Cleo is told."), true)
		h.want("not moved", h.copyOf("ann", "u1").Master().Value("DTSTART"), "20260310T130000Z")
		h.work()
		h.want("told", h.relay.rcpts(), cleo)
	})
}

// The page speaks the mail's language, where somebody has said which.
func TestRSVPLanguage(t *testing.T) {
	h := open(t, "sqlite")
	h.add(db.Person, "ann", func(p *db.Principal) { p.Language = "pl" })
	h.put("ann", event("", "u1", "RRULE:FREQ=WEEKLY;COUNT=5\n"+organizer(ann)+attendees(ann, cleo)))
	h.work()
	out := h.relay.all()[0]
	h.want("Subject", h.parsed(out).Subject, "Zaproszenie: Budget")
	_, body, header := h.page("GET", h.link(out), nil, "Accept-Language", "de")
	h.want("Content-Language", header.Get("Content-Language"), "pl")
	h.want("page", strings.Contains(body, `<html lang="pl">`) && strings.Contains(body, "wszystkie terminy") && strings.Contains(body, "poniedziałek, 9 marca 2026"), true)
}

// A whole day is proposed by days.
func TestRSVPAllDay(t *testing.T) {
	h := open(t, "sqlite")
	h.persons("ann")
	h.put("ann", strings.NewReplacer("DTSTART:20260309T090000Z", "DTSTART;VALUE=DATE:20260309", "DTEND:20260309T100000Z", "DTEND;VALUE=DATE:20260311").Replace(event("", "u1", organizer(ann)+attendees(ann, cleo))))
	h.work()
	path := h.link(h.relay.all()[0])
	_, body, _ := h.page("GET", path, nil)
	h.want("form", strings.Contains(body, `name="day" value="2026-03-09"`) && strings.Contains(body, `name="last" value="2026-03-10"`), true)
	status, _, _ := h.page("POST", path, url.Values{"propose": {"1"}, "day": {"2026-03-12"}, "last": {"2026-03-12"}})
	h.want("proposed", status, 200)
	h.work()
	decide := h.link(h.to(ann, h.relay.all()))
	h.page("POST", decide, url.Values{"accept": {"1"}})
	c := h.copyOf("ann", "u1").Master()
	h.want("moved", c.Value("DTSTART")+" "+c.Value("DTEND"), "20260312 20260313")
}

// Templates from files replace ours; a wrong one is told at the start.
func TestTemplates(t *testing.T) {
	files := fstest.MapFS{"answer.html": {Data: []byte("<h1>{{.Title}}</h1>{{range .Buttons}}<button name={{.Value}}>{{end}}")}, "mail.txt": {Data: []byte("Hello: {{.Heading}}")}}
	h := open(t, "sqlite", func(o *Options) { o.Templates = files })
	h.persons("ann")
	h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
	h.work()
	out := h.relay.all()[0]
	h.want("mail", strings.Contains(string(out.data), "Hello: Ann invites you to"), true)
	_, body, _ := h.page("GET", h.link(out), nil)
	h.want("page", body, "<h1>Budget</h1><button name=ACCEPTED><button name=TENTATIVE><button name=DECLINED>")
	for name, wrong := range map[string]string{"mail.html": "{{.Nonsense}}", "answer.html": "{{range .Buttons}}{{.Nonsense}}{{end}}", "mail.txt": "{{"} {
		opt := h.bridge.opt
		opt.Templates = fstest.MapFS{name: {Data: []byte(wrong)}}
		if _, err := New(opt); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRSVPWithoutDatabase(t *testing.T) {
	h := open(t, "sqlite")
	h.persons("ann")
	h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
	h.work()
	path := h.link(h.relay.all()[0])
	h.store.Close()
	status, _, header := h.page("GET", path, nil)
	h.want("GET", status, 503)
	h.want("Retry-After", header.Get("Retry-After"), "60")
}

func TestExpiry(t *testing.T) {
	test := func(lines string, want time.Time) {
		t.Helper()
		o, err := ics.Parse(crlf(strings.Replace(event("", "u1", ""), "DTSTART:20260309T090000Z\nDTEND:20260309T100000Z\n", lines, 1)), ics.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := expiry(o, today); !got.Equal(want) {
			t.Errorf("%q: %v, want %v", lines, got, want)
		}
	}
	test("DTSTART:20260309T090000Z\nDTEND:20260309T100000Z\n", today.AddDate(0, 1, 0))
	test("DTSTART:20261109T090000Z\nDTEND:20261109T100000Z\n", time.Date(2026, 11, 16, 10, 0, 0, 0, time.UTC))
	test("DTSTART:20260309T090000Z\nDTEND:20260309T100000Z\nRRULE:FREQ=DAILY\n", today.AddDate(1, 0, 0))
}
