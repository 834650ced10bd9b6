package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/db/dbtest"
)

// outage is a server between its relay and its next hop, with Ann and Ben.
type outage struct {
	*process
	t *testing.T
	n int
	// kept are the names of the objects that were accepted.
	kept []string
}

func startOutage(t *testing.T, dsn string) *outage {
	o := &outage{process: newProcess(t, dsn, ""), t: t}
	o.must("ann\n", "user", "add", ann, "--password-stdin", "--mail-copies", "never")
	o.must("ben\n", "user", "add", ben, "--password-stdin", "--mail-copies", "never")
	o.start()
	return o
}

// put has Ann invite Ben and Bob to a new meeting with a description of so
// many octets, and returns the status.
func (o *outage) put(octets int) int {
	o.t.Helper()
	o.n++
	uid := fmt.Sprintf("k%05d", o.n)
	body := strings.Replace(invitation(uid, ann, ben, bob), "SUMMARY:", description(octets)+"SUMMARY:", 1)
	path := "/dav/calendars/" + ann + "/calendar/" + uid + ".ics"
	code, text, err := o.dav(ann, "PUT", path, body, "Content-Type", "text/calendar", "If-None-Match", "*")
	if err != nil {
		o.t.Fatalf("PUT: %v", err)
	}
	if code == http.StatusCreated {
		o.kept = append(o.kept, path)
	} else if code >= 500 && code != http.StatusInsufficientStorage && code != http.StatusServiceUnavailable {
		o.t.Errorf("PUT: %d %s", code, text)
	}
	return code
}

// invite has Carol invite Ann by mail and returns the verdict.
func (o *outage) invite(octets int) error {
	o.n++
	uid := fmt.Sprintf("k%05d", o.n)
	object := strings.Replace(invitation(uid, carol, ann), "SUMMARY:", description(octets)+"SUMMARY:", 1)
	return o.deliver(carol, ann, itipMail(carol, ann, uid, "REQUEST", withMethod(object, "REQUEST")))
}

// description is a folded property of so many octets.
func description(octets int) string {
	return "DESCRIPTION:" + strings.Repeat("\r\n "+strings.Repeat("x", 60), octets/60+1) + "\r\n"
}

func (o *outage) status(method, path string) int {
	o.t.Helper()
	code, _, err := o.dav(ann, method, path, "")
	if err != nil {
		o.t.Fatalf("%s %s: %v", method, path, err)
	}
	return code
}

// all checks that everything that was accepted is there, and that everybody
// outside was told once.
func (o *outage) all() {
	o.t.Helper()
	for _, path := range o.kept {
		if code := o.status("GET", path); code != http.StatusOK {
			o.t.Errorf("GET %s: %d", path, code)
		}
	}
	// A claim whose commit was cut off by a crash holds for its lease, a minute.
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		told := map[string]int{}
		for _, m := range o.relay.taken() {
			told[subjectUID(m.data)]++
		}
		missing := 0
		for _, path := range o.kept {
			uid := strings.TrimSuffix(filepath.Base(path), ".ics")
			if told[uid] == 0 {
				missing++
			}
			if told[uid] > 1 {
				o.t.Errorf("%s was sent %d times", uid, told[uid])
			}
		}
		if missing == 0 && len(told) == len(o.kept) {
			return
		}
		if time.Now().After(end) {
			o.t.Errorf("%d of %d invitations did not reach the relay, which has %d", missing, len(o.kept), len(told))
			return
		}
	}
}

// again tries until it works; an outage has ended and nothing was restarted.
func (o *outage) again(what string, f func() bool) {
	o.t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			o.t.Fatalf("%s: no recovery\n%.3000s", what, o.out)
		}
	}
}

func smtpCode(err error) (int, smtp.EnhancedCode) {
	var e *smtp.SMTPError
	if errors.As(err, &e) {
		return e.Code, e.EnhancedCode
	}
	return 0, smtp.EnhancedCode{}
}

