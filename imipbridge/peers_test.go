package imipbridge

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling/ics"
)

// Every recipient resolves through the directory: one mail to all kinds of
// addresses at once, one verdict each.
func TestLMTPRecipients(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann", "ben", "dora", "dora@elsewhere.example")
		h.add(db.Room, "blue")
		g := h.add(db.Group, "team")
		h.write(func(tx *db.Tx) error {
			if err := tx.SetMembers(g.ID, []string{"dora@example.org"}); err != nil {
				return err
			}
			if err := directory.AddAlias(tx, h.people["ben"].ID, "@other.example.org"); err != nil {
				return err
			}
			return directory.AddAlias(tx, h.people["ben"].ID, "ben+own@example.org")
		})
		rcpts := []string{"Ann.Alias@example.org", "ann+meetings@example.org", "whoever@other.example.org", "team@example.org", "blue@example.org", "ben+own@example.org", "nobody@example.org"}
		lines := organizer(cleo)
		for _, r := range rcpts {
			lines += attendees(r)
		}
		data := mailOf(cleo, "all", "", event("REQUEST", "u1", lines))
		want := map[string]string{}
		for _, r := range rcpts {
			want[r] = "250"
		}
		h.want("verdicts", h.give(cleo, data, rcpts...), want)
		h.want("alias", h.partstat("ann", "u1", "Ann.Alias@example.org"), "NEEDS-ACTION")
		h.want("catch-all", h.partstat("ben", "u1", "whoever@other.example.org"), "NEEDS-ACTION")
		h.want("group", h.partstat("dora", "u1", "team@example.org"), "NEEDS-ACTION")
		h.want("room", h.partstat("blue", "u1", "blue@example.org"), "ACCEPTED")
		h.want("handed on, but not for the room", h.nextHop.rcpts(), "Ann.Alias@example.org ann+meetings@example.org ben+own@example.org nobody@example.org team@example.org whoever@other.example.org")
		// Somebody's own address is never another's by his domain.
		h.write(func(tx *db.Tx) error { return directory.AddAlias(tx, h.people["dora"].ID, "x@other.example.org") })
		h.read(func(tx *db.Tx) error {
			p, err := directory.Lookup(tx, ics.CalAddress(&ics.Prop{Value: "mailto:x+y@other.example.org"}))
			h.want("whose", p.ID, h.people["dora"].ID)
			return err
		})
	})
}

// PIPELINING, 8BITMIME, SMTPUTF8: two transactions in one piece.
func TestLMTPPipelining(t *testing.T) {
	h := open(t, "sqlite", copyMode)
	h.persons("ann")
	h.add(db.Person, "jörg@example.org")
	conn, err := net.Dial("tcp", h.lmtp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	body := func(uid string) string {
		return strings.ReplaceAll(string(mailOf(cleo, ann, "", event("REQUEST", uid, "DESCRIPTION:grün\n"+organizer(cleo)+attendees(ann)))), "\r\n.", "\r\n..")
	}
	io.WriteString(conn, "LHLO x\r\nMAIL FROM:<cleo@example.net> BODY=8BITMIME SIZE=900\r\nRCPT TO:<ann@example.org>\r\nRCPT TO:<nobody@example.org>\r\nRCPT TO:<ann+x@example.org>\r\nDATA\r\n")
	r := bufio.NewReader(conn)
	var replies []string
	next := func(n int) {
		t.Helper()
		for range n {
			for {
				l, err := r.ReadString('\n')
				if err != nil {
					t.Fatalf("%v after %q", err, replies)
				}
				if l[3] != '-' {
					replies = append(replies, l[:3])
					break
				}
			}
		}
	}
	next(7)
	io.WriteString(conn, body("u1")+".\r\nMAIL FROM:<müller@example.net> SMTPUTF8 BODY=8BITMIME\r\nRCPT TO:<jörg@example.org>\r\nDATA\r\n")
	next(5)
	io.WriteString(conn, body("u2")+".\r\nQUIT\r\n")
	next(2)
	h.want("replies", strings.Join(replies, " "), "220 250 250 250 550 250 354 250 250 250 250 354 250 221")
	h.want("effect", h.copyOf("ann", "u1").Master().Text("DESCRIPTION"), "grün")
}

// Recipients by the thousand: as many as are allowed, a precise word about the
// others, and the mail is taken.
func TestLMTPManyRecipients(t *testing.T) {
	h := open(t, "sqlite", copyMode, func(o *Options) { o.MaxRecipients = 200 })
	h.persons("ann")
	conn, err := net.Dial("tcp", h.lmtp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(60 * time.Second))
	go func() {
		io.WriteString(conn, "LHLO x\r\nMAIL FROM:<cleo@example.net>\r\n")
		for i := range 5000 {
			fmt.Fprintf(conn, "RCPT TO:<ann+%d@example.org>\r\n", i)
		}
		io.WriteString(conn, "DATA\r\n")
	}()
	r := bufio.NewReader(conn)
	count := map[string]int{}
	line := func() string {
		for {
			l, err := r.ReadString('\n')
			if err != nil {
				t.Fatalf("%v after %v", err, count)
			}
			if l[3] != '-' {
				return l
			}
		}
	}
	for l := ""; !strings.HasPrefix(l, "354"); count[l[:min(9, len(l))]]++ {
		l = line()
	}
	h.want("refused", count["452 4.5.3"], 4800)
	conn.Write(append(mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann))), ".\r\n"...))
	for range 200 {
		if l := line(); !strings.HasPrefix(l, "250 ") {
			t.Fatalf("%q", l)
		}
	}
	h.want("effect", h.partstat("ann", "u1", ann), "NEEDS-ACTION")
}

