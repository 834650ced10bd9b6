package imip

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// repair gives a message what it must have and its sender left out or wrote
// wrongly, as far as the mail itself tells it (decision 21), and says what. A
// message that lacks nothing is returned as it is.
func (m *Mail) repair(o *ics.Object, method string) (*ics.Object, []string) {
	r := &repairing{mail: m, object: o, root: o.Root().Clone(), method: method}
	if r.root.Value("METHOD") != method {
		r.root.Set(ics.NewProp("METHOD", method))
		r.edited = true
	}
	for _, c := range r.root.Children {
		switch {
		case c.Name == "VTIMEZONE":
		case scheduled[c.Name]:
			r.component(c)
		}
	}
	if !r.edited {
		return o, nil
	}
	return ics.New(r.root), r.what
}

type repairing struct {
	mail   *Mail
	object *ics.Object
	root   *ics.Component // what becomes of it
	method string
	edited bool
	what   []string
}

func (r *repairing) did(what string) {
	r.edited = true
	if !slices.Contains(r.what, what) {
		r.what = append(r.what, what)
	}
}

func (r *repairing) component(c *ics.Component) {
	r.empty(c)
	r.twice(c)
	for i := range c.Props {
		switch p := &c.Props[i]; p.Name {
		case "ORGANIZER", "ATTENDEE":
			r.calendarUser(p)
		}
	}
	if fromOrganizer(r.method) && c.Prop("ORGANIZER") == nil && r.mail.Froms == 1 {
		// It speaks in nobody's name but its sender's.
		c.Add(ics.NewProp("ORGANIZER", r.mail.From.Address.String()))
		r.did("ORGANIZER from the mail's From")
	}
	if !usableStamp(c.Value("DTSTAMP"), r.mail.Date) {
		c.Set(ics.NewProp("DTSTAMP", r.mail.Date.Format("20060102T150405Z")))
		r.did("DTSTAMP from the mail's Date")
	}
	if r.method == "REPLY" {
		r.attendee(c)
		r.unsaid(c)
	}
	r.times(c)
	r.rules(c)
	r.number(c)
	r.attachments(c)
}

// fromOrganizer tells the methods that an organizer sends from those that an
// attendee sends (RFC 5546 §1.4).
func fromOrganizer(method string) bool {
	switch method {
	case "REQUEST", "CANCEL", "ADD", "PUBLISH", "DECLINECOUNTER":
		return true
	}
	return false
}

// mayBeEmpty are the properties whose empty value says nothing, and makes some
// programs stumble.
var mayBeEmpty = []string{"LOCATION", "URL", "COMMENT", "CONTACT", "ORGANIZER", "ATTENDEE", "RRULE", "RDATE", "EXDATE", "DTEND", "DURATION", "DUE",
	"CATEGORIES", "GEO", "PRIORITY", "SEQUENCE", "ATTACH", "CLASS", "TRANSP", "STATUS", "CREATED", "LAST-MODIFIED", "RELATED-TO", "REQUEST-STATUS"}

func (r *repairing) empty(c *ics.Component) {
	c.RemoveFunc(func(p *ics.Prop) bool {
		v := strings.TrimSpace(p.Value)
		if (p.Name == "ORGANIZER" || p.Name == "ATTENDEE") && strings.EqualFold(v, "mailto:") {
			v = ""
		}
		if v != "" || !slices.Contains(mayBeEmpty, p.Name) {
			return false
		}
		r.did("empty " + p.Name)
		return true
	})
}

// once are the properties that a component has at most once (RFC 5545 §3.6):
// the first counts.
var once = map[string]bool{"UID": true, "DTSTAMP": true, "DTSTART": true, "DTEND": true, "DUE": true, "DURATION": true, "ORGANIZER": true,
	"SEQUENCE": true, "STATUS": true, "TRANSP": true, "SUMMARY": true, "LOCATION": true}

func (r *repairing) twice(c *ics.Component) {
	seen := map[string]string{}
	c.RemoveFunc(func(p *ics.Prop) bool {
		if !once[p.Name] {
			return false
		}
		if _, again := seen[p.Name]; !again {
			seen[p.Name] = p.Value
			return false
		}
		r.did(p.Name + " twice")
		return true
	})
	if _, both := seen["DTEND"]; both {
		if _, both := seen["DURATION"]; both { // RFC 5545 §3.6.1: either or
			c.Remove("DURATION")
			r.did("DURATION beside DTEND")
		}
	}
}

// addressParams hold calendar user addresses (RFC 5545 §3.2).
var addressParams = []string{"SENT-BY", "DELEGATED-TO", "DELEGATED-FROM", "MEMBER"}

