package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// What measureMail sends: so many meetings of so many people outside each.
const (
	mailOrganizers = 20
	mailMeetings   = 300
	mailGuests     = 10
	mailPuts       = 300 // one after the other, for the latency
	mailRelays     = 16  // connections of the bare client: as many as Convene has
)

// mailConfig holds what is sent back for a while, or not.
const mailConfig = `domains = ["example.com"]
[http]
listen = %[1]q
public_url = "http://%[1]s"
[store]
dsn = %[2]q
[lmtp]
listen = %[3]q
[smtp]
relay = %[4]q
from = "calendar@example.com"
coalesce = %[5]q
per_domain = 16
hourly_per_event = 1000000
hourly_per_user = 1000000
[trust]
verify_dkim = false
[log]
level = "warn"
`

// measureMail measures mail in both directions on one database, and in the
// same run what a bare LMTP server, a bare SMTP client and bare commits do.
func measureMail(o options) error {
	if err := os.RemoveAll(o.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	if err := build(".", filepath.Join(o.dir, "convene"), o.server); err != nil {
		return err
	}
	s, err := newServer(o)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.people(mailOrganizers); err != nil {
		return err
	}
	world, err := openWorld()
	if err != nil {
		return err
	}
	defer world.Close()
	lmtp, err := freePort()
	if err != nil {
		return err
	}
	serve := func(coalesce string) error {
		s.stop()
		text := fmt.Sprintf(mailConfig, s.http, s.dsn, lmtp, world.addr, coalesce)
		if err := os.WriteFile(filepath.Join(o.dir, "convene.toml"), []byte(text), 0o600); err != nil {
			return err
		}
		if err := s.start(); err != nil {
			return err
		}
		err := s.warmUp(mailOrganizers)
		s.forgetPeak() // hashing passwords takes memory by intent
		return err
	}
	r := report{kind: o.kind}
	if err := r.commits(s); err != nil {
		return err
	}

	// Out: everything is written first and due together.
	hold := 12 * time.Second
	if err := serve(hold.String()); err != nil {
		return err
	}
	begin := time.Now()
	for i := range mailMeetings {
		if err := s.invite(i, "out", mailGuests); err != nil {
			return err
		}
	}
	if took := time.Since(begin); took > hold-time.Second {
		fmt.Fprintf(os.Stderr, "bench: the meetings took %s to write, so that some mail left meanwhile\n", took)
	}
	spent := s.cpu()
	arrived, err := world.wait(mailMeetings * mailGuests)
	if err != nil {
		return err
	}
	outCPU := (s.cpu() - spent) / time.Duration(len(arrived))
	first, last := arrived[0].at, arrived[len(arrived)-1].at
	out := float64(len(arrived)-1) / last.Sub(first).Seconds()
	size := len(arrived[0].data)
	bareOut, err := bareRelay(world, arrived[0].data, len(arrived))
	if err != nil {
		return err
	}

	// In: everybody answers.
	if err := serve("0s"); err != nil {
		return err
	}
	var answers []answer
	for g := range mailGuests {
		for i := range mailMeetings {
			answers = append(answers, reply(i, "out", g))
		}
	}
	bare, err := bareLMTP()
	if err != nil {
		return err
	}
	defer bare.Close()
	type rate struct {
		convene, bare float64
		cpu           time.Duration // of the server, for one mail
	}
	in := map[int]rate{}
	half := len(answers) / 2
	for clients, list := range map[int][]answer{1: answers[:half], 8: answers[half:]} {
		var x rate
		if x.bare, err = deliver(bare.addr, clients, list); err != nil {
			return fmt.Errorf("bare LMTP: %w", err)
		}
		spent := s.cpu()
		if x.convene, err = deliver(lmtp, clients, list); err != nil {
			return fmt.Errorf("LMTP: %w", err)
		}
		x.cpu = (s.cpu() - spent) / time.Duration(len(list))
		in[clients] = x
	}
	if err := s.answered(0, "out", mailGuests); err != nil {
		return err
	}
	spent = s.cpu()
	again, err := deliver(lmtp, 8, answers[half:]) // the second time each finds its decision
	if err != nil {
		return err
	}

	againCPU := (s.cpu() - spent) / time.Duration(len(answers)-half)

	// Latency: one after the other.
	var delays []time.Duration
	for i := range mailPuts {
		world.forget()
		begin := time.Now()
		if err := s.invite(i, "one", 1); err != nil {
			return err
		}
		got, err := world.wait(1)
		if err != nil {
			return err
		}
		delays = append(delays, got[0].at.Sub(begin))
	}
	slices.Sort(delays)
	ms := func(p float64) float64 {
		return float64(delays[min(len(delays)-1, int(p*float64(len(delays))))].Microseconds()) / 1000
	}
	if err := r.commits(s); err != nil {
		return err
	}
	commits := func(clients int) float64 { return limitOf(r.commitLimits, clients) }

	fmt.Printf("mail on %s: %d meetings of %d people outside; a mail out has %d octets, an answer %d\n\n", o.kind, mailMeetings, mailGuests, size, len(answers[0].data))
	fmt.Println("| work | Convene | bare LMTP server or SMTP client | bare commits | of both, one after the other | the server's processor time for one |\n| --- | --- | --- | --- | --- | --- |")
	row := func(what string, convene, bare, commits float64, cpu time.Duration) {
		both := 1 / (1/bare + 1/commits)
		fmt.Printf("| %s | %.0f/s | %.0f/s | %.0f/s | %.0f %% of %.0f/s | %.2f ms |\n", what, convene, bare, commits, 100*convene/both, both, float64(cpu.Microseconds())/1000)
	}
	row("REPLY in, through to commit, 1 connection", in[1].convene, in[1].bare, commits(1), in[1].cpu)
	row("the same, 8 connections", in[8].convene, in[8].bare, commits(8), in[8].cpu)
	row("a mail that came before, 8 connections", again, in[8].bare, commits(8), againCPU)
	row("mail out, from the queue to the relay", out, bareOut, commits(8), outCPU)
	fmt.Printf("\nFrom the beginning of an organizer's PUT to the mail at the relay: p50 %.1f ms, p95 %.1f ms, p99 %.1f ms of %d. Memory at its peak: %.0f MB.\n", ms(.5), ms(.95), ms(.99), mailPuts, s.peak())
	return nil
}

func meetingUID(i int, kind string) string { return fmt.Sprintf("mail-%s-%d@example.com", kind, i) }

func meetingOrganizer(i int) string { return userName(i%mailOrganizers+1) + "@example.com" }

func meetingGuest(i, g int) string { return fmt.Sprintf("guest%d-%d@outside.example", i, g) }

// invite writes a meeting by CalDAV as its organizer's program does.
func (s *server) invite(i int, kind string, guests int) error {
	var b strings.Builder
	start := time.Now().UTC().AddDate(0, 1, i%200).Format("20060102T150000Z")
	fmt.Fprintf(&b, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:%s\r\nDURATION:PT1H\r\nSUMMARY:Meeting %d\r\nLOCATION:Room %d\r\nORGANIZER:mailto:%s\r\n",
		meetingUID(i, kind), start, i, i%7, meetingOrganizer(i))
	for g := range guests {
		fmt.Fprintf(&b, "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:%s\r\n", meetingGuest(i, g))
	}
	b.WriteString("END:VEVENT\r\nEND:VCALENDAR\r\n")
	status, _, err := s.request(i, "PUT", meetingUID(i, kind)+".ics", b.String())
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("PUT of a meeting: %d", status)
	}
	return err
}

