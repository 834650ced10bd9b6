package imipbridge

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-milter"
)

// SMTPDFilter is a filter of OpenSMTPD (smtpd-filters(7)): the way by which
// that server, which knows no milters, shows what users send (decision 12). It
// runs beside OpenSMTPD, which starts it, and tells the milter listener at an
// address of each mail that came with a log-in, as a mail server with milters
// would. Every line goes on as it came; the last one of such a mail waits until
// what it says has happened, or for a while where nobody answers.
type SMTPDFilter struct {
	Milter string // "host:port" or "unix:/path"
	Log    *slog.Logger

	out      io.Writer
	write    sync.Mutex
	sessions map[string]*smtpdSession
	room     int // octets that may still be held
	mu       sync.Mutex
	tell     sync.WaitGroup
}

// smtpdSession is what OpenSMTPD has reported of a session.
type smtpdSession struct {
	login, from string
	rcpts       []string
	lines       bytes.Buffer
	over        bool // larger than what is looked at
}

// What a filter holds of one mail, and of all together.
const (
	filterMail = 50 << 20
	filterAll  = 4 * filterMail
)

// reset forgets the mail; the log-in stays for the session.
func (f *SMTPDFilter) reset(s *smtpdSession) {
	f.mu.Lock()
	f.room += s.lines.Len()
	f.mu.Unlock()
	*s = smtpdSession{login: s.login}
}

// Run serves OpenSMTPD, which writes to in and reads from out, until in ends.
func (f *SMTPDFilter) Run(in io.Reader, out io.Writer) error {
	f.out, f.sessions, f.room = out, map[string]*smtpdSession{}, filterAll
	defer f.tell.Wait()
	lines := bufio.NewReaderSize(in, 64<<10)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return err
		}
		if err := f.line(strings.TrimSuffix(line, "\n")); err != nil {
			return err
		}
	}
}

// say writes one line to OpenSMTPD.
func (f *SMTPDFilter) say(text string) error {
	f.write.Lock()
	defer f.write.Unlock()
	_, err := io.WriteString(f.out, text+"\n")
	return err
}

// line takes one line of the protocol: its kind, and then its version, a time
// and the subsystem but for "config".
func (f *SMTPDFilter) line(text string) error {
	kind, rest, _ := strings.Cut(text, "|")
	if kind == "config" {
		if rest != "ready" {
			return nil
		}
		for _, event := range []string{
			"report|smtp-in|link-disconnect", "report|smtp-in|link-auth", "report|smtp-in|tx-begin", "report|smtp-in|tx-mail", "report|smtp-in|tx-rcpt",
			"report|smtp-in|tx-reset", "report|smtp-in|tx-rollback", "report|smtp-in|tx-commit", "filter|smtp-in|data-line",
		} {
			if err := f.say("register|" + event); err != nil {
				return err
			}
		}
		return f.say("register|ready")
	}
	w := strings.SplitN(rest, "|", 6) // version, time, subsystem, event, session, the rest
	if len(w) < 5 {
		return nil
	}
	version, event, id := smtpdVersion(w[0]), w[3], w[4]
	more := ""
	if len(w) == 6 {
		more = w[5]
	}
	switch kind {
	case "report":
		f.report(version, event, id, more)
	case "filter":
		if event == "data-line" {
			token, line, _ := strings.Cut(more, "|")
			if version < 5 { // in the other order
				id, token = token, id
			}
			return f.dataLine(version, id, token, line)
		}
	}
	return nil
}

// smtpdVersion returns the minor version of the protocol, "0.7": its fields have
// changed places.
func smtpdVersion(v string) int {
	_, minor, _ := strings.Cut(v, ".")
	n, _ := strconv.Atoi(minor)
	return n
}

// report notes what has happened in a session.
func (f *SMTPDFilter) report(version int, event, id, more string) {
	s := f.sessions[id]
	switch event {
	case "link-auth":
		login, result := cutLast(more, "|") // a name may hold anything
		if version >= 7 {
			result, login, _ = strings.Cut(more, "|")
		}
		if result == "pass" {
			f.sessions[id] = &smtpdSession{login: login}
		}
	case "link-disconnect":
		if s != nil {
			f.reset(s)
			delete(f.sessions, id)
		}
	case "tx-begin", "tx-reset", "tx-rollback", "tx-commit":
		if s != nil {
			f.reset(s)
		}
	case "tx-mail", "tx-rcpt":
		_, more, _ = strings.Cut(more, "|") // the message's id
		address, result := cutLast(more, "|")
		if version >= 6 {
			result, address, _ = strings.Cut(more, "|")
		}
		address = strings.TrimSuffix(strings.TrimPrefix(address, "<"), ">")
		if s == nil || result != "ok" {
			return
		}
		if event == "tx-mail" {
			s.from = address
		} else {
			s.rcpts = append(s.rcpts, address)
		}
	}
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):]
	}
	return s, ""
}

