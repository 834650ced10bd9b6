package imip

import (
	"bytes"
	"html"
	"regexp"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
)

const (
	maxWorded = 64 << 10 // octets of a mail that are read for what it says about another
	maxReason = 300      // runes of the line that is kept of them
)

// Worded returns what a mail server says in words alone about a mail to this
// recipient: qmail, Exim before it wrote reports, Exchange, and reports whose
// machine-readable part a gateway took away. nil: it says nothing of that kind,
// as the vacation note of a person. Whether it is about a mail of ours is the
// caller's to know, from the address and the empty envelope that it came with.
func (m *Mail) Worded(to cuaddr.Address) *Report {
	if m.Report != nil && len(m.Report.Recipients) > 0 {
		return nil // it has said so properly
	}
	if !to.IsZero() && Same(m.From.Address, to) {
		return nil // he, or what answers in his name
	}
	daemon, known := mailer(m.From.Address, m.from)
	if !known && !m.namesFailed {
		return nil
	}
	subject := strings.ToLower(strings.TrimSpace(m.Subject))
	said := ownWords(m.first.words())
	text := strings.ToLower(said)
	d := Delivery{Final: to, Action: "failed", Status: "5.0.0"}
	switch {
	case begins(subject, delayedSubjects) || contains(text, delayedWords):
		d.Action, d.Status = "delayed", "4.0.0"
	case begins(subject, arrivedSubjects):
		d.Action, d.Status = "relayed", "2.0.0"
	case m.Report == nil && (daemon || m.namesFailed), begins(subject, failedSubjects), contains(text, failedWords):
		d.Status = statusIn(said)
	default:
		return nil
	}
	d.Diagnostic = reasonIn(said)
	return &Report{Recipients: []Delivery{d}}
}

// mailer reports whether From is one under which mail servers write; daemon: one
// under which they write of nothing else.
func mailer(a cuaddr.Address, field string) (daemon, known bool) {
	local := strings.ToLower(a.Local())
	if a.IsZero() { // "<>", "MAILER-DAEMON (Mail Delivery System)"
		local = strings.ToLower(field)
	}
	daemon = strings.TrimSpace(local) == "" || local == "<>" || strings.Contains(local, "daemon") || strings.HasPrefix(local, "microsoftexchange")
	return daemon, daemon || strings.HasPrefix(local, "postmaster") || local == "administrator" ||
		a.IsZero() && contains(local, []string{"mail server", "mail delivery", "mail system"})
}

// What the subjects of such mails begin with; behind it most have the subject of
// the mail that they are about, which says nothing.
var (
	delayedSubjects = []string{
		"warning: message", "warning: could not send", "delayed mail", "delivery delayed", "delayed:", "message delayed", "mail delayed",
		"delivery status notification (delay", "verzögert", "zustellung verzögert", "remise retardée", "remis avec retard", "entrega retrasada", "retrasado:",
	}
	arrivedSubjects = []string{"relayed:", "delivered:", "delivery status notification (success", "delivery status notification (relay", "successful mail delivery"}
	failedSubjects  = []string{
		"failure notice", "undeliver", "returned mail", "mail delivery fail", "delivery fail", "delivery status notification (failure", "mail system error",
		"message status - undeliverable", "nondeliverable", "non-delivery", "unzustellbar", "non remis", "no se puede entregar", "niet bezorg", "non recapitabile",
	}
)

// What they say of it, before the mail that they bring back.
var (
	delayedWords = []string{
		"not yet been delivered", "not been delivered yet", "n't been delivered yet", "could not yet be delivered", "could not be delivered yet",
		"delivery attempts will continue", "delivery will continue to be attempted", "will continue to be attempted", "will keep trying", "will try again", "will retry", "will be retried",
		"warning message only", "warning only", "do not need to resend", "delivery is delayed", "delivery has been delayed", "delivery was delayed", "wird weiterhin versucht",
	}
	failedWords = []string{
		"could not be delivered", "couldn't be delivered", "cannot be delivered", "unable to deliver", "wasn't able to deliver", "not able to deliver", "did not reach", "delivery has failed",
		"delivery to the following recipient", "undeliverable", "user unknown", "unknown user", "no such user", "could not deliver", "permanent error", "permanent fatal error", "permanently failed",
	}
)

func begins(s string, with []string) bool {
	for _, w := range with {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}

func contains(s string, any []string) bool {
	for _, w := range any {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// ownWords returns what a mail server has to say, without the mail that it brings
// back, whose words are another's, in one blank a gap and a line each.
func ownWords(b []byte) string {
	var out []string
	for line := range strings.Lines(strings.ToValidUTF8(string(b), "?")) { // the words looked for are ASCII but for a few
		line = strings.Join(strings.Fields(line), " ")
		low := strings.ToLower(line)
		switch {
		case strings.HasPrefix(low, "---") && contains(low, []string{"copy of", "original message", "returned message", "unsent message", "below this line", "message header", "header follows"}),
			begins(low, []string{"return-path:", "received: ", "original message headers", "mime-version:"}):
			return strings.Join(out, "\n")
		case begins(low, []string{"subject:", "betreff:", "objet :", "asunto:"}):
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

var (
	// RFC 3463 §3: subjects are 0 to 7, which tells a status from most numbers of
	// versions, and what is before and behind it from an IP address.
	statusCode = regexp.MustCompile(`(?:^|[^\d.])([45]\.[0-7]\.\d{1,3})(?:$|[^\d.]|\.(?:\D|$))`)
	replyCode  = regexp.MustCompile(`(?m)(?:^|[\s:(#"'])(5[0-5]\d)[ \-]`)
)

// statusIn returns the enhanced status that a text tells, as far as it tells one.
func statusIn(said string) string {
	if m := statusCode.FindStringSubmatch(said); m != nil {
		return m[1]
	}
	if m := replyCode.FindStringSubmatch(said); m != nil {
		switch m[1] { // RFC 5321 §4.2.3
		case "550", "551", "553":
			return "5.1.0"
		case "552":
			return "5.2.2"
		}
	}
	return "5.0.0"
}

// reasonIn returns the line that says most, for the record and the notice.
func reasonIn(said string) string {
	best := ""
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		switch {
		case statusCode.MatchString(line) || replyCode.MatchString(line):
			return oneLine(line, maxReason)
		case best == "" && strings.HasPrefix(line, "Sorry"), best == "" && contains(strings.ToLower(line), failedWords):
			best = line
		}
	}
	return oneLine(best, maxReason)
}

var (
	tags   = regexp.MustCompile(`(?s)<(?:style|script).*?</(?:style|script)>|<[^@<>]*>`)
	breaks = regexp.MustCompile(`(?i)<(?:br|p|/p|div|/div|tr|/tr|li)\b[^>]*>`)
)

// words returns what a part of text says, without its markup.
func (p *part) words() []byte {
	if p == nil {
		return nil
	}
	short := *p
	short.body = short.body[:min(len(short.body), maxWorded)]
	b := short.content()
	if p.media == "text/html" {
		b = []byte(html.UnescapeString(string(tags.ReplaceAll(breaks.ReplaceAll(b, []byte("\n")), []byte(" ")))))
	}
	return bytes.TrimSpace(b)
}
