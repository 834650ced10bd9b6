package main

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/convene-server/convene/caldav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/published"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/dialogue"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// TestDialogues plays every scenario script against the whole server: people
// here use CalDAV, people outside mail, on both databases.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("../../scheduling/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	hash := cheapHash(t, stagePassword)
	for _, f := range files {
		s, err := dialogue.Read(f)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, kind := range []string{"sqlite", "postgres"} {
			t.Run(kind+"/"+filepath.Base(f), func(t *testing.T) { dialogue.Run(t, s, newStage(t, kind, s, hash)) })
		}
	}
}

const stagePassword = "correct horse"

// stage is a server with its doors, and what its people have seen.
type stage struct {
	t      *testing.T
	people []dialogue.Person
	tasks  bool // are in it too
	store  *db.Store
	desk   *scheduling.Desk
	bridge *imipbridge.Bridge
	web    *httptest.Server
	fetch  *published.Fetcher
	lmtp   string
	seeing string // the listener for copies of what people here send
	relay  *sink

	more map[string]bool            // calendars that people made, by path
	read map[string]string          // URLs at which people outside publish
	kept map[string]map[string]bool // items that stay in somebody's inbox, by path

	sent  int   // mails brought in
	last  taken // of them
	rests bool  // the server leaves alone what is queued

	mu  sync.Mutex
	now time.Time
}

