package scheduling_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// house is a desk with people around it, on one of the databases.
type house struct {
	testing.TB
	ctx    context.Context
	store  *db.Store
	desk   *scheduling.Desk
	people map[string]db.Principal
}

// today is the clock of every test: a Monday.
var today = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func options() scheduling.Options {
	return scheduling.Options{
		Domains: []string{"example.org"}, DomainsComplete: []string{"complete.example"},
		MaxResource: 1 << 20, MaxAttendees: 2000,
		Now: func() time.Time { return today }, Log: slog.New(slog.DiscardHandler),
	}
}

func each(t *testing.T, f func(h *house)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, s *db.Store) { f(newHouse(t, s)) })
}

func newHouse(t testing.TB, s *db.Store) *house {
	return &house{t, context.Background(), s, scheduling.New(s, options()), map[string]db.Principal{}}
}

// add makes a principal under name@example.org.
func (h *house) add(kind db.Kind, name string, set ...func(*db.Principal)) db.Principal {
	h.Helper()
	p := db.Principal{Address: name + "@example.org", Kind: kind, MailCopies: "auto", LastDAV: today, Password: "x", TZ: "Europe/Berlin"}
	for _, f := range set {
		f(&p)
	}
	h.write(func(tx *db.Tx) error { return directory.Add(tx, &p, []string{name + ".alias@example.org"}) })
	h.write(func(tx *db.Tx) (err error) {
		if err := tx.TouchPrincipal(p.ID, p.LastDAV); err != nil {
			return err
		}
		p, err = tx.Principal(p.ID)
		return err
	})
	h.people[name] = p
	return p
}

func (h *house) persons(names ...string) {
	h.Helper()
	for _, n := range names {
		h.add(db.Person, n)
	}
}

func (h *house) write(f func(*db.Tx) error) {
	h.Helper()
	if err := h.store.Write(h.ctx, nil, f); err != nil {
		h.Fatal(err)
	}
}

func (h *house) view(f func(*db.Tx) error) {
	h.Helper()
	if err := h.store.Read(h.ctx, f); err != nil {
		h.Fatal(err)
	}
}

// calendar returns the id of somebody's calendar, "inbox", or the default one.
func (h *house) calendar(name, calendar string) (id int64) {
	h.Helper()
	h.view(func(tx *db.Tx) error {
		cols, err := tx.Collections(h.people[name].ID, db.Calendar, db.Inbox)
		for _, c := range cols {
			if calendar == "" && c.Default && c.Kind == db.Calendar || c.Name == calendar {
				id = c.ID
			}
		}
		return err
	})
	if id == 0 {
		h.Fatalf("%s has no calendar %q", name, calendar)
	}
	return id
}

// newCalendar makes another calendar for events.
func (h *house) newCalendar(name, calendar string, set ...func(*db.Collection)) int64 {
	h.Helper()
	c := db.Collection{Owner: h.people[name].ID, Kind: db.Calendar, Name: calendar, Components: "VEVENT"}
	for _, f := range set {
		f(&c)
	}
	h.write(func(tx *db.Tx) error { return tx.InsertCollection(&c) })
	return c.ID
}

func (h *house) tryPut(who string, body string, set ...func(*scheduling.Put)) (scheduling.Written, error) {
	h.Helper()
	p := scheduling.Put{Actor: h.people[who], Collection: h.calendar(who, ""), Name: "x.ics", Body: []byte(body), Door: "dav"}
	if o, err := ics.Parse(p.Body, ics.Limits{}); err == nil {
		p.Name = o.UID() + ".ics"
		// Where the owner has it already, as a program that has synchronised.
		if row, ok := h.row(who, o.UID()); ok {
			p.Collection, p.Name = row.Collection, row.Name
		}
	}
	for _, f := range set {
		f(&p)
	}
	return h.desk.Put(h.ctx, p)
}

func (h *house) put(who string, body string, set ...func(*scheduling.Put)) scheduling.Written {
	h.Helper()
	w, err := h.tryPut(who, body, set...)
	if err != nil {
		h.Fatal(err)
	}
	return w
}

// row returns somebody's copy of a conversation as stored.
func (h *house) row(who, uid string) (row db.OwnedObject, ok bool) {
	h.Helper()
	h.view(func(tx *db.Tx) error {
		rows, err := tx.ObjectsByUID(uid, h.people[who].ID)
		if len(rows) > 1 {
			h.Errorf("%s has %d copies of %s", who, len(rows), uid)
		}
		if len(rows) > 0 {
			row, ok = rows[0], true
		}
		return err
	})
	return row, ok
}

