package imipbridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// today is when every test takes place: a Monday.
var today = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// house is a mail door with a desk and people behind it, a next hop and a
// relay before it, on one of the databases.
type house struct {
	testing.TB
	ctx     context.Context
	store   *db.Store
	desk    *scheduling.Desk
	bridge  *Bridge
	people  map[string]db.Principal
	nextHop *sink
	relay   *sink
	lmtp    string // address of the listener
	observe string
	clock   *clock
}

// clock is in the test's hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// each runs a test on both databases, in in-line mode.
func each(t *testing.T, f func(h *house), set ...func(*Options)) {
	t.Helper()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) { f(open(t, kind, set...)) })
	}
}

// one runs a test on SQLite, where what it asks does not depend on the database.
func one(t *testing.T, f func(h *house), set ...func(*Options)) { f(open(t, "sqlite", set...)) }

// copyMode has no next hop: the mail system delivers originals itself.
func copyMode(o *Options) { o.DeliverTo = "" }

func trust(ids ...string) func(*Options) {
	return func(o *Options) { o.Trust.AuthservIDs = ids }
}

func unverified(what string) func(*Options) {
	return func(o *Options) { o.Trust.Unverified = what }
}

func open(t testing.TB, kind string, set ...func(*Options)) *house {
	h := &house{TB: t, ctx: context.Background(), people: map[string]db.Principal{}, clock: &clock{at: today},
		nextHop: newSink(t, true), relay: newSink(t, false)}
	h.store = dbtest.Open(t, dbtest.DSN(t, kind), db.Options{Clock: h.clock.now})
	log := slog.New(slog.DiscardHandler)
	h.desk = scheduling.New(h.store, scheduling.Options{Domains: []string{"example.org"}, MaxResource: 1 << 20, MaxAttendees: 1000, Now: h.clock.now, Log: log})
	opt := Options{
		Store: h.store, Desk: h.desk, Domains: []string{"Example.org"}, DeliverTo: h.nextHop.addr, Relay: h.relay.addr,
		From: "calendar@example.org", PublicURL: "https://cal.example.org", Now: h.clock.now, Log: log,
		MaxMessage: 1 << 20,
	}
	for _, f := range set {
		f(&opt)
	}
	var err error
	if h.bridge, err = New(opt); err != nil {
		t.Fatal(err)
	}
	h.lmtp, h.observe = h.listen(false), h.listen(true)
	return h
}

func (h *house) listen(observe bool) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.Fatal(err)
	}
	ctx, stop := context.WithCancel(h.ctx)
	done := make(chan error, 1)
	go func() { done <- h.bridge.ServeLMTP(ctx, l, observe) }()
	h.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			h.Errorf("ServeLMTP: %v", err)
		}
	})
	return l.Addr().String()
}

// add makes a principal under name@example.org, or under name if that is an
// address.
func (h *house) add(kind db.Kind, name string, set ...func(*db.Principal)) db.Principal {
	h.Helper()
	p := db.Principal{Address: name + "@example.org", Kind: kind, Name: strings.ToUpper(name[:1]) + name[1:], MailCopies: "never", Password: "x", TZ: "Europe/Berlin"}
	if strings.Contains(name, "@") {
		p.Address = name
		p.Name = ""
	}
	for _, f := range set {
		f(&p)
	}
	h.write(func(tx *db.Tx) error {
		return directory.Add(tx, &p, []string{strings.Replace(p.Address, "@", ".alias@", 1)})
	})
	h.people[name] = p
	return p
}

func (h *house) persons(names ...string) {
	h.Helper()
	for _, n := range names {
		h.add(db.Person, n)
	}
}

func (h *house) write(f func(*db.Tx) error) {
	h.Helper()
	if err := h.store.Write(h.ctx, nil, f); err != nil {
		h.Fatal(err)
	}
}

func (h *house) read(f func(*db.Tx) error) {
	h.Helper()
	if err := h.store.Read(h.ctx, f); err != nil {
		h.Fatal(err)
	}
}

// put writes an event into somebody's default calendar.
func (h *house) put(who, body string) {
	h.Helper()
	var calendar db.Collection
	name := uidOf(body) + ".ics"
	h.read(func(tx *db.Tx) (err error) {
		if calendar, _, err = tx.DefaultCalendar(h.people[who].ID); err != nil {
			return err
		}
		have, err := tx.ObjectsByUID(uidOf(body), h.people[who].ID)
		for _, x := range have {
			name = x.Name
		}
		return err
	})
	if _, err := h.desk.Put(h.ctx, scheduling.Put{Actor: h.people[who], Collection: calendar.ID, Name: name, Body: crlf(body), Door: "dav"}); err != nil {
		h.Fatal(err)
	}
}

func uidOf(body string) string {
	_, after, _ := strings.Cut(body, "\nUID:")
	uid, _, _ := strings.Cut(after, "\n")
	return uid
}

