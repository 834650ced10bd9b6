package itip

import (
	"strconv"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Which answers count: RFC 5546 §2.1.5, decision 21.

// stale reports whether a newer answer, or a new time, came before this answer
// (RFC 5546 §2.1.5, decision 21): (SEQUENCE, DTSTAMP) against what the
// attendee's line remembers. Without a memory a lower SEQUENCE counts only for
// the time that he answers to.
func (r *replying) stale(c, p *part, l *ics.Prop) (bool, string) {
	this := answeredBy(c.comp)
	if r.aside(l) || r.split && this.stamp < l.Param(paramWhole) {
		return true, "stale: he has answered this part of the series since"
	}
	old := "stale: he answers revision " + strconv.Itoa(this.seq)
	if from := r.lapsed(c.rid, ics.CalAddress(l), p.rid != c.rid); this.seq < from {
		return true, old + ", answers to this occurrence count from " + strconv.Itoa(from) + " on"
	}
	if l.HasParam(paramSince) {
		last := sinceOf(l)
		if !r.ours {
			last.seq = last.top()
		}
		switch {
		case this.seq < last.seq && c.rid != p.rid && r.sameStart(c, p) && !(last.all && this.stamp < last.stamp):
			// He answers for an override that is no more; its time is the series' own.
		case this.seq < last.seq:
			return true, old + ", answers count from " + strconv.Itoa(last.seq) + " on"
		case (this.seq == last.seq || r.ours) && (c.rid == p.rid || last.all) && len(this.stamp) == len(last.stamp) && this.stamp < last.stamp:
			return true, "stale: he answered at " + last.stamp + ", this was written at " + this.stamp
		case !r.ours && last.all && c.rid == p.rid && this.stamp == last.stamp:
			return true, "stale: his server has said it, with what differs"
		case this.seq < sequence(p.comp) && c.comp.Prop("DTSTART") != nil && !r.sameStart(c, p):
			return true, "stale: he answers another time of it, of revision " + strconv.Itoa(this.seq)
		}
		return false, ""
	}
	if this.seq < sequence(p.comp) && !r.sameStart(c, p) {
		return true, old + " of " + strconv.Itoa(sequence(p.comp))
	}
	return false, ""
}

// lapsed returns from which revision on somebody's answers to an instance count,
// which may have a component of its own again; bare: it has none.
func (r *replying) lapsed(rid ics.RID, who cuaddr.Address, bare bool) int {
	if r.s.master == nil || rid == "" {
		return 0
	}
	return lapsed(r.s.master.comp, rid, who, bare)
}

func (r *replying) sameStart(c, p *part) bool {
	at := c.comp.Prop("DTSTART")
	if at == nil {
		return false
	}
	comp := p.comp
	if p.rid != c.rid && c.rid != "" {
		if comp = r.s.regular(c.rid); comp == nil {
			return false
		}
	}
	a, _ := span(r.s.obj, c.comp)
	b, _ := span(r.s.obj, comp)
	return samePoint(a, b) || c.rid == "" && p == r.s.master && r.parted(c)
}
