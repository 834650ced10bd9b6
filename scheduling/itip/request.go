package itip

import (
	"maps"
	"slices"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// receiveRequest puts an invitation or its update into an attendee's calendar
// (RFC 5546 §3.2.2, RFC 6638 §4.1).
func (me Actor) receiveRequest(have *ics.Object, msg Message) (Outcome, error) {
	org, _ := organizerOf(msg.Body)
	in := newSeries(msg.Body, msg.Body.Root())
	switch {
	case org.IsZero():
		return ignored("an invitation without an organizer"), nil
	case me.Self(org):
		return ignored("it is his own meeting: his copy is the truth"), nil // decision 7
	case !me.in(in):
		return ignored("he is not invited"), nil
	}
	by := Delegator(msg.Body, me.Self)
	passed := by != nil && sameLine(by, msg.From) && msg.From != org
	switch {
	case have == nil && passed:
		return passedOn(me.firstCopy(in, msg), in), nil
	case have == nil:
		return me.firstCopy(in, msg), nil
	case passed && !me.over(have):
		return passedOn(me.sentBeside(have, in, msg), in), nil
	}
	if was, _ := organizerOf(have); !was.IsZero() && was != org && was.Fold() != org.Fold() && !msg.Successor && !me.replaces(have, in) { // decision 14
		return Outcome{}, &Refusal{Precondition: AllowedOrganizerReceived, Detail: "a meeting with this UID has another organizer"}
	}
	if note(have) || in.master == nil && !me.in(newSeries(have, have.Root())) {
		return me.firstCopy(in, msg), nil // he is invited to what he kept as a note, or to single days of it
	}
	out := me.update(have, in, msg)
	if was, _ := organizerOf(have); out.Object != nil && was.Fold() != org.Fold() {
		out.Object = follow(out.Object, have, msg.Body)
	}
	if passed {
		out = passedOn(out, in)
	}
	return out, nil
}

// over reports whether the user is in nothing of an object that is not cancelled.
func (me Actor) over(o *ics.Object) bool {
	return !slices.ContainsFunc(o.Main(), func(c *ics.Component) bool { return !cancelled(c) && ics.Attendee(c, me.Self) != nil })
}

func (me Actor) in(s *series) bool {
	for _, p := range s.parts {
		if p.self(me) != nil {
			return true
		}
	}
	return false
}

// firstCopy is a new invitation. What he declined and took off his calendar
// does not come back by itself, only when he is asked anew; what was cancelled
// before it came does not come at all.
func (me Actor) firstCopy(in *series, msg Message) Outcome {
	left := me.left()
	root := shell(msg.Body)
	asked, late := false, true
	var heard []*ics.Component // what he is not asked about, as it stands now
	for _, p := range in.parts {
		if p.self(me) == nil {
			continue
		}
		if outdated(left, in, p) {
			continue
		}
		late = false
		c := me.anew(left, in, p)
		if left.at(p.rid) == nil {
			me.heard(c)
		}
		if ps := ics.PartStat(ics.Attendee(c, me.Self)); ps != "DECLINED" && !(left.at(p.rid) != nil && slices.Contains(outlast, ps)) {
			asked = true
		} else if in.master == nil {
			heard = append(heard, c)
			continue // single occurrences: only those that he is asked about
		}
		root.Children = append(root.Children, c)
	}
	if masterOf(root) != nil {
		here := newSeries(msg.Body, root)
		root.Children = append(root.Children, me.standing(left, in, func(r ics.RID) bool { return here.byRID[r] != nil })...)
	}
	switch {
	case !asked && late:
		return ignored("he removed it, or it was cancelled, after this was written")
	case !asked:
		out := ignored("he declined it, or has done with it, and has no copy")
		if in.master != nil {
			here := newSeries(msg.Body, root)
			heard = append(heard, me.declinedDays(left, in, func(r ics.RID) bool { return here.byRID[r] != nil })...)
		}
		stand := append([]string{"DECLINED"}, outlast...)                                 // by whose word it may be
		out.Left = me.leaving(msg.Body, append(heard, root.Children...), false, stand...) // or an older one would ask him anew
		return out
	}
	if m := masterOf(root); m != nil {
		here := newSeries(msg.Body, root)
		have := func(r ics.RID) bool { return here.byRID[r] != nil }
		away := removedSince(left, in, have)
		if l := ics.Attendee(m, me.Self); l != nil && slices.Contains(outlast, ics.PartStat(l)) {
			// He has done with the series, and declined these by themselves.
			for _, c := range me.declinedDays(left, in, have) {
				away = append(away, left.obj.RID(c))
			}
		}
		for _, r := range slices.Compact(sorted(away)) {
			m.Add(in.obj.DateProp("EXDATE", r))
		}
		root.Children = append(root.Children, cancelledSince(left, in, have)...)
	}
	o := ics.New(root)
	known := me.leaving(msg.Body, heard, false, outlast...)
	if in.master != nil {
		known = AddLeft(known, me.leaving(msg.Body, calledOffMeanwhile(left, in), true))
	}
	return Outcome{Object: o, Left: known, Changed: true, Scheduled: true, Inbox: msg.Body, Rule: "new invitation stored"}
}

// shell is the VCALENDAR of a copy: that of the message without METHOD, with
// its time zones.
func shell(o *ics.Object) *ics.Component {
	root := &ics.Component{Name: "VCALENDAR"}
	for _, p := range o.Root().Props {
		if p.Name != "METHOD" {
			root.Props = append(root.Props, p)
		}
	}
	for _, c := range o.Root().Children {
		if c.Name == "VTIMEZONE" {
			root.Children = append(root.Children, c)
		}
	}
	return root
}

// received is a component of a message as it is stored: without the sender's
// alarms, his marks for his own server, and what he says of the request.
func received(c *ics.Component) *ics.Component {
	out := c.Clone()
	out.RemoveFunc(func(p *ics.Prop) bool { return p.Name == "REQUEST-STATUS" || isMark([]byte(p.Name)) })
	for i := range out.Props {
		if p := &out.Props[i]; p.Name == "ATTENDEE" || p.Name == "ORGANIZER" {
			*p = p.WithoutParams(ownParams...)
		}
	}
	kids := out.Children[:0:0]
	for _, ch := range out.Children {
		if ch.Name != "VALARM" {
			kids = append(kids, ch)
		}
	}
	out.Children = kids
	return out
}

// update merges a REQUEST into the copy. With a master it is the whole of what
// he may see; without one, its instances replace those of the copy and the rest
// stays (RFC 5546 §3.2.2.1, §4.4.2).
func (me Actor) update(have *ics.Object, in *series, msg Message) Outcome {
	before := have
	have, lacks := me.undone(have, in)
	was := newSeries(have, have.Root())
	root := &ics.Component{Name: "VCALENDAR", Props: append([]ics.Prop(nil), have.Root().Props...)}
	for _, c := range have.Root().Children {
		if !schedules(c.Name) && c.Name != "VTIMEZONE" {
			root.Children = append(root.Children, c)
		}
	}
	whole := in.master != nil
	left := me.left()
	var comps []*ics.Component
	applied, stale := false, ""
	var missed *ics.Prop
	var lost *ics.Prop // an ADD has overtaken what seems old now
	placed := map[ics.RID]bool{}
	merged := map[ics.RID]*ics.Component{}
	away := map[ics.RID]bool{} // what he took off his calendar and is not asked anew
	var heard []*ics.Component // of that, as it stands now
	for _, p := range in.parts {
		old := was.at(p.rid)
		// An occurrence that has a component of its own only now has its own SEQUENCE
		// too (RFC 5546 §2.1.4): the series that comes with it is no older than his. So
		// it is with one that his answer made of a series that an ADD had raised alone
		// (§3.2.4).
		first := old != nil && old.rid != p.rid && whole && !older(in.master.comp, old.comp) ||
			old != nil && old.rid != "" && whole && was.master != nil && !older(in.master.comp, was.master.comp) && overtaken(old.comp, p.comp)
		if old != nil && !first && older(p.comp, old.comp) {
			stale = staleRule(p.comp, old.comp)
			if was.master != nil && missing(was.master.comp, p.comp) {
				lost = p.self(me)
			}
			if old.rid == p.rid {
				merged[p.rid] = old.comp
			}
			continue
		}
		if p.self(me) == nil && !in.everybody { // an instance that is not his: his series has no such instance
			continue
		}
		if old == nil && was.master != nil && dtstamp(p.comp) < dtstamp(was.master.comp) {
			stale = "stale: an instance that the series no longer has"
			continue
		}
		if old == nil && was.master == nil && !whole && declines(p.self(me)) {
			stale = "he declined this occurrence and has no copy of it" // as in firstCopy
			if !outdated(left, in, p) {
				heard = append(heard, me.anew(left, in, p))
			}
			continue
		}
		if old == nil && (outdated(left, in, p) || me.keepsOut(left, in, p)) {
			if !outdated(left, in, p) {
				heard = append(heard, me.anew(left, in, p))
			}
			stale = "he removed it, or it was cancelled, after this was written"
			whole = whole && p.rid != ""
			away[p.rid] = true
			continue
		}
		merged[p.rid] = me.merge(was, old, in, p)
		applied = true
		if !whole && was.master != nil && !was.master.off && old == nil && !was.excludes(p.rid) {
			missed = p.self(me) // RFC 5546 §4.7.2: something went by him
		}
	}
	if c := merged[""]; whole && c != nil {
		if was.master == nil || c != was.master.comp {
			lost = nil // this is the whole of it
		}
		heard = append(heard, me.keepAway(was, in, c, merged)...)
		for _, p := range left.parts {
			if was.at(p.rid) == nil && me.declinedAlone(left, p, in) {
				away[p.rid] = true
			}
		}
		staysOff(c, was, in, merged, away)
		if was.master == nil || c != was.master.comp {
			out := map[ics.RID]bool{}
			maps.Copy(out, datesOf(in.obj, c, "EXDATE"))
			for _, r := range removedSince(left, in, func(r ics.RID) bool { return merged[r] != nil || was.byRID[r] != nil || out[r] }) {
				c.Add(in.obj.DateProp("EXDATE", r))
				out[r] = true
			}
			for _, r := range sorted(slices.Collect(maps.Keys(away))) {
				if r != "" && merged[r] == nil && was.byRID[r] == nil && !out[r] && in.obj.HasInstance(r) {
					c.Add(in.obj.DateProp("EXDATE", r))
				}
			}
		}
	}
	if in.master != nil && away[""] {
		have := func(r ics.RID) bool { return was.byRID[r] != nil || in.byRID[r] != nil }
		heard = append(heard, me.standing(left, in, have)...)
		heard = append(heard, me.declinedDays(left, in, have)...)
		if me.endedHere(was, in, merged) {
			applied = true
		}
	}
	if whole && merged[""] != nil && was.master != nil && merged[""] == was.master.comp {
		whole = false // a stale series with newer instances
	}
	known := me.leaving(in.obj, heard, false, outlast...)
	if whole && merged[""] != nil {
		known = AddLeft(known, me.leaving(in.obj, calledOffMeanwhile(left, in), true))
	}
	org := in.parts[0].comp.Prop("ORGANIZER")
	if org == nil {
		lost, missed = nil, nil // nobody can be asked
	}
	if !applied && lost != nil {
		return Outcome{Object: askedOnce(have), Left: known, Messages: me.ask(msg.Body, *org, *lost), Changed: true, Scheduled: true, KeepTag: true, Rule: stale + askedAfterAdd}
	}
	var asks []Message
	if lacks != nil && org != nil {
		asks = me.ask(msg.Body, *org, *lacks)
	}
	if !applied && have != before {
		return Outcome{Object: have, Left: known, Messages: asks, Changed: true, Scheduled: true, Rule: stale + ", and at its time again: his answer from before goes with it"}
	}
	if !applied {
		none := ignored("%s", stale)
		none.Left = known
		return none
	}
	// In the order of the copy first, then what is new.
	for _, p := range was.parts {
		c := merged[p.rid]
		switch {
		case c != nil:
		case !whole, p.rid == "", dtstamp(in.master.comp) < dtstamp(p.comp): // told of later than the whole was written
			c = p.comp
		default:
			c = me.keepInstance(was, p, in)
		}
		if c != nil && !placed[p.rid] {
			placed[p.rid] = true
			comps = append(comps, c)
		}
	}
	for _, p := range in.parts {
		if c := merged[p.rid]; c != nil && !placed[p.rid] {
			placed[p.rid] = true
			comps = append(comps, c)
		}
	}
	if whole && merged[""] != nil {
		if was.master == nil {
			for _, c := range me.standing(left, in, func(r ics.RID) bool { return placed[r] || merged[r] != nil }) {
				placed[in.obj.RID(c)] = true
				comps = append(comps, c)
			}
		}
		comps = append(comps, cancelledSince(left, in, func(r ics.RID) bool { return placed[r] })...)
	}
	comps = visible(have, comps)
	zones := map[string]bool{}
	for _, o := range []*ics.Object{msg.Body, have} { // the organizer's zones win
		for _, c := range o.Root().Children {
			if id := c.Value("TZID"); c.Name == "VTIMEZONE" && !zones[id] && (o == msg.Body || refers(comps, id)) {
				zones[id] = true
				root.Children = append(root.Children, c)
			}
		}
	}
	root.Children = append(root.Children, comps...)
	o := ics.New(root)
	out := Outcome{Left: known, Object: o, Changed: true, Scheduled: true, Rule: "update of the organizer merged"}
	switch {
	case len(asks) > 0:
		out.Messages = asks
	case missed != nil:
		out.Messages = me.ask(msg.Body, *org, *missed)
		out.Rule += ", an instance of which he did not know: asked for the whole"
	case lost != nil: // some of it is new, the series is not
		o = askedOnce(o)
		out.Object, out.Messages = o, me.ask(msg.Body, *org, *lost)
		out.Rule += askedAfterAdd
	}
	switch difference(before, o, me) {
	case nothing:
		if !msg.Echo && lost == nil && !newer(in, was) {
			return ignored("a repetition: nothing in it is new")
		}
		out.KeepTag, out.Inbox, out.Rule = true, msg.Body, "confirmed by the organizer: nothing in it is new" // RFC 5546 §3.2.2.2
		if lost == nil {
			out.Again = me.again(o, in, msg)
		}
	case answersOnly: // RFC 6638 §3.2.10: tag and inbox stay
		out.KeepTag, out.Rule = true, "others' answers noted"
	default:
		out.Inbox = msg.Body
	}
	out.Messages = append(out.Messages, me.restated(before, o, msg)...)
	if msg.Echo {
		out.Inbox = msg.Body // beside its CANCEL
	}
	return out
}

// endedHere marks as cancelled in a copy of single occurrences those that the
// organizer's series does not have any more: also a series that the attendee
// declined and keeps out tells which instances there are (RFC 5546 §3.2.2.1).
func (me Actor) endedHere(was, in *series, merged map[ics.RID]*ics.Component) bool {
	done := false
	for _, p := range was.parts {
		if p.off || merged[p.rid] != nil || in.obj.HasInstance(p.rid) || in.excludes(p.rid) || dtstamp(in.master.comp) < dtstamp(p.comp) {
			continue // what an EXDATE takes out has a CANCEL
		}
		c := &part{comp: p.comp.Clone(), rid: p.rid}
		me.cancelPart(c, in.master.comp)
		merged[p.rid] = c.comp
		done = true
	}
	return done
}

// staysOff keeps an attendee's series free of the instances that he took off
// his calendar, while the organizer may not know of that yet: in the revision
// that he has, only he can have taken them (a reinstated instance is a new
// revision, RFC 5546 §2.1.4), unless his delegator left them out.
func staysOff(c *ics.Component, was, in *series, merged map[ics.RID]*ics.Component, away map[ics.RID]bool) {
	if was.master == nil || c == was.master.comp {
		return
	}
	known := sequence(was.master.comp) == sequence(in.master.comp) && dtstamp(was.master.comp) != longAgo
	for _, r := range more(datesOf(in.obj, in.master.comp, "EXDATE"), datesOf(was.obj, was.master.comp, "EXDATE")) {
		if (known || away[r]) && merged[r] == nil && in.obj.HasInstance(r) {
			c.Add(was.obj.DateProp("EXDATE", r))
		}
	}
}

// older reports whether a component of a message is an earlier revision than
// what is stored (RFC 5546 §2.1.5). Of two of one SEQUENCE and one DTSTAMP the
// one that came later counts.
func older(msg, have *ics.Component) bool {
	a, b := sequence(msg), sequence(have)
	if a != b {
		return a < b
	}
	da, db := dtstamp(msg), dtstamp(have)
	return len(da) == len(db) && da < db
}

// newer reports whether a message was made later than what is stored.
func newer(in, was *series) bool {
	for _, p := range in.parts {
		if old := was.at(p.rid); old == nil || older(old.comp, p.comp) {
			return true
		}
	}
	return false
}

func staleRule(msg, have *ics.Component) string {
	if a, b := sequence(msg), sequence(have); a != b {
		return "stale: SEQUENCE " + value(msg, "SEQUENCE", "0") + " is below " + value(have, "SEQUENCE", "0")
	}
	return "stale: DTSTAMP " + dtstamp(msg) + " is before " + dtstamp(have)
}

func value(c *ics.Component, name, def string) string {
	if v := trim(c.Value(name)); v != "" {
		return v
	}
	return def
}

func trim(s string) string { return strings.TrimSpace(s) }