// 100 MB, announced or not: refused, in little memory, and the session goes on.
func TestLMTPHugeMail(t *testing.T) {
	h := open(t, "sqlite")
	h.persons("ann")
	h.script(h.lmtp, "< 220\n> LHLO x\n< 250\n> MAIL FROM:<cleo@example.net> SIZE=104857600\n< 552 5.3.4\n> NOOP\n< 250")
	conn, err := net.Dial("tcp", h.lmtp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(60 * time.Second))
	r := bufio.NewReader(conn)
	fmt.Fprintf(conn, "LHLO x\r\nMAIL FROM:<cleo@example.net>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n")
	for l := ""; !strings.HasPrefix(l, "354"); {
		if l, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	line := bytes.Repeat([]byte(strings.Repeat("x", 998)+"\r\n"), 1000)
	for range 100 {
		if _, err := conn.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintf(conn, "\r\n.\r\nNOOP\r\n")
	l, _ := r.ReadString('\n')
	h.want("verdict", l[:9], "552 5.3.4")
	l, _ = r.ReadString('\n')
	h.want("the session goes on", l[:3], "250")
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
		t.Errorf("%d MB were allocated for a mail of at most 1", n>>20)
	}
	data := mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann)))
	h.want("the next one", h.give(cleo, data, ann)[ann], "250")
	h.want("effect", h.partstat("ann", "u1", ann), "NEEDS-ACTION")
}

