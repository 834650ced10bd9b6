package itip_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/dialogue"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

// TestScripts plays every scenario script against the core alone.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("../testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			s, err := dialogue.Read(f)
			if err != nil {
				t.Fatal(err)
			}
			if s.NeedsServer() {
				t.Skip("the server alone asks owners, inherits rules and gives rooms back")
			}
			dialogue.Run(t, s, newCore(s))
		})
	}
}

// core is the lowest height: the pure core, a map as store, and a plain loop
// that hands messages over.
type core struct {
	script *dialogue.Script
	now    time.Time
	store  map[string]map[string]*entry // by person and UID
	told   map[string][][]byte
	open   map[string][]Proposal // by person and UID

	prefs     map[string]string // by person and name
	available map[string][]byte
	offers    []offer                           // of rooms
	heard     map[string]bool                   // rooms that answered what is being settled
	quotas    map[string][]string               // by name and organizer: room and UID
	known     map[string][]BusyTime             // by person and whom
	left      map[string]map[string]*ics.Object // what people remember that they no longer have
	replied   map[string]time.Time              // by person and UID, to whom outside

	mailer   string           // whose mail program has told people already, in the act in hand
	spoken   []cuaddr.Address // these
	forwards bool             // it was an answer: whom it delegates to, the program tells

	// For those who want to know more than a script does, either may be nil:
	// what goes out, and what became of a message that reached somebody here.
	post    func(Message)
	arrived func(to string, m Message, out Outcome)
}

type entry struct {
	obj       *ics.Object
	tag, etag int
	scheduled bool
	calendar  string // "": the first one
}

func newCore(s *dialogue.Script) *core {
	c := &core{script: s, store: map[string]map[string]*entry{}, told: map[string][][]byte{}, left: map[string]map[string]*ics.Object{},
		open: map[string][]Proposal{}, prefs: map[string]string{}, available: map[string][]byte{}, known: map[string][]BusyTime{}, quotas: map[string][]string{}, heard: map[string]bool{}, replied: map[string]time.Time{}}
	for _, p := range s.People {
		c.store[p.Name], c.left[p.Name] = map[string]*entry{}, map[string]*ics.Object{}
	}
	return c
}

func (c *core) Now(t time.Time) { c.now = t }

// Settle ends what the time has ended.
func (c *core) Settle() {
	for who, copies := range c.store {
		for uid, e := range copies {
			closed, ms, _ := Lapsed(c.actor(who, uid), e.obj)
			c.close(who, uid, closed)
			if _, err := c.hand(ms); err != nil {
				panic(err)
			}
		}
	}
}

func (c *core) close(who, uid string, closed []Proposal) {
	for _, p := range closed {
		c.open[who+" "+uid] = slices.DeleteFunc(c.open[who+" "+uid], func(q Proposal) bool { return q.Attendee == p.Attendee && q.RID == p.RID })
	}
}

// tick moves the clock, as between any two things that people do.
func (c *core) tick() { c.now = c.now.Add(time.Second) }

func (c *core) person(name string) dialogue.Person {
	for _, p := range c.script.People {
		if p.Name == name {
			return p
		}
	}
	return dialogue.Person{}
}

// members returns who is in the group with an address, nil if there is none.
func (c *core) members(a cuaddr.Address) []Member {
	for _, p := range c.script.People {
		if p.Kind != "group" || cuaddr.Mailto(p.Address) != a {
			continue
		}
		out := []Member{}
		for _, m := range c.script.Open(p.Name) {
			name, kind := m.Name, "INDIVIDUAL"
			switch m.Kind {
			case "outside":
				name = ""
			case "room":
				kind = "ROOM"
			}
			out = append(out, Member{cuaddr.Mailto(m.Address), name, kind})
		}
		return out
	}
	return nil
}