// verdicts are answers in words that are none of RFC 5545 §3.2.12, and what
// they mean.
var verdicts = map[string]string{"ACCEPT": "ACCEPTED", "ACCEPTS": "ACCEPTED", "YES": "ACCEPTED", "CONFIRMED": "ACCEPTED", "DECLINE": "DECLINED", "DECLINES": "DECLINED",
	"NO": "DECLINED", "REJECTED": "DECLINED", "TENTATIVELY-ACCEPTED": "TENTATIVE", "MAYBE": "TENTATIVE", "NEEDS ACTION": "NEEDS-ACTION", "NEEDSACTION": "NEEDS-ACTION"}

func (r *repairing) calendarUser(p *ics.Prop) {
	if v, ok := asURI(p.Value); ok {
		*p = p.WithValue(v)
		r.did("address of " + p.Name)
	} else if v, ok := asMail(p); ok {
		*p = p.WithValue(v).WithoutParams("EMAIL")
		r.did("address of " + p.Name + " from its EMAIL")
	}
	for _, name := range addressParams {
		values := p.ParamValues(name)
		for i, v := range values {
			if fixed, ok := asURI(v); ok {
				values = slices.Clone(values)
				values[i] = fixed
				*p = p.WithParam(name, values...)
				r.did(name + " of " + p.Name)
			}
		}
	}
	if ps := strings.ToUpper(strings.TrimSpace(p.Param("PARTSTAT"))); verdicts[ps] != "" {
		*p = p.WithParam("PARTSTAT", verdicts[ps])
		r.did("PARTSTAT " + ps)
	}
}

// asURI writes a calendar user address as a URI: some programs leave the
// scheme away, double it, put a display name or blanks into it, or encode the
// whole. ok: it was not one already.
func asURI(s string) (fixed string, ok bool) {
	a, err := cuaddr.Parse(s)
	if err != nil {
		dec := s
		if d, err := url.PathUnescape(s); err == nil {
			dec = d
		}
		low := strings.ToLower(dec)
		if i := strings.LastIndex(low, "mailto:"); i >= 0 {
			dec = dec[i+len("mailto:"):]
		}
		if i := strings.LastIndexByte(dec, '<'); i >= 0 {
			dec, _, _ = strings.Cut(dec[i+1:], ">")
		}
		dec = strings.Join(strings.Fields(dec), "")
		if a = cuaddr.Mailto(strings.Trim(dec, `"'`)); a.IsZero() {
			return "", false
		}
	}
	if a.Mail() == "" || strings.EqualFold(strings.TrimSpace(s), a.String()) {
		return "", false
	}
	return a.String(), true
}

// asMail writes a calendar user address that is no mail address as the one that
// its EMAIL says (RFC 7986 §6.2): by mail nobody is reached otherwise (RFC 6047
// §2.3).
func asMail(p *ics.Prop) (v string, ok bool) {
	if ics.CalAddress(p).Mail() != "" {
		return "", false
	}
	a := cuaddr.Mailto(strings.TrimSpace(p.Param("EMAIL")))
	return a.String(), !a.IsZero()
}

// usableStamp reports whether a DTSTAMP can order messages: an instant in UTC
// (RFC 5545 §3.8.7.2), not later than a day after the mail.
func usableStamp(v string, date time.Time) bool {
	t, err := time.Parse("20060102T150405Z", strings.TrimSpace(v))
	return err == nil && !t.After(date.Add(24*time.Hour))
}

// attendee leaves the one ATTENDEE of a REPLY who answers (RFC 5546 §3.2.3):
// of several the sender, of none the sender.
func (r *repairing) attendee(c *ics.Component) {
	from := r.mail.From.Address
	list := ics.Attendees(c)
	if len(list) == 0 && !from.IsZero() {
		// Without a PARTSTAT nobody can tell what he answered; but the record
		// names him.
		c.Add(ics.NewProp("ATTENDEE", from.String()))
		r.did("ATTENDEE from the mail's From")
		return
	}
	same := func(p *ics.Prop) bool { return speaks(p, from) || speaks(p, r.mail.Sender.Address) }
	if len(list) < 2 || !slices.ContainsFunc(list, same) {
		return
	}
	others := func(p *ics.Prop) bool { return p.Name == "ATTENDEE" && !same(p) && !delegation(p, from) }
	if !slices.ContainsFunc(c.Props, func(p ics.Prop) bool { return others(&p) }) {
		return
	}
	c.RemoveFunc(others)
	r.did("others' ATTENDEE in a REPLY")
}

// unsaid marks an answer that does not say what it is. That it stands for
// NEEDS-ACTION is so in a calendar (RFC 5545 §3.2.12); a REPLY that takes an
// answer back says so (RFC 5546 §3.2.3), and what says nothing changes nothing.
// A reply that tells of an error is none (RFC 5546 §3.6), and goes on as it is.
func (r *repairing) unsaid(c *ics.Component) {
	if slices.ContainsFunc(c.Props, func(p ics.Prop) bool { return p.Name == "REQUEST-STATUS" && p.Value >= "3" && p.Value < "6" }) {
		return
	}
	for i := range c.Props {
		if p := &c.Props[i]; c.Name == "VEVENT" && p.Name == "ATTENDEE" && !p.HasParam("PARTSTAT") && !delegation(p, r.mail.From.Address) {
			*p = p.WithParam("PARTSTAT", "X-NONE")
			r.did("a REPLY that does not say the answer")
		}
	}
}

