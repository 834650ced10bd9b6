package imipbridge

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
)

// smtpd plays OpenSMTPD with one filter.
type smtpd struct {
	h       *house
	version string
	to      io.WriteCloser
	from    *bufio.Reader
	token   int
}

// smtpd starts the filter for a milter at an address.
func (h *house) smtpd(milter, version string) *smtpd {
	h.Helper()
	in, to := io.Pipe()
	back, out := io.Pipe()
	done := make(chan error, 1)
	f := &SMTPDFilter{Milter: milter, Log: slog.New(slog.DiscardHandler)}
	go func() { done <- f.Run(in, out); out.Close() }()
	p := &smtpd{h: h, version: version, to: to, from: bufio.NewReader(back)}
	h.Cleanup(func() {
		to.Close()
		back.Close()
		if err := <-done; err != nil {
			h.Errorf("the filter: %v", err)
		}
	})
	p.write("config|smtpd-version|6.8.0p2", "config|smtp-session-timeout|300", "config|subsystem|smtp-in", "config|ready")
	asked := map[string]bool{}
	for l := p.read(); l != "register|ready"; l = p.read() {
		asked[l] = true
	}
	h.want("asks for the lines", asked["register|filter|smtp-in|data-line"] && asked["register|report|smtp-in|link-auth"] && asked["register|report|smtp-in|tx-mail"], true)
	return p
}

func (p *smtpd) write(lines ...string) {
	p.h.Helper()
	for _, l := range lines {
		if _, err := io.WriteString(p.to, l+"\n"); err != nil {
			p.h.Fatal(err)
		}
	}
}

func (p *smtpd) read() string {
	p.h.Helper()
	l, err := p.from.ReadString('\n')
	if err != nil {
		p.h.Fatal(err)
	}
	return strings.TrimSuffix(l, "\n")
}

func (p *smtpd) report(event, session, rest string) {
	p.h.Helper()
	p.write("report|" + p.version + "|1576146008.006099|smtp-in|" + event + "|" + session + rest)
}

// result is a value and what came of it, in the order of the version.
func (p *smtpd) result(value, result string, since string) string {
	if p.version >= since {
		return "|" + result + "|" + value
	}
	return "|" + value + "|" + result
}

// line has the filter pass a line on.
func (p *smtpd) line(session, line string) {
	p.h.Helper()
	p.token++
	ids, want := fmt.Sprintf("%s|%016x", session, p.token), ""
	if p.version < "0.5" {
		ids = fmt.Sprintf("%016x|%s", p.token, session)
	}
	want = "filter-dataline|" + ids + "|" + line
	p.write("filter|" + p.version + "|1576146008.006099|smtp-in|data-line|" + ids + "|" + line)
	p.h.want("a line", p.read(), want)
}

// send plays one mail in a session of its own.
func (p *smtpd) send(login, from string, data []byte, rcpts ...string) {
	p.h.Helper()
	p.token++
	session := fmt.Sprintf("7641df%010x", p.token)
	p.report("link-connect", session, "|host|pass|127.0.0.1:33174|127.0.0.1:587")
	if login != "" {
		p.report("link-auth", session, p.result("somebody|else", "fail", "0.7"))
		p.report("link-auth", session, p.result(login, "pass", "0.7"))
	}
	p.report("tx-begin", session, "|5d3b2a11")
	p.report("tx-mail", session, "|5d3b2a11"+p.result(from, "ok", "0.6"))
	p.report("tx-rcpt", session, "|5d3b2a11"+p.result("refused@example.net", "permfail", "0.6"))
	for _, r := range rcpts {
		p.report("tx-rcpt", session, "|5d3b2a11"+p.result(r, "ok", "0.6"))
	}
	for l := range strings.SplitSeq(strings.TrimSuffix(string(data), "\r\n"), "\r\n") {
		if strings.HasPrefix(l, ".") {
			l = "." + l
		}
		p.line(session, l)
	}
	p.line(session, ".")
	p.report("tx-commit", session, "|5d3b2a11|1000")
	p.report("link-disconnect", session, "")
}