func (c *core) actor(name, uid string) Actor {
	p := c.person(name)
	own := map[cuaddr.Address]bool{cuaddr.Mailto(p.Address): true}
	for _, a := range p.Aliases {
		own[cuaddr.Mailto(a)] = true
	}
	href, _ := cuaddr.Parse("/dav/principals/" + p.Address + "/")
	own[href] = true
	return Actor{
		Self: func(a cuaddr.Address) bool { return own[a] },
		Groups: func(a cuaddr.Address) bool {
			return slices.ContainsFunc(c.members(a), func(m Member) bool { return own[m.Address] })
		},
		Members: c.members,
		Name:    p.Name,
		Agent:   p.Kind == "room",
		Same: func(a, b cuaddr.Address) bool {
			x, here := c.name(a)
			y, _ := c.name(b)
			return here && x == y
		},
		Kind: func(a cuaddr.Address) string {
			if name, here := c.name(a); here && c.person(name).Kind == "room" {
				return "ROOM"
			}
			return ""
		},
		Named: func(a cuaddr.Address) string {
			for _, p := range c.script.People {
				if p.Kind != "outside" && slices.ContainsFunc(append([]string{p.Address}, p.Aliases...), func(own string) bool { return cuaddr.Mailto(own) == a }) {
					return p.Called
				}
			}
			return ""
		},
		Address: cuaddr.Mailto(p.Address), Now: c.now, Floating: time.UTC, MaxAttendees: 50,
		Prefers:   func(name string) string { return c.prefs[p.Name+" "+name] },
		Proposals: func() []Proposal { return c.open[p.Name+" "+uid] },
	}
}

func (c *core) Propose(who, uid string, rid ics.RID, start, end time.Time) error {
	c.tick()
	for owner, copies := range c.store { // the page shows the organizer's copy
		e := copies[uid]
		if e == nil || ics.Organizer(e.obj.First()) != c.actor(owner, uid).Address {
			continue
		}
		m := Propose(c.actor(who, uid), e.obj, rid, start, end, "")
		if m == nil {
			return errors.New("nothing to propose")
		}
		_, err := c.hand([]Message{*m})
		return err
	}
	return errors.New("no such meeting")
}

func (c *core) Decide(who, uid, attendee string, rid ics.RID, accept bool) error {
	e := c.store[who][uid]
	for _, p := range c.open[who+" "+uid] {
		if p.RID != rid || p.Attendee.Mail() != c.person(attendee).Address {
			continue
		}
		if accept {
			o := Accepted(e.obj, p)
			if o == nil {
				return errors.New("no such instance any more")
			}
			return c.Put(who, o.Bytes(), dialogue.Condition{})
		}
		c.tick()
		c.close(who, uid, []Proposal{p})
		_, err := c.hand(Decline(c.actor(who, uid), e.obj, p, ""))
		return err
	}
	return errors.New("no such proposal")
}

func (c *core) Split(who, uid, rid, fresh string) error {
	c.tick()
	e := c.store[who][uid]
	parts, err := Split(c.actor(who, uid), e.obj, rid, fresh, "set")
	if err != nil {
		return err
	}
	gone, moved := parts.Follow(c.open[who+" "+uid])
	c.close(who, uid, gone)
	c.open[who+" "+fresh] = append(c.open[who+" "+fresh], moved...)
	for owner, copies := range c.store {
		x, p := copies[uid], parts
		if x == nil {
			continue
		}
		if owner != who {
			if p, err = SplitCopy(c.actor(owner, uid), x.obj, parts.At, fresh, "set", Revision(parts.From)); err != nil {
				return err
			}
		}
		delete(copies, uid)
		if p.From != nil {
			copies[uid] = &entry{obj: p.From, scheduled: x.scheduled, tag: x.tag + 1, calendar: x.calendar}
		}
		if p.Before != nil {
			copies[fresh] = &entry{obj: p.Before, scheduled: x.scheduled, tag: 1, calendar: x.calendar}
			c.left[owner][fresh] = LeftApart(c.left[owner][uid], fresh)
		}
	}
	for _, m := range parts.Messages {
		if err := c.sound(m); err != nil {
			return err
		}
		if to, local := c.name(m.To); !local {
			c.told[to] = append(c.told[to], m.Body.Bytes())
			if c.post != nil {
				c.post(m)
			}
		}
	}
	return nil
}

