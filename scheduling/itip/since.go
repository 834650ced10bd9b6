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
	said  int    // the revision that it named, if that is later than seq
}

// sinceOf reads what a line remembers.
func sinceOf(l *ics.Prop) since { return parseSince(l.Param(paramSince)) }

func parseSince(v string) since {
	f := append(strings.Split(v, "/"), "", "", "")
	seq, _ := strconv.Atoi(f[0])
	said, _ := strconv.Atoi(f[3])
	return since{seq, f[1], f[2] == "all", said}
}

// answeredBy is to be remembered of somebody who gave this answer.
func answeredBy(c *ics.Component) since {
	return since{seq: sequence(c), stamp: trim(c.Value("DTSTAMP"))}
}

func (s since) String() string {
	f := []string{strconv.Itoa(s.seq), s.stamp, "", ""}
	if s.all {
		f[2] = "all"
	}
	if s.said > s.seq {
		f[3] = strconv.Itoa(s.said)
	}
	return strings.TrimRight(strings.Join(f, "/"), "/")
}

// top is the highest revision that his line knows of.
func (s since) top() int { return max(s.seq, s.said) }

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
		s.stamp, s.said = "", 0
	}
	s.all = false
	return l.WithParam(paramSince, s.String())
}

// askedByMail stands behind what paramAsked says where a mail program told it.
const askedByMail = "/mail"

// asked reads in which revision somebody was told that he has not answered, and
// whether a mail program told him.
func asked(l *ics.Prop) (seq int, byMail bool) {
	n, byMail := strings.CutSuffix(l.Param(paramAsked), askedByMail)
	seq, _ = strconv.Atoi(n)
	return seq, byMail
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

// counting is what is to be remembered of somebody's line in p once his answer is
// noted there, which has now; own: it was for p, not one to the series that covers it.
// A server like this one writes in the order of its own clock, so what it names beside
// that is no other question: of one day it may be the SEQUENCE of its series, which
// an ADD has raised alone (RFC 5546 §3.2.4), and that of the day again later.
func (r *replying) counting(q *ics.Prop, p *part, now since, own bool) since {
	if !r.ours {
		return now
	}
	k := now
	k.seq = min(k.seq, sequence(p.comp))
	if q.HasParam(paramSince) {
		last := sinceOf(q).seq
		if own {
			last = min(last, now.seq)
		}
		k.seq = last
	}
	if own {
		k.said = now.seq
	}
	return k
}
