package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// agree waits until all copies tell the same. What comes without mail, the
// answers of others, may still be on its way.
func (h *history) agree() {
	for end := time.Now().Add(patience / 4); ; time.Sleep(50 * time.Millisecond) {
		bad := h.compare()
		if len(bad) == 0 {
			return
		}
		if time.Now().After(end) {
			h.tellAll()
			h.failf("copies do not agree:\n%s\n\nafter", strings.Join(bad, "\n"))
			return
		}
	}
}

// tellAll logs all that is known of a history that failed.
func (h *history) tellAll() {
	for _, p := range append(append(slices.Clone(h.w.people), h.w.rooms...), h.w.bob) {
		if f := h.copy(p); f != nil {
			h.w.t.Logf("%s:\n%s", p.address, f.Object.Bytes())
		}
	}
	for i, p := range h.w.servers {
		h.w.t.Log(p.must("", "why", h.uid))
		h.w.t.Logf("---- script as server %d saw it\n%s", i, h.script(i))
	}
}

func (h *history) compare() []string {
	var truth *ics.Object
	if f := h.copy(h.organizer); f != nil {
		truth = f.Object
	}
	var bad []string
	for _, p := range append(append(slices.Clone(h.w.people), h.w.rooms...), h.w.bob) {
		if p == h.organizer || h.silent[p] {
			continue
		}
		want, have := map[ics.RID]string{}, map[ics.RID]string{}
		if truth != nil {
			want = h.occurrences(truth, p)
		}
		var o *ics.Object
		if f := h.copy(p); f != nil {
			o = f.Object
			have = h.occurrences(o, p)
		}
		// Single occurrences may be back. A room keeps nothing that it declined, nor does
		// anybody get a part of a series that he has declined.
		gone := (h.gone[p] || p.room || strings.HasSuffix(h.uid, "-half")) && (o == nil || o.Master() == nil)
		for r, what := range want {
			said := func(words ...string) bool {
				return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(what, ": "+w) })
			}
			off := o != nil && took(o, r)
			if have[r] == "" && (gone || off) && (said("DECLINED", "DELEGATED", "COMPLETED") || off && said("NEEDS-ACTION")) {
				continue // he took it off his calendar
			}
			if have[r] != what {
				bad = append(bad, fmt.Sprintf("%s has %q, the organizer %q", p.address, have[r], what))
			}
		}
		for r, what := range have {
			if want[r] == "" {
				bad = append(bad, fmt.Sprintf("%s has %q, the organizer nothing", p.address, what))
			}
		}
	}
	slices.Sort(bad)
	return bad
}

// took reports whether somebody's copy leaves an occurrence out by EXDATE.
func took(o *ics.Object, at ics.RID) bool {
	m := o.Master()
	if m == nil {
		return false
	}
	return slices.ContainsFunc(m.PropsNamed("EXDATE"), func(p *ics.Prop) bool {
		q := *p
		q.Name = "RECURRENCE-ID"
		return o.RID(&ics.Component{Name: m.Name, Props: []ics.Prop{q}}) == at
	})
}

// occurrences tells each occurrence in which somebody takes part: when and where
// it is and what he answered; on the organizer's server, what everybody answered.
func (h *history) occurrences(o *ics.Object, p *neighbour) map[ics.RID]string {
	out := map[ics.RID]string{}
	err := o.Instances(time.Time{}, time.Time{}, time.UTC, ics.Bound{}, func(i ics.Instance) bool {
		c := i.Component
		mine := ics.Attendee(c, p.self)
		if mine == nil || strings.EqualFold(c.Value("STATUS"), "CANCELLED") {
			return true
		}
		answers := ics.PartStat(mine)
		if p.server != nil && p.server == h.organizer.server && !p.room {
			var all []string
			for _, a := range ics.Attendees(c) {
				all = append(all, ics.CalAddress(a).Mail()+" "+ics.PartStat(a))
			}
			slices.Sort(all)
			answers += "; " + strings.Join(all, ", ")
		}
		status := strings.ToUpper(c.Value("STATUS"))
		if status == "" || c.Name == "VTODO" { // how far somebody is with a task is his own
			status = "CONFIRMED"
		}
		out[i.RID] = fmt.Sprintf("%s %s-%s %s %s: %s", i.RID, i.Start.UTC().Format("02T15"), i.End.UTC().Format("02T15"), c.Value("LOCATION"), status, answers)
		return true
	})
	if err != nil {
		h.w.t.Fatal(err)
	}
	return out
}

// news checks the organizer's mails against what she had told each recipient
// before: in the order of sending, each must change something.
func (h *history) news() {
	i := h.w.of(h.organizer.address)
	if i < 0 {
		return
	}
	asked := map[string]bool{} // by REFRESH
	for _, p := range h.w.wires[2+i].about(h.uid) {
		if p.object.Method() == "REFRESH" {
			asked[p.from] = true
		}
	}
	told := map[string]*neighbour{}
	for _, p := range h.w.wires[i].about(h.uid) {
		method := itip.Method(p.object.Method())
		if method == itip.Reply || method == itip.Refresh || method == itip.Counter || h.half || asked[p.to] || slices.Contains(h.sent, p.to) || strings.HasPrefix(p.to, h.w.leaver.name()+"@") {
			continue // a delegate is told by who sends him, who asks is told what he knows, and who was removed did not get it by mail
		}
		to := told[p.to]
		if to == nil {
			to = &neighbour{address: p.to, store: map[string]*ics.Object{}, left: map[string]*ics.Object{}, room: slices.ContainsFunc(h.w.rooms, func(r *neighbour) bool { return r.address == p.to })}
			told[p.to] = to
			if h.imported != nil && ics.Attendee(h.imported.First(), to.self) != nil {
				to.store[h.uid] = h.imported
			}
		}
		out, err := itip.Receive(to.actor(h.uid), to.store[h.uid], itip.Message{Method: method, UID: h.uid, From: cuaddr.Mailto(p.from), To: cuaddr.Mailto(p.to), Body: p.object})
		switch {
		case p.observed, method == itip.DeclineCounter && err == nil && !out.Ignored:
		case err != nil:
			h.failf("%s to %s: %v\n%s", method, p.to, err, p.object.Bytes())
		case out.Ignored, strings.Contains(out.Rule, "nothing in it is new"):
			h.failf("%s to %s says nothing new: %s\n%s", method, p.to, out.Rule, p.object.Bytes())
		}
		if err != nil || out.Ignored {
			continue
		}
		to.keeps(h.uid, out)
		if o := to.store[h.uid]; method == itip.Request && o != nil { // what he was told; he has nothing of his own to say
			root := o.Root().Clone()
			all, _ := events(root)
			for _, c := range all {
				for i := range c.Props {
					if p := &c.Props[i]; p.Name == "ATTENDEE" && to.self(ics.CalAddress(p)) {
						*p = p.WithParam("X-CONVENE-SAID", ics.PartStat(p))
					}
				}
			}
			to.store[h.uid] = ics.New(root)
		}
	}
}