// What is within the size and still too much: handed on as it came, with a
// precise reason, and nothing counts that is in it.
func TestBadMail(t *testing.T) {
	h := open(t, "sqlite", func(o *Options) { o.MaxMessage = 8 << 20 })
	h.persons("ann")
	invite := "Content-Type: text/calendar; method=REQUEST\r\n\r\n" + string(crlf(event("REQUEST", "u1", organizer(cleo)+attendees(ann))))
	head := "From: cleo@example.net\r\nTo: ann@example.org\r\nMIME-Version: 1.0\r\n"
	test := func(what, mail, reason string) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := time.Now()
		h.want(what, h.give(cleo, []byte(mail), ann)[ann], "250")
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 40*uint64(len(mail))+32<<20 {
			t.Errorf("%s: %d MB were allocated for %d kB", what, n>>20, len(mail)>>10)
		}
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("%s took %s", what, d)
		}
		got := h.nextHop.all()
		if len(got) != 1 || !bytes.HasSuffix(got[0].data, []byte(mail)) {
			t.Errorf("%s: not handed on as it came", what)
		} else if !strings.Contains(headerOf(got[0].data), reason) {
			t.Errorf("%s: %q, want %q", what, headerOf(got[0].data)[:min(300, len(headerOf(got[0].data)))], reason)
		}
		h.want(what+": effect", h.partstat("ann", "u1", ann), "no copy")
	}
	part := "--b\r\n" + invite + "\r\n"
	test("10,000 parts", head+"Content-Type: multipart/mixed; boundary=b\r\n\r\n"+strings.Repeat("--b\r\n\r\nx\r\n", 10_000)+part+"--b--\r\n", "more than 1000 parts")
	deep := head
	for i := range 1000 {
		b := fmt.Sprintf("n%d", i)
		deep += "Content-Type: multipart/mixed; boundary=" + b + "\r\n\r\n--" + b + "\r\n"
	}
	test("1,000 levels", deep+invite, "more than 20 levels")
	test("header flood", strings.Repeat("X-Flood: y\r\n", 100_000)+head+invite, "more than 1000 header fields")
	test("one long header", "X-Long: "+strings.Repeat("y", 1<<20-100)+"\r\n"+head+invite, "more than 262144 octets of header")
	test("10,000 recipients in To", "From: cleo@example.net\r\nTo: "+strings.Repeat("x@example.org,\r\n ", 20_000)+"y@example.org\r\n"+invite, "more than 262144 octets of header")
	test("1,000 calendars", head+"Content-Type: multipart/mixed; boundary=b\r\n\r\n"+strings.Repeat(part, 200)+"--b--\r\n", "more than 50 calendar parts")
	test("a folded field of 17,000 lines", "From: cleo@example.net\r\nX-Folded: x\r\n"+strings.Repeat(" 0123456789\r\n", 17_000)+"Subject: x\r\n\r\nwords\r\n", "")
	zeros := strings.Repeat(strings.Repeat("A", 76)+"\r\n", 80_000)
	test("6 MB of zeros in base64", head+"Content-Type: text/calendar; method=REQUEST\r\nContent-Transfer-Encoding: base64\r\n\r\n"+zeros, "no VCALENDAR")
	nested := "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n" + strings.Repeat("BEGIN:VEVENT\r\n", 100_000)
	test("100,000 components", head+"Content-Type: text/calendar\r\n\r\n"+nested, "levels of components")
	test("one property of 7 MB", head+"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nX"+strings.Repeat(strings.Repeat(";x=", 30)+"\r\n ", 70_000)+":\r\n", "parameters of one property")
	test("NULs", head+"Content-Type: text/calendar; method=REQUEST\r\n\r\n"+strings.Repeat(strings.Repeat("\x00", 900)+"\r\n", 1000), "no VCALENDAR")
	test("only boundaries", head+"Content-Type: multipart/mixed; boundary=-\r\n\r\n"+strings.Repeat(strings.Repeat("---", 300)+"\r\n", 4000), "")
}

// A line beyond any measure would be as long the next time: refused for good.
func TestLMTPLongLine(t *testing.T) {
	h := open(t, "sqlite", func(o *Options) { o.MaxMessage = 8 << 20 })
	h.persons("ann")
	conn, err := net.Dial("tcp", h.lmtp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, "LHLO x\r\nMAIL FROM:<cleo@example.net>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n")
	go io.WriteString(conn, "X: "+strings.Repeat("y", 2<<20)+"\r\n\r\n.\r\n")
	r := bufio.NewReader(conn)
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("no verdict: %v", err)
		}
		if strings.HasPrefix(l, "5") {
			if !strings.HasPrefix(l, "554 5.6.0 <ann@example.org> a line of more than") {
				t.Errorf("%q", l)
			}
			return
		}
	}
}

// A mail cannot be made two on the way: an end of data is CRLF.CRLF and nothing
// else (RFC 5321 §4.1.1.4).
func TestNoSmuggling(t *testing.T) {
	for _, end := range []string{"\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r", "\r.\r\n", "\x00.\r\n", "\r\n\x00.\r\n"} {
		t.Run(fmt.Sprintf("%q", end), func(t *testing.T) {
			one(t, func(h *house) {
				h.persons("ann", "ben")
				second := "MAIL FROM:<boss@example.org>\r\nRCPT TO:<ben@example.org>\r\nDATA\r\n" + string(mailOf("boss@example.org", ben, "", event("REQUEST", "evil", organizer("boss@example.org")+attendees(ben)))) + "."
				data := append(mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann))), []byte("x"+end+second)...)
				conn, err := net.Dial("tcp", h.lmtp)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(time.Minute))
				conn.Write([]byte("LHLO x\r\nMAIL FROM:<cleo@example.net>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"))
				conn.Write(data)
				conn.Write([]byte("\r\n.\r\nQUIT\r\n"))
				io.Copy(io.Discard, conn)
				h.want("Ben", h.partstat("ben", "evil", ben), "no copy")
				if got := h.nextHop.rcpts(); got != ann {
					t.Errorf("handed on to %q", got)
				}
			})
		})
	}
}

