package scheduling

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
	"github.com/convene-server/convene/scheduling/policy"
)

// A room whose owner decides asks him by an invitation of its own: he answers
// it with whatever he answers invitations with, and the room answers in the same
// way to who asked for it. The question is an event in the room's calendar that
// takes no time and says of what it is:
const propConfirms = "X-CONVENE-CONFIRMS"

const (
	jobAsk     = "ask"     // bring the question to the owner up to date
	jobDecided = "decided" // the owner has answered it
)

// confirmArgs names the other of the two conversations.
type confirmArgs struct {
	UID  string
	Said string `json:",omitempty"` // what the owner adds to his answer
}

// longestSaid bounds what is passed on of that, in characters.
const longestSaid = 1000

// listen notes what an owner adds to the answer that he gives to a room's
// question.
func (s *sitting) listen(h *holding, msg itip.Message) {
	if msg.Method != itip.Reply || h.owner.Kind != db.Room && h.owner.Kind != db.Resource || about(h.obj, s.self(h.owner, false)) == "" {
		return
	}
	for _, c := range msg.Body.Main() {
		text := []rune(strings.TrimSpace(c.Text("COMMENT")))
		if len(text) == 0 {
			continue
		}
		if s.said == nil {
			s.said = map[thread]string{}
		}
		s.said[thread{h.owner.ID, h.uid}] = string(text[:min(len(text), longestSaid)])
	}
}

// questionUID names the question that a room has about a meeting.
func questionUID(room int64, uid string) string {
	if len(uid) > 200 {
		sum := sha256.Sum256([]byte(uid))
		uid = hex.EncodeToString(sum[:])
	}
	return "confirm-" + strconv.FormatInt(room, 10) + "-" + uid
}

// about is what an object asks about, "" where it is no question of this room:
// nobody else can ask in its name.
func about(o *ics.Object, room func(cuaddr.Address) bool) string {
	if o == nil || o.First() == nil || !room(ics.Organizer(o.First())) {
		return ""
	}
	return o.First().Text(propConfirms)
}

// consult queues what follows for owners from what changed in a room's
// calendar: a question for a new booking, and an answer for one that was asked
// about.
func (s *sitting) consult() error {
	for _, h := range s.order {
		if !h.changed || h.owner.Kind != db.Room && h.owner.Kind != db.Resource {
			continue
		}
		kind, uid := "", ""
		room := s.self(h.owner, false)
		if about(h.obj, room) == "" && about(h.was, room) == "" {
			if err := s.tellPrograms(h, room); err != nil {
				return err
			}
			if err := s.await(h, s.now.Add(time.Microsecond-s.rules(h.owner).CheckIn())); err != nil {
				return err
			}
		}
		switch of := about(h.obj, room); {
		case of != "":
			kind, uid = jobDecided, of
		case s.elsewhere[thread{h.owner.ID, h.uid}]: // first others decide
			continue
		case about(h.was, room) == "" && len(s.rules(h.owner).Owners()) > 0:
			kind, uid = jobAsk, questionUID(h.owner.ID, h.uid)
		default:
			continue
		}
		if err := s.later(kind, uid, h.owner.ID, confirmArgs{h.uid, s.said[thread{h.owner.ID, h.uid}]}); err != nil {
			return err
		}
	}
	return nil
}

// both loads a room's part in the conversation that a job locked, and the object
// of the other one as it is: whoever changes that later queues a job of his own.
func (s *sitting) both(j db.Job) (h *holding, other *ics.Object, args confirmArgs, err error) {
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return nil, nil, args, err
	}
	if h, err = s.roomsPart(j); h == nil || err != nil {
		return nil, nil, args, err
	}
	rows, err := s.tx.ObjectsByUID(args.UID, j.Principal)
	if err != nil {
		return nil, nil, args, err
	}
	if len(rows) > 0 {
		if other, err = s.parse(&rows[0].Object); err != nil {
			return nil, nil, args, err
		}
	}
	return h, other, args, s.meetIn(other)
}

