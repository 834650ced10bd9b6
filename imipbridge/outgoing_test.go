package imipbridge

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

func isMail(who string) func(cuaddr.Address) bool {
	return func(a cuaddr.Address) bool { return a.Mail() == who }
}

// bounceOf is a delivery report about a recipient.
func bounceOf(rcpt, status string) []byte {
	return crlf("From: MAILER-DAEMON@mx.example.net\nMessage-ID: <plain@outside>\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=r\n\n--r\nContent-Type: text/plain\n\nsorry\n" +
		"--r\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; " + rcpt + "\nAction: failed\nStatus: " + status + "\nDiagnostic-Code: smtp; 550 " + status + " sorry\n\n--r--\n")
}

func (h *house) status(who, uid, attendee string) string {
	h.Helper()
	p := ics.Attendee(h.copyOf(who, uid).Master(), isMail(attendee))
	if p == nil {
		h.Fatalf("%s is not invited", attendee)
	}
	return p.Param("SCHEDULE-STATUS")
}

func TestSend(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
		h.want("claimed", h.work(), 1)
		out := h.relay.all()
		h.want("mails", len(out), 1)
		m := h.parsed(out[0])
		h.want("From", m.From.Address.Mail(), ann)
		h.want("To", m.To[0].Address.Mail(), cleo)
		h.want("Subject", m.Subject, "Invitation: Budget")
		h.want("time in the organizer's zone", strings.Contains(string(out[0].data), "10:00 =E2=80=93 11:00 (Europe/Berlin)"), true)
		h.want("the page", strings.Contains(string(out[0].data), "https://cal.example.org/rsvp/"), true)
		h.want("queue", len(h.queue()), 0)
		found := false
		for _, d := range h.decisions(m.MessageID) {
			found = found || d == "out REQUEST sent the relay has it"
		}
		h.want("decision", found, true)
		h.want("nothing more", h.work(), 0)

		// An update refers to the same conversation, under another id.
		h.put("ann", event("", "u1", "SEQUENCE:1\nLOCATION:Room 9\n"+organizer(ann)+attendees(ann, cleo)))
		h.work()
		next := h.relay.all()[0]
		n := h.parsed(next)
		h.want("Subject", n.Subject, "Updated invitation: Budget")
		if n.MessageID == m.MessageID || thread(next) == "" || thread(next) != thread(out[0]) {
			t.Errorf("threading: %s %s, %s %s", m.MessageID, thread(out[0]), n.MessageID, thread(next))
		}
	})
}

// thread returns the References of a mail.
func thread(m caught) string {
	_, after, _ := strings.Cut(string(m.data), "\r\nReferences: ")
	id, _, _ := strings.Cut(after, "\r\n")
	return id
}

// A relay that says "later" is asked again, less and less often; after five
// days of the queue's clock the mail is given up and the organizer's object
// says so.
func TestRetryAndGiveUp(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.relay.answer(func(stage, rcpt string) *smtp.SMTPError {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
		})
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
		h.want("first attempt", h.work(), 1)
		h.want("not due", h.work(), 0)
		row := h.queue()[0]
		h.want("answer", row.Answer, "451 4.7.1 greylisted")
		if wait := row.Due.Sub(today); wait < 45*time.Second || wait > 75*time.Second {
			t.Errorf("due after %v", wait)
		}
		attempts := 1
		for range 100 {
			h.clock.forward(time.Hour)
			attempts += h.work()
		}
		h.want("an attempt an hour", attempts, 101)
		h.want("status", h.status("ann", "u1", cleo), "1.1")
		h.clock.forward(20 * time.Hour)
		h.want("last attempt, and a notice", h.work(), 2)
		h.want("queue", len(h.queue()), 1)
		h.want("status", h.status("ann", "u1", cleo), "5.1")
		if all := strings.Join(h.decisions("u1"), "\n"); !strings.Contains(all, "out REQUEST given up not delivered: 5.1") {
			t.Errorf("decisions:\n%s", all)
		}
	})
}

// The relay down for an hour: nothing is lost, and it recovers by itself, with
// the same Message-ID.
func TestRelayDown(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		addr := h.bridge.relay.addr
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		h.bridge.relay.addr = l.Addr().String()
		l.Close()
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
		h.put("ann", event("", "u2", organizer(ann)+attendees(ann, cleo)))
		for range 60 {
			h.work()
			h.clock.forward(time.Minute)
		}
		h.want("waiting", len(h.queue()), 2)
		h.bridge.relay.addr = addr
		h.clock.forward(40 * time.Minute)
		h.work()
		h.want("sent", h.relay.rcpts(), cleo+" "+cleo)
		h.want("waiting", len(h.queue()), 0)
	})
}

