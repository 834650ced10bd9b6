package imip

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/text/width"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/words"
)

// Row is one line of what a text tells of a meeting.
type Row struct {
	Label string
	Value string
	Was   string // before the change; "" where nothing changed
}

// Page is what a person reads in a mail, before it becomes text or HTML: what
// a template is given.
type Page struct {
	Lang    string // BCP 47
	Subject string
	Heading string
	Rows    []Row
	Was     string   // the word for "before"
	Notes   []string // lines of the DESCRIPTION
	Answer  string   // address of the page on which to answer; "": nothing is asked
	Query   string   // name of the value by which a button's link says its Value
	Here    string   // the line above that address
	Footer  string   // the line below it
	Buttons []Button
}

const (
	maxTitle  = 120 // runes of a title in the subject
	maxValue  = 500
	maxNotes  = 4000
	maxPeople = 25 // named in a text
	maxDates  = 12
)

// page words the message as it goes out.
func (m *Message) page(body *ics.Object) Page {
	s := speak(m.Words)
	p := Page{Lang: s.Tag, Was: s.Say("before")}
	c := body.First()
	if c == nil {
		c = &ics.Component{}
	}
	var before *ics.Component
	if m.Prior != nil {
		if before = like(m.Prior, body.RID(c)); before == nil {
			before = m.Prior.First()
		}
	}
	d := describer{s, body, m.Prior, m.Zone, m.Bound}
	who := oneLine(m.Speaker.Name, 80)
	if who == "" {
		who = m.Speaker.Address.Mail()
	}
	if c.Name == "VFREEBUSY" {
		p.Subject = s.Say("Busy time of %s", who)
		p.Heading, p.Rows = p.Subject, d.busy(c)
		return p
	}

	title := c.Text("SUMMARY")
	if title == "" && before != nil {
		title = before.Text("SUMMARY") // an answer may leave it out
	}
	title = oneLine(title, maxTitle)
	if title == "" {
		title = s.Say("(no title)")
	}
	method := body.Method()
	heading, subject := purpose(method, c, m.Speaker.Address, before != nil)
	p.Heading, p.Subject = s.Say(heading, who, s.quote(title)), s.Say(subject, title)
	p.Rows = d.rows(c, before)
	if method != "REPLY" {
		p.Notes = Notes(c)
	}
	switch {
	case m.Answer == "":
	case method == "REQUEST" || method == "ADD":
		p.Answer, p.Query, p.Buttons = m.Answer, "answer", AnswerButtons(m.Words)
		p.Here, p.Footer = s.Say("Answer here, without a calendar program:"),
			s.Say("Your mail program can answer this invitation too. Nothing is answered by opening the page.")
	case method == "COUNTER":
		p.Answer, p.Query, p.Buttons = m.Answer, "decide", ProposalButtons(m.Words)
		p.Here, p.Footer = s.Say("Decide here, without a calendar program:"), s.Say("Nothing is decided by opening the page.")
	}
	if method == "REPLY" || method == "COUNTER" || method == "DECLINECOUNTER" {
		if text := oneLine(c.Text("COMMENT"), maxValue); text != "" {
			p.Rows = append(p.Rows, Row{Label: s.Say("Comment"), Value: text})
		}
	}
	return p
}

// busy tells of busy time, the first periods of it one by one.
func (d *describer) busy(c *ics.Component) []Row {
	rows := []Row{{Label: d.Say("When"), Value: d.span(d.body, c)}}
	periods, err := d.body.Periods(c, 5000)
	if err != nil {
		return rows
	}
	var list []string
	for i, s := range periods {
		if i == maxDates {
			list = append(list, d.more(len(periods)-i))
			break
		}
		one := &ics.Component{Name: "VFREEBUSY", Props: []ics.Prop{
			ics.NewProp("DTSTART", s.Start.Format("20060102T150405Z")), ics.NewProp("DTEND", s.End.Format("20060102T150405Z"))}}
		list = append(list, d.span(d.body, one))
	}
	if len(list) > 0 {
		rows = append(rows, Row{Label: d.Say("Busy"), Value: strings.Join(list, "; ")})
	}
	return rows
}

func (d *describer) more(n int) string { return d.Count(n, "and %d more", "and %d more", n) }