// askOwner brings the question about a booking up to date: it is put while the room
// has answered TENTATIVE, and taken back when there is nothing left to decide
// about.
func (s *sitting) askOwner(j db.Job) error {
	h, booking, _, err := s.both(j)
	if h == nil || err != nil {
		return err
	}
	room := h.owner
	self := s.self(room, false)
	open, gone := false, booking == nil
	if booking != nil {
		gone = true
		for _, c := range booking.Main() {
			gone = gone && strings.EqualFold(c.Value("STATUS"), "CANCELLED")
			me := ics.Attendee(c, self)
			open = open || me != nil && ics.PartStat(me) == "TENTATIVE"
		}
		if last, ends := booking.Last(nil, s.d.opt.Bound); ends && !last.After(s.now.Add(-24*time.Hour)) {
			open = false // nothing is to come: the earlier part of a series
		}
	}
	switch {
	case gone && h.obj != nil:
		return s.originate(h, nil, itip.Options{}, "agent")
	case gone || !open || !s.place(h, booking.Kind()):
		return nil
	}
	want := question(booking, room, s.rules(room).Owners(), j.UID)
	if h.obj != nil && asks(h.obj) == asks(want) {
		return nil
	}
	return s.originate(h, want, itip.Options{}, "agent")
}

// asks is when a question says that it would be, and of what.
func asks(o *ics.Object) string {
	var b strings.Builder
	for _, c := range o.Main() {
		b.WriteString(times(c) + c.Value("SUMMARY") + "\n")
	}
	return b.String()
}

// question makes the event by which owners are asked about a booking.
func question(booking *ics.Object, room db.Principal, owners []cuaddr.Address, uid string) *ics.Object {
	root := booking.Root().Clone()
	root.Remove("METHOD")
	name := room.Name
	if name == "" {
		name = room.Address
	}
	for _, c := range root.Children {
		if c.Name == "VTIMEZONE" {
			continue
		}
		who := ics.Organizer(c)
		var keep []ics.Prop
		for _, p := range c.Props {
			switch p.Name {
			case "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "DTSTAMP", "SEQUENCE", "STATUS":
				keep = append(keep, p)
			}
		}
		title := c.Text("SUMMARY")
		c.Props, c.Children = keep, nil
		c.Set(ics.NewProp("UID", uid))
		c.Set(ics.NewProp("SUMMARY", ics.Escape(strings.TrimSuffix(name+": "+title, ": "))))
		c.Set(ics.NewProp("DESCRIPTION", ics.Escape(who.Mail()+" asks for "+name+". Your answer to this invitation is the answer.")))
		c.Set(ics.NewProp("LOCATION", ics.Escape(name)))
		c.Set(ics.NewProp("TRANSP", "TRANSPARENT"))
		c.Set(ics.NewProp(propConfirms, ics.Escape(booking.UID())))
		c.Set(ics.NewProp("ORGANIZER", cuaddr.Mailto(room.Address).String()))
		for _, o := range owners {
			c.Add(ics.NewProp("ATTENDEE", o.String(),
				ics.Param{Name: "PARTSTAT", Values: []string{"NEEDS-ACTION"}}, ics.Param{Name: "RSVP", Values: []string{"TRUE"}}))
		}
	}
	return ics.New(root)
}

// decidedByOwner lets a room answer as its owner decided.
func (s *sitting) decidedByOwner(j db.Job) error {
	h, asked, args, err := s.both(j)
	if h == nil || h.obj == nil || err != nil || about(asked, s.self(h.owner, false)) != h.uid {
		return err
	}
	me, err := s.actor(h, true)
	if err != nil {
		return err
	}
	var ans policy.Answer
	for _, c := range asked.Main() {
		partstat, by := verdict(c)
		if partstat == "" {
			continue
		}
		ans.Reason = policy.Reason{Text: "decided by %s", Args: []any{by}, Said: args.Said}
		rid := asked.RID(c)
		mine := h.obj.Master()
		if rid != "" {
			if mine = h.obj.Override(rid); mine == nil {
				mine = h.obj.Master()
			}
		}
		if mine == nil {
			continue
		}
		if l := ics.Attendee(mine, me.Self); l == nil || ics.PartStat(l) == partstat || ics.PartStat(l) == "DELEGATED" {
			continue
		}
		if rid == "" {
			ans.Master = partstat
		} else {
			ans.Single = append(ans.Single, policy.Occurrence{RID: rid, PartStat: partstat})
		}
	}
	if ans.None() {
		return nil
	}
	return s.reply(h, me, ans)
}

// verdict is what the owners say to one occurrence, and which of them: one who
// accepts is enough.
func verdict(c *ics.Component) (partstat, by string) {
	for _, a := range ics.Attendees(c) {
		switch s := ics.PartStat(a); {
		case s == "ACCEPTED":
			return s, ics.CalAddress(a).Mail()
		case s == "DECLINED" && partstat == "":
			partstat, by = s, ics.CalAddress(a).Mail()
		}
	}
	return partstat, by
}