// delegation reports whether a line is of somebody whom an attendee sends in his
// place, or who sends him: it belongs to his answer (RFC 5546 §4.2.5, §4.2.6).
func delegation(p *ics.Prop, who cuaddr.Address) bool {
	for _, name := range []string{"DELEGATED-TO", "DELEGATED-FROM"} {
		for _, v := range p.ParamValues(name) {
			if a, err := cuaddr.Parse(v); err == nil && Same(a, who) {
				return true
			}
		}
	}
	return false
}

// times repairs zones that nobody knows, and days that are written as times.
func (r *repairing) times(c *ics.Component) {
	for i := range c.Props {
		p := &c.Props[i]
		if tzid := p.Param("TZID"); tzid != "" {
			if zone := r.zone(tzid); zone != "" {
				*p = p.WithParam("TZID", zone)
				r.did("time zone " + ascii7(tzid))
			}
		}
	}
	// Exchange writes a day as a time from midnight to midnight.
	if !strings.EqualFold(strings.TrimSpace(c.Value("X-MICROSOFT-CDO-ALLDAYEVENT")), "TRUE") || c.Prop("RECURRENCE-ID") != nil || c.Prop("RRULE") != nil {
		return
	}
	start, end := c.Prop("DTSTART"), c.Prop("DTEND")
	if start == nil || end == nil || !midnight(start.Value) || !midnight(end.Value) {
		return
	}
	for _, p := range []*ics.Prop{start, end} {
		*p = ics.NewProp(p.Name, strings.TrimSpace(p.Value)[:8], ics.Param{Name: "VALUE", Values: []string{"DATE"}})
	}
	r.did("a day written as times")
}

// midnight reports whether a time is the beginning of a day on its own clock.
func midnight(v string) bool {
	v = strings.TrimSpace(v)
	return len(v) == 15 && strings.HasSuffix(v, "T000000")
}

// zone returns the IANA name for a TZID of which nothing in the message tells
// the rules; "" where the TZID is known as it is, or not at all.
func (r *repairing) zone(tzid string) string {
	if ics.Location(tzid) != nil {
		return ""
	}
	for _, c := range r.root.Children {
		if c.Name == "VTIMEZONE" && strings.TrimSpace(c.Value("TZID")) == strings.TrimSpace(tzid) && len(c.Children) > 0 {
			return "" // its own rules count: the name may be anybody's
		}
	}
	if name := foreignZone(tzid); name != "" {
		return name
	}
	if name := strings.TrimSpace(r.object.Root().Value("X-WR-TIMEZONE")); name != "" && ics.Location(name) != nil {
		return ics.Location(name).String()
	}
	return ""
}

// rules repairs recurrence rules with two ends (RFC 5545 §3.3.10): the count
// is what programs show.
func (r *repairing) rules(c *ics.Component) {
	for i := range c.Props {
		p := &c.Props[i]
		if p.Name != "RRULE" {
			continue
		}
		parts := strings.Split(p.Value, ";")
		is := func(name string) func(string) bool {
			return func(s string) bool { return strings.HasPrefix(strings.ToUpper(strings.TrimSpace(s)), name+"=") }
		}
		if slices.ContainsFunc(parts, is("COUNT")) && slices.ContainsFunc(parts, is("UNTIL")) {
			parts = slices.DeleteFunc(parts, is("UNTIL"))
			*p = p.WithValue(strings.Join(parts, ";"))
			r.did("UNTIL beside COUNT")
		}
	}
}

// number makes a SEQUENCE of one that is none.
func (r *repairing) number(c *ics.Component) {
	if p := c.Prop("SEQUENCE"); p != nil {
		if n, err := strconv.Atoi(strings.TrimSpace(p.Value)); err != nil || n < 0 {
			c.Set(ics.NewProp("SEQUENCE", "0"))
			r.did("SEQUENCE")
		}
	}
}

// maxInline bounds what a stranger's event may bring along.
const maxInline = 256 << 10

// attachments drops what points into the mail, which the calendar does not
// have, and files that are too large for it.
func (r *repairing) attachments(c *ics.Component) {
	c.RemoveFunc(func(p *ics.Prop) bool {
		if p.Name != "ATTACH" && p.Name != "IMAGE" {
			return false
		}
		switch v := strings.TrimSpace(p.Value); {
		case len(v) >= 4 && strings.EqualFold(v[:4], "cid:"):
			r.did("an attachment that is elsewhere in the mail")
		case len(v) > maxInline:
			r.did("an attachment of more than 256 kB")
		default:
			return false
		}
		return true
	})
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
