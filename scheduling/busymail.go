package scheduling

import (
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// subject returns whose busy time a VFREEBUSY is about: the ATTENDEE of a
// REPLY, the ORGANIZER of a PUBLISH (RFC 5546 §3.3).
func subject(o *ics.Object) cuaddr.Address {
	if itip.Method(o.Method()) == itip.Publish {
		return ics.Organizer(o.First())
	}
	if p := o.First().Prop("ATTENDEE"); p != nil {
		return ics.CalAddress(p)
	}
	return cuaddr.Address{}
}

// OutsideName is under which name the busy time of somebody outside is kept.
func OutsideName(a cuaddr.Address) string { return strings.TrimPrefix(a.Fold(), "mailto:") }

// busyLocks: messages about one calendar user to one recipient come one after
// another, whatever their UIDs.
func busyLocks(m Deliver) locks {
	name := "busy time of " + OutsideName(subject(m.Body)) + " for " + strconv.FormatInt(m.Recipient.ID, 10)
	if !storable(name) {
		return locks{}
	}
	return locks{uids: []string{name}}
}

// busyMail takes a VFREEBUSY that came by mail (RFC 5546 §3.3): a question is
// answered by mail, an answer or a publication is remembered.
func (s *sitting) busyMail(m Deliver) (result, error) {
	if !m.Act {
		return ignored("not believed: " + string(m.Believed) + " senders do not count")
	}
	if err := s.meetIn(m.Body); err != nil {
		return result{}, err
	}
	if err := s.meet(m.From, m.Sender); err != nil {
		return result{}, err
	}
	switch itip.Method(m.Body.Method()) {
	case itip.Request:
		return s.tellBusy(m)
	case itip.Reply, itip.Publish:
		return s.rememberBusy(m)
	}
	return ignored(m.Body.Method() + " of a VFREEBUSY is no message of iTIP")
}

// tellBusy answers a question about the recipient's busy time by mail, one
// component for each ATTENDEE line that asks him (RFC 5546 §3.3.2, §3.3.3).
// Whoever is not told gets no answer: nobody learns who is here.
func (s *sitting) tellBusy(m Deliver) (result, error) {
	c := m.Body.First()
	organizer := ics.Organizer(c)
	if organizer.Mail() == "" || !s.speaksFor(m, c, organizer) {
		return ignored("the sender is not the organizer")
	}
	from, to, wrong := itip.AskedFor(m.Body)
	if wrong != "" {
		return ignored(wrong)
	}
	me := s.self(m.Recipient, true)
	var lines [][]ics.Prop
	for _, p := range ics.Attendees(c) {
		if a := ics.CalAddress(p); !a.IsZero() && me(a) && len(lines) < 10 {
			lines = append(lines, []ics.Prop{ics.NewProp("ORGANIZER", organizer.String()), s.asAsked(m, p), ics.NewProp("REQUEST-STATUS", success)})
		}
	}
	if len(lines) == 0 {
		return ignored("the recipient is not asked")
	}
	q := FreeBusyQuery{Whom: []string{cuaddr.Mailto(m.Recipient.Address).String()}, From: from, To: to, As: organizer,
		Mask: strings.TrimSpace(c.Value("X-CALENDARSERVER-MASK-UID"))}
	asker := s.find(organizer)
	if asker != nil {
		q.Asker = *asker
	}
	answers, err := s.d.answer(s.tx, q)
	if err != nil {
		return result{}, err
	}
	if answers[0].Status != success {
		return ignored("busy time is not shared with the sender")
	}
	b := itip.BusyTime{From: from, To: to, Stamp: s.now, Spans: answers[0].Spans}
	l := &letter{
		Message: itip.Message{Method: itip.Reply, UID: m.Body.UID(), From: ics.CalAddress(&lines[0][1]), To: organizer,
			Body: itip.BusyMessage(itip.Reply, m.Body.UID(), b, lines...)},
		from: m.Recipient, door: m.Door,
	}
	s.mail(l, cuaddr.Mailto(organizer.Mail()), nil, asker != nil)
	return result{applied: true, rule: "busy time told"}, nil
}

// asAsked is the ATTENDEE of the answer: as in the question, or the recipient
// himself where a group was asked that holds him.
func (s *sitting) asAsked(m Deliver, p *ics.Prop) ics.Prop {
	if a := ics.CalAddress(p); s.self(m.Recipient, false)(a) {
		return ics.NewProp("ATTENDEE", a.String())
	}
	return ics.NewProp("ATTENDEE", cuaddr.Mailto(m.Recipient.Address).String(), ics.Param{Name: "MEMBER", Values: []string{p.Value}})
}

// rememberBusy keeps what somebody outside told the recipient of his busy
// time, for the recipient's own questions.
func (s *sitting) rememberBusy(m Deliver) (result, error) {
	of := subject(m.Body)
	name := OutsideName(of)
	switch {
	case of.IsZero() || !storable(name):
		return ignored("nobody that can be named is spoken of")
	case !m.From.IsZero() && !s.same(of, m.From) && !s.speaksFor(m, m.Body.First(), of) && !s.speaksAs(m, of):
		return ignored("the sender is somebody else")
	case s.find(of) != nil:
		return ignored("he is here: his calendar tells when he is busy")
	}
	have, err := s.tx.Remembered(m.Recipient.ID, name)
	if err != nil {
		return result{}, err
	}
	known := itip.ReadKnown(have[name])
	told := false
	for _, c := range m.Body.Main() {
		b, err := itip.ReadBusyTime(m.Body, c)
		if err != nil {
			return ignored(err.Error())
		}
		var ok bool
		if known, ok = itip.Remember(known, b, s.now); ok {
			told = true
		}
	}
	if !told {
		return ignored("stale: the same time is known better, or past")
	}
	s.busy = append(s.busy, busyNews{m.Recipient.ID, name, itip.WriteKnown(known)})
	return result{applied: true, rule: "busy time remembered"}, nil
}

// speaksAs reports whether the sender acts for an ATTENDEE by its SENT-BY.
func (s *sitting) speaksAs(m Deliver, of cuaddr.Address) bool {
	for _, p := range ics.Attendees(m.Body.First()) {
		if by, err := cuaddr.Parse(p.Param("SENT-BY")); err == nil && ics.CalAddress(p) == of && s.same(by, m.From) {
			return true
		}
	}
	return false
}

// busyNews is what flush remembers.
type busyNews struct {
	principal int64
	name      string
	data      []byte
}

// feedAge is for how long what was found at a URL is taken for the present.
const feedAge = 15 * time.Minute

// knownOutside answers for those who are not here with what the asker knows of
// them (decision 27): what they told him by mail, and beside that what they
// publish. It is told for the longest stretch of the window that is known. What
// is published is fetched in the background: stale are the URLs to look at
// again.
func (q FreeBusyQuery) knownOutside(tx *db.Tx, answers []FreeBusy, now time.Time) (stale []string, err error) {
	names := map[string][]int{}
	var all []string
	for i := range answers {
		if a := answers[i].Address; answers[i].Status == invalidUser && a.Mail() != "" {
			n := OutsideName(a)
			if names[n] == nil {
				all = append(all, n)
			}
			names[n] = append(names[n], i)
		}
	}
	if len(all) == 0 || q.Asker.ID == 0 {
		return nil, nil
	}
	told, err := tx.Remembered(q.Asker.ID, all...)
	if err != nil {
		return nil, err
	}
	known := map[string][]itip.BusyTime{}
	for n, data := range told {
		known[n] = itip.ReadKnown(data)
	}
	published, err := tx.PublishedFor(q.Asker.ID, all...)
	if err != nil {
		return nil, err
	}
	for _, p := range published {
		known[p.Name] = itip.Beside(known[p.Name], itip.ReadKnown(p.Feed.Data))
		if now.Sub(p.Feed.Fetched) > feedAge && p.Feed.Due.IsZero() {
			stale = append(stale, p.URL)
		}
	}
	for n, windows := range known {
		b, ok := itip.Known(windows, q.From, q.To)
		if !ok {
			continue
		}
		for _, i := range names[n] {
			answers[i].Status, answers[i].Spans = success, b.Spans
			answers[i].From, answers[i].To = b.From, b.To
		}
	}
	return stale, nil
}
