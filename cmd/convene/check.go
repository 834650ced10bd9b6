package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
)

type configCheckCmd struct{}

// Run says what is in force. Mistakes of the configuration, contradictions in
// the directory and a database that does not answer are failures; a mail server that does not answer just now is
// a warning, because mail waits for it.
func (configCheckCmd) Run(e *env) error {
	c, err := loadConfig(e.configFile)
	if err != nil {
		return err
	}
	say := func(l checkLine) {
		if e.json {
			_ = e.object(l)
			return
		}
		fmt.Fprintf(e.stdout, "%-11s %s\n", l.What, l.Text)
		if l.Do != "" {
			fmt.Fprintf(e.stdout, "%-11s -> %s\n", "", l.Do)
		}
	}
	row := func(what, format string, args ...any) { say(checkLine{What: what, Text: fmt.Sprintf(format, args...)}) }
	row("file", "%s", c.File)
	row("domains", "%s", strings.Join(c.Domains, ", "))
	row("http", "%s, from outside %s", c.HTTP.Listen, c.HTTP.PublicURL)
	switch {
	case c.LMTP.Listen == "":
		row("mail in", "no listener: mail comes in by convene mail only")
	case c.LMTP.DeliverTo == "":
		row("mail in", "%s, copy mode: the mail server delivers the original itself, and gives Convene a copy", c.LMTP.Listen)
	default:
		row("mail in", "%s, in-line mode: Convene hands every mail on to %s", c.LMTP.Listen, c.LMTP.DeliverTo)
	}
	if c.LMTP.Observe != "" {
		row("observe", "%s, copies of what local users send", c.LMTP.Observe)
	}
	if c.Milter.Listen != "" {
		row("milter", "%s, looks at what local users send who have logged in; alters and refuses nothing", c.Milter.Listen)
	}
	row("mail out", "through %s, as %s where a user's own address cannot be; edits within %s become one mail", c.SMTP.Relay, c.SMTP.From, c.SMTP.Coalesce)
	trust := "the From of a mail alone"
	if len(c.Trust.AuthservIDs) > 0 {
		trust = "Authentication-Results of " + strings.Join(c.Trust.AuthservIDs, ", ")
	}
	row("trust", "by %s; of what is not proved counts: %s", trust, c.Trust.Unverified)

	d, err := e.lookAtDatabase(c, row)
	if err != nil {
		return err
	}
	problems := 0
	for _, f := range sorted(contradictions(c, d), maxFindings) {
		what := "warning"
		if f.Problem {
			what = "problem"
			problems++
		}
		say(checkLine{what, f.What, f.Do})
	}
	for _, line := range dnsLines(c) {
		row("dns", "%s", line)
	}
	for _, peer := range []struct{ key, addr string }{{"[smtp] relay", c.SMTP.Relay}, {"[lmtp] deliver_to", c.LMTP.DeliverTo}} {
		if peer.addr == "" {
			continue
		}
		if err := dials(e.ctx, peer.addr); err != nil {
			row("warning", "%s does not answer now: %v", peer.key, err)
		} else {
			row("answers", "%s %s", peer.key, peer.addr)
		}
	}
	if problems > 0 {
		return &exitError{status: exitFailed}
	}
	return nil
}

// lookAtDatabase says how the database is and what to beware of, and reads the
// directory, which is empty while there is no schema yet. It makes and changes
// nothing: who checks the configuration need not be who runs the server.
func (e *env) lookAtDatabase(c Config, row func(what, format string, args ...any)) (d census, err error) {
	defer func() {
		err = atStore(c.Store.DSN, err)
	}()
	path, ok := strings.CutPrefix(c.Store.DSN, "sqlite:")
	path, _, _ = strings.Cut(path, "?")
	if _, err := os.Stat(path); ok && errors.Is(err, os.ErrNotExist) {
		row("database", "sqlite, none yet: serve or the first command that needs it makes %s", path)
		if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, os.ErrNotExist) {
			row("warning", "the folder %s is not there; the unit for systemd makes it, otherwise make it and give it to the user that runs Convene", filepath.Dir(path))
		}
		for _, w := range warnings(e.ctx, c, nil) {
			row("warning", "%s", w)
		}
		return d, nil
	}
	s, err := db.Open(e.ctx, c.Store.DSN, db.Options{})
	if err != nil {
		return d, err
	}
	defer s.Close()
	have, known, err := s.Schema(e.ctx)
	if err != nil {
		return d, err
	}
	switch {
	case have == 0:
		row("database", "%s answers, empty yet: serve or the first command that needs it makes its tables", s.Dialect())
	case have < known:
		row("database", "%s answers, its schema is older than this program (%d of %d): serve or convene migrate brings it up to date; back up before", s.Dialect(), have, known)
	case have > known:
		return d, fmt.Errorf("%w: version %d, this program knows %d", db.ErrNewer, have, known)
	default:
		row("database", "%s answers", s.Dialect())
	}
	for _, w := range warnings(e.ctx, c, s) {
		row("warning", "%s", w)
	}
	if have != known { // what the directory holds is read by a schema's own statements
		return d, nil
	}
	return takeCensus(e.ctx, s)
}

// maxFindings is how many contradictions are told at once.
const maxFindings = 100

// checkLine is one line of config check, and one object of its --json.
type checkLine struct {
	What string `json:"what"` // domains, http, ..., warning, problem
	Text string `json:"text"`
	Do   string `json:"do,omitempty"` // what to do next
}

// dnsLines are the records by which programs find the server from a mail
// address alone (RFC 6764 §3, §4), as a zone file has them; none while the
// server has no name.
func dnsLines(c Config) (lines []string) {
	u, err := url.Parse(c.HTTP.PublicURL)
	if err != nil || net.ParseIP(u.Hostname()) != nil || !strings.Contains(u.Hostname(), ".") {
		return nil
	}
	services, port := []string{"_caldavs", "_carddavs"}, "443"
	if u.Scheme == "http" {
		services, port = []string{"_caldav", "_carddav"}, "80"
	}
	if p := u.Port(); p != "" {
		port = p
	}
	for _, domain := range c.Domains {
		for _, s := range services {
			name := s + "._tcp." + domain + "."
			lines = append(lines, name+" IN SRV 0 1 "+port+" "+u.Hostname()+".", name+` IN TXT "path=/dav/"`)
		}
	}
	return lines
}

// dials tries whether anybody answers at "host:port" or "unix:/path".
func dials(ctx context.Context, addr string) error {
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	d := net.Dialer{Timeout: 3 * time.Second}
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return err
	}
	return conn.Close()
}
