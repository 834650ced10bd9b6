package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// What people say from their mail programs.

// speaks mails what somebody says who takes part: from his mail program, of which
// his server gets a copy.
func (h *history) speaks(p *neighbour, words string, m itip.Method, body *ics.Object, to ...string) {
	if len(to) == 0 {
		return
	}
	service := h.w.submits
	if p.server == nil {
		service = h.w.mta.smtp
	}
	var names []string
	for _, a := range to {
		name, _, _ := strings.Cut(a, "@")
		names = append(names, name)
	}
	h.did(p, "mails "+words, fmt.Sprintf("send %s %s %s", p.name(), m, strings.Join(names, " ")), body)
	if i := h.w.of(p.address); i >= 0 && m != itip.Reply {
		h.w.wires[i].note(p.address, to, body)
	}
	mail := letter(p.address, to, m, body)
	if i := h.w.of(p.address); i >= 0 && m == itip.Add {
		// As a milter does it: his server knows before anybody else. Who lacks a revision
		// asks for the whole, and might be told it without that day otherwise.
		service = h.w.mta.smtp
		if err := (&process{lmtp: h.w.observe[i]}).deliver(p.address, "observed@observe.convene.invalid", strings.ReplaceAll(string(mail), "\r\n", "\n")); err != nil {
			h.w.t.Fatal(err)
		}
	}
	h.w.send(service, p.address, to, mail)
}

// mailing makes what a mail program sends.
func (h *history) mailing(method itip.Method, comps ...*ics.Component) *ics.Object {
	return ics.New(&ics.Component{Name: "VCALENDAR", Props: []ics.Prop{
		ics.NewProp("VERSION", "2.0"), ics.NewProp("PRODID", "-//a mail program//EN"), ics.NewProp("METHOD", string(method)),
	}, Children: comps})
}

// said is what an answer or a question of somebody's says of a component.
func (h *history) said(p *neighbour, c *ics.Component, params ...ics.Param) *ics.Component {
	out := &ics.Component{Name: c.Name, Props: []ics.Prop{ics.NewProp("UID", h.uid), ics.NewProp("DTSTAMP", stamp(time.Now()))}}
	for _, q := range c.Props {
		switch q.Name {
		case "DTSTART", "SEQUENCE", "RECURRENCE-ID":
			out.Add(q)
		case "ORGANIZER":
			out.Add(q.WithoutParams("SCHEDULE-STATUS"))
		}
	}
	out.Add(ics.NewProp("ATTENDEE", "mailto:"+p.address, params...))
	return out
}

// asks how things stand (RFC 5546 §3.2.6).
func (h *history) asks(p *neighbour) {
	f := h.copy(p)
	if f == nil || ics.Organizer(f.Object.First()).Mail() != h.organizer.address || h.organizer.server == p.server {
		return
	}
	c := h.said(p, f.Object.First())
	c.Remove("DTSTART", "SEQUENCE", "RECURRENCE-ID")
	h.speaks(p, "REFRESH", itip.Refresh, h.mailing(itip.Refresh, c), h.organizer.address)
}

// proposes another time by mail (RFC 5546 §3.2.7).
func (h *history) proposes(p *neighbour, nth int) {
	f := h.copy(p)
	if f == nil || h.kind == "VTODO" {
		return
	}
	at := time.Now().UTC().AddDate(0, 0, h.at).Truncate(24 * time.Hour).Add(time.Duration(12+nth) * time.Hour)
	length := time.Hour
	if f.Object.First().Prop("DTSTART").Param("VALUE") == "DATE" {
		at, length = at.Truncate(24*time.Hour), 24*time.Hour
	}
	m := itip.Propose(p.actor(h.uid), f.Object, instance(f.Object, nth), at, at.Add(length), "Rather then")
	if m != nil && m.To.Mail() == h.organizer.address {
		h.speaks(p, "COUNTER", itip.Counter, m.Body, h.organizer.address)
	}
}

// replies is an answer from a mail program.
func (h *history) replies(p *neighbour) {
	f := h.copy(p)
	if f == nil || p == h.organizer || p.server == nil || ics.Organizer(f.Object.First()).Mail() != h.organizer.address {
		return
	}
	c := f.Object.Master()
	if r := instance(f.Object, h.IntN(5)); r != "" && h.IntN(2) == 0 {
		c = f.Object.Occurrence(r)
		if over := f.Object.Override(r); over != nil {
			c = over
		}
	}
	if c == nil || ics.Attendee(c, p.self) == nil || strings.EqualFold(c.Value("STATUS"), "CANCELLED") {
		return
	}
	say := []string{"ACCEPTED", "DECLINED", "TENTATIVE"}[h.IntN(3)]
	body := h.mailing(itip.Reply, h.said(p, c, ics.Param{Name: "PARTSTAT", Values: []string{say}}))
	h.speaks(p, say+" "+string(f.Object.RID(c)), itip.Reply, body, h.organizer.address)
}

