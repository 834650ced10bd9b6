package scheduling

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Request statuses of a free/busy answer (RFC 5546 §3.6, RFC 6638 §5).
const (
	success     = "2.0;Success"
	invalidUser = "3.7;Invalid calendar user"
	noAuthority = "3.8;No authority"
)

// FreeBusyQuery is a question about the busy time of calendar users.
type FreeBusyQuery struct {
	Asker    db.Principal // who asks; the zero Principal: somebody outside
	Whom     []string     // calendar user addresses, as spelled
	From, To time.Time
	// Mask is the UID of a meeting that is left out: the asker's own
	// (X-CALENDARSERVER-MASK-UID).
	Mask string
	// As is the address under which somebody outside asks, once it is believed.
	As cuaddr.Address
	// Granted: somebody outside knows a token that lets him ask.
	Granted bool
	// Details asks what fills the time, too: it is told of those who let the
	// asker see it.
	Details bool

	stale func(urls []string) // told where published busy time is old
}

// FreeBusy answers for many calendar users from one snapshot (RFC 6638 §5), in
// the order in which they were asked for. A group's busy time is that of
// everybody in it; of a pool, which is a group of rooms and resources, or one that
// stands for several by its rules, that at which none of them can be had.
func (d *Desk) FreeBusy(ctx context.Context, q FreeBusyQuery) (answers []FreeBusy, err error) {
	var stale []string
	err = d.store.Read(ctx, func(tx *db.Tx) (err error) {
		stale = nil
		q.stale = func(urls []string) { stale = urls }
		answers, err = d.answer(tx, q)
		return err
	})
	if err == nil && len(stale) > 0 {
		// Looked at in the background; this answer is of what is known now.
		if err := d.store.Write(ctx, nil, func(tx *db.Tx) error { return tx.WantFeeds(stale) }); err != nil {
			d.opt.Log.Warn("published busy time is not asked for", "error", err)
		}
	}
	return answers, err
}

// asked is one calendar user of a question.
type asked struct {
	owners []int64 // whose time it is
	pool   bool
}

func (d *Desk) answer(tx *db.Tx, q FreeBusyQuery) ([]FreeBusy, error) {
	answers := make([]FreeBusy, len(q.Whom))
	var as []cuaddr.Address
	for i, w := range q.Whom {
		answers[i] = FreeBusy{Asked: w, Status: invalidUser, From: q.From, To: q.To}
		if a, err := cuaddr.Parse(w); err == nil {
			answers[i].Address = a
			as = append(as, a)
		}
	}
	found, err := directory.LookupAll(tx, as)
	if err != nil {
		return nil, err
	}
	who := make([]asked, len(answers))
	var owners []db.Principal
	for i := range answers {
		p, ok := found[answers[i].Address]
		if !ok {
			continue
		}
		answers[i].Status = success
		members, _, err := directory.Expand(tx, p)
		if err != nil {
			return nil, err
		}
		who[i].pool = p.Kind == db.Group && len(members) > 0 && !slices.ContainsFunc(members, func(m db.Principal) bool { return m.Kind == db.Person })
		if several, err := d.standsFor(tx, p); err != nil {
			return nil, err
		} else if len(several) > 0 {
			who[i].pool, members = true, several
		}
		for _, m := range members {
			who[i].owners = append(who[i].owners, m.ID)
		}
		owners = append(owners, members...)
	}
	stale, err := q.knownOutside(tx, answers, d.opt.Now())
	if err != nil {
		return nil, err
	}
	if q.stale != nil {
		q.stale(stale)
	}
	if len(owners) == 0 {
		return answers, nil
	}
	in, err := d.refuse(tx, q, owners, who, answers)
	if err != nil {
		return nil, err
	}
	spans, filled, err := d.busyOf(tx, q, who, in)
	if err != nil {
		return nil, err
	}
	events, err := details(tx, filled, d.opt.Now())
	if err != nil {
		return nil, err
	}
	for i := range answers {
		if len(who[i].owners) == 0 {
			continue
		}
		var lists [][]ics.Span
		for _, o := range who[i].owners {
			lists = append(lists, clip(spans[o], q.From, q.To))
			answers[i].Events = append(answers[i].Events, events[o]...)
		}
		if who[i].pool {
			answers[i].Spans = ics.Common(lists)
		} else {
			answers[i].Spans = ics.Merge(slices.Concat(lists...))
		}
	}
	return answers, nil
}