// answered checks that a meeting shows that all have accepted.
func (s *server) answered(i int, kind string, guests int) error {
	_, body, err := s.request(i, "GET", meetingUID(i, kind)+".ics", "")
	if n := strings.Count(body, "PARTSTAT=ACCEPTED"); err == nil && n != guests {
		err = fmt.Errorf("%d of %d answers stand in\n%s", n, guests, body)
	}
	return err
}

func (s *server) request(i int, method, name, body string) (status int, answer string, err error) {
	who := meetingOrganizer(i)
	r, err := http.NewRequest(method, "http://"+s.http+"/dav/calendars/"+who+"/calendar/"+name, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	user, _, _ := strings.Cut(who, "@")
	r.SetBasicAuth(user, user)
	r.Header.Set("Content-Type", "text/calendar")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return a.StatusCode, string(b), err
}

// answer is a mail of somebody outside.
type answer struct {
	from, to string
	data     []byte
}

func reply(i int, kind string, g int) answer {
	a := answer{from: meetingGuest(i, g), to: meetingOrganizer(i)}
	stamp := time.Now().UTC().Format("20060102T150405Z")
	calendar := fmt.Sprintf("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:%s\r\nSEQUENCE:0\r\nORGANIZER:mailto:%s\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:%s\r\nREQUEST-STATUS:2.0;Success\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
		meetingUID(i, kind), stamp, a.to, a.from)
	a.data = fmt.Appendf(nil, "From: <%s>\r\nTo: <%s>\r\nSubject: Accepted: Meeting %d\r\nDate: %s\r\nMessage-ID: <%d.%d.%s@outside.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"+
		"--b\r\nContent-Type: text/plain\r\n\r\nI shall come.\r\n--b\r\nContent-Type: text/calendar; charset=utf-8; method=REPLY\r\n\r\n%s\r\n--b--\r\n",
		a.from, a.to, i, time.Now().Format(time.RFC1123Z), i, g, kind, calendar)
	return a
}

// perSecond runs so many workers at once, each with its number, that do n things
// together, and returns how many they do in a second.
func perSecond(workers, n int, f func(first int) error) (float64, error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	begin := time.Now()
	for k := range workers {
		wg.Go(func() {
			err := f(k)
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
	wg.Wait()
	return float64(n) / time.Since(begin).Seconds(), failed
}

// deliver gives mails to an LMTP server over so many connections, and returns
// how many it takes in a second.
func deliver(addr string, clients int, list []answer) (float64, error) {
	return perSecond(clients, len(list), func(first int) error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		c := smtp.NewClientLMTP(conn)
		defer c.Close()
		for i := first; i < len(list); i += clients {
			if err := c.SendMail(list[i].from, []string{list[i].to}, bytes.NewReader(list[i].data)); err != nil {
				return err
			}
		}
		return nil
	})
}

// bareRelay sends as many mails as Convene did, by as many connections, with
// nothing behind them.
func bareRelay(w *world, data []byte, n int) (float64, error) {
	w.forget()
	return perSecond(mailRelays, n, func(first int) error {
		c, err := smtp.Dial(w.addr)
		if err != nil {
			return err
		}
		defer c.Close()
		for i := first; i < n; i += mailRelays {
			if err := c.SendMail("a@example.com", []string{"b@outside.example"}, bytes.NewReader(data)); err != nil {
				return err
			}
		}
		return nil
	})
}

// world is the relay and everybody behind it, or a bare LMTP server: it takes
// mail and keeps it in memory.
type world struct {
	*smtp.Server
	addr string

	mu    sync.Mutex
	mails []arrived
	more  chan struct{}
}

type arrived struct {
	at   time.Time
	data []byte
}

func openWorld() (*world, error) { return listenWorld(false) }

func bareLMTP() (*world, error) { return listenWorld(true) }

func listenWorld(lmtp bool) (*world, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &world{addr: l.Addr().String(), more: make(chan struct{}, 1)}
	w.Server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return worldSession{w}, nil }))
	w.LMTP, w.Domain = lmtp, "outside.example"
	w.ErrorLog = log.New(io.Discard, "", 0)
	go w.Serve(l)
	return w, nil
}

func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mails = nil
}

// wait returns what has arrived as soon as it is so many mails.
func (w *world) wait(n int) ([]arrived, error) {
	limit := time.After(5 * time.Minute)
	for {
		w.mu.Lock()
		got := slices.Clone(w.mails)
		w.mu.Unlock()
		if len(got) >= n {
			return got, nil
		}
		select {
		case <-w.more:
		case <-limit:
			return nil, fmt.Errorf("%d of %d mails arrived", len(got), n)
		}
	}
}

type worldSession struct{ w *world }

func (worldSession) Reset()                                               {}
func (worldSession) Logout() error                                        { return nil }
func (worldSession) Mail(string, *smtp.MailOptions) error                 { return nil }
func (worldSession) Rcpt(string, *smtp.RcptOptions) error                 { return nil }
func (s worldSession) Data(r io.Reader) error                             { return s.take(r) }
func (s worldSession) LMTPData(r io.Reader, _ smtp.StatusCollector) error { return s.take(r) }

func (s worldSession) take(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.w.mu.Lock()
	s.w.mails = append(s.w.mails, arrived{time.Now(), data})
	s.w.mu.Unlock()
	select {
	case s.w.more <- struct{}{}:
	default:
	}
	return nil
}
