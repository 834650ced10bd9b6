package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/cmd/convene/catcher"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

type demoCmd struct {
	Once bool `help:"Play the meeting through and exit."`
}

// The cast of the demo.
const (
	ann   = "ann@example.org"
	ben   = "ben@example.org"
	blue  = "blue@example.org"
	carol = "carol@example.net" // outside
)

var demoPasswords = map[string]string{ann: "ann-demo", ben: "ben-demo"}

func (c *demoCmd) Run(e *env) error {
	d, err := newDemo(e, c.Once)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.play(e.ctx); err != nil {
		if e.ctx.Err() != nil {
			return nil // Ctrl-C
		}
		return fmt.Errorf("the demo stopped: %w", err)
	}
	if c.Once {
		return nil
	}
	d.invite()
	select {
	case <-e.ctx.Done():
		return nil
	case err := <-d.server.failed:
		return err
	}
}

// demo is a whole server on loopback with throw-away data, and the world
// outside it.
type demo struct {
	e       *env
	dir     string
	server  *server
	outside *catcher.Catcher
	sink    net.Listener
	web     *http.Server
	page    string // address of the catcher's page
	step    int
}

// newDemo starts everything. A demo that stays up takes the ports that the
// documentation names, where they are free.
func newDemo(e *env, once bool) (_ *demo, err error) {
	d := &demo{e: e, outside: catcher.New("Mail catcher")}
	if d.dir, err = os.MkdirTemp("", "convene-demo-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.sink, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go d.outside.ServeSMTP(d.sink)
	port := func(wanted string) string {
		if !once {
			if l, err := net.Listen("tcp", "127.0.0.1:"+wanted); err == nil {
				l.Close()
				return "127.0.0.1:" + wanted
			}
		}
		return "127.0.0.1:0"
	}
	config := fmt.Sprintf("domains = [\"example.org\"]\n[http]\nlisten = %q\n[store]\ndsn = %q\n[lmtp]\nlisten = %q\n[smtp]\nrelay = %q\ncoalesce = \"0s\"\n[trust]\nverify_dkim = false\n",
		port("8008"), "sqlite:"+filepath.Join(d.dir, "convene.db"), port("2424"), d.sink.Addr())
	c, err := parseConfig("the demo's configuration", config)
	if err != nil {
		return nil, err
	}
	if d.server, err = start(e.ctx, c, logger(e.stderr, "error")); err != nil {
		return nil, err
	}
	d.outside.Send = func(from string, to []string, mail []byte) error {
		return catcher.SendLMTP(d.server.LMTP.String(), from, to, mail)
	}
	page, err := net.Listen("tcp", port("8025"))
	if err != nil {
		return nil, err
	}
	d.page = "http://" + page.Addr().String() + "/"
	d.web = newHTTPServer(d.outside, d.server.log)
	go d.web.Serve(page)

	for _, p := range []db.Principal{
		{Address: ann, Name: "Ann Arbor", Kind: db.Person, TZ: "Europe/Berlin", MailCopies: "auto"},
		{Address: ben, Name: "Ben Bitter", Kind: db.Person, TZ: "Europe/Berlin", MailCopies: "auto"},
		{Address: blue, Name: "The blue room", Kind: db.Room, Capacity: 8, MailCopies: "never"},
	} {
		if pw := demoPasswords[p.Address]; pw != "" {
			if p.Password, err = directory.HashPassword(pw); err != nil {
				return nil, err
			}
		}
		if err = d.server.Store.Write(e.ctx, nil, func(tx *db.Tx) error { q := p; return directory.Add(tx, &q, nil) }); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *demo) close() {
	if d.web != nil {
		d.web.Close()
	}
	if d.server != nil {
		d.server.Stop()
	}
	if d.sink != nil {
		d.sink.Close()
	}
	os.RemoveAll(d.dir)
}

func (d *demo) as(address string) davClient {
	return davClient{base: "http://" + d.server.HTTP.String(), user: address, password: demoPasswords[address]}
}

func (d *demo) say(format string, args ...any) {
	d.step++
	fmt.Fprintf(d.e.stdout, "\n%d. %s\n", d.step, fmt.Sprintf(format, args...))
}

// quote prints a text indented.
func (d *demo) quote(text string) {
	for line := range strings.Lines(strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))) {
		fmt.Fprintf(d.e.stdout, "      | %s\n", strings.TrimRight(line, "\n"))
	}
}

