package catcher

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"net/url"
	"strings"
	"testing"
	"time"
)

const invitation = `From: Ann <ann@example.org>
To: carol@example.net
Subject: =?utf-8?q?Caf=C3=A9?=
Message-ID: <1@example.org>
Date: Sun, 22 Nov 2026 09:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8

See <https://cal.example.org/rsvp/abc>.
--b
Content-Type: text/html; charset=utf-8

<p>Hello</p><script>alert(1)</script>
--b
Content-Type: text/calendar; charset=utf-8; method=REQUEST

BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:1@example.org
DTSTAMP:20261122T090000Z
DTSTART:20261123T090000Z
DTEND:20261123T100000Z
SEQUENCE:2
SUMMARY:Café
ORGANIZER:mailto:ann@example.org
ATTENDEE;CN=Carol;RSVP=TRUE:mailto:Carol@example.net
ATTENDEE:mailto:ben@example.org
END:VEVENT
END:VCALENDAR
--b--
`

func TestPage(t *testing.T) {
	c := New("Outside")
	var from, reply string
	var to []string
	c.Send = func(f string, r []string, m []byte) error {
		from, to, reply = f, r, string(m)
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go c.ServeSMTP(l)
	crlf := strings.ReplaceAll(invitation, "\n", "\r\n")
	if err := smtp.SendMail(l.Addr().String(), nil, "calendar@example.org", []string{"carol@example.net"}, []byte(crlf)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, err := c.Wait(ctx, func(m *Mail) bool { return m.Subject == "Café" })
	if err != nil || !m.Answerable() || string(m.Raw) != crlf {
		t.Fatalf("caught %q, %v", m.Raw, err)
	}
	web := httptest.NewServer(c)
	defer web.Close()
	get := func(path string, status int) (string, http.Header) {
		t.Helper()
		resp, err := http.Get(web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != status {
			t.Errorf("GET %s: %d, want %d", path, resp.StatusCode, status)
		}
		return string(body), resp.Header
	}
	has := func(body string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("no %q in\n%s", w, body)
			}
		}
	}
	list, _ := get("/", 200)
	has(list, "Café", "to carol@example.net", `href="/mail/1"`)
	one, _ := get("/mail/1", 200)
	has(one, `<a href="https://cal.example.org/rsvp/abc" target="_blank"`, `value="TENTATIVE"`, "Answer as <strong>carol@example.net")
	if strings.Contains(one, "alert(1)") {
		t.Error("the mail's HTML is part of the page")
	}
	_, h := get("/mail/1/html", 200)
	if csp := h.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "sandbox allow-popups ") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("the HTML part may do %q", csp)
	}
	get("/mail/2", 404)
	get("/mail/1/x", 404)

	post := func(partstat, origin string, status int) {
		t.Helper()
		req, _ := http.NewRequest("POST", web.URL+"/mail/1", strings.NewReader(url.Values{"partstat": {partstat}}.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", origin)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("answering %s from %s: %d, want %d", partstat, origin, resp.StatusCode, status)
		}
	}
	post("ACCEPTED", "http://evil.example", 403)
	post("DELEGATED", web.URL, 400)
	if reply != "" {
		t.Fatal("a refused answer was sent")
	}
	post("ACCEPTED", web.URL, 303)
	if from != "Carol@example.net" || len(to) != 1 || to[0] != "ann@example.org" {
		t.Errorf("sent from %s to %v", from, to)
	}
	back := read([]byte(reply))
	if back.Method != "REPLY" || back.Subject != "Accepted: Café" || back.attendee() != nil || back.Calendar == nil {
		t.Fatalf("the reply is\n%s", reply)
	}
	has(string(back.Calendar.Bytes()), "UID:1@example.org", "SEQUENCE:2", `ATTENDEE;PARTSTAT=ACCEPTED;CN="Carol":mailto:Carol@example.net`)
	if strings.Contains(string(back.Calendar.Bytes()), "ben@example.org") {
		t.Error("the reply speaks for others")
	}
	one, _ = get("/mail/1", 200)
	has(one, `value="ACCEPTED" aria-pressed="true"`)
}

// What is no mail is shown as it is.
func TestUnreadable(t *testing.T) {
	c := New("Outside")
	m := c.Add("", []string{"carol@example.net"}, []byte("no header at all"))
	if m.Answerable() {
		t.Error("answerable")
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest("GET", "/mail/1", nil))
	if w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
}

func TestLinks(t *testing.T) {
	test := func(text, want string) {
		t.Helper()
		if got := string(links(text)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
	test(`a <b> & "c"`, `a &lt;b&gt; &amp; &#34;c&#34;`)
	test("see https://x.example/a?b=1&c=2.", `see <a href="https://x.example/a?b=1&amp;c=2" target="_blank" rel="noreferrer">https://x.example/a?b=1&amp;c=2</a>.`)
	test("javascript:alert(1)", "javascript:alert(1)")
	test(`https://x.example/"onclick=`, `<a href="https://x.example/" target="_blank" rel="noreferrer">https://x.example/</a>&#34;onclick=`)
}