// standsFor returns those here for whom a room or a resource stands (the rule
// pool).
func (d *Desk) standsFor(tx *db.Tx, p db.Principal) (several []db.Principal, err error) {
	if p.Kind != db.Room && p.Kind != db.Resource || !strings.Contains(p.Policy, "pool ") {
		return nil, nil
	}
	who := d.people(tx)
	members := who.rules(p).StandsFor()
	if err := who.meet(members...); err != nil {
		return nil, err
	}
	for _, a := range members {
		if m := who.find(a); m != nil && m.ID != p.ID && (m.Kind == db.Room || m.Kind == db.Resource) {
			several = append(several, *m)
		}
	}
	return several, nil
}

// refuse takes out those who do not share their busy time with the asker: a
// person asked for by name is refused, one in a group is passed over. It
// returns whose time he may see filled, and in which calendars of others.
func (d *Desk) refuse(tx *db.Tx, q FreeBusyQuery, owners []db.Principal, who []asked, answers []FreeBusy) (in *insight, err error) {
	ids := make([]int64, len(owners))
	for i, p := range owners {
		ids[i] = p.ID
	}
	prefs, err := tx.PreferencesOf(ids)
	if err != nil {
		return nil, err
	}
	closed, err := q.closed(tx, ids)
	if err != nil {
		return nil, err
	}
	self := (&people{tx: tx}).self(q.Asker, false)
	in = &insight{owners: map[int64]bool{}, calendars: map[int64]bool{}}
	hidden := map[int64]bool{}
	for _, p := range owners {
		in.owners[p.ID] = q.Asker.ID != 0 && (p.ID == q.Asker.ID || slices.ContainsFunc(strings.Fields(prefs[p.ID][directory.FreeBusyDetails]), func(w string) bool {
			a, err := cuaddr.Parse(w)
			return err == nil && self(a)
		}))
		if !q.Granted && !in.owners[p.ID] && (closed[p.ID] || !shares(p, d.preferred(p, prefs[p.ID], directory.FreeBusySharing), q.Asker)) {
			hidden[p.ID] = true
		}
	}
	for i := range who {
		if len(who[i].owners) == 0 {
			continue
		}
		who[i].owners = slices.DeleteFunc(who[i].owners, func(id int64) bool { return hidden[id] })
		if len(who[i].owners) == 0 {
			answers[i].Status = noAuthority // RFC 5546 §3.6.15
		}
	}
	if !q.Details || q.Asker.ID == 0 {
		return in, nil
	}
	for i, p := range owners {
		if i == maxInsight {
			break
		}
		if hidden[p.ID] || in.owners[p.ID] {
			continue
		}
		g, err := directory.Granted(tx, q.Asker, p)
		if err != nil {
			return nil, err
		}
		for c, r := range g.Collections {
			in.calendars[c] = r&directory.Read != 0
		}
	}
	return in, nil
}

// preferred is what somebody prefers, or people here who did not choose.
func (d *Desk) preferred(p db.Principal, prefs map[string]string, name string) string {
	if v := prefs[name]; v != "" || p.Kind != db.Person {
		return v
	}
	return d.opt.Prefer[name]
}

// insight is where an asker may see what fills the time: everything of some
// owners, and the calendars that he may read, as a delegate or by an entry.
type insight struct{ owners, calendars map[int64]bool }

// What is in the calendar of somebody else who lets a person see it is not that
// person's to show.
func (in *insight) sees(r db.BusyRow) bool {
	return r.Guest == 0 && (in.owners[r.Owner] || in.calendars[r.Collection])
}

// maxInsight bounds of how many people's calendars the rights are looked at.
const maxInsight = 50

// closed returns who has set entries on his inbox and let the asker not ask
// for his busy time by them (RFC 6638 §6.1.4).
func (q FreeBusyQuery) closed(tx *db.Tx, owners []int64) (map[int64]bool, error) {
	aces, err := tx.InboxACEs(owners)
	if err != nil || len(aces) == 0 || q.Asker.ID == 0 {
		return nil, err
	}
	grantees, err := directory.Grantees(tx, q.Asker)
	if err != nil {
		return nil, err
	}
	homes, err := tx.ACEsOf(db.OnCalendarHome, slices.Collect(maps.Keys(aces)))
	if err != nil {
		return nil, err
	}
	closed := map[int64]bool{}
	for owner, list := range aces {
		have := directory.Decided(grantees, list, homes[owner])
		closed[owner] = have&directory.QueryFreeBusy == 0
	}
	return closed, nil
}

// shares reports whether somebody's busy time is told to an asker (decision
// 27): to people here unless he says no, to those outside only if he says so.
// Rooms and resources are asked by everybody who books them.
func shares(p db.Principal, says string, asker db.Principal) bool {
	switch says {
	case "share":
		return true
	case "no":
		return false
	}
	return asker.ID != 0 || p.Kind != db.Person
}