const demoZone = `BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
`

// demoEvent is an event in eight days from 10:00 to 11:00 in Berlin.
func demoEvent(now time.Time, uid, summary, organizer string, attendees ...string) string {
	day := now.AddDate(0, 0, 8).Format("20060102")
	var b strings.Builder
	fmt.Fprintf(&b, "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Convene//Demo//EN\n%sBEGIN:VEVENT\nUID:%s\nDTSTAMP:%s\n", demoZone, uid, now.UTC().Format("20060102T150405Z"))
	fmt.Fprintf(&b, "DTSTART;TZID=Europe/Berlin:%sT100000\nDTEND;TZID=Europe/Berlin:%sT110000\nSUMMARY:%s\nLOCATION:The blue room\n", day, day, summary)
	fmt.Fprintf(&b, "ORGANIZER:mailto:%s\nATTENDEE;PARTSTAT=ACCEPTED:mailto:%s\n", organizer, organizer)
	for _, a := range attendees {
		kind := ""
		if a == blue {
			kind = "CUTYPE=ROOM;"
		}
		fmt.Fprintf(&b, "ATTENDEE;%sPARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:%s\n", kind, a)
	}
	b.WriteString("END:VEVENT\nEND:VCALENDAR\n")
	return strings.ReplaceAll(b.String(), "\n", "\r\n")
}

