package itip

import (
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// What a series has before an instance, and RRULE values as they are edited.

// bareSeries is the master with one rule alone.
func bareSeries(o *ics.Object, rule ics.Prop) *ics.Object {
	root := &ics.Component{Name: "VCALENDAR"}
	for _, c := range o.Root().Children {
		if c.Name == "VTIMEZONE" {
			root.Children = append(root.Children, c)
		}
	}
	m := o.Master().Clone()
	m.Remove("RRULE", "RDATE", "EXDATE", "EXRULE")
	m.Add(rule)
	root.Children = append(root.Children, m)
	return ics.New(root)
}

// countBefore counts the instances that a rule makes before one, EXDATEs among
// them, and tells whether it makes any from there on.
func (me Actor) countBefore(o *ics.Object, rule ics.Prop, at ics.RID) (n int, more bool, err error) {
	one := bareSeries(o, rule)
	p := one.DateProp("DTSTART", at)
	t, err := one.PropTime(&p)
	if err != nil {
		return 0, false, err
	}
	err = one.Instances(time.Time{}, t.At(me.floating()).Add(24*time.Hour), me.floating(), me.Bound, func(i ics.Instance) bool {
		if i.RID < at {
			n++
		}
		return true
	})
	if err != nil {
		return 0, false, err
	}
	next, _, err := me.instanceAt(one, at)
	return n, next != "", err
}

func ruleParts(v string) map[string]string {
	out := map[string]string{}
	for kv := range strings.SplitSeq(v, ";") {
		k, v, _ := strings.Cut(kv, "=")
		out[strings.ToUpper(strings.TrimSpace(k))] = strings.TrimSpace(v)
	}
	return out
}

// ruleWith sets how a rule ends, by COUNT or UNTIL, and leaves the rest of it
// as it is written.
func ruleWith(v, name, value string) string {
	var out []string
	for kv := range strings.SplitSeq(v, ";") {
		k, _, _ := strings.Cut(kv, "=")
		switch strings.ToUpper(strings.TrimSpace(k)) {
		case "COUNT", "UNTIL", "":
			if n := ruleParts(v)[name]; name == "UNTIL" && n != "" && len(n) == len(value) && n < value {
				return v // it ends earlier anyway
			}
			continue
		}
		out = append(out, kv)
	}
	return strings.Join(append(out, name+"="+value), ";")
}
