package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/smtp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/cmd/convene/catcher"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// TestTwoServers lets people of two servers, one on SQLite and one on
// PostgreSQL, with a real Postfix between them, and one who has nothing but mail,
// do what comes to their minds to several meetings at once. When the queues are
// empty all copies agree, as in the simulation of the core (decision 34), and
// everybody's busy time is what his copies say.
//
// CONVENE_SEED chooses the histories; 6 are played, with CONVENE_SOAK 300 of a
// new seed; CONVENE_HISTORIES says otherwise.
func TestTwoServers(t *testing.T) {
	seed, histories := uint64(6638), 6
	if os.Getenv("CONVENE_SOAK") != "" {
		seed, histories = uint64(time.Now().UnixNano()>>10), 300
	}
	for name, set := range map[string]func(uint64){
		"CONVENE_SEED": func(n uint64) { seed = n }, "CONVENE_HISTORIES": func(n uint64) { histories = int(min(n, 300)) },
	} {
		if s := os.Getenv(name); s != "" {
			n, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			set(n)
		}
	}
	t.Logf("%d histories, CONVENE_SEED=%d", histories, seed)
	w := newTwoServers(t)
	const atOnce = 30
	var all []*history
	for from := 0; from < histories && !t.Failed(); from += atOnce {
		all = append(all, w.play(seed, from, min(atOnce, histories-from))...)
	}
	if !t.Failed() {
		w.busy(all)
	}
}

const bobOutside = "bob@example.com"

// neighbour is somebody with a calendar on one of two servers.
type neighbour struct {
	address string
	server  *process
	davClient
}

// calendars are his own: where invitations come, and another.
func (n *neighbour) calendars() []string {
	first := calendarOf(n.address)
	return []string{first, strings.Replace(first, "/calendar/", "/second/", 1)}
}

// twoServers are two processes and the mail server between them.
type twoServers struct {
	t       *testing.T
	mta     *mta
	servers [2]*process
	stores  [2]*db.Store // of the servers
	people  []*neighbour
	outside *catcher.Catcher
	read    int // mails to those outside that were looked at
}