// busyOf gathers the busy time of owners, by id: what their calendars hold and
// when they cannot be met. filled are the instances of those into whose
// calendars the asker may look, if he asks.
func (d *Desk) busyOf(tx *db.Tx, q FreeBusyQuery, who []asked, in *insight) (spans map[int64][]ics.Span, filled []filling, err error) {
	var ids []int64
	for _, w := range who {
		ids = append(ids, w.owners...)
	}
	if len(ids) == 0 {
		return nil, nil, nil
	}
	rows, err := d.busyRows(tx, ids, q.From.UnixMicro(), q.To.UnixMicro(), "", db.Rhythm{})
	if err != nil {
		return nil, nil, err
	}
	if q.Mask != "" {
		of := slices.Clone(ids)
		for _, r := range rows {
			if r.Guest != 0 {
				of = append(of, r.Owner)
			}
		}
		masked, err := d.masked(tx, q, slices.Compact(slices.Sorted(slices.Values(of))))
		if err != nil {
			return nil, nil, err
		}
		rows = slices.DeleteFunc(rows, func(r db.BusyRow) bool { return masked[r.Object] })
	}
	if spans, err = d.unavailable(tx, ids, q.From, q.To); err != nil {
		return nil, nil, err
	}
	err = d.expand(tx, rows, q.From, q.To, func(r db.BusyRow, sp ics.Span) {
		spans[r.Whose()] = append(spans[r.Whose()], sp)
		if q.Details && in.sees(r) && len(filled) < maxDetails && sp.End.After(q.From) && sp.Start.Before(q.To) {
			filled = append(filled, filling{r.Owner, r.Object, sp})
		}
	})
	return spans, filled, err
}

// masked returns the objects of a conversation that the asker may leave out:
// the copies of a meeting that he organizes, and what he has without an
// organizer himself (caldav maskuids §4.3, §6). Otherwise anybody could find
// out by two questions whether somebody is in a meeting.
func (d *Desk) masked(tx *db.Tx, q FreeBusyQuery, owners []int64) (map[int64]bool, error) {
	rows, err := tx.ObjectsByUID(q.Mask, owners...)
	if err != nil {
		return nil, err
	}
	who := people{tx: tx}
	self := who.self(q.Asker, false)
	organizers := map[string]cuaddr.Address{} // by ETag: equal copies
	left := map[int64]bool{}
	for _, r := range rows {
		by, seen := organizers[r.ETag]
		if !seen {
			o, err := ics.Parse(r.Body, storedLimits)
			if err != nil {
				return nil, err
			}
			by = ics.Organizer(o.First())
			organizers[r.ETag] = by
		}
		switch {
		case by.IsZero():
			left[r.ID] = r.Owner == q.Asker.ID
		case q.Asker.ID != 0:
			left[r.ID] = self(by)
		default:
			left[r.ID] = by == q.As
		}
	}
	return left, nil
}

// Busy returns the busy time of one collection (RFC 4791 §7.10).
func (d *Desk) Busy(ctx context.Context, collection int64, from, to time.Time) ([]ics.Span, error) {
	var spans []ics.Span
	err := d.store.Read(ctx, func(tx *db.Tx) error {
		col, err := tx.Collection(collection)
		if err != nil {
			return err
		}
		found, err := tx.InRange(collection, "VEVENT", from.UnixMicro(), to.UnixMicro())
		if err != nil {
			return err
		}
		rows := make([]db.BusyRow, len(found))
		for i, c := range found {
			rows[i] = db.BusyRow{Owner: col.Owner, Collection: collection, Object: c.ID, Slot: c.Slot, Series: c.Series}
		}
		// RFC 7953 §7.2.2: and what its VAVAILABILITY objects say.
		said, err := tx.AvailabilitiesIn(collection)
		if err != nil {
			return err
		}
		spans = d.outside(said, from, to)
		return d.expand(tx, rows, from, to, func(_ db.BusyRow, sp ics.Span) { spans = append(spans, sp) })
	})
	if err != nil {
		return nil, err
	}
	return ics.Merge(clip(spans, from, to)), nil
}

func micro(us int64) time.Time { return time.UnixMicro(us).UTC() }

// clip cuts spans to a window and drops those outside of it.
func clip(spans []ics.Span, from, to time.Time) []ics.Span {
	out := spans[:0]
	for _, s := range spans {
		if s.Start.Before(from) {
			s.Start = from
		}
		if s.End.After(to) {
			s.End = to
		}
		if s.Start.Before(s.End) {
			out = append(out, s)
		}
	}
	return out
}
