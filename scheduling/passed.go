package scheduling

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
	"github.com/convene-server/convene/scheduling/policy"
)

// What somebody passed on to a room.
//
// What a member of a pool declined that was passed on to it, an owner by hand
// perhaps, is not passed on to it again: a decision with a key says so, for
// that time of that meeting.

// refusalKey names what a member declined.
func refusalKey(member int64, uid string, c *ics.Component) string {
	text := uid
	for _, name := range []string{"RECURRENCE-ID", "DTSTART", "DTEND", "DURATION"} {
		text += "\n" + c.Value(name)
	}
	sum := sha256.Sum256([]byte(text))
	return "passed:" + strconv.FormatInt(member, 10) + ":" + hex.EncodeToString(sum[:12])
}

// noteRefusals notes what a room says no to that came to it by delegation.
func (s *sitting) noteRefusals(l *letter) error {
	if l.Method != itip.Reply || l.from.Kind != db.Room && l.from.Kind != db.Resource {
		return nil
	}
	me := s.self(l.from, false)
	for _, c := range l.Body.Main() {
		line := ics.Attendee(c, me)
		if line == nil || ics.PartStat(line) != "DECLINED" || !line.HasParam("DELEGATED-FROM") {
			continue
		}
		key := refusalKey(l.from.ID, l.UID, c)
		known, err := s.recorded(key)
		if err != nil {
			return err
		}
		if !known {
			s.decide(db.Decision{
				Direction: "agent", Door: "agent", UID: l.UID, Principal: l.from.ID, From: l.from.Address,
				Rule: "declined what was passed on: it is not asked again", Outcome: "applied", Key: key,
			})
		}
	}
	return nil
}

// tellDelegators mails a room's answer to those outside who sent it in their place
// (RFC 5546 §3.2.2.3: to the organizer, "and optionally to the Delegator"). Those
// here see it in their copies.
func (s *sitting) tellDelegators(l *letter) error {
	if l.Method != itip.Reply || l.quiet || l.from.Kind != db.Room && l.from.Kind != db.Resource {
		return nil
	}
	var by []cuaddr.Address
	me := s.self(l.from, false)
	here := s.find(l.To) != nil
	for _, c := range l.Body.Main() {
		line := ics.Attendee(c, me)
		if line == nil || here && ics.PartStat(line) == "DECLINED" {
			continue // an organizer here asks him anew
		}
		for _, v := range line.ParamValues("DELEGATED-FROM") {
			if a, err := cuaddr.Parse(v); err == nil && a.Mail() != "" && !slices.Contains(by, a) && !s.same(a, l.To) {
				by = append(by, a)
			}
		}
	}
	if err := s.meet(by...); err != nil {
		return err
	}
	for _, a := range by {
		if s.find(a) == nil {
			also := *l
			also.rule = "he sent it in his place"
			s.mail(&also, a, nil, false)
		}
	}
	return nil
}

// recorded reports whether a decision with this key was made.
func (s *sitting) recorded(key string) (bool, error) {
	if slices.ContainsFunc(s.decisions, func(x db.Decision) bool { return x.Key == key }) {
		return true, nil
	}
	_, err := s.tx.DecisionByKey(key)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// refusals are what a member of a pool has declined of what is asked now.
func (s *sitting) refusals(h *holding, member int64) (ans policy.Answer, err error) {
	for i, c := range h.obj.Main() {
		if i > policy.MaxExceptions {
			break
		}
		known, err := s.recorded(refusalKey(member, h.uid, c))
		switch {
		case err != nil:
			return ans, err
		case !known:
		case c == h.obj.Master():
			ans.Master = "DECLINED"
		default:
			ans.Single = append(ans.Single, policy.Occurrence{RID: h.obj.RID(c), PartStat: "DECLINED"})
		}
	}
	return ans, nil
}
