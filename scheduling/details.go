package scheduling

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/ics"
)

// maxDetails bounds the events that one answer tells of.
const maxDetails = 2000

// filling is an instance that makes its owner busy.
type filling struct {
	owner, object int64
	ics.Span
}

// told of an event to those who may see what fills somebody's time.
var detailProps = []string{"SUMMARY", "LOCATION", "ORGANIZER", "STATUS", "CLASS"}

// details makes a VEVENT of each instance, by owner and in the order of time:
// who and what, and of what is private (RFC 5545 §3.8.1.3) only when.
func details(tx *db.Tx, filled []filling, now time.Time) (map[int64][]*ics.Component, error) {
	if len(filled) == 0 {
		return nil, nil
	}
	var ids []int64
	for _, f := range filled {
		ids = append(ids, f.object)
	}
	slices.Sort(ids)
	objs, err := tx.ByIDs(slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	byID := map[int64]*ics.Object{}
	for i := range objs {
		o, err := ics.Parse(objs[i].Body, storedLimits)
		if err != nil {
			return nil, err
		}
		byID[objs[i].ID] = o
	}
	slices.SortFunc(filled, func(a, b filling) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.object, b.object)) })
	out := map[int64][]*ics.Component{}
	for _, f := range filled {
		o := byID[f.object]
		if o == nil {
			continue
		}
		out[f.owner] = append(out[f.owner], detail(o, f.Span, now))
	}
	return out, nil
}

func detail(o *ics.Object, at ics.Span, now time.Time) *ics.Component {
	const stamp = "20060102T150405Z"
	from := instanceAt(o, at.Start)
	c := &ics.Component{Name: "VEVENT", Props: []ics.Prop{
		ics.NewProp("UID", o.UID()), ics.NewProp("DTSTAMP", now.UTC().Format(stamp)),
		ics.NewProp("DTSTART", at.Start.UTC().Format(stamp)), ics.NewProp("DTEND", at.End.UTC().Format(stamp)),
	}}
	if class := strings.ToUpper(strings.TrimSpace(from.Value("CLASS"))); class != "" && class != "PUBLIC" {
		c.Add(ics.NewProp("CLASS", class))
		return c
	}
	for _, name := range detailProps {
		if p := from.Prop(name); p != nil {
			c.Add(p.WithoutParams("SCHEDULE-STATUS", "SCHEDULE-AGENT", "SCHEDULE-FORCE-SEND"))
		}
	}
	return c
}

// instanceAt is the component that says what an instance is about: an override
// that begins then, or the series.
func instanceAt(o *ics.Object, at time.Time) *ics.Component {
	for _, c := range o.Overrides() {
		if p := c.Prop("DTSTART"); p != nil {
			if t, err := o.PropTime(p); err == nil && t.At(time.UTC).Equal(at) {
				return c
			}
		}
	}
	return o.First()
}