func newTwoServers(t *testing.T) *twoServers {
	w := &twoServers{t: t}
	var outsideAddr string
	w.outside, outsideAddr = startSink(t, false)
	w.servers = [2]*process{newProcess(t, dbtest.DSN(t, "sqlite"), ""), newProcess(t, dbtest.DSN(t, "postgres"), "")}
	w.mta = startPostfix(t, "inline.cf", "", []string{ann, ben, "cat@example.net", "dan@example.net", "calendar@example.net"}, outsideAddr,
		"virtual_mailbox_domains = example.org", "virtual_mailbox_domains = example.org, example.net",
		"# transport_maps = texthash:/etc/postfix/convene-transport", "transport_maps = inline:{ { example.net = lmtp:inet:"+w.servers[1].lmtp+" } }",
		"127.0.0.1:2424", w.servers[0].lmtp, "$mailbox_server", w.servers[0].nextHop.addr)
	for i, domain := range []string{"example.org", "example.net"} {
		p := w.servers[i]
		text, err := os.ReadFile(p.conf)
		if err == nil {
			err = os.WriteFile(p.conf, []byte(strings.NewReplacer("example.org", domain, p.relay.addr, w.mta.smtp).Replace(string(text))), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		p.start()
		w.stores[i] = dbtest.Open(t, p.dsn, db.Options{})
		for _, name := range [][]string{{"ann", "ben"}, {"cat", "dan"}}[i] {
			address := name + "@" + domain
			p.must(name+"\n", "user", "add", address, "--password-stdin", "--mail-copies", "never")
			n := &neighbour{address, p, davClient{base: "http://" + p.http, user: address, password: name}}
			if status, _, text, err := n.do(t.Context(), "MKCALENDAR", n.calendars()[1], ""); err != nil || status != http.StatusCreated {
				t.Fatal(status, text, err)
			}
			w.people = append(w.people, n)
		}
		if i == 0 {
			p.must("", "room", "add", blue)
		}
	}
	return w
}

// history is one meeting and what was done to it.
type history struct {
	*rand.Rand
	w         *twoServers
	uid       string
	organizer *neighbour
	acts      []string
	sequence  map[ics.RID]int
	gone      map[string]bool // who removed his copy
	away      map[string]bool // who took days off
}

func (w *twoServers) play(seed uint64, from, n int) []*history {
	var hs []*history
	for i := range n {
		h := &history{Rand: rand.New(rand.NewPCG(seed, uint64(from+i))), w: w, uid: fmt.Sprintf("meeting-%d-%03d", seed, from+i), sequence: map[ics.RID]int{}, gone: map[string]bool{}, away: map[string]bool{}}
		h.organizer = w.people[h.IntN(len(w.people))]
		hs = append(hs, h)
	}
	for round := range 7 {
		w.nextSecond()
		for _, h := range hs {
			if round == 0 {
				h.begin()
				continue
			}
			for _, p := range w.people {
				if p != h.organizer && h.IntN(3) == 0 {
					h.answer(p)
				}
			}
			if h.IntN(5) < 3 {
				h.organize()
			}
		}
		w.answerMails(hs)
		if round%2 == 0 {
			w.quiet()
			w.nextSecond()
			for _, h := range hs { // one act each that crosses nothing
				if h.IntN(3) == 0 {
					h.delegate(w.people[h.IntN(len(w.people))])
				}
			}
			w.quiet()
		}
	}
	for again := true; again; { // mail outside is answered, too
		w.quiet()
		again = w.answerMails(hs)
	}
	for _, h := range hs {
		h.agree()
		if w.t.Failed() {
			break
		}
	}
	return hs
}

// nextSecond waits for it: DTSTAMP has no fractions.
func (w *twoServers) nextSecond() {
	for was := time.Now().Unix(); time.Now().Unix() == was; {
		time.Sleep(20 * time.Millisecond)
	}
}

// quiet waits until no mail is on its way.
func (w *twoServers) quiet() {
	w.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		waits := ""
		for range 2 { // what left one queue may be in the next
			for _, store := range w.stores {
				err := store.View(w.t.Context(), func(tx *db.Tx) error {
					queued, err := tx.Deliveries(0, 10)
					for _, d := range queued {
						waits += " " + d.Rcpt
					}
					return err
				})
				if err != nil {
					w.t.Fatal(err)
				}
			}
			for _, q := range []string{"maildrop", "incoming", "active", "deferred"} {
				files, _ := filepath.Glob(filepath.Join(w.mta.dir, "spool", q, "*"))
				waits += strings.Join(files, " ")
			}
		}
		if waits == "" {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("the mails do not end: %s", waits)
		}
	}
}

// answerMails lets Bob answer what he has in his mailbox, from his mail program.
func (w *twoServers) answerMails(hs []*history) bool {
	mails := w.outside.Mails()
	did := false
	for _, m := range mails[w.read:] {
		i := slices.IndexFunc(hs, func(h *history) bool { return m.Calendar != nil && m.Calendar.UID() == h.uid })
		if i < 0 || m.Rcpt() != bobOutside || !m.Answerable() || hs[i].IntN(3) == 0 {
			continue
		}
		say := []string{"ACCEPTED", "DECLINED", "TENTATIVE"}[hs[i].IntN(3)]
		from, to, reply, err := m.Reply(say, time.Now())
		if err == nil {
			err = smtp.SendMail(w.mta.smtp, nil, from, []string{to}, reply)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		hs[i].acts = append(hs[i].acts, "bob mails "+say)
		did = true
	}
	w.read = len(mails)
	return did
}

func (h *history) begin() {
	day := time.Now().AddDate(0, 0, 30).UTC().Format("20060102")
	var b strings.Builder
	fmt.Fprintf(&b, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//two servers//EN\r\nBEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:%sT000000Z\r\nDTSTART:%sT100000Z\r\nDTEND:%sT110000Z\r\nSUMMARY:Budget\r\n", h.uid, day, day, day)
	if h.IntN(3) > 0 {
		b.WriteString("RRULE:FREQ=DAILY;COUNT=5\r\n")
	}
	fmt.Fprintf(&b, "ORGANIZER:mailto:%s\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:%s\r\n", h.organizer.address, h.organizer.address)
	for _, a := range h.others() {
		if h.IntN(4) > 0 {
			fmt.Fprintf(&b, "ATTENDEE:mailto:%s\r\n", a)
		}
	}
	b.WriteString("END:VEVENT\r\nEND:VCALENDAR\r\n")
	h.acts = append(h.acts, h.organizer.address+" puts\n"+b.String())
	if _, err := h.organizer.put(h.w.t.Context(), calendarOf(h.organizer.address)+h.uid+".ics", b.String(), "If-None-Match", "*"); err != nil {
		h.w.t.Fatal(err)
	}
}

// others are those whom the organizer may invite.
func (h *history) others() []string {
	var out []string
	for _, p := range h.w.people {
		if p != h.organizer {
			out = append(out, p.address)
		}
	}
	return append(out, bobOutside, blue)
}

// copy returns somebody's copy, nil if he has none.
func (h *history) copy(p *neighbour) *found {
	var list []found
	for _, at := range p.calendars() {
		here, err := p.query(h.w.t.Context(), at, h.uid)
		if err != nil {
			h.w.t.Fatal(err)
		}
		list = append(list, here...)
	}
	if len(list) > 1 {
		h.w.t.Fatalf("%s has %s %d times", p.address, h.uid, len(list))
	}
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// write changes a copy as a program does that reads it again where something
// came between.
func (h *history) write(p *neighbour, change func(f *found) (what string, o *ics.Object)) {
	for range 20 {
		f := h.copy(p)
		if f == nil {
			return
		}
		what, o := change(f)
		if what == "" {
			return
		}
		method, body := "DELETE", ""
		if o != nil {
			method, body = "PUT", string(o.Bytes())
		}
		status, _, text, err := p.do(h.w.t.Context(), method, f.Href, body, "Content-Type", "text/calendar; charset=utf-8", "If-Match", f.ETag)
		switch {
		case err != nil:
			h.w.t.Fatal(err)
		case status == http.StatusPreconditionFailed:
			continue
		}
		h.acts = append(h.acts, fmt.Sprintf("%s %s: %s %d", time.Now().UTC().Format("15:04:05"), p.address, what, status))
		if status/100 != 2 && status != http.StatusForbidden || strings.Contains(text, "valid-calendar") {
			h.w.t.Errorf("%d %s\n%s", status, text, strings.Join(h.acts, "\n"))
		}
		if p == h.organizer {
			h.sequences()
		}
		return
	}
	h.w.t.Fatalf("%s never gets to write", p.address)
}

// answer is what an attendee does.
func (h *history) answer(p *neighbour) {
	what, nth, say := h.IntN(10), h.IntN(5), []string{"ACCEPTED", "DECLINED", "TENTATIVE"}[h.IntN(3)]
	self := func(a cuaddr.Address) bool { return a.Mail() == p.address }
	if what == 9 {
		h.move(p)
		return
	}
	h.write(p, func(f *found) (string, *ics.Object) {
		switch {
		case what == 0:
			h.gone[p.address] = true
			return "removes his copy", nil
		case what < 4:
			if r := instance(f.Object, nth); r != "" {
				if o := itip.SetPartStat(f.Object, self, r, say, ""); o != nil {
					return say + " " + string(r), o
				}
			}
			return "", nil
		case what == 8: // a day off the calendar
			r, m := instance(f.Object, nth), f.Object.Master()
			if r == "" || m == nil {
				return "", nil
			}
			root := f.Object.Root().Clone()
			root.Children = slices.DeleteFunc(root.Children, func(c *ics.Component) bool { return c.Name == "VEVENT" && f.Object.RID(c) == r })
			for _, c := range root.Children {
				if c.Name == "VEVENT" && c.Prop("RECURRENCE-ID") == nil {
					c.Add(f.Object.DateProp("EXDATE", r))
				}
			}
			h.away[p.address] = true
			return "without " + string(r), ics.New(root)
		}
		if o := itip.SetPartStat(f.Object, self, "", say, ""); o != nil {
			return say, o
		}
		return "", nil
	})
}

// move puts a copy into another calendar of its owner's, which nobody hears of.
func (h *history) move(p *neighbour) {
	f := h.copy(p)
	if f == nil {
		return
	}
	to := p.calendars()[1]
	if strings.Contains(f.Href, "/second/") {
		to = p.calendars()[0]
	}
	status, _, text, err := p.do(h.w.t.Context(), "MOVE", f.Href, "", "Destination", p.base+to+h.uid+".ics", "Overwrite", "F")
	h.acts = append(h.acts, fmt.Sprintf("%s %s: moves his copy to %s %d", time.Now().UTC().Format("15:04:05"), p.address, to, status))
	if err != nil || status/100 != 2 && status != http.StatusNotFound { // 404: cancelled or moved since
		h.w.t.Errorf("%d %s %v\n%s", status, text, err, strings.Join(h.acts, "\n"))
	}
}

// delegate sends somebody else to all of the meeting.
func (h *history) delegate(p *neighbour) {
	to := h.others()[h.IntN(len(h.others()))]
	if p == h.organizer || to == p.address || h.gone[p.address] {
		return
	}
	h.write(p, func(f *found) (string, *ics.Object) {
		root := f.Object.Root().Clone()
		did := false
		for _, c := range root.Children {
			if l := ics.Attendee(c, func(a cuaddr.Address) bool { return a.Mail() == p.address }); c.Name == "VEVENT" && l != nil {
				*l = l.WithParam("PARTSTAT", "DELEGATED").WithParam("DELEGATED-TO", "mailto:"+to)
				did = true
			}
		}
		if !did {
			return "", nil
		}
		return "sends " + to, ics.New(root)
	})
}

// instance names the nth of a series, "" where there is none.
func instance(o *ics.Object, nth int) ics.RID {
	if m := o.Master(); m == nil || m.Prop("RRULE") == nil {
		return ""
	}
	var all []ics.RID
	o.Instances(time.Time{}, time.Time{}, time.UTC, ics.Bound{}, func(i ics.Instance) bool {
		all = append(all, i.RID)
		return len(all) < 50
	})
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	return all[nth%len(all)]
}

// organize is what the organizer does.
func (h *history) organize() {
	what, nth, place := h.IntN(11), h.IntN(5), fmt.Sprint("Room ", h.IntN(3))
	guest := h.others()[h.IntN(len(h.others()))]
	is := func(p *ics.Prop) bool { return p.Name == "ATTENDEE" && ics.CalAddress(p).Mail() == guest }
	h.write(h.organizer, func(f *found) (string, *ics.Object) {
		root := f.Object.Root().Clone()
		var events []*ics.Component
		var master *ics.Component
		for _, c := range root.Children {
			if c.Name == "VEVENT" {
				events = append(events, c)
				if c.Prop("RECURRENCE-ID") == nil {
					master = c
				}
			}
		}
		r := instance(f.Object, nth)
		one := func() *ics.Component { // its override, made where there is none
			for _, c := range events {
				if f.Object.RID(c) == r {
					return c
				}
			}
			c := f.Object.Occurrence(r).Clone()
			root.Children = append(root.Children, c)
			return c
		}
		switch {
		case what == 0:
			for _, c := range events {
				c.Set(ics.NewProp("LOCATION", place))
			}
			return place + " everywhere", ics.New(root)
		case what == 1 && r != "":
			one().Set(ics.NewProp("LOCATION", place))
			return place + " for " + string(r), ics.New(root)
		case what == 2 && r != "":
			later(one())
			return string(r) + " is later", ics.New(root)
		case what == 3:
			root.Children = slices.DeleteFunc(root.Children, func(c *ics.Component) bool { return c.Prop("RECURRENCE-ID") != nil })
			master.Remove("EXDATE")
			later(master)
			return "all is later", ics.New(root)
		case what == 4 && r != "":
			root.Children = slices.DeleteFunc(root.Children, func(c *ics.Component) bool { return c.Name == "VEVENT" && f.Object.RID(c) == r })
			master.Add(f.Object.DateProp("EXDATE", r))
			return "no " + string(r), ics.New(root)
		case what == 5 || what == 6:
			for _, c := range events {
				if !slices.ContainsFunc(c.Props, func(p ics.Prop) bool { return is(&p) }) {
					c.Add(ics.NewProp("ATTENDEE", "mailto:"+guest))
				}
			}
			return guest + " joins", ics.New(root)
		case what == 7:
			for _, c := range events {
				c.RemoveFunc(is)
			}
			return guest + " leaves", ics.New(root)
		case what == 8 && r != "":
			one().RemoveFunc(is)
			return guest + " leaves " + string(r), ics.New(root)
		case what == 9:
			for _, c := range events {
				c.Set(ics.NewProp("STATUS", []string{"TENTATIVE", "CONFIRMED"}[nth%2]))
			}
			return "another status", ics.New(root)
		case what == 10 && nth == 0:
			return "removes the meeting", nil
		}
		return "", nil
	})
}

// later moves an event by an hour.
func later(c *ics.Component) {
	for _, n := range []string{"DTSTART", "DTEND"} {
		p := c.Prop(n)
		if at, err := time.Parse("20060102T150405Z", p.Value); err == nil {
			c.Set(p.WithValue(at.Add(time.Hour).Format("20060102T150405Z")))
		}
	}
}

// sequences checks that no instance goes back to an earlier revision.
func (h *history) sequences() {
	f := h.copy(h.organizer)
	if f == nil {
		return
	}
	for _, c := range f.Object.Main() {
		r := f.Object.RID(c)
		n, _ := strconv.Atoi(c.Value("SEQUENCE"))
		if n < h.sequence[r] {
			h.w.t.Errorf("SEQUENCE of %q fell from %d to %d\n%s", r, h.sequence[r], n, strings.Join(h.acts, "\n"))
		}
		h.sequence[r] = n
	}
}

// agree waits until all copies tell the same. What comes without mail, the
// answers of others, may still be on its way.
func (h *history) agree() {
	for end := time.Now().Add(patience / 4); ; time.Sleep(50 * time.Millisecond) {
		bad := h.compare()
		if len(bad) == 0 {
			return
		}
		if time.Now().After(end) {
			for _, p := range h.w.people {
				if f := h.copy(p); f != nil {
					h.w.t.Logf("%s:\n%s", p.address, f.Object.Bytes())
				}
			}
			for _, p := range h.w.servers {
				h.w.t.Log(p.must("", "why", h.uid))
			}
			h.w.t.Errorf("copies of %s do not agree:\n%s\n\nafter\n%s", h.uid, strings.Join(bad, "\n"), strings.Join(h.acts, "\n"))
			return
		}
	}
}

func (h *history) compare() []string {
	var truth *ics.Object
	if f := h.copy(h.organizer); f != nil {
		truth = f.Object
	}
	var bad []string
	for _, p := range h.w.people {
		if p == h.organizer {
			continue
		}
		want, have := map[ics.RID]string{}, map[ics.RID]string{}
		if truth != nil {
			want = h.occurrences(truth, p)
		}
		if f := h.copy(p); f != nil {
			have = h.occurrences(f.Object, p)
		}
		for r, what := range want {
			said := func(s string) bool { return strings.Contains(what, ": "+s) }
			if have[r] == "" && (h.gone[p.address] && (said("DECLINED") || said("DELEGATED")) || h.away[p.address] && (said("DECLINED") || said("NEEDS-ACTION"))) {
				continue // he took his copy off, or a day of it
			}
			if have[r] != what {
				bad = append(bad, fmt.Sprintf("%s has %q, the organizer %q", p.address, have[r], what))
			}
		}
		for r, what := range have {
			if want[r] == "" {
				bad = append(bad, fmt.Sprintf("%s has %q, the organizer nothing", p.address, what))
			}
		}
	}
	slices.Sort(bad)
	return bad
}

// occurrences tells each occurrence in which somebody takes part: when and where
// it is and what he answered; on the organizer's server, what everybody answered.
func (h *history) occurrences(o *ics.Object, p *neighbour) map[ics.RID]string {
	out := map[ics.RID]string{}
	err := o.Instances(time.Time{}, time.Time{}, time.UTC, ics.Bound{}, func(i ics.Instance) bool {
		c := i.Component
		mine := ics.Attendee(c, func(a cuaddr.Address) bool { return a.Mail() == p.address })
		if mine == nil || strings.EqualFold(c.Value("STATUS"), "CANCELLED") {
			return true
		}
		answers := ics.PartStat(mine)
		if p.server == h.organizer.server {
			var all []string
			for _, a := range ics.Attendees(c) {
				all = append(all, ics.CalAddress(a).Mail()+" "+ics.PartStat(a))
			}
			slices.Sort(all)
			answers += "; " + strings.Join(all, ", ")
		}
		status := strings.ToUpper(c.Value("STATUS"))
		if status == "" {
			status = "CONFIRMED"
		}
		out[i.RID] = fmt.Sprintf("%s %s-%s %s %s: %s", i.RID, i.Start.UTC().Format("02T15"), i.End.UTC().Format("02T15"), c.Value("LOCATION"), status, answers)
		return true
	})
	if err != nil {
		h.w.t.Fatal(err)
	}
	return out
}
