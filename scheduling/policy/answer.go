package policy

import (
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Answer is what to reply.
type Answer struct {
	// Master is the PARTSTAT for the component without RECURRENCE-ID, "" if it
	// stays as it is.
	Master string
	// Single holds the PARTSTAT of occurrences that have one of their own, in
	// the order of time.
	Single []Occurrence
	// Counter is another time that is proposed instead (RFC 5546 §3.2.7).
	Counter *Counter
	// Delegate is who takes it instead (RFC 5546 §3.2.2.3).
	Delegate cuaddr.Address
	// Open: something that was asked is left to whoever looks at it.
	Open bool
	// Ask: the owner is asked for the decision. Tell: he is told of this one.
	Ask, Tell bool
	// Waits: the programs are to be asked; the PARTSTAT that it would have without
	// them. "": there is nothing to ask them.
	Waits string
	// Reason says in few words why.
	Reason Reason
}

// Occurrence is the answer to one occurrence.
type Occurrence struct {
	RID      ics.RID
	PartStat string
	Reason   Reason
	Delegate cuaddr.Address // where PartStat is DELEGATED and it was not before
}

// Counter is a time that would do, held for as long as Hold.
type Counter struct {
	RID        ics.RID // "" where the event does not recur
	Start, End time.Time
	Hold       time.Duration
}

// None reports whether there is nothing to reply.
func (a Answer) None() bool {
	return a.Master == "" && len(a.Single) == 0 && a.Counter == nil && a.Delegate.IsZero()
}

// declines reports whether an answer says no to an occurrence.
func (a Answer) declines(r ics.RID) bool {
	for _, one := range a.Single {
		if one.RID == r {
			return one.PartStat == declined
		}
	}
	return a.Master == declined
}

const (
	accepted    = "ACCEPTED"
	tentatively = "TENTATIVE"
	declined    = "DECLINED"
	delegated   = "DELEGATED"
	needsAction = "NEEDS-ACTION"
)

// MaxExceptions is how many occurrences of a series are answered one by one; a
// series with more conflicts is declined as a whole, as is one without any free
// occurrence.
const MaxExceptions = 100

// collect makes the answer of what was decided occurrence by occurrence: one
// PARTSTAT for the master, and exceptions from it.
func collect(after *ics.Object, occ []occasion) Answer {
	var a Answer
	var of []occasion // described by the master
	n := map[string]int{}
	asked := false
	for _, o := range occ {
		if o.Component != after.Master() {
			if o.asked && o.answer != "" {
				a.Single = append(a.Single, Occurrence{o.RID, o.answer, o.why, o.to})
			}
			continue
		}
		of = append(of, o)
		n[o.answer]++
		asked = asked || o.asked && o.answer != ""
	}
	if !asked {
		return a
	}
	// The answer that most occurrences have is the answer of the whole, the others
	// are exceptions from it; of two that are as many, the better one.
	whole := ""
	for _, s := range []string{declined, tentatively, accepted} {
		if n[s] > 0 && n[s] >= n[whole] || whole == "" && n[s] > 0 {
			whole = s
		}
	}
	if whole == declined && n[""] > 0 {
		whole = "" // what is open stays open
	}
	var except []Occurrence
	refused := 0
	for _, o := range of {
		if o.answer == whole || whole == "" && !o.asked {
			continue
		}
		x := Occurrence{RID: o.RID, PartStat: o.answer, Reason: o.why}
		if x.PartStat == "" {
			x.PartStat = needsAction
		}
		if x.PartStat == declined {
			refused++
		}
		except = append(except, x)
	}
	switch {
	case len(except) <= MaxExceptions:
	case refused > MaxExceptions || whole == declined:
		whole, except = declined, nil
	default:
		whole, except = "", nil // more to decide one by one than a rule should
	}
	a.Master = whole
	a.Single = append(a.Single, except...)
	return a
}
