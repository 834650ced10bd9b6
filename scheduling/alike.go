package scheduling

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// roster is who takes part in an object, found out once for all of them.
type roster struct {
	named map[cuaddr.Address]bool // ATTENDEE lines
	parts map[int64]lines         // what each person's lines say, component by component
	full  map[int64]lines         // the same lines whole
	mixed bool                    // a group, or two lines of one person: nobody is like anybody
}

// lines are one person's lines by instance.
type lines map[ics.RID]string

// key is equal for those whose lines say the same.
func (l lines) key() string {
	var b strings.Builder
	for _, r := range slices.Sorted(maps.Keys(l)) {
		b.WriteString(" " + string(r) + l[r])
	}
	return b.String()
}

// role holds the parameters of an ATTENDEE line by which the core decides.
var role = []string{"PARTSTAT", "RSVP", "ROLE", "CUTYPE", "DELEGATED-TO", "DELEGATED-FROM", "SCHEDULE-AGENT"}

// organizes stands among somebody's lines where he is the organizer.
const organizes ics.RID = "organizer"

func (s *sitting) roster(o *ics.Object) *roster {
	if r, ok := s.rosters[o]; ok {
		return r
	}
	r := &roster{named: map[cuaddr.Address]bool{}, parts: map[int64]lines{}, full: map[int64]lines{}}
	for _, c := range o.Main() {
		rid := o.RID(c)
		for k := range c.Props {
			p := &c.Props[k]
			if p.Name != "ATTENDEE" && p.Name != "ORGANIZER" {
				continue
			}
			a := ics.CalAddress(p)
			if p.Name == "ATTENDEE" {
				r.named[a] = true
			}
			who := s.find(a)
			if who == nil {
				continue
			}
			mine := r.parts[who.ID]
			if mine == nil {
				mine = lines{}
				r.parts[who.ID], r.full[who.ID] = mine, lines{}
			}
			if p.Name == "ORGANIZER" {
				mine[organizes] = ""
				continue
			}
			_, twice := mine[rid]
			r.mixed = r.mixed || twice || who.Kind == db.Group && !opened(c, a)
			mine[rid] = lineOf(p)
			r.full[who.ID][rid] = whole(p)
		}
	}
	if s.rosters == nil {
		s.rosters = map[*ics.Object]*roster{}
	}
	s.rosters[o] = r
	return r
}

// opened reports whether the members of a group stand beside its line.
func opened(c *ics.Component, group cuaddr.Address) bool {
	return slices.ContainsFunc(c.Props, func(l ics.Prop) bool {
		return l.Name == "ATTENDEE" && slices.ContainsFunc(l.ParamValues("MEMBER"), func(v string) bool {
			a, err := cuaddr.Parse(v)
			return err == nil && a == group
		})
	})
}

func lineOf(p *ics.Prop) string {
	var b strings.Builder
	for _, name := range role {
		b.WriteByte(';')
		for i, v := range p.ParamValues(name) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(v)
		}
	}
	return b.String()
}

func whole(p *ics.Prop) string {
	var b strings.Builder
	b.WriteString(p.Value)
	for _, par := range p.Params {
		b.WriteString(";" + par.Name)
		for _, v := range par.Values {
			b.WriteString("=" + v)
		}
	}
	return b.String()
}

// receipt names a reception whose outcome many share (STORAGE 18): they have
// the same copy, get the same message, and their lines in both say the same.
type receipt struct {
	method     itip.Method
	body, have *ics.Object
	zone       *time.Location
	lines      string
	agent      bool // keeps nothing that was called off
}

// ask calls the core, once for all who are alike. Their copies then are equal,
// for the core treats a recipient apart only by his own lines.
func (s *sitting) ask(l *letter, h *holding) (itip.Outcome, error) {
	if err := s.meetIn(h.obj); err != nil {
		return itip.Outcome{}, err
	}
	me, err := s.actor(h, true)
	if err != nil {
		return itip.Outcome{}, err
	}
	key, ok := s.receipt(l, h, me)
	if !ok {
		msg := l.Message
		msg.Prompt = l.from.ID != 0
		return itip.Receive(me, h.obj, msg)
	}
	if out, ok := s.received[key]; ok {
		return out, nil
	}
	out, err := itip.Receive(me, h.obj, l.Message)
	if err == nil && len(out.Messages) == 0 && s.impersonal(out, h.obj, l.Body, h.owner.ID) {
		if s.received == nil {
			s.received = map[receipt]itip.Outcome{}
		}
		s.received[key] = out
	}
	return out, err
}