// copyOf returns somebody's copy of a meeting, nil without one.
func (h *house) copyOf(who, uid string) *ics.Object {
	h.Helper()
	var o *ics.Object
	h.read(func(tx *db.Tx) error {
		have, err := tx.ObjectsByUID(uid, h.people[who].ID)
		if err == nil && len(have) == 1 {
			o, err = ics.Parse(have[0].Body, ics.Limits{})
		}
		return err
	})
	return o
}

// partstat returns an attendee's PARTSTAT in somebody's copy.
func (h *house) partstat(who, uid, attendee string) string {
	h.Helper()
	o := h.copyOf(who, uid)
	if o == nil {
		return "no copy"
	}
	p := ics.Attendee(o.First(), func(a cuaddr.Address) bool { return a.Mail() == attendee })
	if p == nil {
		return "not invited"
	}
	return ics.PartStat(p)
}

// decisions tells what was decided about a UID or Message-ID: one line each,
// direction, method, outcome, belief, rule.
func (h *house) decisions(about string) []string {
	h.Helper()
	var out []string
	h.read(func(tx *db.Tx) error {
		rows, err := tx.Decisions(about, 100)
		for _, x := range rows {
			out = append(out, strings.Join(strings.Fields(strings.Join([]string{x.Direction, x.Method, x.Outcome, x.Belief, x.Rule}, " ")), " "))
		}
		return err
	})
	return out
}

func (h *house) queue() (rows []db.Delivery) {
	h.Helper()
	h.read(func(tx *db.Tx) (err error) {
		rows, err = tx.Deliveries(0, 1000)
		for i := 0; i < len(rows) && err == nil; i++ {
			rows[i], err = tx.Delivery(rows[i].ID) // with its body
		}
		return err
	})
	return rows
}

// work sends what is due.
func (h *house) work() int {
	h.Helper()
	n, err := h.bridge.WorkOnce(h.ctx)
	if err != nil {
		h.Fatal(err)
	}
	return n
}

// give hands a mail to the LMTP listener and returns one verdict for each
// recipient: "250", or code, enhanced code and text.
func (h *house) give(from string, data []byte, rcpts ...string) map[string]string {
	h.Helper()
	return h.giveTo(h.lmtp, from, data, rcpts...)
}

func (h *house) giveTo(addr, from string, data []byte, rcpts ...string) map[string]string {
	h.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		h.Fatal(err)
	}
	c := smtp.NewClientLMTP(conn)
	defer c.Close()
	verdicts := map[string]string{}
	said := func(err error) string {
		var e *smtp.SMTPError
		switch {
		case err == nil:
			return "250"
		case errors.As(err, &e):
			_, text, ok := strings.Cut(replyText(e), "> ") // our server names the recipient
			if !ok {
				return replyText(e)
			}
			return replyText(&smtp.SMTPError{Code: e.Code, EnhancedCode: e.EnhancedCode, Message: text})
		}
		return err.Error()
	}
	if err := c.Mail(from, nil); err != nil {
		h.Fatal(err)
	}
	taken := 0
	for _, r := range rcpts {
		if err := c.Rcpt(r, nil); err != nil {
			verdicts[r] = "RCPT " + said(err)
		} else {
			taken++
		}
	}
	if taken == 0 {
		return verdicts
	}
	w, err := c.Data()
	if err != nil {
		h.Fatal(err)
	}
	w.Write(data)
	_, err = w.CloseWithLMTPResponse()
	var list smtp.LMTPDataError
	if err != nil && !errors.As(err, &list) {
		h.Fatal(err)
	}
	for _, r := range rcpts {
		if verdicts[r] == "" {
			verdicts[r] = "250"
			if e := list[r]; e != nil {
				verdicts[r] = said(e)
			}
		}
	}
	return verdicts
}

func (h *house) want(what string, got, want any) {
	h.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		h.Errorf("%s: %v, want %v", what, got, want)
	}
}

// sink plays the next hop (LMTP) or the relay and the world behind it (SMTP).
type sink struct {
	addr string

	mu    sync.Mutex
	mails []caught
	// refuse answers RCPT and DATA: nil takes the mail.
	refuse func(stage, rcpt string) *smtp.SMTPError
	before func() // called before a mail is taken
}

type caught struct {
	from string
	rcpt string
	data []byte
}

func newSink(t testing.TB, lmtp bool) *sink {
	k := &sink{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k.addr = l.Addr().String()
	k.serve(t, l, lmtp)
	return k
}

func (k *sink) serve(t testing.TB, l net.Listener, lmtp bool) {
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &sinkSession{k: k}, nil }))
	srv.LMTP, srv.Domain, srv.EnableSMTPUTF8 = lmtp, "sink.example", true
	srv.MaxLineLength = 2 << 20
	srv.ErrorLog = errorLog{slog.New(slog.DiscardHandler)}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
}

type sinkSession struct {
	k     *sink
	from  string
	rcpts []string
}