// A next hop that breaks off, says nonsense or nothing at all: the mail comes
// again, its effect comes once.
func TestBrokenNextHop(t *testing.T) {
	command, data, whole := hopCommand, hopData, hopDeadline
	hopCommand, hopData, hopDeadline = 300*time.Millisecond, 300*time.Millisecond, 600*time.Millisecond
	t.Cleanup(func() { hopCommand, hopData, hopDeadline = command, data, whole })
	test := func(name string, talk func(c net.Conn, r *bufio.Reader)) {
		t.Run(name, func(t *testing.T) {
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
					go func() {
						defer c.Close()
						talk(c, bufio.NewReader(c))
					}()
				}
			}()
			one(t, func(h *house) {
				h.persons("ann")
				data := mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann)))
				for range 2 {
					if got := h.give(cleo, data, ann)[ann]; !strings.HasPrefix(got, "451 4.") {
						t.Errorf("verdict %q", got)
					}
				}
				h.want("effect", h.partstat("ann", "u1", ann), "NEEDS-ACTION")
				n := 0
				for _, d := range h.decisions("u1") {
					if strings.HasPrefix(d, "in REQUEST applied") {
						n++
					}
				}
				h.want("decisions", n, 1)
			}, func(o *Options) { o.DeliverTo = l.Addr().String() })
		})
	}
	// answer replies to n commands as an LMTP server does.
	answer := func(c net.Conn, r *bufio.Reader, n int) {
		io.WriteString(c, "220 hop LMTP\r\n")
		for range n {
			l, err := r.ReadString('\n')
			if err != nil {
				return
			}
			switch {
			case strings.HasPrefix(l, "LHLO"):
				io.WriteString(c, "250-hop\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n")
			case strings.HasPrefix(l, "DATA"):
				io.WriteString(c, "354 go on\r\n")
			default:
				io.WriteString(c, "250 2.0.0 fine\r\n")
			}
		}
	}
	silent := func(r *bufio.Reader) { io.Copy(io.Discard, r) }
	test("hangs up at once", func(c net.Conn, r *bufio.Reader) {})
	test("says nothing", func(c net.Conn, r *bufio.Reader) { silent(r) })
	test("talks nonsense", func(c net.Conn, r *bufio.Reader) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })
	test("an endless greeting", func(c net.Conn, r *bufio.Reader) {
		for range 100_000 {
			if _, err := io.WriteString(c, "220-more\r\n"); err != nil {
				return
			}
		}
	})
	test("hangs up after LHLO", func(c net.Conn, r *bufio.Reader) { answer(c, r, 1) })
	test("hangs up after MAIL", func(c net.Conn, r *bufio.Reader) { answer(c, r, 2) })
	test("hangs up after RCPT", func(c net.Conn, r *bufio.Reader) { answer(c, r, 3) })
	test("hangs up in the data", func(c net.Conn, r *bufio.Reader) { answer(c, r, 4); r.ReadString('\n') })
	test("no verdict", func(c net.Conn, r *bufio.Reader) { answer(c, r, 4); silent(r) })
	test("half a verdict", func(c net.Conn, r *bufio.Reader) {
		answer(c, r, 4)
		for l := ""; l != ".\r\n"; {
			var err error
			if l, err = r.ReadString('\n'); err != nil {
				return
			}
		}
		io.WriteString(c, "25")
	})
}

// Clients that connect and stay silent take no place from others for long: the
// others are served.
func TestSilentClients(t *testing.T) {
	h := open(t, "sqlite", func(o *Options) { o.MaxSessions = 30 })
	h.persons("ann")
	for range 20 {
		c, err := net.Dial("tcp", h.lmtp)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "LHLO x\r\nMAIL FROM:<cleo@example.net>\r\nRCPT TO:<ann@exam")
	}
	data := mailOf(cleo, ann, "", event("REQUEST", "u1", organizer(cleo)+attendees(ann)))
	h.want("verdict", h.give(cleo, data, ann)[ann], "250")
	h.want("effect", h.partstat("ann", "u1", ann), "NEEDS-ACTION")
}
