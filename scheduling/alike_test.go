package scheduling_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// What recipients who are alike share must be what each would have got alone:
// random meetings, every copy recomputed from the one before and the messages
// in the inbox.
func TestAlike(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			h := newHouse(t, dbtest.New(t, "sqlite"))
			clock := today
			opt := options()
			opt.Now = func() time.Time { return clock }
			h.desk = scheduling.New(h.store, opt)
			names := []string{"p0", "p1", "p2", "p3", "p4", "p5"}
			h.persons("ann")
			h.persons(names...)
			h.put("ann", series("m1", "20260303T1000", "20260303T1100", "FREQ=DAILY;COUNT=6", "ann", names...))
			shared := 0
			for range 40 {
				clock = clock.Add(time.Minute)
				type state struct {
					obj   *ics.Object
					inbox int
				}
				before := map[string]state{}
				for _, who := range names {
					s := state{inbox: len(h.inbox(who))}
					if _, ok := h.row(who, "m1"); ok {
						s.obj = h.object(who, "m1")
					}
					before[who] = s
				}
				if rnd.IntN(2) == 0 { // somebody answers
					who := names[rnd.IntN(len(names))]
					if before[who].obj == nil {
						continue
					}
					rid := ics.RID("")
					if rnd.IntN(2) == 0 {
						rid = ics.RID(fmt.Sprintf("2026030%dT100000Z", 3+rnd.IntN(6)))
					}
					me := func(a cuaddr.Address) bool { return a == address(who) }
					answer := []string{"ACCEPTED", "DECLINED", "TENTATIVE"}[rnd.IntN(3)]
					if o := itip.SetPartStat(before[who].obj, me, rid, answer, ""); o != nil {
						h.put(who, string(o.Bytes()))
					}
					if rnd.IntN(3) == 0 {
						checkRefreshed(h, names)
					}
					continue
				}
				if rnd.IntN(4) == 0 {
					// The organizer's copy forgets the answers, as from a backup: those
					// who gave one keep theirs, each in his own copy.
					o := forget(h.object("ann", "m1"))
					h.put("ann", o, func(p *scheduling.Put) { p.Silent = true })
					continue
				}
				h.put("ann", change(rnd, h.object("ann", "m1"), names))
				etags := map[string]int{}
				for _, who := range names {
					etag := checkReceived(h, who, before[who].obj, h.inbox(who)[before[who].inbox:], clock)
					if etags[etag]++; etag != "" && etags[etag] > 1 {
						shared++
					}
				}
			}
			if shared == 0 {
				t.Error("nobody ever was like anybody")
			}
		})
	}
}

// checkRefreshed does the queued refresh and compares every copy with what the
// core makes of it alone.
func checkRefreshed(h *house, names []string) {
	h.Helper()
	want := map[string]string{}
	truth := h.object("ann", "m1")
	for _, who := range names {
		invited := slices.ContainsFunc(truth.Main(), func(c *ics.Component) bool { return line(c, who) != nil })
		if _, ok := h.row(who, "m1"); ok && invited {
			me := func(a cuaddr.Address) bool { return a == address(who) }
			want[who] = string(itip.Participation(h.object(who, "m1"), truth, me).Bytes())
		}
	}
	if !h.pending() {
		return
	}
	h.work()
	for who, body := range want {
		if got := string(h.has(who, "m1").Body); got != body {
			h.Fatalf("%s has\n%s\nbut alone he would have\n%s", who, got, body)
		}
	}
}

// forget returns an object in which nobody has answered.
func forget(o *ics.Object) string {
	root := o.Root().Clone()
	for _, c := range root.Children {
		for i := range c.Props {
			if p := &c.Props[i]; p.Name == "ATTENDEE" && ics.CalAddress(p) != address("ann") {
				*p = p.WithParam("PARTSTAT", "NEEDS-ACTION")
			}
		}
	}
	return string(ics.New(root).Bytes())
}