// replies are the texts about an answer: heading with a %s for who answers
// and one for the title, and subject.
var replies = map[string][2]string{
	"ACCEPTED":   {"%s accepted %s", "Accepted: %s"},
	"TENTATIVE":  {"%s tentatively accepted %s", "Tentatively accepted: %s"},
	"DECLINED":   {"%s declined %s", "Declined: %s"},
	"DELEGATED":  {"%s delegated the invitation to %s", "Delegated: %s"},
	"IN-PROCESS": {"%s is working on %s", "In progress: %s"},
	"COMPLETED":  {"%s completed %s", "Done: %s"},
	"":           {"%s answered to %s", "Answer: %s"},
}

// purpose returns the heading and the subject of a message, with a %s for who
// speaks and one for the title.
func purpose(method string, c *ics.Component, speaker cuaddr.Address, update bool) (heading, subject string) {
	switch method {
	case "REQUEST", "ADD":
		if update {
			return "%s changed %s", "Updated invitation: %s"
		}
		return "%s invites you to %s", "Invitation: %s"
	case "CANCEL":
		return "%s cancelled %s", "Cancelled: %s"
	case "REPLY":
		var answer string
		for _, a := range ics.Attendees(c) {
			if answer == "" || person(a) == speaker {
				answer = ics.PartStat(a)
			}
		}
		r, ok := replies[answer]
		if !ok {
			r = replies[""]
		}
		return r[0], r[1]
	case "COUNTER":
		return "%s proposes a change to %s", "Proposal: %s"
	case "DECLINECOUNTER":
		return "%s declined your proposal for %s", "Proposal declined: %s"
	case "REFRESH":
		return "%s asks for the current state of %s", "Current state asked for: %s"
	}
	return "%s tells you of %s", "%s"
}

// Describe tells of a meeting in the words of a language: its title, and when,
// where and with whom it is. zone is the reader's; nil shows the event's own.
func Describe(l *words.Language, o *ics.Object, c *ics.Component, zone *time.Location) (title string, rows []Row) {
	d := describer{speak(l), o, nil, zone, ics.Bound{}}
	if title = oneLine(c.Text("SUMMARY"), maxTitle); title == "" {
		title = d.Say("(no title)")
	}
	return title, d.rows(c, nil)[1:]
}

// When words when a component takes place.
func When(l *words.Language, o *ics.Object, c *ics.Component, zone *time.Location) string {
	d := describer{speak(l), o, nil, zone, ics.Bound{}}
	return d.span(o, c)
}

// like returns the component of o for the same instance, made from the series
// where it has none of its own.
func like(o *ics.Object, r ics.RID) *ics.Component {
	if r == "" {
		return o.Master()
	}
	if c := o.Override(r); c != nil {
		return c
	}
	if o.Master() == nil {
		return nil
	}
	return o.Occurrence(r)
}

// describer words one message or object.
type describer struct {
	speech
	body, prior *ics.Object
	zone        *time.Location
	bound       ics.Bound
}

// rows tells of a component; before is what it was, nil where that is unknown.
func (d *describer) rows(c, before *ics.Component) []Row {
	var rows []Row
	add := func(label, value, was string) {
		if value == was {
			was = ""
		}
		if value != "" || was != "" {
			rows = append(rows, Row{label, value, was})
		}
	}
	text := func(c *ics.Component, name string) string {
		if c == nil {
			return ""
		}
		return oneLine(c.Text(name), maxValue)
	}
	title := text(c, "SUMMARY")
	if title == "" && c.Prop("SUMMARY") == nil {
		title = text(before, "SUMMARY")
	}
	if title == "" {
		title = d.Say("(no title)")
	}
	add(d.Say("What"), title, text(before, "SUMMARY"))

	when, was := d.span(d.body, c), ""
	if before != nil {
		was = d.span(d.prior, before)
	}
	if when == "" {
		when, was = was, ""
	}
	label := "When"
	if c.Name == "VTODO" && c.Prop("DTSTART") == nil {
		label = "Due"
	}
	add(d.Say(label), when, was)
	if date := d.instance(c); date != "" {
		add(d.Say("Concerns"), d.Say("only the date on %s", date), "")
	}

	repeats, was := d.recurrence(d.body, c), ""
	if before != nil {
		was = d.recurrence(d.prior, before)
	}
	add(d.Say("Repeats"), repeats, was)
	if d.body.Master() != nil || len(d.body.Overrides()) > 1 {
		add(d.Say("Single dates"), d.overrides(c), "")
	}
	add(d.Say("Where"), text(c, "LOCATION"), changedFrom(c, before, "LOCATION", text))
	if u := strings.TrimSpace(c.Value("URL")); strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://") {
		add(d.Say("Link"), oneLine(u, maxValue), "")
	}
	add(d.Say("Organizer"), name(c.Prop("ORGANIZER")), "")
	rows = append(rows, d.people(c, before)...)
	if before != nil && before.Prop("DESCRIPTION") != nil && c.Prop("DESCRIPTION") != nil && text(before, "DESCRIPTION") != text(c, "DESCRIPTION") {
		add(d.Say("Changed"), d.Say("new text"), "")
	}
	return rows
}