func (c *core) Object(who, uid string) ([]byte, string) {
	e := c.store[who][uid]
	if e == nil {
		return nil, ""
	}
	if !e.scheduled {
		return Shown(e.obj.Bytes()), ""
	}
	return Shown(e.obj.Bytes()), fmt.Sprint(e.tag)
}

func (c *core) Told(who string) [][]byte {
	got := c.told[who]
	delete(c.told, who)
	return got
}

func (c *core) Put(who string, object []byte, cond dialogue.Condition) error {
	return c.put(who, object, cond, Options{Seen: cond.Seen})
}

func (c *core) put(who string, object []byte, cond dialogue.Condition, opt Options) error {
	c.tick()
	after, err := ics.Parse(object, ics.Limits{})
	if err != nil {
		return err
	}
	e := c.store[who][after.UID()]
	var before *ics.Object
	if e != nil {
		before = e.obj
	}
	if err := c.check(who, after.UID(), cond); err != nil {
		return err
	}
	me := c.actor(who, after.UID())
	me.Left = c.left[who][after.UID()]
	out, err := Originate(me, before, after, opt)
	if err != nil {
		return err
	}
	if err := storable(out.Object); err != nil {
		return err
	}
	c.keep(who, after.UID(), out)
	if err := c.settle(who, after.UID(), out); err != nil {
		return err
	}
	if out.Refresh {
		c.refresh(who, after.UID())
	}
	return nil
}

// check is what an HTTP door says of a write's conditions, before anything else.
func (c *core) check(who, uid string, cond dialogue.Condition) error {
	_, tag := c.Object(who, uid)
	if cond.Unseen || cond.Tag != nil && *cond.Tag != tag {
		return &Refusal{Precondition: "412"}
	}
	return nil
}

// storable checks what the core gives to be stored.
func storable(o *ics.Object) error {
	again, err := ics.Parse(o.Bytes(), ics.Limits{})
	if err == nil {
		err = again.Check()
	}
	if err != nil {
		return fmt.Errorf("the core stores what may not be stored: %w\n%s", err, o.Bytes())
	}
	return nil
}

func (c *core) Delete(who, uid string, silent bool, cond dialogue.Condition) error {
	c.tick()
	e := c.store[who][uid]
	if e == nil {
		return errors.New("nothing to delete")
	}
	if err := c.check(who, uid, cond); err != nil {
		return err
	}
	out, err := Originate(c.actor(who, uid), e.obj, nil, Options{NoReply: silent})
	if err != nil {
		return err
	}
	c.keep(who, uid, out)
	return c.settle(who, uid, out)
}

func (c *core) Mail(from, to string, method Method, object []byte) (bool, error) {
	c.tick()
	o, err := ics.Parse(object, ics.Limits{})
	if err != nil {
		return false, err
	}
	f, t := cuaddr.Mailto(c.person(from).Address), cuaddr.Mailto(c.person(to).Address)
	if o.Kind() == "VFREEBUSY" {
		return c.busyMail(from, to, method, o)
	}
	if e := c.store[from][o.UID()]; method == Reply && e != nil && c.person(from).Kind == "person" {
		c.now = c.now.Add(-time.Second)
		return c.Send(from, []string{to}, method, object) // his own act (decision 6)
	}
	if by, here := c.name(ics.Organizer(o.First())); here && c.person(by).Kind == "person" && (by == from && method != Reply || by != to && method == Request) {
		return true, nil // the organizer's copy is the truth (decision 7)
	}
	ignored := true
	for _, p := range c.script.Open(to) { // a list's mail is for each member
		if p.Kind == "outside" {
			continue
		}
		rule, err := c.deliver(p.Name, Message{Method: method, UID: o.UID(), From: f, To: t, Body: o})
		if err != nil {
			return false, err
		}
		ignored = ignored && rule != ""
	}
	return ignored, nil
}