// Permanent refusals end at once, each with the status of its kind (decision
// 17).
func TestPermanentRefusal(t *testing.T) {
	test := func(stage string, code int, enhanced smtp.EnhancedCode, want string) {
		t.Run(replyText(&smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: stage}), func(t *testing.T) {
			h := open(t, "sqlite")
			h.persons("ann")
			h.relay.answer(func(s, rcpt string) *smtp.SMTPError {
				if s == stage && rcpt == cleo {
					return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: "no"}
				}
				return nil
			})
			h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo, "finn@example.net")))
			h.work()
			h.want("queue", len(h.queue()), 0)
			h.want("status", h.status("ann", "u1", cleo), want)
			h.want("status of the other", h.status("ann", "u1", "finn@example.net"), "1.1")
			h.want("sent", h.relay.rcpts(), ann+" finn@example.net") // she is told
		})
	}
	test("RCPT", 550, smtp.EnhancedCode{5, 1, 1}, "5.2")
	test("RCPT", 550, smtp.EnhancedCode{5, 4, 4}, "5.2")
	test("DATA", 550, smtp.EnhancedCode{5, 7, 1}, "5.3")
	test("DATA", 552, smtp.EnhancedCode{5, 2, 2}, "5.1")
	test("RCPT", 550, smtp.NoEnhancedCode, "5.2")
	test("DATA", 554, smtp.NoEnhancedCode, "5.1")
}

func TestDeliveryStatus(t *testing.T) {
	test := func(enhanced string, code int, want string) {
		t.Helper()
		if got := deliveryStatus(enhanced, code); got != want {
			t.Errorf("%s %d: %s, want %s", enhanced, code, got, want)
		}
	}
	test("5.1.1", 550, "5.2")
	test("5.1.10", 0, "5.2")
	test("5.4.1", 0, "5.2")
	test("5.7.26", 0, "5.3")
	test("5.2.1", 0, "5.1")
	test("5.0.0", 550, "5.1")
	test("4.4.7", 0, "5.1")
	test("", 553, "5.2")
	test("", 554, "5.1")
	test("garbage", 0, "5.1")
}

// A relay that refuses us before it has heard of a mail says nothing about the
// mail.
func TestRelayRefusesUs(t *testing.T) {
	h := open(t, "sqlite")
	h.persons("ann")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("554 5.7.1 go away\r\n"))
			c.Close()
		}
	}()
	h.bridge.relay.addr = l.Addr().String()
	h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
	h.work()
	h.want("waiting", len(h.queue()), 1)
	h.want("status", h.status("ann", "u1", cleo), "1.1")
}

// We die between the relay's acceptance and our commit: the mail goes again
// with the same Message-ID and the same octets.
func TestSentTwiceIsTheSame(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
		row := h.queue()[0]
		k, err := h.bridge.keys(h.ctx)
		if err != nil {
			t.Fatal(err)
		}
		// A worker claims, sends, and is gone.
		h.write(func(tx *db.Tx) error {
			_, err := tx.ClaimDeliveries(1, lease)
			return err
		})
		l, err := h.bridge.compose(h.ctx, k, &row)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.bridge.relay.submit(h.ctx, l.from, l.to, l.data); err != nil {
			t.Fatal(err)
		}
		h.want("while the lease runs", h.work(), 0)
		h.clock.forward(lease + time.Second)
		h.want("after it", h.work(), 1)
		out := h.relay.all()
		if len(out) != 2 || string(out[0].data) != string(out[1].data) || out[0].from != out[1].from {
			t.Errorf("%d mails that differ", len(out))
		}
	})
}

// A worker whose claim another has taken over settles nothing.
func TestLostClaim(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
		var rows []db.Delivery
		h.write(func(tx *db.Tx) (err error) {
			rows, err = tx.ClaimDeliveries(1, time.Minute)
			return err
		})
		h.clock.forward(2 * time.Minute)
		h.write(func(tx *db.Tx) error {
			_, err := tx.ClaimDeliveries(1, time.Hour)
			return err
		})
		if err := h.bridge.work(h.ctx, &rows[0]); err != nil {
			t.Fatal(err)
		}
		h.want("the other's row", len(h.queue()), 1)
	})
}

// A row that cannot become a mail does not stop the others.
func TestUnsendableRow(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
		h.write(func(tx *db.Tx) error {
			return tx.InsertDelivery(&db.Delivery{UID: "u9", Principal: h.people["ann"].ID, From: "mailto:" + ann, Rcpt: "mailto:" + cleo, Method: "REQUEST", Body: []byte("nonsense")})
		})
		h.write(func(tx *db.Tx) error {
			return tx.InsertDelivery(&db.Delivery{UID: "u8", Principal: h.people["ann"].ID, From: "mailto:" + ann, Rcpt: "urn:uuid:x", Method: "REQUEST", Body: crlf(event("REQUEST", "u8", ""))})
		})
		h.want("claimed, two notices among them", h.work(), 5)
		h.want("sent", h.relay.rcpts(), ann+" "+ann+" "+cleo)
		h.want("queue", len(h.queue()), 0)
	})
}

