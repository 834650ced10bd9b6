package scheduling

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/policy"
)

// A room whose rules want that (check_in) gives an occurrence back to which nobody
// has checked in soon after its beginning. A job waits for each booking until the
// next occurrence may be given back; that somebody has come is a decision with a
// key.
const jobArrive = "arrive"

// early is how long before its beginning people may check in.
const early = 15 * time.Minute

func arrivalKey(room int64, uid string, a ics.Instance) string {
	sum := sha256.Sum256([]byte(uid + "\n" + string(a.RID) + "\n" + a.Start.UTC().String()))
	return "came:" + strconv.FormatInt(room, 10) + ":" + hex.EncodeToString(sum[:12])
}

// arrivals are the occurrences that a room has accepted and that begin in
// [from, to), in their order.
func (d *Desk) arrivals(o *ics.Object, self func(cuaddr.Address) bool, zone *time.Location, from, to time.Time) (out []ics.Instance, err error) {
	err = o.Instances(from, to, zone, d.opt.Bound, func(i ics.Instance) bool {
		me := ics.Attendee(i.Component, self)
		if me != nil && ics.PartStat(me) == "ACCEPTED" && i.Component.Value("STATUS") != "CANCELLED" && !i.Start.Before(from) && i.Start.Before(to) {
			out = append(out, i)
		}
		return true
	})
	slices.SortFunc(out, func(a, b ics.Instance) int { return a.Start.Compare(b.Start) })
	return out, err
}

// await queues the job about a booking that was changed, for its next
// occurrence.
func (s *sitting) await(h *holding, after time.Time) error {
	wait := s.rules(h.owner).CheckIn()
	if wait == 0 || h.obj == nil || h.obj.Kind() != "VEVENT" {
		return nil
	}
	zone, err := s.zone(h.owner, h.collection)
	if err != nil {
		return err
	}
	for _, ahead := range []time.Duration{60 * 24 * time.Hour, policy.Ahead} {
		next, err := s.d.arrivals(h.obj, s.self(h.owner, true), zone, after, after.Add(ahead))
		if errors.Is(err, ics.ErrTooMany) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(next) > 0 {
			s.jobs = append(s.jobs, db.Job{Kind: jobArrive, UID: h.uid, Principal: h.owner.ID, Due: next[0].Start.Add(wait)})
			return nil
		}
	}
	return nil
}

// arrived gives back what has begun and nobody has come to, and waits for the
// next.
func (s *sitting) arrived(j db.Job) error {
	h, err := s.roomsPart(j)
	if h == nil || h.obj == nil || err != nil {
		return err
	}
	room := h.owner
	wait := s.rules(room).CheckIn()
	if wait == 0 {
		return nil
	}
	if err := s.meetIn(h.obj); err != nil {
		return err
	}
	me, err := s.actor(h, true)
	if err != nil {
		return err
	}
	now, err := s.tx.Now() // by which the job was due
	if err != nil {
		return err
	}
	begun := now.Add(time.Microsecond - wait) // to what began before then somebody was to come by now
	since, err := s.d.arrivals(h.obj, me.Self, me.Floating, begun.Add(-24*time.Hour), begun)
	if err != nil {
		return err
	}
	ans := policy.Answer{Reason: policy.Reason{Text: "nobody has come"}}
	for _, a := range since {
		if !a.End.After(now) {
			continue // it is over
		}
		came, err := s.recorded(arrivalKey(room.ID, h.uid, a))
		switch {
		case err != nil:
			return err
		case came:
		case a.RID == "": // the booking has no other
			ans.Master = "DECLINED"
		default:
			ans.Single = append(ans.Single, policy.Occurrence{RID: a.RID, PartStat: "DECLINED"})
		}
	}
	if ans.None() {
		return s.await(h, begun)
	}
	return s.reply(h, me, ans)
}

// CheckedIn is a booking to which somebody has come.
type CheckedIn struct {
	UID, Title, Organizer string
	Start                 time.Time
}

// CheckIn notes that somebody has come to what is booked in a room now, or begins
// soon.
func (d *Desk) CheckIn(ctx context.Context, room db.Principal, door string) (out []CheckedIn, err error) {
	err = d.store.Write(ctx, nil, func(tx *db.Tx) error {
		out = nil
		s := d.sit(tx, locks{})
		rows, err := tx.BusyRows([]int64{room.ID}, s.now.UnixMicro(), s.now.Add(early).UnixMicro(), "")
		if err != nil {
			return err
		}
		var ids []int64
		for _, r := range rows {
			ids = append(ids, r.Object)
		}
		objs, err := tx.ByIDs(slices.Compact(slices.Sorted(slices.Values(ids))))
		if err != nil {
			return err
		}
		for i := range objs {
			o, err := s.parse(&objs[i])
			if err != nil {
				return err
			}
			zone, err := s.zone(room, objs[i].Collection)
			if err != nil {
				return err
			}
			all, err := d.arrivals(o, s.self(room, true), zone, s.now.Add(-24*time.Hour), s.now.Add(early))
			if err != nil {
				return err
			}
			for _, a := range all {
				if !a.End.After(s.now) {
					continue
				}
				organizer := ics.Organizer(a.Component)
				out = append(out, CheckedIn{o.UID(), a.Component.Text("SUMMARY"), organizer.Mail(), a.Start})
				key := arrivalKey(room.ID, o.UID(), a)
				if known, err := s.recorded(key); known || err != nil {
					if err != nil {
						return err
					}
					continue
				}
				x := db.Decision{
					At: s.now, Direction: "user", Door: door, UID: o.UID(), Principal: room.ID, From: room.Address, To: organizer.String(),
					Rule: "somebody has come", Outcome: "applied", Detail: a.Start.UTC().Format("20060102T150405Z"), Key: key,
				}
				if err := tx.InsertDecision(&x); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return out, err
}
