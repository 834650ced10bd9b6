package main

import (
	"fmt"
	"math/rand"
	"net/mail"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/convene-server/convene/db/dbtest"
)

// TestKill kills the server at random moments of a burst of PUTs and LMTP
// deliveries, starts it again, and looks whether anything that was accepted is
// lost or anything happened twice. CONVENE_SOAK=1 does it 200 times on each
// database instead of 20; CONVENE_SEED repeats a run.
func TestKill(t *testing.T) {
	kills := 20
	if os.Getenv("CONVENE_SOAK") != "" {
		kills = 200
	}
	seed := time.Now().UnixNano()
	if s := os.Getenv("CONVENE_SEED"); s != "" {
		fmt.Sscan(s, &seed)
	}
	for _, dialect := range []string{"sqlite", "postgres"} {
		t.Run(dialect, func(t *testing.T) {
			t.Logf("CONVENE_SEED=%d", seed)
			dsn := dbtest.DSN(t, dialect)
			killing(t, newProcess(t, dsn, ""), dsn, rand.New(rand.NewSource(seed)), kills)
		})
	}
}

const bob = "bob@example.com" // is invited, and outside; Carol outside invites

// burst is what the clients of one test know: what was accepted, and what was
// sent without an answer.
type burst struct {
	p *process

	mu      sync.Mutex
	next    int
	put     map[string]bool   // UID of a PUT: accepted?
	replied map[string]bool   // UID of a mailed REPLY: accepted?
	invited map[string]bool   // UID of a mailed REQUEST: accepted?
	pending map[string]string // mails without a verdict, by UID: an MTA tries them again
}

func killing(t *testing.T, p *process, dsn string, rng *rand.Rand, kills int) {
	p.must("ann\n", "user", "add", ann, "--password-stdin", "--mail-copies", "never")
	p.must("ben\n", "user", "add", ben, "--password-stdin", "--mail-copies", "never")
	b := &burst{p: p, put: map[string]bool{}, replied: map[string]bool{}, invited: map[string]bool{}, pending: map[string]string{}}
	for range kills {
		p.start()
		b.again(t)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for w := range 6 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if w < 3 {
						b.organize()
					} else {
						b.mailIn(w == 5)
					}
				}
			})
		}
		time.Sleep(time.Duration(20+rng.Intn(250)) * time.Millisecond)
		p.kill()
		close(stop)
		wg.Wait()
	}
	if strings.HasPrefix(dsn, "postgres") {
		// What a worker had in hand waits for its lease, for it may be another
		// node's: ten minutes that the test does not have. On SQLite the server
		// ends it when it starts.
		dbtest.Exec(t, dsn, "UPDATE delivery SET due = 0 WHERE token <> ''")
		dbtest.Exec(t, dsn, "UPDATE job SET due = 0 WHERE token <> ''")
	}
	p.start()
	b.again(t)
	b.settle(t)
	b.check(t)
}

func (b *burst) uid() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	return fmt.Sprintf("k%05d", b.next)
}

func (b *burst) set(m map[string]bool, uid string, accepted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m[uid] = m[uid] || accepted
}

// organize has Ann invite Ben and Bob.
func (b *burst) organize() {
	uid := b.uid()
	b.set(b.put, uid, false)
	code, _, err := b.p.dav(ann, "PUT", "/dav/calendars/"+ann+"/calendar/"+uid+".ics", invitation(uid, ann, ben, bob), "Content-Type", "text/calendar", "If-None-Match", "*")
	if err == nil && code == 201 {
		b.set(b.put, uid, true)
	}
}