// A fault of ours while a mail is written takes nothing else down: the row is
// given up, and its organizer sees that.
func TestFaultWhileWriting(t *testing.T) {
	h := open(t, "sqlite")
	h.persons("ann")
	h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
	words := h.bridge.words
	h.bridge.words = nil
	h.work()
	h.want("the status", h.status("ann", "u1", cleo), "5.1")
	h.bridge.words = words
	h.put("ann", event("", "u2", organizer(ann)+attendees(ann, cleo)))
	h.work()
	h.want("the next", strings.Contains(h.relay.rcpts(), cleo), true)
}

// A secretary acts: From the principal, Sender the secretary (decision 30).
func TestDecision30Secretary(t *testing.T) {
	h := open(t, "sqlite")
	h.persons("ann")
	h.put("ann", event("", "u1", "ORGANIZER;SENT-BY=\"mailto:sec@example.org\":mailto:"+ann+"\n"+attendees(ann, cleo)))
	h.work()
	m := h.parsed(h.relay.all()[0])
	h.want("From", m.From.Address.Mail(), ann)
	h.want("Sender", m.Sender.Address.Mail(), "sec@example.org")
}

// An answer in the name of somebody whose domain is not ours says who sent it.
func TestReplyFromForeignDomain(t *testing.T) {
	const dora = "dora@elsewhere.example"
	h := open(t, "sqlite")
	h.persons(dora)
	h.give(cleo, mailOf(cleo, dora, "", event("REQUEST", "u1", organizer(cleo)+attendees(dora))), dora)
	h.put(dora, event("", "u1", organizer(cleo)+answered(dora, "ACCEPTED")))
	h.work()
	out := h.relay.all()
	if len(out) != 1 {
		t.Fatalf("%d mails", len(out))
	}
	m := h.parsed(out[0])
	a := ics.Attendees(m.Objects[0].Master())[0]
	h.want("From", m.From.Address.Mail(), "calendar@example.org")
	h.want("ATTENDEE", ics.CalAddress(a).Mail()+" "+a.Param("SENT-BY"), dora+" mailto:calendar@example.org")
	h.want("ORGANIZER", ics.Organizer(m.Objects[0].Master()).Mail(), cleo)
}

func TestBackOff(t *testing.T) {
	test := func(n int, least, most time.Duration) {
		t.Helper()
		seen := map[time.Duration]bool{}
		for range 100 {
			d := backOff(n)
			seen[d] = true
			if d < least || d > most {
				t.Errorf("attempt %d: %v", n, d)
			}
		}
		if len(seen) < 2 {
			t.Errorf("attempt %d: no chance in it", n)
		}
	}
	test(0, 45*time.Second, 75*time.Second)
	test(1, 45*time.Second, 75*time.Second)
	test(3, 3*time.Minute, 5*time.Minute)
	test(6, 22*time.Minute, 38*time.Minute)
	test(500, 22*time.Minute, 38*time.Minute)
}

// A connection that was kept and closed by the relay meanwhile costs nothing.
func TestStaleConnection(t *testing.T) {
	h := open(t, "sqlite")
	r := &h.bridge.relay
	if err := r.submit(h.ctx, ann, cleo, plainMail(ann, cleo, "")); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	h.want("kept", len(r.idle), 1)
	r.idle[0].Close()
	r.mu.Unlock()
	if err := r.submit(h.ctx, ann, cleo, plainMail(ann, cleo, "")); err != nil {
		t.Errorf("after it was closed: %v", err)
	}
	r.rest()
	h.want("kept", len(r.idle), 0)
}

func TestSizeIsAskedFirst(t *testing.T) {
	h := open(t, "sqlite")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &sinkSession{k: h.relay}, nil }))
	srv.MaxMessageBytes = 10
	go srv.Serve(l)
	defer srv.Close()
	h.bridge.relay.addr = l.Addr().String()
	err = h.bridge.relay.submit(h.ctx, ann, cleo, plainMail(ann, cleo, ""))
	var said *smtp.SMTPError
	if !errors.As(err, &said) || said.Code != 552 {
		t.Errorf("%v", err)
	}
}

func TestWorkEndsAndIsWoken(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		ctx, stop := contextWithCancel(h)
		done := make(chan struct{})
		go func() { h.bridge.Work(ctx); close(done) }()
		h.put("ann", event("", "u1", organizer(ann)+attendees(ann, cleo)))
		for end := time.Now().Add(time.Minute); len(h.relay.rcpts()) == 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("nothing was sent")
			}
		}
		stop()
		<-done
	})
}

func BenchmarkWork(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			h := open(b, kind)
			h.persons("ann")
			body := crlf(event("REQUEST", "u1", organizer(ann)+attendees(cleo)))
			const batch = 200
			sent := 0
			for b.Loop() {
				b.StopTimer()
				h.write(func(tx *db.Tx) error {
					for i := range batch {
						d := db.Delivery{UID: fmt.Sprintf("u%d.%d", sent, i), Principal: h.people["ann"].ID, From: "mailto:" + ann, Rcpt: "mailto:" + cleo, Method: "REQUEST", Body: body}
						if err := tx.InsertDelivery(&d); err != nil {
							return err
						}
					}
					return nil
				})
				b.StartTimer()
				sent += h.work()
			}
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "mails/s")
		})
	}
}
