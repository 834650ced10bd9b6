package imipbridge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message/textproto"
	"github.com/emersion/go-milter"

	"github.com/convene-server/convene/db"
)

// milterClient plays a mail server that has the milter listener look at what it
// takes.
type milterClient struct {
	h *house
	s *milter.ClientSession
}

func (h *house) milter() milterClient { return h.milterAt(h.listenMilter()) }

// listenMilter starts the milter listener.
func (h *house) listenMilter() string {
	h.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.Fatal(err)
	}
	ctx, stop := context.WithCancel(h.ctx)
	done := make(chan error, 1)
	go func() { done <- h.bridge.ServeMilter(ctx, l) }()
	h.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			h.Errorf("ServeMilter: %v", err)
		}
	})
	return l.Addr().String()
}

func (h *house) milterAt(addr string) milterClient {
	h.Helper()
	s, err := milter.NewClientWithOptions("tcp", addr, milter.ClientOptions{
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, ActionMask: 0x3f, ProtocolMask: 0x7f,
	}).Session()
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { s.Close() })
	h.want("what it may alter", s.ActionOpts, 0)
	return milterClient{h, s}
}

// letGo reports whether the milter wants to see no more of a mail; any answer
// but that and "go on" fails the test.
func (c milterClient) letGo(a *milter.Action, err error) bool {
	c.h.Helper()
	if err != nil {
		c.h.Fatal(err)
	}
	if a.Code != milter.ActContinue && a.Code != milter.ActAccept {
		c.h.Fatalf("the milter answered %q", a.Code)
	}
	return a.Code == milter.ActAccept
}

// send plays one mail and returns at which command it was let go: "MAIL",
// "RCPT", "header", "body" or, once all of it was looked at, "end".
func (c milterClient) send(login, from string, data []byte, rcpts ...string) string {
	c.h.Helper()
	if c.begin(login, from) {
		return "MAIL"
	}
	return c.finish(data, rcpts...)
}

func (c milterClient) begin(login, from string) (letGo bool) {
	c.h.Helper()
	macros := []string{"i", "0123", "{auth_type}", "PLAIN", "{auth_authen}", login}
	if login == "" {
		macros = macros[:2]
	}
	if err := c.s.Macros(milter.CodeMail, macros...); err != nil {
		c.h.Fatal(err)
	}
	return c.letGo(c.s.Mail(from, nil))
}

func (c milterClient) finish(data []byte, rcpts ...string) string {
	c.h.Helper()
	for _, r := range rcpts {
		c.s.Macros(milter.CodeRcpt, "{rcpt_addr}", r)
		if c.letGo(c.s.Rcpt(r, nil)) {
			return "RCPT"
		}
	}
	head, body, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	var hdr textproto.Header
	lines := strings.Split(strings.ReplaceAll(string(head), "\r\n ", "\n "), "\r\n")
	for i := range lines {
		name, value, _ := strings.Cut(lines[len(lines)-1-i], ": ") // Add puts it before the others
		hdr.Add(name, value)
	}
	if c.letGo(c.s.Header(hdr)) {
		return "header"
	}
	for len(body) > 0 {
		n := min(len(body), milter.MaxBodyChunk)
		if c.letGo(c.s.BodyChunk(body[:n])) {
			return "body"
		}
		body = body[n:]
	}
	changes, a, err := c.s.End()
	if !c.letGo(a, err) || len(changes) > 0 {
		c.h.Errorf("the milter wants %v and %v", changes, a)
	}
	return "end"
}

// What a user sends is what he did, as by the observing listener; recipients of
// the envelope were told, whether the header names them or not.
func TestMilter(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben")
		m := h.milter()
		invite := mailOf(ann, ben+", "+cleo, "", event("REQUEST", "u1", organizer(ann)+attendees(ben, cleo, "finn@example.net")))
		h.want("invitation", m.send(ann, ann, invite, ben, cleo, "finn@example.net"), "end")
		h.want("her copy", h.partstat("ann", "u1", cleo), "NEEDS-ACTION")
		h.want("Ben's", h.partstat("ben", "u1", ben), "NEEDS-ACTION")
		h.want("recorded", slices.Contains(h.decisions("u1"), "user REQUEST applied proved invited by mail"), true)
		// The same by the other ways, and once more by this one.
		h.give(ann, invite, ben)
		h.giveTo(h.observe, ann, invite, cleo)
		m.send(ann, ann, invite, ben, cleo, "finn@example.net")
		h.want("nobody is mailed", len(h.queue()), 0)

		reply := mailOf(ben, ann, "", event("REPLY", "u1", organizer(ann)+answered(ben, "ACCEPTED")))
		h.want("answer, on the same connection", m.send("ben", ben, reply, ann), "end")
		h.want("his copy", h.partstat("ben", "u1", ben), "ACCEPTED")
		h.want("her copy", h.partstat("ann", "u1", ben), "ACCEPTED")

		// The same change in the calendar program first: one mail, one effect.
		h.put("ann", event("", "u1", "SEQUENCE:1\nLOCATION:Hall\n"+organizer(ann)+attendees(ben, cleo, "finn@example.net")))
		h.want("queued by the PUT", len(h.queue()), 2)
		moved := mailOf(ann, cleo, "", event("REQUEST", "u1", "SEQUENCE:1\nLOCATION:Hall\n"+organizer(ann)+attendees(ben, cleo, "finn@example.net")))
		m.send(ann, ann, moved, cleo, "finn@example.net")
		h.want("taken back", len(h.queue()), 0)

		cancel := mailOf(ann, cleo, "", event("CANCEL", "u1", "SEQUENCE:2\n"+organizer(ann)+attendees(ben, cleo, "finn@example.net")))
		m.send(ann, ann, cancel, ben, cleo, "finn@example.net")
		h.want("her copy", h.partstat("ann", "u1", cleo), "no copy")
		h.want("nobody is mailed", len(h.queue()), 0)
		h.want("nothing is handed on but Ben's own mail", h.nextHop.rcpts(), ben)
	})
}

