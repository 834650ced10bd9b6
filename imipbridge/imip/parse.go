package imip

import (
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
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
		}
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
	}
	for _, f := range h {
		switch f.name {
		case "received":
			m.results = append(m.results, "")
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
	if m.Date.IsZero() {
		m.Date = received.UTC()
	}
	return m
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
	case "application/ics", "application/calendar", "application/x-ics":
		return application
	case "application/octet-stream":
		if strings.HasSuffix(strings.ToLower(p.filename()), ".ics") {
			return byName
		}
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
		o, err := ics.Parse(toUTF8(p.content(), p.params["charset"]), lim.ICS)
		if err != nil {
			m.Problems = append(m.Problems, err.Error())
			continue
		}
		method := o.Method()
		if method == "" { // the part's header speaks where the body does not
			method = strings.ToUpper(strings.TrimSpace(p.params["method"]))
		}
		if method == "" {
			// A calendar that is only shown, no message to anybody (RFC 6047
			// §2.4, note 2).
			continue
		}
		each, err := split(o)
		if err != nil {
			m.Problems = append(m.Problems, err.Error())
			continue
		}
		for _, one := range each {
			one = m.repair(one, method)
			k := key{one.UID(), method}
			if best, ok := ranks[k]; ok && best < rank {
				continue
			}
			ranks[k] = rank
			if s := saying(one); !said[s] {
				said[s] = true
				m.Objects = append(m.Objects, one)
			}
		}
	}
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

// split makes one object a UID of an object that holds several, as exporters
// write them. An object with one UID stays as it is.
func split(o *ics.Object) ([]*ics.Object, error) {
	var uids []string
	of := map[string][]*ics.Component{}
	for _, c := range o.Main() {
		uid := strings.TrimSpace(c.Value("UID"))
		if uid == "" {
			return nil, &ics.SyntaxError{Reason: c.Name + " without UID"}
		}
		if of[uid] == nil {
			uids = append(uids, uid)
		}
		of[uid] = append(of[uid], c)
	}
	switch {
	case len(uids) == 1:
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

// repair gives a message what it must have and its sender left out, as far as
// the mail itself tells it (decision 21). A message that lacks nothing is
// returned as it is.
func (m *Mail) repair(o *ics.Object, method string) *ics.Object {
	root := o.Root().Clone()
	edited := false
	if root.Value("METHOD") != method {
		root.Set(ics.NewProp("METHOD", method))
		edited = true
	}
	for _, c := range root.Children {
		if c.Name == "VTIMEZONE" {
			continue
		}
		if !usableStamp(c.Value("DTSTAMP"), m.Date) {
			c.Set(ics.NewProp("DTSTAMP", m.Date.Format("20060102T150405Z")))
			edited = true
		}
		if method == "REPLY" && m.repairAttendee(c) {
			edited = true
		}
	}
	if !edited {
		return o
	}
	return ics.New(root)
}

// usableStamp reports whether a DTSTAMP can order messages: an instant in UTC
// (RFC 5545 §3.8.7.2), not later than a day after the mail.
func usableStamp(v string, date time.Time) bool {
	t, err := time.Parse("20060102T150405Z", strings.TrimSpace(v))
	return err == nil && !t.After(date.Add(24*time.Hour))
}

// repairAttendee leaves the one ATTENDEE of a REPLY who answers (RFC 5546
// §3.2.3): of several the sender, of none the sender.
func (m *Mail) repairAttendee(c *ics.Component) bool {
	from := m.From.Address
	list := ics.Attendees(c)
	if len(list) == 0 && !from.IsZero() {
		// Without a PARTSTAT nobody can tell what he answered; but the record
		// names him.
		c.Add(ics.NewProp("ATTENDEE", from.String()))
		return true
	}
	same := func(p *ics.Prop) bool { return speaks(p, from) || speaks(p, m.Sender.Address) }
	if len(list) < 2 || !slices.ContainsFunc(list, same) {
		return false
	}
	c.RemoveFunc(func(p *ics.Prop) bool { return p.Name == "ATTENDEE" && !same(p) })
	return true
}

// speaks reports whether who is the calendar user of an ORGANIZER or ATTENDEE,
// or acts for him by its SENT-BY (RFC 5545 §3.2.18). Local parts are compared
// without case: addresses of strangers come in every spelling.
func speaks(p *ics.Prop, who cuaddr.Address) bool {
	if who.IsZero() {
		return false
	}
	return Same(ics.CalAddress(p), who) || Same(SentBy(p), who)
}

// SentBy returns the SENT-BY of an ORGANIZER or ATTENDEE, zero without one.
func SentBy(p *ics.Prop) cuaddr.Address {
	v := p.Param("SENT-BY")
	if v == "" {
		return cuaddr.Address{}
	}
	a, err := cuaddr.Parse(v)
	if err != nil {
		return cuaddr.Address{}
	}
	return a
}

// Same reports whether two addresses reach one mailbox as far as anybody can
// tell from outside.
func Same(a, b cuaddr.Address) bool { return !a.IsZero() && a.Fold() == b.Fold() }
