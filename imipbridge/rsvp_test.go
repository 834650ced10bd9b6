package imipbridge

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
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
		h.put("ann", event("", "u1", "LOCATION:<b>Room</b>\n"+organizer(ann)+attendees(ann, cleo)))
		h.work()
		path := h.link(h.relay.all()[0])
		status, body, header := h.page("GET", path+"?answer=DECLINED", nil)
		h.want("GET", status, 200)
		for _, part := range []string{"Budget", "9 March 2026, 10:00 – 11:00 (Europe/Berlin)", "&lt;b&gt;Room&lt;/b&gt;", "Ann", cleo, "none yet",
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
