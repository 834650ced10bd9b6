package scheduling

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/itip"
)

// RoundUp marks a row of the queue of mail that is no iTIP message but holds what
// somebody here is told once a day (directory.Notices): a Noticed in each line
// of its Body.
const RoundUp = "ROUND-UP"

// Noticed is one message in a round-up.
type Noticed struct {
	UID    string `json:"uid"`
	From   string `json:"from"` // calendar user address in whose name it speaks
	Name   string `json:"name,omitempty"`
	Method string `json:"method"`
	Scope  string `json:"scope,omitempty"` // as db.Delivery has it
	Body   string `json:"body"`
}

const (
	roundUpHour = 8         // of the day, where its reader is
	roundUpSize = 256 << 10 // octets; what comes beyond them is a mail of its own
)

// ReadRoundUp returns what the Body of a round-up tells, oldest first. What
// somebody said of the same instances of a meeting again has replaced what he
// said before.
func ReadRoundUp(body []byte) (list []Noticed, err error) {
	for line := range bytes.Lines(body) {
		var n Noticed
		if err := json.Unmarshal(line, &n); err != nil {
			return nil, fmt.Errorf("scheduling: a round-up: %w", err)
		}
		list = slices.DeleteFunc(list, func(o Noticed) bool {
			return o.UID == n.UID && o.From == n.From && o.Method == n.Method && o.Scope == n.Scope
		})
		list = append(list, n)
	}
	return list, nil
}

// gathers keeps for his round-up what somebody here is told of, if he wants that;
// false: he is told at once. So is everybody of what waits for him.
func (s *sitting) gathers(l *letter, p db.Principal) bool {
	if l.Method != itip.Reply && l.Method != itip.Cancel || s.wish(p.ID, directory.Notices) != directory.Daily {
		return false
	}
	line, err := json.Marshal(Noticed{
		UID: l.UID, From: l.From.String(), Name: l.from.Name, Method: string(l.Method), Scope: scope(l.Body), Body: string(s.explicit(l.Body).Bytes()),
	})
	if err != nil {
		return false
	}
	own := cuaddr.Mailto(p.Address).String()
	s.roundUps = append(s.roundUps, roundUp{p.TZ, db.Delivery{
		UID: fmt.Sprintf("round-up:%d", p.ID), Principal: p.ID, From: own, Rcpt: own, Method: RoundUp, Body: append(line, '\n'), LocalCopy: true,
		Held: true, // the pace is for mail about one meeting
	}})
	s.decide(db.Decision{
		Direction: "out", Door: l.door, UID: l.UID, Method: string(l.Method), Principal: l.from.ID, From: l.From.String(), To: own,
		Rule: cmp.Or(l.rule, "told as the rules say"), Outcome: "queued", Detail: "for the round-up of the day",
	})
	return true
}

// roundUp is what a transaction adds to one; tz is its reader's.
type roundUp struct {
	tz string
	db.Delivery
}

// flushRoundUps comes last: nothing is locked after them. Their times stand on
// the database's clock.
func (s *sitting) flushRoundUps() error {
	if len(s.roundUps) == 0 {
		return nil
	}
	now, err := s.tx.Now()
	if err != nil {
		return err
	}
	slices.SortStableFunc(s.roundUps, func(a, b roundUp) int { return strings.Compare(a.UID, b.UID) })
	for i := range s.roundUps {
		r := &s.roundUps[i]
		r.Due = nextRoundUp(now, r.tz)
		if err := s.tx.GatherDelivery(&r.Delivery, roundUpSize); err != nil {
			return err
		}
	}
	s.tx.Wake("delivery")
	return nil
}

// nextRoundUp is the next moment for one in a zone, in UTC where that is none.
func nextRoundUp(now time.Time, tz string) time.Time {
	zone, err := time.LoadLocation(tz)
	if err != nil {
		zone = time.UTC
	}
	y, m, d := now.In(zone).Date()
	at := time.Date(y, m, d, roundUpHour, 0, 0, 0, zone)
	if !at.After(now) {
		at = time.Date(y, m, d+1, roundUpHour, 0, 0, 0, zone)
	}
	return at
}