// The database stops answering while the server runs: 503 and 451, nothing is
// lost, and when it is back so are we. A minute in the soak.
func TestDatabaseAway(t *testing.T) {
	away := 2 * time.Second
	if os.Getenv("CONVENE_SOAK") != "" {
		away = time.Minute
	}
	postgres, dsn := dbtest.Private(t)
	o := startOutage(t, dsn)
	if code := o.put(10); code != http.StatusCreated {
		t.Fatalf("PUT: %d", code)
	}
	for _, how := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGINT} {
		postgres.Stop(how)
		for end := time.Now().Add(away); time.Now().Before(end); time.Sleep(away / 20) {
			if code := o.put(10); code != http.StatusServiceUnavailable {
				t.Errorf("PUT while the database is away: %d", code)
			}
			for _, method := range []string{"GET", "PROPFIND", "DELETE"} {
				if code := o.status(method, o.kept[0]); code != http.StatusServiceUnavailable {
					t.Errorf("%s while the database is away: %d", method, code)
				}
			}
			if code, enhanced := smtpCode(o.invite(10)); code != 451 || enhanced[0] != 4 {
				t.Errorf("a mail while the database is away: %d %v", code, enhanced)
			}
			resp, err := http.Get("http://" + o.http + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("healthz while the database is away: %d", resp.StatusCode)
			}
		}
		if err := postgres.Start(); err != nil {
			t.Fatal(err)
		}
		o.again("PUT", func() bool { return o.put(10) == http.StatusCreated })
		o.again("LMTP", func() bool { return o.invite(10) == nil })
	}
	o.all()
}

