package itip

import (
	"strconv"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// An answer may cross the parting of its series (caldav-recursplit §3): it names the
// UID that the later part has kept, and speaks of both as they were one.

// propParted stands in the later part of an organizer's series: "SEQUENCE DTSTART RID
// UID", its first revision, when the series began before, at which instance it was
// parted, and the UID of the earlier part. It is never sent.
const propParted = "X-CONVENE-PARTED"

// propApart stands in the earlier part: when it was parted. It is never sent.
const propApart = "X-CONVENE-APART"

// paramWhole stands on a line in the earlier part whose owner answered the series as it
// was: when he wrote that. It is never sent.
const paramWhole = "X-CONVENE-WHOLE"

// cut is what propParted says; the zero one is none.
type cut struct {
	seq   int     // answers of a lower one are to the series as it was
	start ics.RID // where that began
	at    ics.RID
	uid   string
}

func cutOf(master *ics.Component) cut {
	f := strings.SplitN(master.Text(propParted), " ", 4)
	if len(f) < 4 {
		return cut{}
	}
	n, err := strconv.Atoi(f[0])
	if err != nil || n <= 0 {
		return cut{}
	}
	return cut{n, ics.RID(f[1]), ics.RID(f[2]), f[3]}
}

func (k cut) prop() ics.Prop {
	return ics.NewProp(propParted, ics.Escape(strings.Join([]string{strconv.Itoa(k.seq), string(k.start), string(k.at), k.uid}, " ")))
}

// before reports whether an answer, c in o, is to the series as it was before it was
// parted: mail programs repeat what SEQUENCE they like, so one to all of it also says
// when that begins.
func (k cut) before(o *ics.Object, c *ics.Component) bool {
	if k.uid == "" || sequence(c) >= k.seq {
		return false
	}
	at, _ := span(o, c)
	return c.Prop("RECURRENCE-ID") != nil || at.Form != 0 && ridOf(o, at) == k.start
}

// Crossing is the part of a REPLY to an organizer's series, o, that is for what was
// before the instance at which it has been parted since, with the UID which that has
// now; nil: nothing is. Whoever wrote it did not know of the parting yet.
func Crossing(o, reply *ics.Object) *ics.Object {
	if o == nil || o.Master() == nil || o.Master().Prop(propParted) == nil || Method(reply.Method()) != Reply || !oneUID(reply) {
		return nil
	}
	k := cutOf(o.Master())
	if k.uid == "" || k.uid == o.UID() {
		return nil
	}
	root := &ics.Component{Name: "VCALENDAR", Props: reply.Root().Props}
	some := false
	for _, c := range reply.Root().Children {
		if schedules(c.Name) {
			if r := reply.RID(c); !k.before(reply, c) || r >= k.at {
				continue
			}
			c = c.Clone()
			c.Set(ics.NewProp("UID", ics.Escape(k.uid)))
			some = true
		}
		root.Children = append(root.Children, c)
	}
	if !some {
		return nil
	}
	return ics.New(root)
}

// parted reports whether an answer crossed the parting of its series.
func (r *replying) parted(c *part) bool {
	return r.split || r.s.master != nil && cutOf(r.s.master.comp).before(r.in.obj, c.comp)
}

// aside reports whether somebody, whose line in the earlier part is l, has answered
// that part by itself: it is what he knew last, whatever he says of the series as it
// was.
func (r *replying) aside(l *ics.Prop) bool {
	m := r.s.master
	return r.split && m != nil && m.comp.Prop(propApart) != nil && sinceOf(l).stamp > trim(m.comp.Value(propApart))
}