func (h *house) has(who, uid string) db.OwnedObject {
	h.Helper()
	row, ok := h.row(who, uid)
	if !ok {
		h.Fatalf("%s has no copy of %s", who, uid)
	}
	return row
}

func (h *house) hasNot(who, uid string) {
	h.Helper()
	if row, ok := h.row(who, uid); ok {
		h.Fatalf("%s has a copy of %s:\n%s", who, uid, row.Body)
	}
}

func (h *house) object(who, uid string) *ics.Object {
	h.Helper()
	return parse(h, h.has(who, uid).Body)
}

func parse(t testing.TB, body []byte) *ics.Object {
	t.Helper()
	o, err := ics.Parse(body, ics.Limits{})
	if err != nil {
		t.Fatalf("%v:\n%s", err, body)
	}
	return o
}

// line returns the ATTENDEE (or ORGANIZER) line of somebody in a component of
// an object.
func line(c *ics.Component, whom string) *ics.Prop {
	a := address(whom)
	for i := range c.Props {
		if p := &c.Props[i]; (p.Name == "ATTENDEE" || p.Name == "ORGANIZER") && ics.CalAddress(p) == a && p.Name == "ATTENDEE" {
			return p
		}
	}
	return nil
}

func address(whom string) cuaddr.Address {
	if !strings.Contains(whom, "@") {
		whom += "@example.org"
	}
	return cuaddr.Mailto(whom)
}

// says checks the PARTSTAT of whom in the copy of who; instance "" is the
// master.
func (h *house) says(who, uid string, r ics.RID, whom, partstat string) {
	h.Helper()
	o := h.object(who, uid)
	c := o.Master()
	if r != "" {
		c = o.Override(r)
	}
	if c == nil {
		h.Fatalf("%s: no component %q in\n%s", who, r, o.Bytes())
	}
	p := line(c, whom)
	if p == nil {
		h.Fatalf("%s: %s is no attendee of %q in\n%s", who, whom, r, o.Bytes())
	}
	if got := ics.PartStat(p); got != partstat {
		h.Errorf("in %s's copy %s (%q) is %s, want %s\n%s", who, whom, r, got, partstat, o.Bytes())
	}
}

// status checks SCHEDULE-STATUS of whom in who's copy.
func (h *house) status(who, uid, whom, status string) {
	h.Helper()
	o := h.object(who, uid)
	p := line(o.First(), whom)
	if org := o.First().Prop("ORGANIZER"); p == nil || ics.CalAddress(org) == ics.CalAddress(p) {
		p = org // a status of the organizer stands on his ORGANIZER line (RFC 6638 §7.3)
	}
	if got := p.Param("SCHEDULE-STATUS"); got != status && !strings.HasPrefix(got, status+";") {
		h.Errorf("in %s's copy SCHEDULE-STATUS of %s is %q, want %s\n%s", who, whom, got, status, o.Bytes())
	}
}

// inbox returns the objects in somebody's inbox.
func (h *house) inbox(who string) (out []*ics.Object) {
	h.Helper()
	id := h.calendar(who, "inbox")
	h.view(func(tx *db.Tx) error {
		list, err := tx.List(id, "", 1000)
		if err != nil {
			return err
		}
		var ids []int64
		for _, o := range list {
			ids = append(ids, o.ID)
		}
		objs, err := tx.ByIDs(ids)
		for _, o := range objs {
			out = append(out, parse(h, o.Body))
		}
		return err
	})
	return out
}

// queue returns what waits to be mailed, and checks to whom.
func (h *house) queue(want ...string) []db.Delivery {
	h.Helper()
	var ds []db.Delivery
	h.view(func(tx *db.Tx) (err error) {
		ds, err = tx.Deliveries(0, 1000)
		for i := 0; i < len(ds) && err == nil; i++ {
			ds[i], err = tx.Delivery(ds[i].ID) // with its body
		}
		return err
	})
	var got []string
	for _, q := range ds {
		got = append(got, q.Method+" "+strings.TrimPrefix(q.Rcpt, "mailto:"))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		h.Errorf("queue %v, want %v", got, want)
	}
	return ds
}

// work does the queued jobs.
func (h *house) work() int {
	h.Helper()
	n, err := h.desk.WorkOnce(h.ctx)
	if err != nil {
		h.Fatal(err)
	}
	return n
}

