package imipbridge

import (
	"context"
	_ "embed"
	"errors"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/words"
)

// answerPage is what the template of the pages is given; its Say translates.
type answerPage struct {
	*words.Language

	Title   string
	Heading string // below the title; "": there is only the Message
	Tile    *dayTile
	Rows    []imip.Row
	Notes   []string // lines of the DESCRIPTION
	Message string
	Good    bool // Message tells of a success

	Question     string
	Buttons      []answerButton // none: nothing is asked
	Dates        []choice       // of a series, among which to choose
	Date         string         // the only one, where there are none to choose among
	CommentLabel string
	Proposal     *proposalForm // nil: no other time can be proposed
}

// Lang is the language for HTML.
func (p answerPage) Lang() string { return p.Tag }

type dayTile struct {
	Day   int
	Month string
}

type answerButton struct {
	imip.Button
	Chosen bool
}

// choice is one date of a series; Value is its recurrence id, "" all.
type choice struct {
	Value, Label string
	Chosen       bool
}

// proposalForm asks for another time; what it proposes at first is the present
// one.
type proposalForm struct {
	Open      bool
	Dates     []choice
	AllDay    bool
	Day, Last string // 2006-01-02; Last for days only
	From, To  string // 15:04
	Zone      string
}

// choose marks the button that was pressed, in the mail or here.
func (p *answerPage) choose(partstat string) {
	for i := range p.Buttons {
		p.Buttons[i].Chosen = p.Buttons[i].Value == partstat
	}
}

// chooseDate marks the date that was answered, so that the next press of a button
// is about the same.
func (p *answerPage) chooseDate(r ics.RID) {
	for i := range p.Dates {
		p.Dates[i].Chosen = p.Dates[i].Value == string(r)
	}
}

//go:embed answer.html
var answerSource string

var answerTemplate = template.Must(template.New("answer.html").Parse(answerSource))

// parseAnswer reads a template that replaces ours and tries it.
func (b *Bridge) parseAnswer(source string) error {
	t, err := template.New("answer.html").Parse(source)
	if err != nil {
		return err
	}
	row, dates := []imip.Row{{Label: "x", Value: "x", Was: "x"}}, []choice{{}}
	if err := t.Execute(io.Discard, answerPage{
		Language: words.Default().For(""), Title: "x", Heading: "x", Tile: &dayTile{}, Rows: row, Notes: []string{"x"}, Message: "x",
		Buttons: []answerButton{{}}, Dates: dates, Proposal: &proposalForm{Dates: dates, Zone: "x"},
	}); err != nil {
		return err
	}
	b.pages = t
	return nil
}

// maxChoices bounds the dates among which somebody chooses.
const maxChoices = 20

// meeting is the organizer's copy as one attendee sees it.
type meeting struct {
	o     *ics.Object
	who   func(cuaddr.Address) bool
	zone  *time.Location // the reader's, nil: the event's own
	whole bool           // he is invited to all of it
	shown *ics.Component // what is told
	dates []ics.Instance // to come, of a series, to which he is invited
}