func (s *sitting) receipt(l *letter, h *holding, me itip.Actor) (receipt, bool) {
	if !l.direct || l.Method != itip.Request && l.Method != itip.Cancel {
		return receipt{}, false
	}
	msg := s.roster(l.Body)
	if msg.mixed {
		return receipt{}, false
	}
	key := receipt{method: l.Method, body: l.Body, have: h.obj, zone: me.Floating, agent: me.Agent, lines: msg.parts[h.owner.ID].key()}
	if h.obj != nil {
		have := s.roster(h.obj)
		if have.mixed {
			return receipt{}, false
		}
		key.lines += "|" + have.parts[h.owner.ID].key()
	}
	return key, true
}

// impersonal reports whether an outcome is the same for others: the
// recipient's own lines are as the message has them, or where it is silent as
// they were. Then nothing was put in that is his alone.
func (s *sitting) impersonal(out itip.Outcome, have, msg *ics.Object, who int64) bool {
	if out.Object == nil {
		return out.Ignored
	}
	if msg.Method() == string(itip.Cancel) {
		return true // it changes nobody's lines
	}
	if err := s.meetIn(out.Object); err != nil {
		return false
	}
	got := s.roster(out.Object)
	if got.mixed {
		return false
	}
	said := s.roster(msg).parts[who]
	_, whole := said[""]
	for r, line := range got.parts[who] {
		if now, ok := said[r]; ok {
			if line != now {
				return false
			}
			continue
		}
		// An instance that the message does not speak of: of a message about the
		// whole it is his own answer that made it stay.
		if whole || have == nil || s.roster(have).parts[who][r] != line {
			return false
		}
	}
	return true
}

// refreshed brings the participation of the others into equal copies, once for
// all who are alike (STORAGE 18). A person's own lines are not touched; where
// they say what the organizer's copy says anyway, the copies become the same
// for everybody.
type refreshed struct {
	truth *ics.Object
	done  map[refreshKey]*refreshResult
}

type refreshKey struct {
	have    *ics.Object
	invited string // to which instances
}

type refreshResult struct {
	first  *ics.Object
	tried  bool // a second person's was compared
	shared bool
}

func (s *sitting) participation(r *refreshed, h *holding) (*ics.Object, error) {
	if err := s.meetIn(h.obj); err != nil {
		return nil, err
	}
	alone := func() *ics.Object {
		return itip.Participation(h.obj, r.truth, s.self(h.owner, false), s.d.opt.SharedX...)
	}
	truth, have := s.roster(r.truth), s.roster(h.obj)
	if truth.mixed || have.mixed {
		return alone(), nil
	}
	key := refreshKey{h.obj, strings.Join(rids(truth.parts[h.owner.ID]), " ")}
	res := r.done[key]
	switch {
	case res == nil:
		res = &refreshResult{first: alone()}
		if r.done == nil {
			r.done = map[refreshKey]*refreshResult{}
		}
		r.done[key] = res
		return res.first, s.meetIn(res.first)
	case !res.tried:
		// In the first one's copy his own lines are his; in the second one's they
		// are the organizer's. Equal copies mean that they are the same.
		second := alone()
		res.tried, res.shared = true, bytes.Equal(second.Bytes(), res.first.Bytes())
		if res.shared {
			second = res.first
		}
		return second, nil
	case res.shared && sameLines(have.full[h.owner.ID], s.roster(res.first).full[h.owner.ID]):
		return res.first, nil
	}
	return alone(), nil
}

func rids(l lines) []string {
	var out []string
	for r := range l {
		out = append(out, string(r))
	}
	slices.Sort(out)
	return out
}

// sameLines reports whether somebody's lines are the same before and after;
// those of an instance that came new are compared with the master's.
func sameLines(before, after lines) bool {
	for r, line := range after {
		old, ok := before[r]
		if !ok {
			old = before[""]
		}
		if old != line {
			return false
		}
	}
	for r := range before {
		if _, ok := after[r]; !ok {
			return false
		}
	}
	return true
}