// rule tells by which rule the first decision about a UID went.
func (h *house) rule(uid string) (rule string) {
	h.read(func(tx *db.Tx) error {
		rows, err := tx.Decisions(uid, 1)
		if len(rows) > 0 {
			rule = rows[0].Rule
		}
		return err
	})
	return rule
}

// Only who has logged in is believed, as himself or for whom he may act.
func TestMilterLogin(t *testing.T) {
	one(t, func(h *house) {
		h.persons("ann", "ben", "sue")
		h.write(func(tx *db.Tx) error { return tx.SetProxies(h.people["ann"].ID, true, []int64{h.people["sue"].ID}) })
		m := h.milter()
		test := func(uid, login, from, letGo, want string) {
			t.Helper()
			data := mailOf(ann, cleo, "", event("REQUEST", uid, organizer(ann)+attendees(ann, cleo)))
			h.want(uid+" let go", m.send(login, from, data, cleo), letGo)
			h.want(uid, h.partstat("ann", uid, cleo), want)
		}
		test("no log-in", "", ann, "MAIL", "no copy")
		test("a bounce", ann, "", "MAIL", "no copy")
		test("log-in of another", ben, ann, "end", "no copy")
		test("local part of another", "ben", ann, "end", "no copy")
		test("MAIL FROM of another", ann, ben, "end", "no copy")
		test("a stranger's", "eve@example.net", "eve@example.net", "end", "no copy")
		test("hers", ann, ann, "end", "NEEDS-ACTION")
		test("local part of hers", "Ann", ann, "end", "NEEDS-ACTION")
		test("an alias of hers", "ann.alias@example.org", ann, "end", "NEEDS-ACTION")
		test("her secretary's", "sue@example.org", "sue@example.org", "end", "NEEDS-ACTION")
		test("her secretary's, as herself", "sue", ann, "end", "NEEDS-ACTION")
		test("a name of the mail system's own", "u4711", ann, "end", "NEEDS-ACTION")
		h.want("why", h.rule("log-in of another"), "header From is nobody here, or MAIL FROM or the log-in may not speak for him")
	})
}

// No fault of ours and nothing in a mail keeps it from going on.
func TestMilterNeverBlocks(t *testing.T) {
	one(t, func(h *house) {
		h.persons("ann")
		m := h.milter()
		large := mailOf(ann, cleo, "", event("REQUEST", "large", "DESCRIPTION:"+strings.Repeat("x", 1<<20)+"\n"+organizer(ann)+attendees(cleo)))
		for range 9 { // each would hold a quarter of the memory if it did not give it back
			h.want("too large", m.send(ann, ann, large, cleo), "body")
		}
		h.want("a header too large", m.send(ann, ann, bytes.Replace(large, []byte("\r\nTo:"), []byte("\r\nX-Y: "+strings.Repeat("x\r\n ", 1<<18)+"\r\nTo:"), 1), cleo), "header")
		h.want("nothing of it", h.partstat("ann", "large", cleo), "no copy")
		var many []string
		for i := range 1001 {
			many = append(many, fmt.Sprintf("a%d@example.net", i))
		}
		h.want("too many recipients", m.send(ann, ann, large, many...), "RCPT")
		h.want("no calendar", m.send(ann, ann, plainMail(ann, cleo, ""), cleo), "end")
		h.want("cannot be read", m.send(ann, ann, crlf("From: ann\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:\x00\n"), cleo), "end")
		m.begin(ann, ann)
		m.letGo(m.s.Rcpt("finn@example.net", nil))
		if err := m.s.Abort(); err != nil {
			t.Fatal(err)
		}
		fine := mailOf(ann, cleo, "", event("REQUEST", "u1", organizer(ann)+attendees(cleo, "finn@example.net")))
		h.want("the next", m.send(ann, ann, fine, cleo), "end")
		h.want("its effect", h.partstat("ann", "u1", cleo), "NEEDS-ACTION")
		h.want("of what was aborted nobody was told", len(h.queue()), 1)

		h.store.Close()
		h.want("the database is away", m.send(ann, ann, fine, cleo), "end")
	})
}

// The server ends: who waits for a command is cut off, a mail at hand is
// decided.
func TestMilterStops(t *testing.T) {
	h := open(t, "sqlite")
	h.persons("ann")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(h.ctx)
	done := make(chan error, 1)
	go func() { done <- h.bridge.ServeMilter(ctx, l) }()
	idle, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	rubbish, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer rubbish.Close()
	io.WriteString(rubbish, "EHLO client\r\n") // a packet of a gigabyte
	rubbish.SetReadDeadline(time.Now().Add(time.Minute))
	if b, err := io.ReadAll(rubbish); len(b) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("rubbish was answered %q, %v", b, err)
	}
	m := h.milterAt(l.Addr().String())
	m.begin(ann, ann)
	stop()
	idle.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := idle.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("an idle connection: %v", err)
	}
	h.want("the mail at hand", m.finish(mailOf(ann, cleo, "", event("REQUEST", "u1", organizer(ann)+attendees(cleo))), cleo), "end")
	h.want("its effect", h.partstat("ann", "u1", cleo), "NEEDS-ACTION")
	if err := <-done; err != nil {
		t.Error(err)
	}
}