// mailIn brings Bob's answer to a meeting that was accepted, or Carol's
// invitation for Ann.
func (b *burst) mailIn(invite bool) {
	uid := ""
	var text, from string
	if invite {
		uid, from = b.uid(), carol
		text = itipMail(carol, ann, uid, "REQUEST", withMethod(invitation(uid, carol, ann), "REQUEST"))
		b.set(b.invited, uid, false)
	} else {
		b.mu.Lock()
		for u, ok := range b.put {
			if _, tried := b.replied[u]; ok && !tried {
				uid = u
				b.replied[u] = false
				break
			}
		}
		b.mu.Unlock()
		if uid == "" {
			time.Sleep(5 * time.Millisecond)
			return
		}
		from, text = bob, replyMail(uid)
	}
	b.tryMail(uid, from, text)
}

func (b *burst) tryMail(uid, from, text string) bool {
	err := b.p.deliver(from, ann, text)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.pending[uid] = text
		return false
	}
	delete(b.pending, uid)
	if from == bob {
		b.replied[uid] = true
	} else {
		b.invited[uid] = true
	}
	return true
}

// again delivers once more what got no verdict, as an MTA does.
func (b *burst) again(t *testing.T) {
	t.Helper()
	for uid, text := range b.pending {
		from := bob
		if _, ok := b.invited[uid]; ok {
			from = carol
		}
		if !b.tryMail(uid, from, text) {
			t.Errorf("%s: a mail is refused after the restart", uid)
		}
	}
}

// settle waits until the queue is empty.
func (b *burst) settle(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		out := b.p.must("", "queue", "list")
		if !strings.Contains(out, bob) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the queue does not drain:\n%.2000s", out)
		}
	}
}

var hrefUID = regexp.MustCompile(`UID:(k\d+)`)

// copies counts the objects of a collection by UID.
func (b *burst) copies(t *testing.T, user, collection string) (count map[string]int, body map[string]string) {
	t.Helper()
	code, text, err := b.p.dav(user, "REPORT", "/dav/calendars/"+user+"/"+collection+"/",
		`<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data/></prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>`,
		"Depth", "1", "Content-Type", "text/xml")
	if err != nil || code != 207 {
		t.Fatalf("query of %s's %s: %d %v\n%.500s", user, collection, code, err, text)
	}
	count, body = map[string]int{}, map[string]string{}
	for _, response := range strings.Split(text, "<D:response>")[1:] {
		if m := hrefUID.FindStringSubmatch(response); m != nil {
			count[m[1]]++
			body[m[1]] = response
		}
	}
	return count, body
}

func (b *burst) check(t *testing.T) {
	t.Helper()
	annHas, annBody := b.copies(t, ann, "calendar")
	benHas, _ := b.copies(t, ben, "calendar")
	benInbox, _ := b.copies(t, ben, "inbox")
	mails := map[string]map[string]bool{} // of a UID: Message-IDs of its REQUESTs to Bob
	for _, m := range b.p.relay.taken() {
		msg, err := mail.ReadMessage(strings.NewReader(m.data))
		if err != nil || m.to != bob {
			t.Errorf("a mail to %s that was not expected: %v", m.to, err)
			continue
		}
		uid := subjectUID(msg.Header.Get("Subject"))
		if mails[uid] == nil {
			mails[uid] = map[string]bool{}
		}
		mails[uid][msg.Header.Get("Message-Id")] = true
	}
	handedOn := map[string]int{}
	for _, m := range b.p.nextHop.taken() {
		if msg, err := mail.ReadMessage(strings.NewReader(m.data)); err == nil {
			handedOn[msg.Header.Get("Message-Id")]++
		}
	}
	accepted := 0
	for uid, ok := range b.put {
		if ok {
			accepted++
		}
		if ok && annHas[uid] != 1 {
			t.Errorf("%s: accepted, and Ann has %d copies", uid, annHas[uid])
		}
		if annHas[uid] > 1 {
			t.Errorf("%s: Ann has %d copies", uid, annHas[uid])
		}
		// All or nothing: whatever Ann has, everybody has, and once.
		if annHas[uid] != benHas[uid] || benInbox[uid] != annHas[uid] {
			t.Errorf("%s: Ann %d, Ben %d, his inbox %d", uid, annHas[uid], benHas[uid], benInbox[uid])
		}
		if len(mails[uid]) != annHas[uid] {
			t.Errorf("%s: Ann has %d, Bob was sent %d different mails", uid, annHas[uid], len(mails[uid]))
		}
	}
	replies := 0
	for uid, ok := range b.replied {
		if !ok {
			t.Errorf("%s: Bob's answer was never accepted", uid)
			continue
		}
		replies++
		if !regexp.MustCompile(`ATTENDEE[^:]*PARTSTAT=ACCEPTED[^:]*:mailto:` + bob).MatchString(unfold(annBody[uid])) {
			t.Errorf("%s: Bob's answer is lost:\n%s", uid, annBody[uid])
		}
		if handedOn["<r-"+uid+"@example.com>"] == 0 {
			t.Errorf("%s: Bob's mail did not reach Ann's mailbox", uid)
		}
	}
	invitations := 0
	for uid, ok := range b.invited {
		if !ok {
			t.Errorf("%s: Carol's invitation was never accepted", uid)
			continue
		}
		invitations++
		if annHas[uid] != 1 {
			t.Errorf("%s: Carol's invitation is in Ann's calendar %d times", uid, annHas[uid])
		}
		if handedOn["<"+uid+"@example.net>"] == 0 {
			t.Errorf("%s: Carol's mail did not reach Ann's mailbox", uid)
		}
	}
	t.Logf("%d meetings accepted, %d answers, %d invitations by mail", accepted, replies, invitations)
	if accepted == 0 || replies == 0 || invitations == 0 {
		t.Error("the burst did nothing")
	}
}

