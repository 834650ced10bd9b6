package imip

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Row is one line of what a text tells of a meeting.
type Row struct {
	Label string
	Value string
	Was   string // before the change; "" where nothing changed
}

// page is what a person reads in a mail, before it becomes text or HTML.
type page struct {
	*phrases
	language string
	subject  string
	heading  string
	rows     []Row
	notes    string // DESCRIPTION
	answer   string // address of the page on which to answer
}

const (
	maxTitle  = 120 // runes of a title in the subject
	maxValue  = 500
	maxNotes  = 4000
	maxPeople = 25 // named in a text
	maxDates  = 12
)

// page words the message as it goes out.
func (m *Message) page(body *ics.Object) page {
	p := page{phrases: speak(m.Language)}
	p.language = p.tag
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
	d := describer{p.phrases, body, m.Prior, m.Zone, m.Bound}
	if c.Name == "VFREEBUSY" {
		who := m.Speaker.Name
		if who == "" {
			who = m.Speaker.Address.Mail()
		}
		p.subject = fmt.Sprintf(p.busyTime, oneLine(who, 80))
		p.heading, p.rows = p.subject, d.busy(c)
		return p
	}

	title := c.Text("SUMMARY")
	if title == "" && before != nil {
		title = before.Text("SUMMARY") // an answer may leave it out
	}
	title = oneLine(title, maxTitle)
	if title == "" {
		title = p.untitled
	}
	who := oneLine(m.Speaker.Name, 80)
	if who == "" {
		who = m.Speaker.Address.Mail()
	}
	heading, subject, answerable := p.purpose(body.Method(), c, m.Speaker.Address, before != nil)
	p.heading = fmt.Sprintf(heading, who, fmt.Sprintf(p.quotes, title))
	p.subject = fmt.Sprintf(subject, title)
	p.rows = d.rows(c, before)
	p.notes = notes(c)
	if answerable {
		p.answer = m.Answer
	}
	if body.Method() == "REPLY" {
		p.notes = ""
		if text := oneLine(c.Text("COMMENT"), maxValue); text != "" {
			p.rows = append(p.rows, Row{Label: p.comment, Value: text})
		}
	}
	return p
}

// busy tells of busy time, the first periods of it one by one.
func (d *describer) busy(c *ics.Component) []Row {
	rows := []Row{{Label: d.when, Value: d.span(d.body, c)}}
	periods, err := d.body.Periods(c, 5000)
	if err != nil {
		return rows
	}
	var list []string
	for i, s := range periods {
		if i == maxDates {
			list = append(list, fmt.Sprintf(d.andMore, len(periods)-i))
			break
		}
		one := &ics.Component{Name: "VFREEBUSY", Props: []ics.Prop{
			ics.NewProp("DTSTART", s.Start.Format("20060102T150405Z")), ics.NewProp("DTEND", s.End.Format("20060102T150405Z"))}}
		list = append(list, d.span(d.body, one))
	}
	if len(list) > 0 {
		rows = append(rows, Row{Label: d.taken, Value: strings.Join(list, "; ")})
	}
	return rows
}

// purpose returns the heading and the subject of a message, with a %s for who
// speaks and one for the title, and whether it asks for an answer.
func (p *phrases) purpose(method string, c *ics.Component, speaker cuaddr.Address, update bool) (heading, subject string, ask bool) {
	switch method {
	case "REQUEST", "ADD":
		if update {
			return p.update, p.subjects["update"], true
		}
		return p.invitation, p.subjects["invitation"], true
	case "CANCEL":
		return p.cancellation, p.subjects["cancellation"], false
	case "REPLY":
		var answer string
		for _, a := range ics.Attendees(c) {
			if answer == "" || person(a) == speaker {
				answer = ics.PartStat(a)
			}
		}
		if p.answers[answer] == "" {
			answer = ""
		}
		return p.answers[answer], p.subjects[answer], false
	case "COUNTER":
		return p.counter, p.subjects["counter"], false
	case "DECLINECOUNTER":
		return p.declineCounter, p.subjects["declineCounter"], false
	case "REFRESH":
		return p.refresh, p.subjects["refresh"], false
	}
	return p.publish, p.subjects["publish"], false
}