// Send does what the desk does with the copy of a mail that somebody sent.
func (c *core) Send(from string, to []string, method Method, object []byte) (bool, error) {
	o, err := ics.Parse(object, ics.Limits{})
	if err != nil {
		return false, err
	}
	c.mailer, c.spoken, c.forwards = from, nil, method == Reply
	defer func() { c.mailer = "" }()
	for _, name := range to {
		c.spoken = append(c.spoken, cuaddr.Mailto(c.person(name).Address))
	}
	uid := o.UID()
	me := c.actor(from, uid)
	var have *ics.Object
	if e := c.store[from][uid]; e != nil {
		have = e.obj
	}
	if method == DeclineCounter && have != nil {
		return c.sendDecline(from, have, o)
	}
	after, rule := Observed(me, have, o)
	if rule == "" {
		return false, errors.New("no rule")
	}
	switch {
	case after == have:
		return true, nil
	case after == nil:
		return false, c.Delete(from, uid, false, dialogue.Condition{})
	}
	opt := Options{Mailed: method == Reply || method == Request || method == Add, Added: method == Add}
	if method == Reply {
		opt.Sent = o
	}
	return false, c.put(from, after.Bytes(), dialogue.Condition{}, opt)
}

// sendDecline closes what somebody declined from his mail program.
func (c *core) sendDecline(who string, have, sent *ics.Object) (bool, error) {
	c.tick()
	ignored := true
	for _, p := range slices.Clone(c.open[who+" "+have.UID()]) {
		for _, x := range sent.Main() {
			if sent.RID(x) != p.RID || ics.Attendee(x, func(a cuaddr.Address) bool { return a == p.Attendee }) == nil {
				continue
			}
			ignored = false
			c.close(who, have.UID(), []Proposal{p})
			if _, err := c.hand(Decline(c.actor(who, have.UID()), have, p, x.Text("COMMENT"))); err != nil {
				return false, err
			}
		}
	}
	return ignored, nil
}

// mailedAlready reports whether a person's own mail program has told somebody
// outside what a message says.
func (c *core) mailedAlready(m Message) bool {
	by, _ := c.name(m.From)
	return c.mailer != "" && by == c.mailer && m.Method != Refresh && (c.forwards && m.Method == Request || slices.Contains(c.spoken, m.To))
}

func (c *core) keep(who, uid string, out Outcome) {
	c.close(who, uid, out.Closed)
	if out.Remove {
		delete(c.store[who], uid)
	}
	if by, here := c.name(ics.Organizer(leftOf(out))); out.Left != nil && !(here && by != who && c.person(who).Kind == "room") {
		c.left[who][uid] = AddLeft(c.left[who][uid], out.Left)
	}
	if out.Object == nil {
		return
	}
	e := c.store[who][uid]
	if e == nil {
		e = &entry{}
		c.store[who][uid] = e
	}
	e.obj, e.scheduled = out.Object, out.Scheduled
	e.etag++
	if !out.KeepTag {
		e.tag++
	}
}

// leftOf is a component of what is to be remembered; an empty one of nothing.
func leftOf(out Outcome) *ics.Component {
	if out.Left == nil {
		return &ics.Component{}
	}
	return out.Left.First()
}

// settle hands messages to those who are here and logs those that go out, then
// stamps their delivery status.
func (c *core) settle(who, uid string, out Outcome) error {
	status, err := c.hand(out.Messages)
	if err != nil {
		return err
	}
	for a := range status { // an answer that is there already says more
		if name, _ := c.name(a); c.heard[name+" "+uid] {
			delete(status, a)
			delete(c.heard, name+" "+uid)
		}
	}
	if e := c.store[who][uid]; e != nil {
		if o := Stamp(e.obj, status); o != e.obj {
			e.obj = o
			e.etag++
		}
	}
	return nil
}