// top is the highest revision in an object.
func top(o *ics.Object) (n int) {
	for _, c := range o.Main() {
		m, _ := strconv.Atoi(c.Value("SEQUENCE"))
		n = max(n, m)
	}
	return n
}

// guests are those invited to a component, but for the organizer.
func (h *history) guests(c *ics.Component) (out []string) {
	for _, l := range ics.Attendees(c) {
		if a := ics.CalAddress(l).Mail(); a != h.organizer.address {
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return out
}

// tells is what an organizer sends from her mail program: a place or a time, of one
// occurrence or of all of a meeting in which everybody takes part in all.
func (h *history) tells() {
	f := h.copy(h.organizer)
	if f == nil || h.organizer.server == nil {
		return
	}
	root := f.Object.Root().Clone()
	comps, _ := events(root)
	if r := instance(f.Object, h.IntN(5)); r != "" && h.IntN(2) == 0 {
		comps = []*ics.Component{single(f.Object, root, r)}
	}
	place, moves := fmt.Sprint("Hall ", h.IntN(3)), h.IntN(2) == 0 && len(comps) == 1
	for _, c := range comps {
		if !slices.Equal(h.guests(c), h.guests(comps[0])) || strings.EqualFold(c.Value("STATUS"), "CANCELLED") {
			return
		}
		c.Set(ics.NewProp("LOCATION", place))
		c.Set(ics.NewProp("SEQUENCE", strconv.Itoa(top(f.Object)+1)))
		c.Set(ics.NewProp("DTSTAMP", stamp(time.Now())))
		if moves {
			later(c)
		}
		for i := range c.Props {
			p := &c.Props[i]
			if moves && p.Name == "ATTENDEE" && ics.CalAddress(p).Mail() != h.organizer.address {
				*p = p.WithParam("PARTSTAT", "NEEDS-ACTION")
			}
		}
		h.bare(c)
	}
	h.speaks(h.organizer, place, itip.Request, h.mailing(itip.Request, comps...), h.guests(comps[0])...)
}

// bare takes off what no mail program sends.
func (h *history) bare(c *ics.Component) {
	for i := range c.Props {
		p := &c.Props[i]
		for _, q := range p.Params {
			if strings.HasPrefix(q.Name, "X-") || strings.HasPrefix(q.Name, "SCHEDULE-") {
				*p = p.WithoutParams(q.Name)
			}
		}
	}
	c.Children = nil
	c.RemoveFunc(func(p *ics.Prop) bool { return strings.HasPrefix(p.Name, "X-") })
}

// adds is one more day, told by an ADD (RFC 5546 §3.2.4), which programs here write
// down as the observed mail says.
func (h *history) adds() {
	f := h.copy(h.organizer)
	if f == nil || h.organizer.server == nil || f.Object.Master() == nil || f.Object.Master().Prop("RRULE") == nil || h.kind != "VEVENT" {
		return
	}
	first := instance(f.Object, 0)
	day := time.Now().UTC().AddDate(0, 0, h.at+10+h.IntN(8)).Format("20060102")
	if first == "" {
		return
	}
	r := ics.RID(day + string(first[8:]))
	if f.Object.HasInstance(r) || f.Object.Override(r) != nil {
		return
	}
	root := f.Object.Root().Clone()
	_, master := events(root)
	master.Add(f.Object.DateProp("RDATE", r))
	one := ics.New(root).Occurrence(r)
	if one == nil {
		return
	}
	one = one.Clone()
	one.Remove("RECURRENCE-ID", "RDATE", "EXDATE", "RRULE")
	one.Set(ics.NewProp("DTSTAMP", stamp(time.Now())))
	one.Set(ics.NewProp("SEQUENCE", strconv.Itoa(top(f.Object)+1)))
	for i := range one.Props {
		if l := &one.Props[i]; l.Name == "ATTENDEE" && ics.CalAddress(l).Mail() != h.organizer.address {
			*l = ics.NewProp("ATTENDEE", l.Value, ics.Param{Name: "RSVP", Values: []string{"TRUE"}})
		}
	}
	h.bare(one)
	h.speaks(h.organizer, "ADD "+string(r), itip.Add, h.mailing(itip.Add, one), h.guests(one)...)
}
