package imip

import (
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// Parse reads a mail. received stands for its Date where that is missing. The
// error is a *LimitError: then nothing in the mail counts. A calendar part that
// cannot be read is no error; Problems tells of it.
//
// The Mail keeps data: the caller must not write to it afterwards.
func Parse(data []byte, received time.Time, lim Limits) (*Mail, error) {
	lim = lim.orDefaults()
	if len(data) > lim.Bytes {
		return nil, &LimitError{"octets", lim.Bytes}
	}
	h, body, err := readHeader(data, lim)
	if err != nil {
		return nil, err
	}
	m := envelope(h, received)

	var calendars, reports []part
	w := walk{lim: lim, leaf: func(p part) {
		switch rank := calendarRank(&p); {
		case rank < notCalendar:
			calendars = append(calendars, p)
		case p.media == "message/delivery-status", p.media == "message/global-delivery-status":
			reports = append(reports, p)
		case p.media == "message/disposition-notification": // RFC 8098 §3.1
			m.machine = true
		default:
			if m.first == nil && (p.media == "text/plain" || p.media == "text/html") {
				first := p
				m.first = &first
			}
			m.Sealed = m.Sealed || p.sealed()
			m.Attached = m.Attached || p.attached()
		}
	}, multipart: func(media string) {
		m.Sealed = m.Sealed || media == "multipart/signed" || media == "multipart/encrypted" // RFC 1847
	}}
	if err := w.entity(h, body, 1, false); err != nil {
		return nil, err
	}
	if len(reports) > 0 {
		// What a report brings back is a mail that we sent, not one that
		// somebody sent us: the calendar in it counts for nothing.
		m.Report = readReport(reports[0].content(), lim)
		return m, nil
	}
	if len(calendars) > lim.Calendars {
		return nil, &LimitError{"calendar parts", lim.Calendars}
	}
	slices.SortStableFunc(calendars, func(a, b part) int { return calendarRank(&a) - calendarRank(&b) })
	m.calendars(calendars, lim)
	return m, nil
}

// envelope reads what the header says.
func envelope(h header, received time.Time) *Mail {
	m := &Mail{
		Subject:       text(h.get("subject")),
		Date:          date(h.get("date")),
		AutoSubmitted: autoSubmitted(h.get("auto-submitted")),
		from:          h.get("from"),
		namesFailed:   h.get("x-failed-recipients") != "",
	}
	for _, f := range h {
		switch f.name {
		case "received":
			m.Hops++
			m.results = append(m.results, receivedBy+by(f.value))
		case "authentication-results":
			m.results = append(m.results, f.value)
		}
	}
	for _, v := range h.all("from") {
		for _, b := range mailboxes(v) {
			if m.Froms++; m.Froms == 1 {
				m.From = b
			}
		}
	}
	if s := mailboxes(h.get("sender")); len(s) > 0 {
		m.Sender = s[0]
	}
	for _, name := range []string{"to", "cc"} {
		for _, v := range h.all(name) {
			m.To = append(m.To, mailboxes(v)...)
		}
	}
	m.MessageID = msgID(h.get("message-id"))
	m.References = references(h.get("in-reply-to"), h.get("references"))
	m.machine = byMachine(h)
	for _, name := range []string{"content-type", "content-transfer-encoding", "mime-version", "date"} {
		m.Ambiguous = m.Ambiguous || len(h.all(name)) > 1
	}
	if m.Date.IsZero() {
		m.Date = received.UTC()
	}
	return m
}

// maxReferences bounds how many mails are looked for that a mail may answer.
const maxReferences = 20

// references returns the ids of In-Reply-To and References, the latest first,
// each once.
func references(fields ...string) []string {
	var ids []string
	for _, f := range fields {
		var of []string
		for rest := f; ; {
			_, after, ok := strings.Cut(rest, "<")
			id, next, closed := strings.Cut(after, ">")
			if !ok || !closed {
				break
			}
			if id = strings.TrimSpace(id); id != "" && !strings.ContainsAny(id, " \t<") {
				of = append(of, id)
			}
			rest = next
		}
		slices.Reverse(of)
		for _, id := range of {
			if len(ids) < maxReferences && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// byMachine reports whether fields that programs set beside Auto-Submitted, or
// in its place, say that nobody wrote the mail.
func byMachine(h header) bool {
	switch strings.ToLower(strings.TrimSpace(h.get("precedence"))) {
	case "bulk", "junk", "list", "auto_reply":
		return true
	}
	for _, name := range []string{"list-id", "list-unsubscribe", "x-autoreply", "x-autorespond", "x-vacation"} {
		if h.get(name) != "" {
			return true
		}
	}
	return false
}

// autoSubmitted returns the keyword of the field without its parameters and
// comments (RFC 3834 §5).
func autoSubmitted(v string) string {
	v, _, _ = strings.Cut(stripComments(v), ";")
	return strings.ToLower(strings.TrimSpace(v))
}

// Ranks of calendar parts: where several say the same, the first counts.
const (
	inAlternative = iota
	ofItsOwn
	application
	byName
	tnef
	notCalendar
)

// calendarRank says how a part carries iCalendar, if it does. RFC 6047 §2.4
// knows text/calendar; programs send it by other names too.
func calendarRank(p *part) int {
	switch p.media {
	case "text/calendar", "text/x-vcalendar":
		if p.alternative {
			return inAlternative
		}
		return ofItsOwn
	case "application/ics", "application/calendar", "application/x-ics", "text/ics":
		return application
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return tnef
	case "message/rfc822", "message/global":
		return notCalendar
	}
	switch name := strings.ToLower(p.filename()); {
	case strings.HasSuffix(name, ".ics"), strings.HasSuffix(name, ".vcs"):
		return byName
	case name == "winmail.dat":
		return tnef
	}
	return notCalendar
}

// calendars reads the parts, best first. Of one UID and method only the best
// kind of part counts: the attachment beside the alternative says the same
// once more, perhaps with a property less.
func (m *Mail) calendars(parts []part, lim Limits) {
	type key struct{ uid, method string }
	ranks := map[key]int{}
	said := map[string]bool{}
	for _, p := range parts {
		rank := calendarRank(&p)
		if rank == tnef && len(m.Objects) > 0 {
			continue // it says the same for Exchange
		}
		docs, err := m.read(&p, lim)
		if err != nil {
			m.Problems = append(m.Problems, err.Error())
		}
		for _, d := range docs {
			method, note := methodOf(d.object, &p)
			if method == "" {
				// A calendar that is only shown, no message to anybody (RFC 6047
				// §2.4, note 2).
				m.Shown = true
				continue
			}
			if note != "" {
				d.repairs = append(d.repairs[:len(d.repairs):len(d.repairs)], note)
			}
			each, err := split(d.object)
			if err != nil {
				m.Problems = append(m.Problems, err.Error())
				continue
			}
			for _, one := range each {
				one, repairs := m.repair(one, method)
				k := key{one.UID(), method}
				if best, ok := ranks[k]; ok && best < rank {
					continue
				}
				ranks[k] = rank
				if s := saying(one); !said[s] {
					said[s] = true
					m.Objects = append(m.Objects, one)
					m.note(d.repairs...)
					m.note(repairs...)
				}
			}
		}
	}
}

// read returns the VCALENDARs of a part.
func (m *Mail) read(p *part, lim Limits) ([]document, error) {
	if calendarRank(p) == tnef {
		return m.readTNEF(p.content(), lim.ICS)
	}
	return documents(p.decoded(), p.params["charset"], lim.ICS)
}

// note adds to the repairs what is not among them.
func (m *Mail) note(repairs ...string) {
	for _, r := range repairs {
		if !slices.Contains(m.Repairs, r) {
			m.Repairs = append(m.Repairs, r)
		}
	}
}

// methodOf returns what a calendar wants to do: its METHOD, and the part's
// header where it does not speak. Where both do, the calendar counts: Kontact
// labels a COUNTER as REQUEST, others a PUBLISH (RFC 6047 §2.4 wants them equal).
func methodOf(o *ics.Object, p *part) (method, note string) {
	method = o.Method()
	header := strings.ToUpper(strings.TrimSpace(p.params["method"]))
	switch {
	case method == "" && header != "":
		return header, "METHOD from the part's header"
	case method != "" && header != "" && header != method:
		return method, "the part's header says " + ascii7(header)
	}
	return method, ""
}

// ascii7 makes a word from a header fit for a record.
func ascii7(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 40)]
}

// saying is equal for messages that say the same.
func saying(o *ics.Object) string {
	var b strings.Builder
	b.WriteString(o.Method())
	for _, c := range o.Main() {
		for _, n := range []string{"UID", "SEQUENCE", "DTSTAMP", "RECURRENCE-ID"} {
			b.WriteByte(0)
			b.WriteString(strings.TrimSpace(c.Value(n)))
		}
		for _, a := range ics.Attendees(c) {
			b.WriteString("\x00" + a.Value + "\x00" + ics.PartStat(a))
		}
	}
	return b.String()
}

// maxUIDs bounds the conversations of one part: each becomes an object with
// the time zones of all.
const maxUIDs = 50

// scheduled are the components that people send each other (RFC 5546 §3).
var scheduled = map[string]bool{"VEVENT": true, "VTODO": true, "VJOURNAL": true, "VFREEBUSY": true}

// split makes one object a UID of an object that holds several, as exporters
// write them. An object with one UID stays as it is.
func split(o *ics.Object) ([]*ics.Object, error) {
	var uids []string
	of := map[string][]*ics.Component{}
	for _, c := range o.Main() {
		uid := strings.TrimSpace(c.Value("UID"))
		if uid == "" {
			if !scheduled[c.Name] {
				continue // an alarm or a note of the program's own
			}
			return nil, &ics.SyntaxError{Reason: c.Name + " without UID"}
		}
		if of[uid] == nil {
			uids = append(uids, uid)
		}
		of[uid] = append(of[uid], c)
	}
	switch {
	case len(uids) == 1 && len(of[uids[0]]) == len(o.Main()):
		return []*ics.Object{o}, nil
	case len(uids) > maxUIDs:
		return nil, &ics.TooLargeError{What: "UIDs in one message", Limit: maxUIDs}
	}
	var out []*ics.Object
	for _, uid := range uids {
		root := &ics.Component{Name: o.Root().Name, Props: o.Root().Props}
		for _, c := range o.Root().Children {
			if c.Name == "VTIMEZONE" {
				root.Children = append(root.Children, c)
			}
		}
		root.Children = append(root.Children, of[uid]...)
		out = append(out, ics.New(root.Clone()))
	}
	return out, nil
}