// hand brings messages to those who are here and logs those that go out. It
// returns what became of them.
func (c *core) hand(ms []Message) (map[cuaddr.Address]string, error) {
	status := map[cuaddr.Address]string{}
	for _, m := range ms {
		if err := c.sound(m); err != nil {
			return nil, err
		}
		to, local := c.name(m.To)
		if m.Echo && (!local || c.person(to).Kind != "person") {
			continue
		}
		if !local {
			if m.Besides || !c.mailedAlready(m) {
				c.told[to] = append(c.told[to], Explicit(m.Body).Bytes())
				if c.post != nil {
					c.post(m)
				}
			}
			if from, here := c.name(m.From); here && m.Method == Reply {
				c.replied[from+" "+m.UID] = c.now
			}
			status[m.To] = StatusSent
			continue
		}
		status[m.To] = StatusDelivered
		if _, err := c.deliver(to, m); err != nil {
			var r *Refusal
			if !errors.As(err, &r) {
				return nil, err
			}
			status[m.To] = StatusRejected
		}
	}
	return status, nil
}

// deliver hands one message over, and tells the others what changed. It
// returns the rule by which the message had no effect.
func (c *core) deliver(to string, m Message) (string, error) {
	told, err := c.apart(to, m)
	if err != nil {
		return "", err
	}
	rule, err := c.deliverOne(to, m)
	if told {
		rule = ""
	}
	return rule, err
}

func (c *core) deliverOne(to string, m Message) (string, error) {
	e := c.store[to][m.UID]
	var have *ics.Object
	if e != nil {
		have = e.obj
	}
	if have != nil { // as the desk does (decision 7): nobody replaces an organizer who is here
		was, now := ics.Organizer(have.First()), ics.Organizer(m.Body.First())
		if owner, here := c.name(was); here && was != now && owner != to && c.store[owner][m.UID] != nil {
			return "the organizer is here: our copy is the truth", nil
		}
	}
	me := c.actor(to, m.UID)
	if _, here := c.name(m.From); !here { // between people here nothing is overtaken
		me.Left = c.left[to][m.UID]
	}
	_, m.Prompt = c.name(m.From)
	out, err := Receive(me, have, m)
	if err != nil {
		return "", err
	}
	if out.Rule == "" {
		return "", errors.New("no rule")
	}
	if c.arrived != nil {
		c.arrived(to, m, out)
	}
	if out.Ignored {
		if out.Object != nil || out.Remove || out.Inbox != nil || len(out.Messages) > 0 {
			return "", fmt.Errorf("ignored, and yet something follows: %+v", out)
		}
		if out.Left != nil {
			c.left[to][m.UID] = AddLeft(c.left[to][m.UID], out.Left)
		}
		return out.Rule, nil
	}
	if out.Object != nil {
		if err := storable(out.Object); err != nil {
			return "", err
		}
	}
	c.keep(to, m.UID, out)
	for _, p := range out.Proposed {
		c.close(to, m.UID, []Proposal{p})
		c.open[to+" "+m.UID] = append(c.open[to+" "+m.UID], p)
	}
	if out.Inbox != nil {
		c.told[to] = append(c.told[to], out.Inbox.Bytes())
	}
	if len(out.Again) > 0 && c.person(to).Kind == "person" && !c.now.Before(c.replied[to+" "+m.UID].Add(AgainAfter)) {
		out.Messages = append(out.Messages, out.Again...)
	}
	if _, here := c.name(m.From); m.Method == Reply && !here { // who is here invites his delegates himself
		for _, d := range out.Delegates {
			if _, here := c.name(d.To); here {
				out.Messages = append(out.Messages, d)
			}
		}
	}
	if err := c.settle(to, m.UID, Outcome{Messages: out.Messages}); err != nil {
		return "", err
	}
	if c.person(to).Kind == "room" {
		switch {
		case m.Method == DeclineCounter:
			c.offers = slices.DeleteFunc(c.offers, func(o offer) bool { return o.room == to && o.uid == m.UID })
		case (m.Method == Request || m.Method == Add) && c.store[to][m.UID] != nil:
			if err := c.answer(to, m.UID, have); err != nil {
				return "", err
			}
		}
	}
	if out.Refresh {
		c.refresh(to, m.UID)
	}
	return "", nil
}

