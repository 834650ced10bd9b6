package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/convene-server/convene/cmd/convene/catcher"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling/ics"
)

// house is a whole server in the test's process, with the demo's people.
type house struct {
	*server
	t *testing.T
}

// patience is how long a test waits for what shall happen: long enough for a
// machine that is busy with other things, since nobody waits longer than it takes.
const patience = 2 * time.Minute

// onBoth runs a test over a fresh database of each kind.
func onBoth(t *testing.T, f func(t *testing.T, dsn string)) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) { f(t, dbtest.DSN(t, kind)) })
	}
}

// startHouse starts it; lmtp, deliverTo and relay are addresses, lmtpKeys more
// lines of the table [lmtp].
func startHouse(t *testing.T, dsn, lmtp, deliverTo, relay string, lmtpKeys ...string) *house {
	t.Helper()
	return startHouseBy(t, houseConfig(dsn, lmtp, deliverTo, relay, lmtpKeys...))
}

func houseConfig(dsn, lmtp, deliverTo, relay string, lmtpKeys ...string) string {
	return fmt.Sprintf("domains = [\"example.org\"]\n[http]\nlisten = \"127.0.0.1:0\"\n[store]\ndsn = %q\n[lmtp]\nlisten = %q\ndeliver_to = %q\n%s\n[smtp]\nrelay = %q\ncoalesce = \"0s\"\n[trust]\nverify_dkim = false\n",
		dsn, lmtp, deliverTo, strings.Join(lmtpKeys, "\n"), relay)
}

// startHouseBy starts it with a configuration.
func startHouseBy(t *testing.T, config string) *house {
	t.Helper()
	c, err := parseConfig("test", config)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	s, err := start(t.Context(), c, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	h := &house{s, t}
	for _, p := range []db.Principal{
		{Address: ann, Name: "Ann Arbor", Kind: db.Person, MailCopies: "never"},
		{Address: ben, Name: "Ben Bitter", Kind: db.Person, MailCopies: "never"},
		{Address: blue, Name: "The blue room", Kind: db.Room, MailCopies: "never"},
	} {
		if pw := demoPasswords[p.Address]; pw != "" {
			p.Password = cheapHash(t, pw)
		}
		if err := s.Store.Write(t.Context(), nil, func(tx *db.Tx) error { q := p; return directory.Add(tx, &q, nil) }); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// cheapHash is a password's hash that costs nothing to check: logging in, once
// in each of a thousand houses, was a third of what they cost.
func cheapHash(t *testing.T, password string) string {
	t.Helper()
	b, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (h *house) as(address string) davClient {
	return davClient{base: "http://" + h.HTTP.String(), user: address, password: demoPasswords[address]}
}

// eventually waits until an attendee has answered so in somebody's copy.
func (h *house) eventually(owner, uid, attendee, want string) {
	h.t.Helper()
	got := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		f, err := h.as(owner).event(h.t.Context(), calendarOf(owner), uid)
		if err != nil {
			got = err.Error()
			continue
		}
		if got = partStats(f.Object)[attendee]; got == want {
			return
		}
	}
	h.t.Fatalf("in the calendar of %s %s is %s, not %s", owner, attendee, got, want)
}

// unreached waits until the organizer's event says that an attendee's mailbox
// does not take mail.
func (h *house) unreached(owner, uid, attendee string) {
	h.t.Helper()
	got := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		f := h.arrived(owner, uid)
		for _, p := range ics.Attendees(f.Object.First()) {
			if ics.CalAddress(p).Mail() == attendee {
				got = p.Param("SCHEDULE-STATUS")
			}
		}
		if strings.HasPrefix(got, "5.") {
			return
		}
	}
	h.t.Fatalf("SCHEDULE-STATUS of %s is %q; %s", attendee, got, h.why(uid))
}

// arrived waits for an event in somebody's calendar.
func (h *house) arrived(owner, uid string) found {
	h.t.Helper()
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		f, err := h.as(owner).event(h.t.Context(), calendarOf(owner), uid)
		if err == nil {
			return f
		}
		last = err
	}
	h.t.Fatalf("%v; %s", last, h.why(uid))
	return found{}
}

func (h *house) why(uid string) string {
	var b strings.Builder
	if err := why(&env{ctx: context.Background()}, h.Store, &b, uid); err != nil {
		return err.Error()
	}
	return b.String()
}

// testLog writes a server's log into the test's.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// Whose mailbox is no more, outside and here; the mail server does not know it.
const gone, lost = "gone@example.net", "lost@example.org"

// startSink starts a catcher that takes mail by SMTP, or by LMTP as a mailbox
// server, and returns its address.
func startSink(t *testing.T, lmtp bool) (*catcher.Catcher, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := catcher.New("sink")
	c.Gone = []string{gone, lost}
	if lmtp {
		go c.ServeLMTP(l)
	} else {
		go c.ServeSMTP(l)
	}
	return c, l.Addr().String()
}

// waitMail waits for a mail to somebody with a method, "" for none.
func waitMail(t *testing.T, c *catcher.Catcher, rcpt, method, subject string) *catcher.Mail {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := c.Wait(ctx, func(m *catcher.Mail) bool {
		return m.Rcpt() == rcpt && m.Method == method && strings.Contains(m.Subject, subject)
	})
	if err != nil {
		for _, m := range c.Mails() {
			t.Logf("there is: %s to %s: %s", m.Method, m.Rcpt(), m.Subject)
		}
		t.Fatalf("%s to %s with %q: %v", method, rcpt, subject, err)
	}
	return m
}
