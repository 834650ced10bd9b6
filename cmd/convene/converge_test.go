package main

import (
	"fmt"
	"math/rand/v2"
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
	"github.com/convene-server/convene/scheduling/ics"
)

// TestTwoServers lets people of two servers, one on SQLite and one on
// PostgreSQL, with a real Postfix between them, and people who have nothing but
// mail, do what comes to their minds to several meetings at once, through every
// door. When the queues are empty all copies agree, as in the simulation of the
// core (decision 34), everybody's busy time is what his copies say, nobody was
// mailed what he had been told, and no request was answered with a 5xx. A failure
// prints what was done and, for each server, a script of it for TestDialogues.
//
// CONVENE_SEED chooses the histories; 6 are played, with CONVENE_SOAK 300 of a
// new seed; CONVENE_HISTORIES says otherwise.
func TestTwoServers(t *testing.T) {
	seed, histories := uint64(6638), 6
	if os.Getenv("CONVENE_SOAK") != "" {
		seed, histories = uint64(time.Now().UnixNano()>>10), 300
	}
	for name, set := range map[string]func(uint64){
		"CONVENE_SEED": func(n uint64) { seed = n }, "CONVENE_HISTORIES": func(n uint64) { histories = int(min(n, atOnce*leavers)) },
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
	var all []*history
	for from := 0; from < histories && !t.Failed(); from += atOnce {
		all = append(all, w.play(seed, from, min(atOnce, histories-from))...)
	}
	if !t.Failed() {
		w.busy()
	}
	t.Logf("acts: %s", tally(all))
}

const (
	atOnce  = 30 // histories that are played side by side
	leavers = 40 // people who are removed, one for so many histories
)

// twoServers are two processes, the mail server between them and the world
// outside.
type twoServers struct {
	t                *testing.T
	mta              *mta
	submits          string    // where people send from their mail programs
	observe          [2]string // where the servers get copies of that
	servers          [2]*process
	stores           [2]*db.Store // of the servers
	wires            [4]*wire     // what the servers send, and what comes to them
	people           []*neighbour // who have a program for their calendar
	rooms            []*neighbour
	bob              *neighbour // who has nothing but mail, and a program that reads it
	outside          *catcher.Catcher
	halRead, bobRead int    // the last mails that they looked at
	boxes            [2]int // how much of what came to the mailboxes was looked at
	leaver           *neighbour
	hs               []*history // that are being played
}

// hal has nothing but mail, and a program that knows no meetings: he answers by
// hand, and by the page of an invitation.
const bobOutside, halOutside = "bob@example.com", "hal@example.com"

func newTwoServers(t *testing.T) *twoServers {
	w := &twoServers{t: t, submits: freeAddr(t)}
	var outsideAddr string
	w.outside, outsideAddr = startSink(t, false)
	domains := [2]string{"example.org", "example.net"}
	w.observe = [2]string{freeAddr(t), freeAddr(t)}
	w.servers = [2]*process{newProcess(t, dbtest.DSN(t, "sqlite"), ""), newProcess(t, dbtest.DSN(t, "postgres"), "")}
	for i, p := range w.servers {
		w.wires[2+i] = newWire(t, p.lmtp, true)
	}
	boxes := []string{"calendar@example.net", "red@example.net", "big@example.net", "low@example.org"}
	for _, name := range append([]string{"ann", "ben"}, names(leavers)...) {
		boxes = append(boxes, name+"@example.org")
	}
	for _, name := range append([]string{"cat", "dan"}, names(leavers)...) {
		boxes = append(boxes, name+"@example.net")
	}
	w.mta = startPostfix(t, "inline.cf", "submission.master", boxes, outsideAddr,
		"virtual_mailbox_domains = example.org", "virtual_mailbox_domains = example.org, example.net",
		"# transport_maps = texthash:/etc/postfix/convene-transport", "transport_maps = inline:{ { example.net = lmtp:inet:"+w.wires[3].addr+" }, { one.invalid = lmtp:inet:"+w.observe[0]+" }, { two.invalid = lmtp:inet:"+w.observe[1]+" } }",
		"127.0.0.1:2424", w.wires[2].addr, "$mailbox_server", w.servers[0].nextHop.addr,
		// A service for their mail programs that believes them without a log-in.
		"submission inet", w.submits+" inet", "-o smtpd_tls_security_level=encrypt", "-o smtpd_tls_security_level=none", "-o smtpd_sasl_auth_enable=yes", "-o smtpd_sasl_auth_enable=no",
		"-o smtpd_client_restrictions=permit_sasl_authenticated,reject", "-o smtpd_client_restrictions=permit_mynetworks,reject", "-o smtpd_sender_restrictions=reject_sender_login_mismatch", "-o smtpd_sender_restrictions=",
		"-o always_bcc=observed@observe.convene.invalid", "-o { sender_bcc_maps = inline:{ { @example.org = observed@one.invalid }, { @example.net = observed@two.invalid } } }")
	for i, domain := range domains {
		p := w.servers[i]
		w.wires[i] = newWire(t, w.mta.smtp, false)
		text, err := os.ReadFile(p.conf)
		if err == nil {
			err = os.WriteFile(p.conf, []byte(strings.NewReplacer("example.org", domain, p.relay.addr, w.wires[i].addr, "deliver_to =", fmt.Sprintf("observe = %q\ndeliver_to =", w.observe[i])).Replace(string(text))+
				"[people]\norganiser_replacement = \"any\"\n"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		p.start()
		w.stores[i] = dbtest.Open(t, p.dsn, db.Options{})
	}
	a, _ := w.join("ann@example.org"), w.join("ben@example.org")
	c, d := w.join("cat@example.net"), w.join("dan@example.net")
	d.server.must("", "user", "set", d.address, "--delegate", c.address)
	d.secretary = c
	w.open(blue, a)
	w.open("low@example.org", a, "ACT_MANUAL", "owner "+halOutside)
	w.open("big@example.net", c, "ACT_MANUAL", "owner "+c.address)
	w.open("red@example.net", d, "schedule_next_available_in_freebusy")
	w.bob = &neighbour{address: bobOutside, store: map[string]*ics.Object{}, left: map[string]*ics.Object{}}
	return w
}

// names are those of people who will leave.
func names(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint("gus", i))
	}
	return out
}

// of is the server that serves an address, -1: none.
func (w *twoServers) of(address string) int {
	return slices.IndexFunc([]string{"@example.org", "@example.net"}, func(s string) bool { return strings.HasSuffix(address, s) })
}

// join adds somebody with a calendar.
func (w *twoServers) join(address string) *neighbour {
	p := w.servers[w.of(address)]
	name, _, _ := strings.Cut(address, "@")
	p.must(name+"\n", "user", "add", address, "--password-stdin", "--mail-copies", "never")
	n := &neighbour{address: address, server: p, davClient: davClient{base: "http://" + p.http, user: address, password: name}}
	n.makes(w.t, "second")
	w.people = append(w.people, n)
	return n
}

// open adds a room, whose calendar somebody may read.
func (w *twoServers) open(address string, by *neighbour, rules ...string) {
	args := []string{"room", "add", address}
	for _, r := range rules {
		args = append(args, "--policy", r)
	}
	by.server.must("", args...)
	by.server.must("", "room", "set", address, "--delegate", by.address)
	w.rooms = append(w.rooms, &neighbour{address: address, server: by.server, davClient: by.davClient, room: true})
}

// history is one meeting and what was done to it.
type history struct {
	*rand.Rand
	w         *twoServers
	uid, kind string
	at        int // the day of the first occurrence, counted from today
	organizer *neighbour
	acts      []string
	sequence  map[ics.RID]int
	gone      map[*neighbour]bool   // who removed his copy
	silent    map[*neighbour]bool   // and told nobody (decision 34)
	seen      map[*neighbour]*found // what programs have that did not synchronise since
	imported  *ics.Object           // what everybody was brought
	log       [2][]entry            // what was done, by server
	half      bool                  // of a series that was parted
	calm      bool                  // nothing is on its way now
	sent      []string              // delegates
}

func (w *twoServers) begin(seed uint64, i int) *history {
	h := &history{Rand: rand.New(rand.NewPCG(seed, uint64(i))), w: w, uid: fmt.Sprintf("meeting-%d-%03d", seed, i), kind: "VEVENT", at: 30 + i%atOnce*8}
	h.reset()
	n := h.IntN(len(w.people) + 1)
	if h.organizer = w.bob; n < len(w.people) {
		h.organizer = w.people[n]
	}
	return h
}

func (h *history) reset() {
	h.sequence, h.gone, h.silent, h.seen = map[ics.RID]int{}, map[*neighbour]bool{}, map[*neighbour]bool{}, map[*neighbour]*found{}
}

func (w *twoServers) play(seed uint64, from, n int) []*history {
	w.leaver = w.join(fmt.Sprintf("gus%d@%s", from/atOnce, []string{"example.org", "example.net"}[from/atOnce%2]))
	w.hs = nil
	for i := range n {
		w.hs = append(w.hs, w.begin(seed, from+i))
	}
	for round := range 7 {
		w.nextSecond()
		for _, h := range slices.Clone(w.hs) {
			if round == 0 {
				h.invite()
				continue
			}
			for _, p := range append(slices.Clone(w.people), w.bob) {
				if p != h.organizer && h.IntN(3) == 0 {
					h.answer(p)
				}
			}
			if h.IntN(5) < 3 {
				h.organize()
			}
		}
		w.answerMails()
		w.nextSecond()
		w.decide()
		if round%2 != 0 {
			continue
		}
		w.quiet()
		w.nextSecond()
		for _, h := range slices.Clone(w.hs) { // one act each that crosses nothing
			h.calmly()
		}
		w.quiet()
		if round == 4 {
			w.leave(w.leaver)
		}
	}
	for again := true; again; { // mail outside is answered, too
		w.quiet()
		again = w.answerMails()
		again = w.decide() || again
	}
	for _, h := range w.hs {
		h.agree()
		if w.t.Failed() {
			break
		}
	}
	for _, h := range w.hs {
		if !w.t.Failed() {
			h.news()
		}
	}
	for _, p := range w.servers {
		for l := range strings.Lines(p.out.String()) {
			if strings.Contains(l, "level=ERROR") {
				w.t.Error(l)
			}
		}
	}
	return w.hs
}

// leave removes somebody; what he organized is called off, or somebody else's.
func (w *twoServers) leave(p *neighbour) {
	args, heir := []string{"user", "remove", p.address}, (*neighbour)(nil)
	if rest := slices.DeleteFunc(slices.Clone(w.people), func(q *neighbour) bool { return q == p || q.server != p.server }); w.hs[0].IntN(3) > 0 {
		heir = rest[w.hs[0].IntN(len(rest))]
		args = append(args, "--hand-over-to", heir.address)
	}
	w.nextSecond()
	p.server.must("", args...)
	p.removed = true
	w.people = slices.DeleteFunc(w.people, func(q *neighbour) bool { return q == p })
	for _, h := range w.hs {
		what := strings.Join(args[1:], " ")
		h.did(p, what, fmt.Sprintf("remove %s %s", p.name(), heir.name()), nil)
		h.gone[p], h.silent[p] = true, true
		h.seen = map[*neighbour]*found{}
		if p == h.organizer && heir != nil {
			h.organizer = heir
		}
	}
	w.quiet()
}

// nextSecond waits for it: DTSTAMP has no fractions.
func (w *twoServers) nextSecond() {
	for was := time.Now().Unix(); time.Now().Unix() == was; {
		time.Sleep(20 * time.Millisecond)
	}
}

// due reports whether there is a job to be done now; what the end of a meeting
// brings is days away.
func (w *twoServers) due(store *db.Store) (yes bool) {
	err := store.View(w.t.Context(), func(tx *db.Tx) error {
		at, some, err := tx.NextJob()
		yes = some && at.Before(time.Now().Add(10*time.Minute))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return yes
}

// quiet waits until nothing is on its way.
func (w *twoServers) quiet() {
	w.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		waits := ""
		for range 2 { // what left one queue may be in the next
			for _, store := range w.stores {
				if w.due(store) {
					waits += " a job"
				}
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
				filepath.WalkDir(filepath.Join(w.mta.dir, "spool", q), func(file string, d os.DirEntry, err error) error {
					if err == nil && !d.IsDir() {
						waits += " " + file
					}
					return nil
				})
			}
			if w.bobReads() {
				waits += " Bob's mail"
			}
		}
		if waits == "" {
			return
		}
		if time.Now().After(end) {
			for _, p := range w.servers {
				w.t.Log(p.out)
			}
			w.t.Fatalf("the mails do not end: %s", waits)
		}
	}
}