// apart hands what an answer says of a part of its series that has another UID now to
// that.
func (c *core) apart(to string, m Message) (bool, error) {
	e := c.store[to][m.UID]
	if e == nil || m.Method != Reply {
		return false, nil
	}
	body := Crossing(e.obj, m.Body)
	if body == nil {
		return false, nil
	}
	m.UID, m.Body, m.Crossed = body.UID(), body, true
	rule, err := c.deliver(to, m)
	return rule == "", err
}

// refresh shows the other people here how things stand, without telling them.
func (c *core) refresh(organizer, uid string) {
	for who, copies := range c.store {
		e := copies[uid]
		if e == nil || who == organizer {
			continue
		}
		if o := Participation(e.obj, c.store[organizer][uid].obj, c.actor(who, uid).Self); o != e.obj { // the tag stays
			e.obj = o
			e.etag++
		}
	}
}

// name returns whose address it is, and whether he is here.
func (c *core) name(a cuaddr.Address) (string, bool) {
	for _, p := range c.script.People {
		if p.Kind == "group" {
			continue
		}
		for _, own := range append([]string{p.Address}, p.Aliases...) {
			if cuaddr.Mailto(own) == a {
				return p.Name, p.Kind != "outside"
			}
		}
	}
	return a.Mail(), false
}

// sound checks what holds for every message that the core makes (RFC 5546
// §3.2, clients.md R7, R8, R18).
func (c *core) sound(m Message) error {
	text := string(m.Body.Bytes())
	bad := func(why string) error { return fmt.Errorf("%s in a message:\n%s", why, text) }
	if m.From.IsZero() || m.To.IsZero() || m.UID == "" || m.Body.Method() != string(m.Method) || m.Body.UID() != m.UID {
		return bad("no from, to, UID or METHOD")
	}
	for _, no := range []string{"SCHEDULE-", "VALARM", "X-CONVENE", "X-MOZ"} {
		if strings.Contains(strings.ReplaceAll(text, "\r\n ", ""), no) {
			return bad(no)
		}
	}
	for _, want := range []string{"VERSION:2.0", "PRODID:", "CALSCALE:"} {
		if !strings.Contains(text, "\r\n"+want) {
			return bad("no " + want)
		}
	}
	if _, err := ics.Parse(m.Body.Bytes(), ics.Limits{}); err != nil {
		return bad(err.Error())
	}
	if len(m.Body.Main()) == 0 {
		return bad("no component")
	}
	if why := dialogue.Breaks(m.Body, false); why != "" && !m.Echo { // an echo is for copies here alone
		return bad(why)
	}
	for _, comp := range m.Body.Main() {
		for _, want := range []string{"UID", "DTSTAMP", "ORGANIZER", "DTSTART"} {
			if want == "DTSTART" && (comp.Name == "VTODO" || m.Method == Refresh || m.Method == Cancel) {
				continue // as the organizer's program wrote it; none in a REFRESH, and nothing for who is not invited
			}
			if want == "ORGANIZER" && comp.Name == "VTODO" && m.Method == Refresh {
				continue // RFC 5546 §3.4.6
			}
			if len(comp.PropsNamed(want)) != 1 {
				return bad("not one " + want)
			}
		}
		if comp.Value("DTSTAMP") != c.now.UTC().Format("20060102T150405Z") {
			return bad("DTSTAMP is not the present")
		}
		n := len(ics.Attendees(comp))
		if n == 0 || m.Method == Reply && n != 1 && ics.PartStat(ics.Attendees(comp)[0]) != "DELEGATED" {
			return bad("wrong number of ATTENDEEs")
		}
	}
	return nil
}