// What users send through OpenSMTPD counts as if the server knew milters, in
// every version of its protocol; nothing is altered, and nothing is held up
// where Convene does not answer.
func TestSMTPDFilter(t *testing.T) {
	for _, version := range []string{"0.4", "0.5", "0.6", "0.7"} {
		t.Run(version, func(t *testing.T) {
			one(t, func(h *house) {
				h.persons("ann", "ben")
				p := h.smtpd(h.listenMilter(), version)
				invite := mailOf(ann, cleo, "X-Dots: .\n", event("REQUEST", "u1", organizer(ann)+attendees(ann, ben, cleo)))
				p.send("", ann, invite, cleo)
				h.want("without a log-in", h.partstat("ann", "u1", cleo), "no copy")
				p.send(ben, ann, invite, cleo)
				h.want("with another's", h.partstat("ann", "u1", cleo), "no copy")
				p.send(ann, ann, append([]byte("X-Mailer: m\r\nX-Folded: a\r\n\tb\r\n"), invite...), cleo)
				h.want("her own", h.partstat("ann", "u1", cleo), "NEEDS-ACTION")
				h.want("Ben has it", h.partstat("ben", "u1", ben), "NEEDS-ACTION")
				h.work()
				h.want("nobody is told twice", len(h.relay.all()), 0)
			})
		})
	}
	one(t, func(h *house) {
		h.persons("ann")
		p := h.smtpd("127.0.0.1:1", "0.6") // nobody is there
		p.send(ann, ann, mailOf(ann, cleo, "", event("REQUEST", "u1", organizer(ann)+attendees(ann, cleo))), cleo)
		p.write("nonsense", "report|0.6", "", "report|0.6|1|smtp-in|tx-mail|nobody|x|ok|a@b", "filter|x|y|z|data-line|s")
		p.h.want("an answer to nonsense", p.read(), "filter-dataline|s||")
		p.send(ann, ann, []byte("no header\r\n"), cleo)
	})
}

// A mail beyond what is looked at goes on as it came, and its room is free again.
func TestSMTPDFilterRoom(t *testing.T) {
	one(t, func(h *house) {
		h.persons("ann")
		f := &SMTPDFilter{Milter: h.listenMilter(), Log: slog.New(slog.DiscardHandler), out: io.Discard, sessions: map[string]*smtpdSession{}, room: 1000}
		f.report(6, "link-auth", "s", ann+"|pass")
		for range 3 {
			f.report(6, "tx-begin", "s", "|m")
			f.report(6, "tx-mail", "s", "m|ok|"+ann)
			for range 100 {
				f.dataLine(6, "s", "t", strings.Repeat("x", 100))
			}
			f.dataLine(6, "s", "t", ".")
			f.tell.Wait()
			f.report(6, "tx-commit", "s", "m|1")
			h.want("room", f.room, 1000)
		}
		for range 5 {
			f.dataLine(6, "s", "t", "x")
		}
		f.report(6, "tx-rollback", "s", "m")
		h.want("room of a mail that ended", f.room, 1000)
		f.report(6, "link-disconnect", "s", "")
		h.want("sessions", len(f.sessions), 0)
	})
}

// Whatever comes instead of the protocol, the filter goes on: OpenSMTPD ends
// when a filter does.
func FuzzSMTPDFilter(f *testing.F) {
	f.Add("config|ready\nreport|0.6|1|smtp-in|link-auth|s|ann|pass\nfilter|0.6|1|smtp-in|data-line|s|t|.\n")
	f.Add("report|0.7|1|smtp-in|tx-mail|s|m|ok|a\nfilter|0.4|||data-line|||\n\n|||||||\n")
	f.Fuzz(func(t *testing.T, text string) {
		x := SMTPDFilter{Milter: "unix:/nowhere", Log: slog.New(slog.DiscardHandler)}
		if err := x.Run(strings.NewReader(text), io.Discard); err != nil {
			t.Fatal(err)
		}
	})
}