// dataLine passes a line of a mail on, and keeps it if somebody has logged in.
func (f *SMTPDFilter) dataLine(version int, id, token, line string) error {
	pass := "filter-dataline|" + id + "|" + token + "|" + line
	if version < 5 {
		pass = "filter-dataline|" + token + "|" + id + "|" + line
	}
	s := f.sessions[id]
	if s == nil || s.login == "" || s.from == "" {
		return f.say(pass)
	}
	if line != "." { // RFC 5321 §4.5.2
		f.keep(s, strings.TrimPrefix(line, "."))
		return f.say(pass)
	}
	whole := &smtpdSession{login: s.login, from: s.from, rcpts: s.rcpts, over: s.over}
	whole.lines, s.lines = s.lines, bytes.Buffer{} // counted until it is told
	f.tell.Go(func() {
		if err := f.show(whole); err != nil {
			f.Log.Warn("a user's mail was not looked at", "login", ascii(whole.login, 200), "mail_from", ascii(whole.from, 200), "why", err.Error())
		}
		f.reset(whole)
		f.say(pass) // who does not read it has gone
	})
	return nil
}

// keep adds a line to the mail, as long as there is room.
func (f *SMTPDFilter) keep(s *smtpdSession, line string) {
	n := len(line) + 2
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.over || s.lines.Len()+n > filterMail || f.room < n {
		s.over = true
		return
	}
	f.room -= n
	s.lines.WriteString(line + "\r\n")
}

// show tells the milter of a mail.
func (f *SMTPDFilter) show(s *smtpdSession) error {
	if s.over {
		return errors.New("larger than mails may be")
	}
	network, address := "tcp", f.Milter
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	m, err := milter.NewClientWithOptions(network, address, milter.ClientOptions{
		Dialer: &net.Dialer{Timeout: 5 * time.Second}, ReadTimeout: milterDecide + 5*time.Second, WriteTimeout: 10 * time.Second,
	}).Session()
	if err != nil {
		return err
	}
	defer m.Close()
	var act *milter.Action
	on := func() bool { return err == nil && (act == nil || act.Code == milter.ActContinue) }
	if err = m.Macros(milter.CodeMail, "{auth_authen}", s.login); err == nil {
		act, err = m.Mail(s.from, nil)
	}
	for _, r := range s.rcpts {
		if on() {
			act, err = m.Rcpt(r, nil)
		}
	}
	body := s.lines.Bytes()
	for on() {
		name, value, rest, ok := cutField(body)
		if !ok {
			break
		}
		body = rest
		act, err = m.HeaderField(name, value)
	}
	if on() {
		act, err = m.HeaderEnd()
	}
	if on() {
		_, act, err = m.BodyReadFrom(bytes.NewReader(bytes.TrimPrefix(body, []byte("\r\n"))))
	}
	if err == nil && act != nil && act.Code != milter.ActAccept && act.Code != milter.ActContinue {
		err = fmt.Errorf("the milter says %q", cmp.Or(act.SMTPText, string(rune(act.Code))))
	}
	return err
}

// cutField takes the first field off a mail; false: its header has ended.
func cutField(data []byte) (name, value string, rest []byte, ok bool) {
	end := 0
	for {
		i := bytes.Index(data[end:], []byte("\r\n"))
		if i < 0 {
			return "", "", data, false
		}
		end += i + 2
		if end == len(data) || data[end] != ' ' && data[end] != '\t' {
			break
		}
	}
	name, value, ok = strings.Cut(string(data[:end-2]), ":")
	if !ok || strings.TrimSpace(name) == "" || strings.ContainsAny(name, "\r\n") {
		return "", "", data, false
	}
	return name, strings.TrimPrefix(value, " "), data[end:], true
}