func (h *house) decisions(uid string) (ds []db.Decision) {
	h.Helper()
	h.view(func(tx *db.Tx) (err error) {
		ds, err = tx.Decisions(uid, 1000)
		return err
	})
	return ds
}

// decided checks that some decision about a conversation has this outcome and
// a rule with these words.
func (h *house) decided(uid, outcome, words string) {
	h.Helper()
	for _, d := range h.decisions(uid) {
		if d.Outcome == outcome && strings.Contains(d.Rule+" "+d.Detail, words) {
			return
		}
	}
	h.Errorf("no decision %q with %q among %+v", outcome, words, h.decisions(uid))
}

// busy returns somebody's busy time on the days after today as text.
func (h *house) busy(who string, days int) string {
	h.Helper()
	fb, err := h.desk.FreeBusy(h.ctx, scheduling.FreeBusyQuery{Asker: h.people[who], Whom: []string{address(who).String()}, From: today, To: today.AddDate(0, 0, days)})
	if err != nil {
		h.Fatal(err)
	}
	var out []string
	for _, s := range fb[0].Spans {
		kind := map[ics.BusyType]string{ics.Busy: "", ics.Tentative: "?", ics.Unavailable: "!"}[s.Type]
		out = append(out, s.Start.Format("02T1504")+"-"+s.End.Format("1504")+kind)
	}
	return strings.Join(out, " ")
}

// refused checks that an error is a Refusal of that precondition.
func refused(t testing.TB, err error, precondition string) *itip.Refusal {
	t.Helper()
	var r *itip.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("got %v, want the refusal %s", err, precondition)
	}
	if r.Precondition != precondition {
		t.Fatalf("refused by %s (%s), want %s", r.Precondition, r.Detail, precondition)
	}
	return r
}

// event makes an object with one VEVENT. start and end are in iCalendar's UTC
// form without seconds: "20260303T1000".
func event(uid, start, end string, lines ...string) string {
	return calendar(component(uid, append([]string{"DTSTART:" + start + "00Z", "DTEND:" + end + "00Z", "SUMMARY:Review"}, lines...)...))
}

func component(uid string, lines ...string) string {
	return "BEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20260301T120000Z\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\n"
}

func calendar(components ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Convene//Test//EN\r\n" + strings.Join(components, "") + "END:VCALENDAR\r\n"
}

func organizer(name string) string { return "ORGANIZER:" + address(name).String() }

func attendee(name string, params ...string) string {
	p := strings.Join(params, ";")
	if p == "" {
		p = "PARTSTAT=NEEDS-ACTION;RSVP=TRUE"
	}
	return "ATTENDEE;" + p + ":" + address(name).String()
}

// invitation is an event that organizes people.
func invitation(uid, start, end, by string, whom ...string) string {
	lines := []string{organizer(by), attendee(by, "PARTSTAT=ACCEPTED")}
	for _, w := range whom {
		lines = append(lines, attendee(w))
	}
	return event(uid, start, end, lines...)
}

// answered returns the copy of somebody with his own PARTSTAT set, as a
// calendar program would put it.
func (h *house) answered(who, uid, partstat string) string {
	h.Helper()
	root := h.object(who, uid).Root().Clone()
	for _, c := range root.Children {
		for i := range c.Props {
			if c.Props[i].Name == "ATTENDEE" && ics.CalAddress(&c.Props[i]) == address(who) {
				c.Props[i] = c.Props[i].WithParam("PARTSTAT", partstat)
			}
		}
	}
	return string(ics.New(root).Bytes())
}

// reply makes an iTIP REPLY as mail brings it.
func reply(uid, by, who, partstat string, lines ...string) *ics.Object {
	text := calendar(component(uid, append([]string{"DTSTART:20260303T100000Z", "SEQUENCE:0", organizer(by), attendee(who, "PARTSTAT="+partstat)}, lines...)...))
	text = strings.Replace(text, "DTSTAMP:20260301T120000Z", "DTSTAMP:20260302T090000Z", 1)
	return method(text, "REPLY")
}

func method(text, name string) *ics.Object {
	o, err := ics.Parse([]byte(strings.Replace(text, "VERSION:2.0\r\n", "VERSION:2.0\r\nMETHOD:"+name+"\r\n", 1)), ics.Limits{})
	if err != nil {
		panic(err)
	}
	return o
}