func subjectUID(subject string) string {
	return regexp.MustCompile(`k\d{5}`).FindString(subject)
}

func unfold(s string) string {
	return strings.NewReplacer("\r\n ", "", "&#13;\n ", "", "\n ", "").Replace(s)
}

func invitation(uid, organizer string, attendees ...string) string {
	var b strings.Builder
	for _, a := range attendees {
		b.WriteString("ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:" + a + "\n")
	}
	var n int
	fmt.Sscanf(uid, "k%d", &n)
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Hour)
	return strings.ReplaceAll(fmt.Sprintf(`BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:%s
DTSTAMP:20260101T000000Z
DTSTART:%s
DTEND:%s
SUMMARY:Meeting %s
SEQUENCE:0
ORGANIZER:mailto:%s
ATTENDEE;PARTSTAT=ACCEPTED:mailto:%s
%sEND:VEVENT
END:VCALENDAR
`, uid, start.Format("20060102T150405Z"), start.Add(30*time.Minute).Format("20060102T150405Z"), uid, organizer, organizer, b.String()), "\n", "\r\n")
}

func withMethod(object, method string) string {
	return strings.Replace(object, "VERSION:2.0\r\n", "VERSION:2.0\r\nMETHOD:"+method+"\r\n", 1)
}

func itipMail(from, to, uid, method, object string) string {
	return itipMailID(from, to, "<"+uid+from[strings.Index(from, "@"):]+">", uid, method, object)
}

func itipMailID(from, to, id, uid, method, object string) string {
	return strings.ReplaceAll(fmt.Sprintf(`From: %s
To: %s
Subject: Meeting %s
Message-ID: %s
Date: Thu, 01 Jan 2026 00:00:00 +0000
MIME-Version: 1.0
Content-Type: text/calendar; charset=utf-8; method=%s
Content-Transfer-Encoding: 8bit

%s`, from, to, uid, id, method, object), "\r\n", "\n")
}

func replyMail(uid string) string {
	object := invitation(uid, ann, bob)
	object = strings.Replace(object, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:"+ann+"\r\n", "", 1)
	object = strings.Replace(object, "PARTSTAT=NEEDS-ACTION;RSVP=TRUE", "PARTSTAT=ACCEPTED", 1)
	return itipMailID(bob, ann, "<r-"+uid+"@example.com>", uid, "REPLY", withMethod(object, "REPLY"))
}