// tmpfs mounts a small file system in memory, or skips the test where that is
// not allowed.
func tmpfs(t *testing.T, megabytes int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "convene-full-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=0777", megabytes), "none", dir).CombinedOutput()
	if err != nil {
		t.Skipf("no file system can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
	return dir
}

// stuff fills a file system with a file and returns what removes it.
func stuff(t *testing.T, dir string) (remove func()) {
	t.Helper()
	name := filepath.Join(dir, "stuffing")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// full checks what a server says while its disk is full, and that it recovers
// when room is made.
func (o *outage) full(makeRoom func()) {
	o.t.Helper()
	const big = 200 << 10
	// What was already set aside may take a few more, and mail that was sent
	// leaves the queue and makes room: each is asked until it was refused three
	// times.
	puts, mails := 0, 0
	for i := 0; puts < 3 || mails < 3; i++ {
		if i == 200 {
			o.t.Fatalf("the disk is not full: %d PUTs and %d mails were refused", puts, mails)
		}
		switch code := o.put(big); code {
		case http.StatusCreated:
		case http.StatusInsufficientStorage:
			puts++
		default:
			o.t.Errorf("PUT on a full disk: %d", code)
		}
		if err := o.invite(big); err != nil {
			if code, enhanced := smtpCode(err); code != 452 || enhanced != (smtp.EnhancedCode{4, 3, 1}) {
				o.t.Errorf("a mail on a full disk: %v", err)
			}
			mails++
		}
		if code := o.status("GET", o.kept[0]); code != http.StatusOK {
			o.t.Errorf("GET on a full disk: %d", code)
		}
	}
	makeRoom()
	o.again("PUT", func() bool { return o.put(big) == http.StatusCreated })
	o.again("LMTP", func() bool { return o.invite(big) == nil })
	o.all()
}

// A full disk below SQLite.
func TestFullDiskSQLite(t *testing.T) {
	dir := tmpfs(t, 16)
	o := startOutage(t, "sqlite:"+filepath.Join(dir, "convene.db"))
	if code := o.put(10); code != http.StatusCreated {
		t.Fatalf("PUT: %d", code)
	}
	o.full(stuff(t, dir))
}

// The same below PostgreSQL, of whose tables one lies on a small disk.
func TestFullDiskPostgres(t *testing.T) {
	dir := tmpfs(t, 16)
	_, dsn := dbtest.Private(t)
	space := filepath.Join(dir, "space")
	if err := os.Mkdir(space, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := dbtest.Own(space); err != nil {
		t.Fatal(err)
	}
	dbtest.Exec(t, dsn, "CREATE TABLESPACE small LOCATION '"+space+"'")
	dbtest.Exec(t, dsn, "ALTER TABLE body SET TABLESPACE small")
	o := startOutage(t, dsn)
	if code := o.put(10); code != http.StatusCreated {
		t.Fatalf("PUT: %d", code)
	}
	o.full(stuff(t, dir))
}

// A limit of the database's size is a full disk too, and room is made by
// deleting. An empty database has some 130 pages, an event of its own here 54, a
// meeting four times as much (two copies, an inbox item, the text of the mail),
// one by mail half of that: what is deleted makes room for one of each,
// whatever was left and whether or not the mails have gone.
func TestSizeLimit(t *testing.T) {
	o := startOutage(t, dbtest.Empty(t, "sqlite")+"?max_page_count=1000")
	if code := o.put(10); code != http.StatusCreated {
		t.Fatalf("PUT: %d", code)
	}
	// Events that concern nobody else: a meeting that is deleted stays, as
	// cancelled, with those who were invited.
	var own []string
	for i := range 10 {
		uid := fmt.Sprintf("own%d", i)
		path := "/dav/calendars/" + ann + "/calendar/" + uid + ".ics"
		body := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:" + uid +
			"\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20300101T000000Z\r\n" + description(200<<10) + "END:VEVENT\r\nEND:VCALENDAR\r\n"
		if code, text, err := o.dav(ann, "PUT", path, body, "Content-Type", "text/calendar"); err != nil || code != http.StatusCreated {
			t.Fatalf("PUT: %d %v %s", code, err, text)
		}
		own = append(own, path)
	}
	o.full(func() {
		for _, path := range own {
			if code := o.status("DELETE", path); code != http.StatusNoContent {
				t.Errorf("DELETE on a full disk: %d", code)
			}
		}
	})
}

// Names that the database cannot hold are the client's fault, not ours.
func TestNamesTooLong(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		o := startOutage(t, dsn)
		long := strings.Repeat("u", 3000)
		calendar := "/dav/calendars/" + ann + "/calendar/"
		test := func(method, path, body string, header ...string) {
			t.Helper()
			code, text, err := o.dav(ann, method, path, body, header...)
			if err != nil || code < 400 || code >= 500 {
				t.Errorf("%s %.60s: %d %v %.300s", method, path, code, err, text)
			}
		}
		test("PUT", calendar+"a.ics", strings.ReplaceAll(invitation("k00001", ann, ben), "k00001", long), "Content-Type", "text/calendar")
		test("PUT", calendar+long+".ics", invitation("k00002", ann, ben), "Content-Type", "text/calendar")
		test("GET", calendar+long+".ics", "")
		test("GET", calendar+"%00.ics", "")
		test("GET", calendar+"%ff.ics", "")
		test("PUT", calendar+"%00.ics", invitation("k00003", ann, ben), "Content-Type", "text/calendar")
		test("MKCALENDAR", "/dav/calendars/"+ann+"/"+long+"/", "")
		test("MOVE", calendar+"none.ics", "", "Destination", "http://"+o.http+calendar+long)
		test("GET", "/dav/calendars/"+long+"/calendar/", "")
		test("PUT", "/dav/addressbooks/"+ann+"/contacts/a.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:"+long+"\r\nFN:x\r\nN:x;;;;\r\nEND:VCARD\r\n", "Content-Type", "text/vcard")
		code, text, err := o.dav(ann, "PROPPATCH", calendar, `<propertyupdate xmlns="DAV:"><set><prop><`+long+` xmlns="urn:x">v</`+long+`></prop></set></propertyupdate>`)
		if err != nil || code >= 500 || strings.Contains(text, " 500 ") {
			t.Errorf("PROPPATCH: %d %v %.300s", code, err, text)
		}
		// A mail that we cannot take in still reaches the mailbox.
		mail := itipMailID(carol, ann, "<long@example.net>", "x", "REQUEST", withMethod(strings.ReplaceAll(invitation("k00004", carol, ann), "k00004", long[:1200]+"\r\n "+long[:1200]), "REQUEST"))
		if err := o.deliver(carol, ann, mail); err != nil || len(o.nextHop.taken()) != 1 {
			t.Errorf("a mail with a long UID: %v, %d handed on", err, len(o.nextHop.taken()))
		}
	})
}