func newStage(t *testing.T, kind string, s *dialogue.Script, hash string) *stage {
	t.Helper()
	h := &stage{t: t, people: slices.Clone(s.People), tasks: s.Tasks(), relay: newSink(t, false), now: time.Now()}
	h.store = dbtest.Open(t, dbtest.DSN(t, kind), db.Options{Clock: h.clock})
	domains := []string{}
	err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
		for _, p := range s.People {
			if p.Kind == "outside" {
				continue
			}
			who := db.Principal{Address: p.Address, Kind: db.Person, Name: p.Called, Password: hash, MailCopies: "never", Policy: strings.Join(p.Policy, "\n")}
			aliases := p.Aliases
			switch p.Kind {
			case "room":
				who.Kind, who.Password = db.Room, ""
			case "group":
				who.Kind, who.Password, aliases = db.Group, "", nil
			}
			if err := directory.Add(tx, &who, aliases); err != nil {
				return err
			}
			if p.Kind == "group" {
				var members []string
				for _, m := range p.Aliases {
					members = append(members, h.person(m).Address)
				}
				if err := tx.SetMembers(who.ID, members); err != nil {
					return err
				}
			}
			domains = append(domains, cuaddr.Mailto(p.Address).Domain())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Abs("../../scheduling/testdata/programs")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(append([]string{fmt.Sprintf("domains = [%q]", domains[0])}, s.Config...), "\n")
	conf, err := parseConfig(s.File, strings.ReplaceAll(text, " programs/", " "+programs+"/"))
	if err != nil {
		t.Fatal(err)
	}
	h.desk = scheduling.New(h.store, scheduling.Options{
		Domains: domains, DomainsComplete: conf.DomainsComplete, MaxAttendees: 50, TellOthers: conf.Scheduling.TellOthers,
		Strict: conf.Scheduling.LocalStrict, PublicX: conf.Scheduling.PublicX, SharedX: conf.Scheduling.SharedX, PastGrace: conf.Scheduling.PastGrace, Now: h.clock, Programs: conf.programNames(), Administrator: conf.Rooms.Administrator,
		Program: func(ctx context.Context, q scheduling.Consulted) (string, error) {
			return conf.runProgram(ctx, q, slog.New(slog.DiscardHandler))
		},
	})
	h.fetch = published.New(published.Options{Store: h.store, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, Now: h.clock})
	h.bridge, err = imipbridge.New(imipbridge.Options{Store: h.store, Desk: h.desk, Domains: domains,
		Relay: h.relay.addr, From: "calendar@" + domains[0], Now: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	for addr, observe := range map[*string]bool{&h.lmtp: false, &h.seeing: true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*addr = l.Addr().String()
		done.Go(func() { h.bridge.ServeLMTP(ctx, l, observe) })
	}
	h.web = httptest.NewServer(caldav.New(caldav.Options{Store: h.store, Directory: directory.New(h.store), Desk: h.desk, Now: h.clock}))
	t.Cleanup(func() {
		if t.Failed() {
			h.why()
		}
		h.web.Close()
		cancel()
		done.Wait()
	})
	return h
}

// why shows what was decided, after a script that failed.
func (h *stage) why() {
	h.store.View(context.Background(), func(tx *db.Tx) error {
		ds, err := tx.Decisions("1", 100)
		for _, d := range ds {
			h.t.Logf("%s %s %s from %s to %s: %s (%s %s)", d.Direction, d.Door, d.Method, d.From, d.To, d.Outcome, d.Rule, d.Detail)
		}
		return err
	})
}

func (h *stage) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *stage) Now(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = t
}

func (h *stage) person(name string) dialogue.Person {
	for _, p := range h.people {
		if p.Name == name {
			return p
		}
	}
	panic("who is " + name)
}

// dav makes one request in a person's name. Nobody logs in as a room: its
// calendar is read from the store.
func (h *stage) dav(who, method, path, body string, header ...string) (int, string, http.Header) {
	h.t.Helper()
	req, err := http.NewRequest(method, h.web.URL+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.SetBasicAuth(h.person(who).Address, stagePassword)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

var (
	hrefs    = regexp.MustCompile(`<D:response><D:href>([^<]*)</D:href>`)
	refusals = regexp.MustCompile(`<D:error[^>]*>\s*<([A-Z]+:[a-z-]+)`)
)

// find returns the path of a person's object with this UID, "" without one.
func (h *stage) find(who, uid string) string {
	h.t.Helper()
	m := h.query(who, "calendar/", "VEVENT", uid)
	if h.tasks {
		m = append(m, h.query(who, "tasks/", "VTODO", uid)...)
	}
	for at := range h.more {
		if name, ok := strings.CutPrefix(at, h.home(who)); ok {
			m = append(m, h.query(who, name, "VEVENT", uid)...)
		}
	}
	if len(m) > 1 {
		h.t.Errorf("%s has %d copies of %s", who, len(m), uid)
	}
	if len(m) == 0 {
		return ""
	}
	return m[0]
}

func (h *stage) query(who, calendar, component, uid string) (paths []string) {
	h.t.Helper()
	return h.queryAt(who, h.home(who)+calendar, component, uid)
}

// queryAt is query in anybody's calendar; who may not look there finds nothing.
func (h *stage) queryAt(who, calendar, component, uid string) (paths []string) {
	h.t.Helper()
	code, text, _ := h.dav(who, "REPORT", calendar,
		`<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="`+component+`">`+
			`<C:prop-filter name="UID"><C:text-match collation="i;octet" match-type="equals">`+html.EscapeString(uid)+`</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`,
		"Depth", "1", "Content-Type", "text/xml")
	if (code == 403 || code == 404) && !strings.HasPrefix(calendar, h.home(who)) {
		return nil
	}
	if code != 207 {
		h.t.Fatalf("calendar-query of %s: %d\n%s", who, code, text)
	}
	for _, m := range hrefs.FindAllStringSubmatch(text, -1) {
		paths = append(paths, m[1])
	}
	return paths
}

func (h *stage) answer(code int, text string) error {
	if code < 300 {
		return nil
	}
	if m := refusals.FindStringSubmatch(text); m != nil && code == 403 {
		return &itip.Refusal{Precondition: m[1], Detail: text, Status: code}
	}
	if code == 412 {
		return &itip.Refusal{Precondition: "412", Detail: text, Status: code}
	}
	return fmt.Errorf("%d: %s", code, text)
}

func (h *stage) Put(who string, object []byte, c dialogue.Condition) error {
	uid := regexp.MustCompile(`(?m)^UID:(\S+)`).FindSubmatch(object)
	if uid == nil {
		return fmt.Errorf("an object without UID")
	}
	path := h.find(who, string(uid[1]))
	if path == "" {
		calendar := "/calendar/"
		if bytes.Contains(object, []byte("BEGIN:VTODO")) {
			calendar = "/tasks/"
		}
		path = "/dav/calendars/" + h.person(who).Address + calendar + string(uid[1]) + ".ics"
	}
	header := append(h.conditions(who, path, c), "Content-Type", "text/calendar; charset=utf-8")
	code, text, put := h.dav(who, "PUT", path, string(object), header...)
	if err := h.answer(code, text); err != nil {
		return err
	}
	return h.sameTag(who, path, put)
}

var scheduleTags = regexp.MustCompile(`<C:schedule-tag>([^<]*)</C:schedule-tag>`)

// sameTag compares the Schedule-Tag of an answer with the property afterwards
// (RFC 6638 §3.2.10, §8.2).
func (h *stage) sameTag(who, path string, answer http.Header) error {
	_, text, _ := h.dav(who, "PROPFIND", path, `<propfind xmlns="DAV:"><prop><C:schedule-tag xmlns:C="urn:ietf:params:xml:ns:caldav"/></prop></propfind>`, "Depth", "0")
	tag := ""
	if m := scheduleTags.FindStringSubmatch(text); m != nil {
		tag = html.UnescapeString(m[1])
	}
	if answer.Get("Schedule-Tag") != tag {
		return fmt.Errorf("the answer has Schedule-Tag %q, the object %q", answer.Get("Schedule-Tag"), tag)
	}
	return nil
}

// conditions are the headers that say so.
func (h *stage) conditions(who, path string, c dialogue.Condition) (header []string) {
	h.t.Helper()
	if c.Tag != nil {
		header = append(header, "If-Schedule-Tag-Match", quoted(*c.Tag))
	}
	switch {
	case c.Seen:
		_, _, get := h.dav(who, "GET", path, "")
		header = append(header, "If-Match", get.Get("ETag"))
	case c.Unseen:
		header = append(header, "If-Match", `"never"`)
	}
	return header
}

// quoted is a tag as a header has it; an empty one stays empty, as Apple's
// programs send it.
func quoted(tag string) string {
	if tag == "" {
		return ""
	}
	return `"` + tag + `"`
}

func (h *stage) Delete(who, uid string, silent bool, c dialogue.Condition) error {
	path := h.find(who, uid)
	if path == "" {
		return fmt.Errorf("nothing to delete")
	}
	header := h.conditions(who, path, c)
	if silent {
		header = append(header, "Schedule-Reply", "F")
	}
	code, text, _ := h.dav(who, "DELETE", path, "", header...)
	return h.answer(code, text)
}

func (h *stage) Mail(from, to string, method itip.Method, object []byte) (bool, error) {
	return h.mail(h.lmtp, from, []string{to}, method, object)
}

func (h *stage) Send(from string, to []string, method itip.Method, object []byte) (bool, error) {
	return h.mail(h.seeing, from, to, method, object)
}

// mail gives a mail to one of the listeners, and reads what was decided.
func (h *stage) mail(listener, from string, to []string, method itip.Method, object []byte) (bool, error) {
	h.sent++
	id := fmt.Sprintf("%d@outside", h.sent)
	var rcpts []string
	for _, name := range to {
		rcpts = append(rcpts, h.person(name).Address)
	}
	f := h.person(from).Address
	text := "From: " + f + "\nTo: " + strings.Join(rcpts, ", ") + "\nSubject: a mail\nMessage-ID: <" + id + ">\nDate: " + h.clock().UTC().Format(time.RFC1123Z) +
		"\nMIME-Version: 1.0\nContent-Type: text/calendar; charset=utf-8; method=" + string(method) + "\n\n" + string(object)
	h.last = taken{from: f, to: rcpts[0], data: strings.ReplaceAll(text, "\r\n", "\n")}
	p := &process{lmtp: listener}
	if err := p.deliver(f, rcpts[0], strings.ReplaceAll(text, "\r\n", "\n")); err != nil {
		return false, err
	}
	var ds []db.Decision
	err := h.store.View(context.Background(), func(tx *db.Tx) (err error) {
		ds, err = tx.Decisions(id, 10)
		return err
	})
	if err != nil || len(ds) == 0 {
		return false, fmt.Errorf("no decision about %s: %v", id, err)
	}
	for _, d := range ds {
		switch d.Outcome {
		case "applied":
			return false, nil
		case "refused":
			return false, &itip.Refusal{Precondition: d.Rule, Detail: d.Detail}
		}
	}
	return true, nil
}

// organizer returns whose copy the page of an invitation shows.
func (h *stage) organizer(uid string) (id int64) {
	h.t.Helper()
	err := h.store.View(context.Background(), func(tx *db.Tx) error {
		for _, p := range h.people {
			if !p.Here() {
				continue
			}
			owner, err := tx.PrincipalByAddress(p.Address)
			if err != nil {
				return err
			}
			os, err := tx.ObjectsByUID(uid, owner.ID)
			if err != nil {
				return err
			}
			for _, o := range os {
				if parsed, err := ics.Parse(o.Body, ics.Limits{}); err == nil && ics.Organizer(parsed.First()) == cuaddr.Mailto(p.Address) {
					id = owner.ID
				}
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return id
}

func said(v scheduling.Verdict, err error) error {
	switch {
	case err != nil:
		return err
	case v.Refusal != nil:
		return v.Refusal
	case !v.Applied:
		return fmt.Errorf("nothing came of it: %s", v.Rule)
	}
	return nil
}

func (h *stage) Propose(who, uid string, rid ics.RID, start, end time.Time) error {
	return said(h.desk.Propose(context.Background(), scheduling.Proposal{
		UID: uid, Attendee: cuaddr.Mailto(h.person(who).Address), Organizer: scheduling.Organizer{Principal: h.organizer(uid)},
		RID: rid, Start: start, End: end, Door: "rsvp",
	}))
}

func (h *stage) Decide(who, uid, attendee string, rid ics.RID, accept bool) error {
	return said(h.desk.AnswerProposal(context.Background(), scheduling.ProposalAnswer{
		UID: uid, Organizer: scheduling.Organizer{Principal: h.organizer(uid)}, Attendee: cuaddr.Mailto(h.person(attendee).Address),
		RID: rid, Accept: accept, Door: "rsvp",
	}))
}

func (h *stage) Split(who, uid, rid, fresh string) error {
	code, text, _ := h.dav(who, "POST", h.find(who, uid)+"?action=split&rid="+rid+"&uid="+fresh, "")
	return h.answer(code, text)
}

func (h *stage) Object(who, uid string) ([]byte, string) {
	h.t.Helper()
	if h.person(who).Kind == "room" {
		return h.roomObject(who, uid)
	}
	path := h.find(who, uid)
	if path == "" {
		return nil, ""
	}
	code, text, header := h.dav(who, "GET", path, "")
	if code != 200 {
		h.t.Fatalf("GET %s: %d", path, code)
	}
	return []byte(text), strings.Trim(header.Get("Schedule-Tag"), `"`)
}

func (h *stage) roomObject(who, uid string) (body []byte, tag string) {
	h.t.Helper()
	err := h.store.Read(context.Background(), func(tx *db.Tx) error {
		p, err := tx.PrincipalByAddress(h.person(who).Address)
		if err != nil {
			return err
		}
		os, err := tx.ObjectsByUID(uid, p.ID)
		if err == nil && len(os) == 1 {
			body, tag = itip.Shown(os[0].Body), os[0].ScheduleTag
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return body, tag
}

// Settle does the queued jobs and sends the queued mails.
func (h *stage) Settle() {
	h.t.Helper()
	if !h.rests {
		h.settle()
	}
}

// settle returns how many jobs there were.
func (h *stage) settle() (done int) {
	h.t.Helper()
	for range 100 {
		jobs, err := h.desk.WorkOnce(context.Background())
		if err != nil {
			h.t.Fatal(err)
		}
		mails, err := h.bridge.WorkOnce(context.Background())
		if err != nil {
			h.t.Fatal(err)
		}
		feeds, err := h.fetch.WorkOnce(context.Background())
		if err != nil {
			h.t.Fatal(err)
		}
		done += jobs
		if jobs+mails+feeds == 0 {
			return done
		}
	}
	h.t.Fatal("the queues do not become empty")
	return done
}

func (h *stage) Rest() { h.rests = true }

func (h *stage) Work() int {
	h.rests = false
	return h.settle()
}

// Mailed reads a person's new mails.
func (h *stage) Mailed(who string) [][]byte {
	h.t.Helper()
	var out [][]byte
	p := h.person(who)
	for _, m := range h.relay.taken() {
		if m.to != p.Address || m.read {
			continue
		}
		mail, err := imip.Parse([]byte(m.data), h.clock(), imip.Limits{})
		if err != nil || len(mail.Objects) == 0 {
			h.t.Errorf("a mail to %s holds no iTIP message: %v\n%s", who, err, m.data)
			continue
		}
		for _, o := range mail.Objects {
			if why := dialogue.Breaks(o, true); why != "" {
				h.t.Errorf("a mail to %s has %s:\n%s", who, why, o.Bytes())
			}
			out = append(out, o.Bytes())
		}
	}
	h.relay.markRead(p.Address)
	return out
}

// Told reads a person's new mails, or his inbox, which he then empties as
// Apple's programs do: that has no effect on the meeting.
func (h *stage) Told(who string) [][]byte {
	h.t.Helper()
	var out [][]byte
	p := h.person(who)
	if p.Kind == "outside" {
		return h.Mailed(who)
	}
	for _, at := range h.items(who) {
		if h.kept[who][at] {
			continue
		}
		code, body, _ := h.dav(who, "GET", at, "")
		if code != 200 {
			h.t.Fatalf("GET %s: %d", at, code)
		}
		out = append(out, []byte(body))
		if h.kept[who] != nil {
			h.kept[who][at] = true
			continue
		}
		if code, text, _ := h.dav(who, "DELETE", at, ""); code != 204 {
			h.t.Fatalf("DELETE %s: %d %s", at, code, text)
		}
	}
	return out
}
