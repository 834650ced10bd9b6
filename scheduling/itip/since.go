package itip

import (
	"strconv"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// since is what paramSince says of an attendee.
type since struct {
	seq   int    // his answers count from this revision on
	stamp string // when the last one was written; "" if there was none
	all   bool   // that spoke for every instance
}

// sinceOf reads what a line remembers.
func sinceOf(l *ics.Prop) since { return parseSince(l.Param(paramSince)) }

func parseSince(v string) since {
	seq, rest, _ := strings.Cut(v, "/")
	stamp, _, all := strings.Cut(rest, "/")
	n, _ := strconv.Atoi(seq)
	return since{n, stamp, all}
}

// answeredBy is to be remembered of somebody who gave this answer.
func answeredBy(c *ics.Component) since {
	return since{seq: sequence(c), stamp: trim(c.Value("DTSTAMP"))}
}

func (s since) String() string {
	v := strconv.Itoa(s.seq)
	if s.stamp != "" || s.all {
		v += "/" + s.stamp
	}
	if s.all {
		v += "/all"
	}
	return v
}

// sinceRevision is a line of the master as it stands in a new override: that he
// answered for the series does not outdate his answer for one occurrence,
// unless it spoke for all of them.
func sinceRevision(l ics.Prop) ics.Prop {
	s := sinceOf(&l)
	if s.stamp == "" {
		return l
	}
	if !s.all { // as mail programs answer
		l = l.WithParam(paramCovered, s.stamp)
		s.stamp = ""
	}
	s.all = false
	return l.WithParam(paramSince, s.String())
}

// asked reads in which revision somebody was told that he has not answered, and
// whether a mail program told him.
func asked(l *ics.Prop) (seq int, byMail bool) {
	n, how, _ := strings.Cut(l.Param(paramAsked), "/")
	seq, _ = strconv.Atoi(n)
	return seq, how == "mail"
}

// keepCounting lets the answers count that are on their way to a component whose
// revision, seq, is about to rise.
func (me Actor) keepCounting(c *ics.Component, seq int) {
	for i := range c.Props {
		if l := &c.Props[i]; l.Name == "ATTENDEE" && !me.Self(ics.CalAddress(l)) && !l.HasParam(paramSince) {
			*l = l.WithParam(paramSince, since{seq: seq}.String())
		}
	}
}