// change edits an organizer's object in one random way.
func change(rnd *rand.Rand, o *ics.Object, names []string) string {
	root := o.Root().Clone()
	var events []*ics.Component
	for _, c := range root.Children {
		if c.Name == "VEVENT" {
			events = append(events, c)
		}
	}
	c := events[rnd.IntN(len(events))]
	switch rnd.IntN(8) {
	case 0: // another title
		c.Set(ics.NewProp("SUMMARY", fmt.Sprintf("Review %d", rnd.IntN(1000))))
	case 1: // another length
		day := c.Value("DTSTART")[:9]
		c.Set(ics.NewProp("DTEND", fmt.Sprintf("%s11%02d00Z", day, 10+rnd.IntN(40))))
	case 2: // an occurrence of its own
		rid := ics.RID(fmt.Sprintf("2026030%dT100000Z", 3+rnd.IntN(6)))
		if one := o.Occurrence(rid); one != nil && o.Override(rid) == nil {
			one = one.Clone()
			one.Set(ics.NewProp("SUMMARY", "Once"))
			root.Children = append(root.Children, one)
		}
	case 3: // an occurrence less
		rid := ics.RID(fmt.Sprintf("2026030%dT100000Z", 3+rnd.IntN(6)))
		if o.Override(rid) == nil && o.HasInstance(rid) {
			events[0].Add(o.DateProp("EXDATE", rid))
		}
	case 4: // somebody less
		who := address(names[rnd.IntN(len(names))])
		c.RemoveFunc(func(p *ics.Prop) bool { return p.Name == "ATTENDEE" && ics.CalAddress(p) == who })
	case 6, 7: // the same again for everybody (RFC 6638 §7.2)
		for _, c := range events {
			for i := range c.Props {
				if p := &c.Props[i]; p.Name == "ATTENDEE" {
					*p = p.WithParam("SCHEDULE-FORCE-SEND", "REQUEST")
				}
			}
		}
	case 5: // somebody (more)
		who := names[rnd.IntN(len(names))]
		if line(c, who) == nil {
			c.Add(ics.NewProp("ATTENDEE", address(who).String(), ics.Param{Name: "PARTSTAT", Values: []string{"NEEDS-ACTION"}}))
		}
	}
	return string(ics.New(root).Bytes())
}

// checkReceived applies messages to a copy by the core alone and compares. It
// returns the ETag of the copy, "" where nothing came.
func checkReceived(h *house, who string, have *ics.Object, msgs []*ics.Object, clock time.Time) string {
	h.Helper()
	if len(msgs) == 0 {
		return "" // nothing came, or only others' answers: not in the inbox
	}
	me := itip.Actor{
		Self: func(a cuaddr.Address) bool { return a == address(who) }, Address: address(who), Now: clock,
		Floating: ics.Location("Europe/Berlin"),
	}
	// The inbox has no order: a CANCEL is sent before a REQUEST.
	for _, m := range []itip.Method{itip.Cancel, itip.Request} {
		for _, body := range msgs {
			if body.Method() != string(m) {
				continue
			}
			out, err := itip.Receive(me, have, itip.Message{Method: m, UID: body.UID(), From: address("ann"), To: address(who), Body: body})
			if err != nil {
				h.Fatal(err)
			}
			if out.Object != nil {
				have = out.Object
			}
		}
	}
	row, ok := h.row(who, "m1")
	if !ok {
		if have != nil {
			h.Errorf("%s should have\n%s", who, have.Bytes())
		}
		return ""
	}
	if have == nil || string(have.Bytes()) != string(row.Body) {
		want := "nothing"
		if have != nil {
			want = string(have.Bytes())
		}
		h.Fatalf("%s has\n%s\nbut alone he would have\n%s", who, row.Body, strings.TrimSpace(want))
	}
	return row.ETag
}

// A refresh never takes somebody's own answer from his copy, even if the
// organizer's has lost it and others share the copy.
func TestRefreshKeepsOwnAnswer(t *testing.T) {
	each(t, func(h *house) {
		names := []string{"p1", "p2", "p3", "p4"}
		h.persons("ann")
		h.persons(names...)
		h.put("ann", invitation("m1", "20260303T1000", "20260303T1100", "ann", names...))
		for _, who := range names[:3] {
			h.put(who, h.answered(who, "m1", "ACCEPTED"))
		}
		h.work()
		if h.has("p1", "m1").ETag != h.has("p3", "m1").ETag {
			t.Fatal("the copies are not equal")
		}
		root := h.object("ann", "m1").Root().Clone()
		for _, c := range root.Children {
			for i := range c.Props {
				if p := &c.Props[i]; p.Name == "ATTENDEE" && ics.CalAddress(p) == address("p3") {
					*p = p.WithParam("PARTSTAT", "NEEDS-ACTION")
				}
			}
		}
		h.put("ann", string(ics.New(root).Bytes()), func(p *scheduling.Put) { p.Silent = true })
		h.put("p4", h.answered("p4", "m1", "DECLINED"))
		h.work()
		h.says("p1", "m1", "", "p3", "NEEDS-ACTION")
		h.says("p2", "m1", "", "p4", "DECLINED")
		h.says("p3", "m1", "", "p3", "ACCEPTED")
		h.says("p3", "m1", "", "p4", "DECLINED")
	})
}
