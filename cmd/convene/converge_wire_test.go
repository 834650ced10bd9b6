package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/emersion/go-smtp"
)

// wire lies between a server and the mail server, and keeps what passes in its
// order.
type wire struct {
	addr string // where it takes mail
	to   string // where it passes it on
	lmtp bool

	mu     sync.Mutex
	passed []passage
}

// passage is one mail for one recipient.
type passage struct {
	at       time.Time
	from, to string
	object   *ics.Object
	observed bool // by the sender's own mail program, past the wire
}

func newWire(t *testing.T, to string, lmtp bool) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: l.Addr().String(), to: to, lmtp: lmtp}
	srv := smtp.NewServer(w)
	srv.LMTP, srv.Domain = lmtp, "wire.invalid"
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return w
}

// keep notes a mail that was passed on.
func (w *wire) keep(from string, to []string, raw []byte) {
	mail, err := imip.Parse(raw, time.Now(), imip.Limits{})
	if err != nil || len(mail.Objects) == 0 {
		return
	}
	for _, o := range mail.Objects {
		w.add(mail.From.Address.Mail(), to, o, false)
	}
}

// note notes what somebody's own program mails.
func (w *wire) note(from string, to []string, o *ics.Object) { w.add(from, to, o, true) }

func (w *wire) add(from string, to []string, o *ics.Object, observed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, rcpt := range to {
		w.passed = append(w.passed, passage{time.Now(), from, rcpt, o, observed})
	}
}

// about returns what passed about a meeting.
func (w *wire) about(uid string) (out []passage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.passed {
		if p.object.UID() == uid {
			out = append(out, p)
		}
	}
	return out
}

func (w *wire) NewSession(*smtp.Conn) (smtp.Session, error) { return &wireSession{w: w}, nil }

type wireSession struct {
	w    *wire
	from string
	to   []string
}

func (s *wireSession) Reset()        { s.from, s.to = "", nil }
func (s *wireSession) Logout() error { return nil }
func (s *wireSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}
func (s *wireSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data passes one mail on; its verdict is the other side's.
func (s *wireSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return s.pass(raw, s.to)
}

// LMTPData asks for each recipient alone.
func (s *wireSession) LMTPData(r io.Reader, st smtp.StatusCollector) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	for _, to := range s.to {
		st.SetStatus(to, s.pass(raw, []string{to}))
	}
	return nil
}

func (s *wireSession) pass(raw []byte, to []string) error {
	conn, err := net.DialTimeout("tcp", s.w.to, patience)
	if err != nil {
		return err
	}
	var c *smtp.Client
	if c = smtp.NewClient(conn); s.w.lmtp {
		c = smtp.NewClientLMTP(conn)
	}
	defer c.Close()
	if err := c.Mail(s.from, nil); err != nil {
		return err
	}
	for _, rcpt := range to {
		if err := c.Rcpt(rcpt, nil); err != nil {
			return err
		}
	}
	d, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := d.Write(raw); err != nil {
		return err
	}
	if err := d.Close(); err != nil {
		return err
	}
	s.w.keep(s.from, to, raw)
	return nil
}

// entry is something done at one of the servers: in words, and as scripts have it.
type entry struct {
	at        time.Time
	words     string
	statement string
	object    *ics.Object
}

// script tells what one of the servers saw of a history, for TestDialogues.
func (h *history) script(i int) string {
	all := slices.Clone(h.log[i])
	removed := map[string]time.Time{}
	for _, e := range all {
		if name, ok := strings.CutPrefix(e.statement, "remove "); ok {
			removed[strings.Fields(name)[0]] = e.at
		}
	}
	for _, p := range h.w.wires[2+i].about(h.uid) {
		from, _, _ := strings.Cut(p.from, "@")
		to, _, _ := strings.Cut(p.to, "@")
		if strings.HasPrefix(to, "calendar") {
			to = h.organizer.name()
		}
		if h.w.of(p.from) == i && p.object.Method() != "REPLY" {
			continue // what its own program sent comes in, too: the copy here is the truth
		}
		if at, gone := removed[to]; gone && p.at.After(at) {
			continue
		}
		all = append(all, entry{p.at, "", fmt.Sprintf("mail %s %s %s", from, to, p.object.Method()), p.object})
	}
	slices.SortStableFunc(all, func(a, b entry) int { return a.at.Compare(b.at) })
	var b strings.Builder
	domain := []string{"example.org", "example.net"}[i]
	kinds := map[string]string{}
	for _, r := range h.w.rooms {
		kinds[r.address] = "room"
	}
	for _, p := range append(append(slices.Clone(h.w.people), h.w.rooms...), h.w.bob, &neighbour{address: halOutside}, h.w.leaver) {
		kind := "outside"
		if strings.HasSuffix(p.address, "@"+domain) {
			kind = "person"
			if p.room {
				kind = "room"
			}
		}
		fmt.Fprintf(&b, "%s %s %s\n", p.name(), kind, p.address)
		if rules := map[string]string{"low": "    ACT_MANUAL\n    owner " + halOutside + "\n", "big": "    ACT_MANUAL\n    owner cat@example.net\n", "red": "    schedule_next_available_in_freebusy\n"}[p.name()]; kind == "room" {
			b.WriteString(rules)
		}
	}
	b.WriteString("\nunheard\n")
	for _, e := range all {
		fmt.Fprintf(&b, "\nnow %s\n", e.at.Add(-time.Second).UTC().Format(time.RFC3339))
		if e.words != "" {
			b.WriteString("# " + strings.Split(e.words, "\n")[0] + "\n")
		}
		statement, refused, _ := strings.Cut(e.statement, "\nrefused")
		if e.object == nil && statement != "" && !strings.HasPrefix(statement, "meeting ") {
			fmt.Fprintf(&b, "meeting %s\n", h.uid)
		}
		if statement != "" {
			b.WriteString(statement + "\n")
			writeLines(&b, e.object)
		}
		if refused != "" {
			b.WriteString("refused" + refused + "\n")
		}
	}
	fmt.Fprintf(&b, "\nmeeting %s\n", h.uid)
	for _, bad := range h.compare() {
		b.WriteString("# " + bad + "\n")
	}
	if h.w.of(h.organizer.address) == i { // elsewhere nobody hears what others answer
		b.WriteString("agree\n")
	}
	return b.String()
}

// writeLines writes an object as it stands below a statement.
func writeLines(b *strings.Builder, o *ics.Object) {
	if o == nil {
		return
	}
	if id := o.Root().Value("PRODID"); id != "" { // a server like this one is believed more
		b.WriteString("    PRODID:" + id + "\n")
	}
	if o.Kind() == "VTODO" {
		b.WriteString("    VTODO\n")
	}
	for i, c := range o.Main() {
		if i > 0 {
			b.WriteString("    --\n")
		}
		text := strings.ReplaceAll(string(ics.New(&ics.Component{Name: "VCALENDAR", Children: []*ics.Component{c}}).Bytes()), "\r\n ", "")
		lines := strings.Split(strings.TrimSpace(text), "\r\n")
		for _, l := range lines[2 : len(lines)-2] {
			b.WriteString("    " + l + "\n")
		}
	}
}