// play plays one meeting through, over the doors that programs use.
func (d *demo) play(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out := d.e.stdout
	now := time.Now()
	uid := now.UTC().Format("20060102T150405") + "-plans@example.org"
	fmt.Fprintf(out, "Convene runs on loopback with throw-away data in %s.\n", d.dir)
	fmt.Fprintf(out, "Ann and Ben are here, with calendar programs; so is a room, Blue. Carol is outside and has nothing but mail.\n")

	// Their programs are set up: whoever uses none would get mail too.
	for _, who := range []string{ann, ben} {
		if _, err := d.as(who).query(ctx, calendarOf(who), ""); err != nil {
			return err
		}
	}
	d.say("Ann's calendar program stores a meeting with Ben, Blue and Carol (CalDAV PUT).")
	path := calendarOf(ann) + "plans.ics"
	event := demoEvent(now, uid, "Plans for the spring", ann, ben, blue, carol)
	h, err := d.as(ann).put(ctx, path, event, "If-None-Match", "*")
	if err != nil {
		return err
	}
	d.quote("PUT " + path + "\n" + essence(event))
	fmt.Fprintf(out, "      stored; Schedule-Tag %s\n", cmp.Or(h.Get("Schedule-Tag"), "(none)"))

	d.say("Ben has it in his calendar at once, and accepts there.")
	copy, err := d.as(ben).event(ctx, calendarOf(ben), uid)
	if err != nil {
		return err
	}
	if partStats(copy.Object)[ben] != "NEEDS-ACTION" {
		return fmt.Errorf("ben's copy does not ask him:\n%s", copy.Object.Bytes())
	}
	accepted := accepting(copy.Object, ben)
	if _, err := d.as(ben).put(ctx, copy.Href, accepted, "If-Schedule-Tag-Match", copy.ScheduleTag); err != nil {
		return err
	}
	d.quote("PUT " + copy.Href + "\nATTENDEE;PARTSTAT=ACCEPTED:mailto:" + ben)

	d.say("Carol, outside, gets a mail.")
	mail, err := d.outside.Wait(ctx, func(m *catcher.Mail) bool { return m.Rcpt() == carol && m.Method == "REQUEST" })
	if err != nil {
		return err
	}
	d.quote(fmt.Sprintf("From: %s\nTo: %s\nSubject: %s\n\n%s", mail.From, mail.To, mail.Subject, mail.Text))
	if mail.Calendar != nil {
		fmt.Fprintf(out, "      with a calendar part, method=%s, which her mail program understands\n", mail.Method)
	}

	before, err := d.as(ann).event(ctx, calendarOf(ann), uid)
	if err != nil {
		return err
	}
	d.say("Carol's mail program answers; her mail comes in by LMTP.")
	from, to, reply, err := mail.Reply("ACCEPTED", time.Now())
	if err != nil {
		return err
	}
	if err := d.outside.Send(from, []string{to}, reply); err != nil {
		return err
	}
	d.quote(fmt.Sprintf("MAIL FROM:<%s>\nRCPT TO:<%s>\n... METHOD:REPLY, ATTENDEE;PARTSTAT=ACCEPTED:mailto:%s", from, to, carol))
	after, err := d.as(ann).event(ctx, calendarOf(ann), uid)
	if err != nil {
		return err
	}
	d.say("Ann's event before and after Carol's mail. The room had answered by itself.")
	b, a := partStats(before.Object), partStats(after.Object)
	for _, who := range slices.Sorted(maps.Keys(a)) {
		change := ""
		if b[who] != a[who] {
			change = "   <- changed"
		}
		fmt.Fprintf(out, "      %-20s %-14s %-14s%s\n", who, b[who], a[who], change)
	}
	for who, want := range map[string]string{carol: "ACCEPTED", ben: "ACCEPTED", blue: "ACCEPTED"} {
		if a[who] != want {
			return fmt.Errorf("%s is %s in Ann's event, not %s", who, a[who], want)
		}
	}

	d.say("Ben wants the room for the same hour. It declines: it is taken.")
	uid2 := now.UTC().Format("20060102T150405") + "-other@example.org"
	if _, err := d.as(ben).put(ctx, calendarOf(ben)+"other.ics", demoEvent(now, uid2, "Something else", ben, blue), "If-None-Match", "*"); err != nil {
		return err
	}
	second, err := d.as(ben).event(ctx, calendarOf(ben), uid2)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "      %-20s %s\n", blue, partStats(second.Object)[blue])
	if got := partStats(second.Object)[blue]; got != "DECLINED" {
		return fmt.Errorf("the room is %s in the second meeting, not DECLINED", got)
	}

	d.say("Why is it so? convene why %s", uid)
	var told strings.Builder
	if err := why(d.e, d.server.Store, &told, uid); err != nil {
		return err
	}
	d.quote(told.String())
	fmt.Fprintf(out, "\n   And of the second meeting: convene why %s\n", uid2)
	told.Reset()
	if err := why(d.e, d.server.Store, &told, uid2); err != nil {
		return err
	}
	d.quote(told.String())
	fmt.Fprintln(out, "\nAll copies of the meeting agree.")
	return nil
}

// essence is an event without what only programs read.
func essence(event string) string {
	var b strings.Builder
	_, event, _ = strings.Cut(event, "END:VTIMEZONE\r\n")
	for line := range strings.Lines(event) {
		if !strings.HasPrefix(line, "END:VCALENDAR") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// invite tells a visitor what to try.
func (d *demo) invite() {
	w := d.e.stdout
	fmt.Fprintf(w, `
It stays up. Try it:

   Calendar programs   %s/
                       user ann@example.org   password %s
                       user ben@example.org   password %s
   Mail catcher        %s
                       be Carol, or anybody you invite: read the mail, answer it
   Mail comes in       by LMTP at %s
   Room                %s: invite it, it answers by itself

Stop it with Ctrl-C; then everything is gone.
`, d.server.Config.HTTP.PublicURL, demoPasswords[ann], demoPasswords[ben], d.page, d.server.LMTP, blue)
}