// Describe tells of a meeting in the words of a language: its title, and when,
// where and with whom it is. zone is the reader's; nil shows the event's own.
func Describe(o *ics.Object, c *ics.Component, zone *time.Location, language string) (title string, rows []Row) {
	d := describer{speak(language), o, nil, zone, ics.Bound{}}
	if title = oneLine(c.Text("SUMMARY"), maxTitle); title == "" {
		title = d.untitled
	}
	return title, d.rows(c, nil)[1:]
}

// AnswerWords are the words for accepting, accepting tentatively and
// declining, as they stand on buttons.
func AnswerWords(language string) (accept, tentative, decline string) {
	p := speak(language)
	return p.accept, p.tentative, p.decline
}

// AnswerWord is the word for a PARTSTAT.
func AnswerWord(language, partstat string) string {
	return speak(language).partstat[partstat]
}

// Via is the name under which a mail goes out that cannot come from its
// speaker's own address.
func Via(language, name string) string { return fmt.Sprintf(speak(language).via, name) }

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
	*phrases
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
		title = d.untitled
	}
	add(d.what, title, text(before, "SUMMARY"))

	when, was := d.span(d.body, c), ""
	if before != nil {
		was = d.span(d.prior, before)
	}
	if when == "" {
		when, was = was, ""
	}
	label := d.when
	if c.Name == "VTODO" && c.Prop("DTSTART") == nil && d.due != "" {
		label = d.due
	}
	add(label, when, was)
	if date := d.instance(c); date != "" {
		add(d.concerns, fmt.Sprintf(d.occurrence, date), "")
	}

	repeats, was := d.recurrence(d.body, c), ""
	if before != nil {
		was = d.recurrence(d.prior, before)
	}
	add(d.repeats, repeats, was)
	if d.body.Master() != nil || len(d.body.Overrides()) > 1 {
		add(d.moreDates, d.overrides(c), "")
	}
	add(d.where, text(c, "LOCATION"), changedFrom(c, before, "LOCATION", text))
	if u := strings.TrimSpace(c.Value("URL")); strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://") {
		add(d.link, oneLine(u, maxValue), "")
	}
	add(d.organizer, name(c.Prop("ORGANIZER")), "")
	rows = append(rows, d.people(c, before)...)
	if before != nil && before.Prop("DESCRIPTION") != nil && c.Prop("DESCRIPTION") != nil && text(before, "DESCRIPTION") != text(c, "DESCRIPTION") {
		add(d.changed, d.newText, "")
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
	names := func(list []*ics.Prop, status bool) string {
		var out []string
		for i, a := range list {
			if i == maxPeople {
				out = append(out, fmt.Sprintf(d.andMore, len(list)-i))
				break
			}
			s := name(a)
			if s == "" {
				continue
			}
			if w := d.partstat[ics.PartStat(a)]; status && w != "" && ics.PartStat(a) != "NEEDS-ACTION" {
				s += " (" + w + ")"
			}
			out = append(out, s)
		}
		return strings.Join(out, ", ")
	}
	rows := []Row{{Label: d.attendees, Value: names(attendees, true)}}
	if before == nil {
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
		rows = append(rows, Row{Label: d.changed, Value: d.added + ": " + s})
	}
	if s := names(missing(ics.Attendees(before), attendees), false); s != "" {
		rows = append(rows, Row{Label: d.changed, Value: d.removed + ": " + s})
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

// notes returns the DESCRIPTION as a person reads it.
func notes(c *ics.Component) string {
	s := strings.TrimSpace(clean(c.Text("DESCRIPTION")))
	if r := []rune(s); len(r) > maxNotes {
		s = string(r[:maxNotes]) + "…"
	}
	return s
}

// plain renders the page as text.
func (p *page) plain() string {
	var b strings.Builder
	b.WriteString(p.heading + "\n\n")
	width := 0
	for _, r := range p.rows {
		width = max(width, len([]rune(r.Label)))
	}
	for _, r := range p.rows {
		pad := strings.Repeat(" ", width-len([]rune(r.Label)))
		b.WriteString(r.Label + ":" + pad + " " + r.Value + "\n")
		if r.Was != "" {
			b.WriteString(strings.Repeat(" ", width+2) + "(" + p.was + ": " + r.Was + ")\n")
		}
	}
	if p.notes != "" {
		b.WriteString("\n" + p.notes + "\n")
	}
	if p.answer != "" {
		b.WriteString("\n" + p.answerHere + "\n" + p.answer + "\n\n" + p.footer + "\n")
	}
	return b.String()
}