// changedFrom returns the earlier text of a property that both or the new one
// alone have; an answer that leaves it out has not changed it.
func changedFrom(c, before *ics.Component, prop string, text func(*ics.Component, string) string) string {
	if before == nil || c.Prop(prop) == nil && c.Prop("ATTENDEE") != nil && len(ics.Attendees(c)) == 1 {
		return ""
	}
	return text(before, prop)
}

// people names the attendees, and those who are new and those who are gone.
func (d *describer) people(c, before *ics.Component) []Row {
	attendees := ics.Attendees(c)
	if len(attendees) < 2 {
		return nil // an answer, or nobody else to name
	}
	organizer := c.Prop("ORGANIZER")
	names := func(list []*ics.Prop, status bool) string {
		var out []string
		for i, a := range list {
			if i == maxPeople {
				out = append(out, d.more(len(list)-i))
				break
			}
			s := name(a)
			if organizer != nil && a.Param("CN") == "" && person(a) == person(organizer) {
				s = name(organizer) // many programs name him on one line only
			}
			if s == "" {
				continue
			}
			if w := partstats[ics.PartStat(a)]; status && w != "" && ics.PartStat(a) != "NEEDS-ACTION" {
				s += " (" + d.Say(w) + ")"
			}
			out = append(out, s)
		}
		return strings.Join(out, ", ")
	}
	rows := []Row{{Label: d.Say("Attendees"), Value: names(attendees, true)}}
	if before == nil || d.body.Method() == "CANCEL" { // which names those whom it calls off (RFC 5546 §3.2.5)
		return rows
	}
	missing := func(in, from []*ics.Prop) (out []*ics.Prop) {
		for _, a := range in {
			if !slices.ContainsFunc(from, func(b *ics.Prop) bool { return person(a) == person(b) }) {
				out = append(out, a)
			}
		}
		return out
	}
	if s := names(missing(attendees, ics.Attendees(before)), false); s != "" {
		rows = append(rows, Row{Label: d.Say("Changed"), Value: d.Say("added") + ": " + s})
	}
	if s := names(missing(ics.Attendees(before), attendees), false); s != "" {
		rows = append(rows, Row{Label: d.Say("Changed"), Value: d.Say("removed") + ": " + s})
	}
	return rows
}

// person returns who is meant by a line on which a token may stand for him.
func person(p *ics.Prop) cuaddr.Address {
	if e := p.Param("EMAIL"); e != "" {
		if a := cuaddr.Mailto(e); !a.IsZero() {
			return a
		}
	}
	return ics.CalAddress(p)
}

// Notes returns the lines of the DESCRIPTION as a person reads it, nil without.
func Notes(c *ics.Component) []string {
	s := strings.TrimSpace(clean(c.Text("DESCRIPTION")))
	if s == "" {
		return nil
	}
	if r := []rune(s); len(r) > maxNotes {
		s = string(r[:maxNotes]) + "…"
	}
	return strings.Split(s, "\n")
}

// plain renders the page as text.
func (p *Page) plain() string {
	var b strings.Builder
	b.WriteString(p.Heading + "\n\n")
	room := 0
	for _, r := range p.Rows {
		room = max(room, columns(r.Label))
	}
	for _, r := range p.Rows {
		pad := strings.Repeat(" ", room-columns(r.Label))
		b.WriteString(r.Label + ":" + pad + " " + r.Value + "\n")
		if r.Was != "" {
			b.WriteString(strings.Repeat(" ", room+2) + "(" + p.Was + ": " + r.Was + ")\n")
		}
	}
	if len(p.Notes) > 0 {
		b.WriteString("\n" + strings.Join(p.Notes, "\n") + "\n")
	}
	if p.Answer != "" {
		b.WriteString("\n" + p.Here + "\n" + p.Answer + "\n\n" + p.Footer + "\n")
	}
	return b.String()
}

// columns counts the columns of a text on a screen, where Chinese and Japanese
// signs are two wide.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}