// meeting reads the organizer's copy as it stands. ErrNotFound: there is none,
// or he is not invited any more.
func (v *visit) meeting(ctx context.Context) (*meeting, error) {
	var have []db.OwnedObject
	m := &meeting{who: func(a cuaddr.Address) bool { return imip.Same(a, v.inv.Attendee) }}
	host := "" // the organizer's zone, for times in UTC and readers whose zone is not known
	err := v.store.Read(ctx, func(tx *db.Tx) (err error) {
		if have, err = tx.ObjectsByUID(v.inv.UID, v.inv.Organizer); err != nil {
			return err
		}
		reader, err := directory.Lookup(tx, v.inv.Attendee)
		if errors.Is(err, directory.ErrUnknown) {
			organizer, err := tx.Principal(v.inv.Organizer)
			if err == nil {
				host = organizer.TZ
			}
			return err
		}
		if err != nil {
			return err
		}
		m.zone = zoneOf(reader.TZ)
		m.who, err = directory.Self(tx, reader, false)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, x := range have {
		o, err := ics.Parse(x.Body, ics.Limits{})
		if err != nil {
			continue
		}
		for _, c := range o.Main() {
			if !m.invites(c) {
				continue
			}
			if m.shown == nil {
				m.o, m.shown = o, c
			}
			m.whole = m.whole || c == o.Master()
		}
		if m.shown != nil {
			break
		}
	}
	if m.shown == nil {
		return nil, db.ErrNotFound
	}
	if m.zone == nil {
		m.zone = zoneOfUTC(m.shown, host)
	}
	m.list(v.now())
	return m, nil
}

func (m *meeting) invites(c *ics.Component) bool {
	return c != nil && ics.Attendee(c, m.who) != nil && !strings.EqualFold(c.Value("STATUS"), "CANCELLED")
}

// list finds the dates of a series that are to come.
func (m *meeting) list(now time.Time) {
	if m.o.Master() != nil && m.o.Master().Prop("RRULE") == nil && m.o.Master().Prop("RDATE") == nil {
		return
	}
	// In no particular order: so a window that grows until it holds enough.
	for years := 1; years <= 16 && len(m.dates) < maxChoices; years *= 4 {
		m.dates = m.dates[:0]
		if err := m.o.Instances(now, now.AddDate(years, 0, 0), time.UTC, ics.Bound{Instances: 2000, Steps: 100_000}, func(i ics.Instance) bool {
			if i.RID != "" && m.invites(i.Component) {
				m.dates = append(m.dates, i)
			}
			return true
		}); err != nil {
			break
		}
	}
	slices.SortFunc(m.dates, func(a, b ics.Instance) int { return a.Start.Compare(b.Start) })
	m.dates = m.dates[:min(len(m.dates), maxChoices)]
}

// first is the next date of a series.
func (m *meeting) first() ics.RID {
	if len(m.dates) > 0 {
		return m.dates[0].RID
	}
	return m.o.RID(m.shown)
}

// occurrence returns one date of a series; nil: there is none, or he is not
// invited to it.
func (m *meeting) occurrence(r ics.RID) *ics.Component {
	if c := m.o.Occurrence(r); m.invites(c) {
		return c
	}
	return nil
}

// partstat is how he answered to an instance, "" to all of it.
func (m *meeting) partstat(r ics.RID) string {
	c := m.shown
	if r != "" {
		c = m.occurrence(r)
	}
	if c == nil {
		return ""
	}
	return ics.PartStat(ics.Attendee(c, m.who))
}

// page words the meeting.
func (m *meeting) page(v *visit) answerPage {
	l := v.words
	p := answerPage{Question: l.Say("Will you come?"), CommentLabel: l.Say("Comment for the organizer (if you like)"), Date: string(m.o.RID(m.shown))}
	told := m.shown
	if imip.HidesGuests(told) {
		told = told.Clone()
		told.RemoveFunc(func(p *ics.Prop) bool { return p.Name == "ATTENDEE" && !m.who(ics.CalAddress(p)) })
	}
	p.Title, p.Rows = imip.Describe(l, m.o, told, m.zone)
	p.Notes = imip.Notes(told)
	current := imip.AnswerWord(l, m.partstat(""))
	if m.partstat("") == "NEEDS-ACTION" || current == "" {
		current = l.Say("none yet")
	}
	p.Rows = append(p.Rows, imip.Row{Label: l.Say("You are invited as"), Value: v.inv.Attendee.Mail()}, imip.Row{Label: l.Say("Your answer so far"), Value: current})
	for _, x := range imip.AnswerButtons(l) {
		p.Buttons = append(p.Buttons, answerButton{x, x.Value == m.partstat("")})
	}
	for i, x := range m.dates {
		c := m.occurrence(x.RID)
		if c == nil {
			continue
		}
		label := imip.When(l, m.o, c, m.zone)
		if s := m.partstat(x.RID); s != "NEEDS-ACTION" && imip.AnswerWord(l, s) != "" {
			label += " – " + imip.AnswerWord(l, s)
		}
		p.Dates = append(p.Dates, choice{Value: string(x.RID), Label: label, Chosen: i == 0 && !m.whole})
	}
	p.Proposal = m.form()
	if p.Proposal != nil {
		p.Proposal.Dates = slices.Clone(p.Dates)
	}
	if m.whole && len(p.Dates) > 0 {
		p.Dates = append([]choice{{Label: l.Say("all dates"), Chosen: true}}, p.Dates...)
	}
	next := m.shown
	if len(m.dates) > 0 {
		next = m.occurrence(m.first())
	}
	p.Heading = imip.When(l, m.o, next, m.zone)
	if start, _, _, ok := m.span(next); ok {
		p.Tile = &dayTile{start.Day(), l.In("month", start.Month().String())}
	}
	p.Rows = slices.DeleteFunc(p.Rows, func(r imip.Row) bool { return r.Value == p.Heading }) // said already
	if p.Heading == "" {
		p.Heading = v.inv.Attendee.Mail()
	}
	return p
}

// span is when a component takes place, on the clock that the page shows.
func (m *meeting) span(c *ics.Component) (start, end time.Time, form ics.Form, ok bool) {
	p := c.Prop("DTSTART")
	if p == nil {
		return
	}
	t, err := m.o.PropTime(p)
	if err != nil {
		return
	}
	at := func(t ics.Time) time.Time { return t.At(time.UTC).In(m.clock(t)) }
	start, form = at(t), t.Form
	end = start.Add(time.Hour)
	if form == ics.Date {
		end = start.AddDate(0, 0, 1)
	}
	one := ics.New(&ics.Component{Name: "VCALENDAR", Children: append(slices.Clone(zonesOf(m.o)), single(c))})
	one.Instances(time.Time{}, time.Time{}, time.UTC, ics.Bound{Instances: 2, Steps: 1000}, func(i ics.Instance) bool {
		end = i.End.In(start.Location())
		return false
	})
	return start, end, form, true
}

// single is a component without what makes it a series.
func single(c *ics.Component) *ics.Component {
	c = c.Clone()
	c.Remove("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID")
	return c
}

func zonesOf(o *ics.Object) (zones []*ics.Component) {
	for _, c := range o.Root().Children {
		if c.Name == "VTIMEZONE" {
			zones = append(zones, c)
		}
	}
	return zones
}

// clock is the zone in which a time is shown and read.
func (m *meeting) clock(t ics.Time) *time.Location {
	switch {
	case t.Form == ics.Date || t.Form == ics.Floating:
		return time.UTC
	case m.zone != nil:
		return m.zone
	}
	if loc := ics.Location(t.TZID); t.Form == ics.Zoned && loc != nil {
		return loc
	}
	return time.UTC
}

// form asks for another time, beginning with the present one; nil where the
// meeting has none.
func (m *meeting) form() *proposalForm {
	c := m.shown
	if len(m.dates) > 0 {
		c = m.occurrence(m.first())
	}
	if c == nil || c.Name != "VEVENT" {
		return nil
	}
	start, end, form, ok := m.span(c)
	if !ok {
		return nil
	}
	f := &proposalForm{AllDay: form == ics.Date, Day: start.Format("2006-01-02"), Last: end.AddDate(0, 0, -1).Format("2006-01-02"), From: start.Format("15:04"), To: end.Format("15:04")}
	if form != ics.Floating {
		f.Zone = start.Location().String()
	}
	return f
}

// times reads the form.
func (m *meeting) times(form url.Values) (start, end time.Time, ok bool) {
	c := m.shown
	if len(m.dates) > 0 {
		c = m.occurrence(m.first())
	}
	was, _, kind, ok := m.span(c)
	if !ok {
		return start, end, false
	}
	read := func(layout, value string) time.Time {
		t, err := time.ParseInLocation(layout, value, was.Location())
		ok = ok && err == nil && t.Year() > 1900 && t.Year() < 3000
		return t
	}
	if kind == ics.Date {
		start, end = read("2006-01-02", form.Get("day")), read("2006-01-02", form.Get("last")).AddDate(0, 0, 1)
	} else {
		day := form.Get("day") + "T"
		start, end = read("2006-01-02T15:04", day+form.Get("from")), read("2006-01-02T15:04", day+form.Get("to"))
	}
	return start, end, ok && end.After(start)
}