func (s *sinkSession) Reset()        { s.rcpts = nil }
func (s *sinkSession) Logout() error { return nil }
func (s *sinkSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *sinkSession) verdict(stage, rcpt string) error {
	s.k.mu.Lock()
	refuse := s.k.refuse
	s.k.mu.Unlock()
	if refuse != nil {
		if e := refuse(stage, rcpt); e != nil {
			return e
		}
	}
	return nil
}

func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.verdict("RCPT", to); err != nil {
		return err
	}
	s.rcpts = append(s.rcpts, to)
	return nil
}

func (s *sinkSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	for _, to := range s.rcpts {
		if err := s.take(to, data); err != nil {
			return err
		}
	}
	return nil
}

func (s *sinkSession) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	for _, to := range s.rcpts {
		status.SetStatus(to, s.take(to, data))
	}
	return nil
}

func (s *sinkSession) take(to string, data []byte) error {
	if err := s.verdict("DATA", to); err != nil {
		return err
	}
	s.k.mu.Lock()
	before := s.k.before
	s.k.mu.Unlock()
	if before != nil {
		before()
	}
	s.k.mu.Lock()
	defer s.k.mu.Unlock()
	s.k.mails = append(s.k.mails, caught{s.from, to, data})
	return nil
}

// all returns what was caught so far and forgets it.
func (k *sink) all() []caught {
	k.mu.Lock()
	defer k.mu.Unlock()
	m := k.mails
	k.mails = nil
	return m
}

func (k *sink) answer(refuse func(stage, rcpt string) *smtp.SMTPError) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refuse = refuse
}

// to returns the one mail for a recipient among those that were caught.
func (h *house) to(rcpt string, mails []caught) caught {
	h.Helper()
	for _, m := range mails {
		if m.rcpt == rcpt {
			return m
		}
	}
	h.Fatalf("no mail for %s", rcpt)
	return caught{}
}

// rcpts names the recipients of what was caught in the order of the alphabet,
// for mails go out side by side, and forgets it.
func (k *sink) rcpts() string {
	var out []string
	for _, m := range k.all() {
		out = append(out, m.rcpt)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func crlf(s string) []byte {
	return []byte(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n"))
}

// event makes a VEVENT object for a week from today; lines come into it.
func event(method, uid, lines string) string {
	m := ""
	if method != "" {
		m = "METHOD:" + method + "\n"
	}
	s := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//EN\n" + m + "BEGIN:VEVENT\nUID:" + uid + "\nDTSTAMP:20260302T070000Z\n" +
		"DTSTART:20260309T090000Z\nDTEND:20260309T100000Z\nSUMMARY:Budget\n" + lines
	if !strings.Contains(lines, "SEQUENCE") {
		s += "SEQUENCE:0\n"
	}
	return s + "END:VEVENT\nEND:VCALENDAR\n"
}

func organizer(addr string) string { return "ORGANIZER;CN=" + name(addr) + ":mailto:" + addr + "\n" }

func name(addr string) string {
	local, _, _ := strings.Cut(addr, "@")
	return strings.ToUpper(local[:1]) + local[1:]
}

func attendees(addrs ...string) string {
	s := ""
	for _, a := range addrs {
		s += "ATTENDEE;CN=" + name(a) + ";PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:" + a + "\n"
	}
	return s
}

func answered(addr, partstat string) string {
	return "ATTENDEE;PARTSTAT=" + partstat + ":mailto:" + addr + "\n"
}

// mailOf wraps a calendar into a mail; head are further header lines.
func mailOf(from, to, head, calendar string) []byte {
	method := ""
	if _, after, ok := strings.Cut(calendar, "METHOD:"); ok {
		method, _, _ = strings.Cut(after, "\n")
	}
	return crlf(head + "From: " + from + "\nTo: " + to + "\nSubject: x\nDate: Mon, 2 Mar 2026 08:00:00 +0000\nMessage-ID: <" + method + uidOf(calendar) + "@outside>\n" +
		"MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nplain text\n--b\nContent-Type: text/calendar; charset=utf-8; method=" + method + "\n\n" + calendar + "\n--b--\n")
}

func plainMail(from, to, head string) []byte {
	return crlf(head + "From: " + from + "\nTo: " + to + "\nSubject: hello\nDate: Mon, 2 Mar 2026 08:00:00 +0000\nMessage-ID: <plain@outside>\n\n.a dot at the start of a line\nof text\n")
}

// parsed reads a caught mail.
func (h *house) parsed(m caught) *imip.Mail {
	h.Helper()
	p, err := imip.Parse(m.data, today, imip.Limits{})
	if err != nil {
		h.Fatal(err)
	}
	return p
}

// headerOf returns the first lines of a mail up to From, ours among them.
func headerOf(data []byte) string {
	head, _, _ := bytes.Cut(data, []byte("\r\nFrom:"))
	return string(head)
}
