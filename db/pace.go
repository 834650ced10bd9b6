package db

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// Pace bounds the mail that goes out: how many within Window, about one meeting
// and of one person. Zero is no bound.
type Pace struct {
	Event, User int
	Window      time.Duration
}

// PaceDeliveries counts rows that were just claimed, each once, and puts back
// those that are beyond the pace: each waits for its own turn, and does not count
// as attempted. It returns those that may go, and those that wait, with their
// Due. A bound is used up by as many as it says and then gives way steadily.
func (tx *Tx) PaceDeliveries(claimed []Delivery, p Pace) (may, wait []Delivery, err error) {
	type whose struct {
		principal int64
		uid       string
	}
	limits := map[whose]int{}
	rows := map[whose][]int{}
	for i, d := range claimed {
		if d.Held || d.Attempts != 1 {
			continue // it has been counted
		}
		for w, limit := range map[whose]int{{d.Principal, ""}: p.User, {d.Principal, d.UID}: p.Event} {
			if limit > 0 {
				limits[w] = limit
				rows[w] = append(rows[w], i)
			}
		}
	}
	now, err := tx.Now()
	if err != nil {
		return nil, nil, err
	}
	turn := map[int]time.Time{}
	// In one order, so that two claims do not wait for each other.
	for _, w := range slices.SortedFunc(maps.Keys(rows), func(a, b whose) int {
		return cmp.Or(cmp.Compare(a.principal, b.principal), cmp.Compare(a.uid, b.uid))
	}) {
		step := p.Window / time.Duration(limits[w])
		all := step * time.Duration(len(rows[w]))
		var until time.Time
		err := tx.row(`INSERT INTO pace (principal, uid, until) VALUES ($1, $2, $3) ON CONFLICT (principal, uid)
			DO UPDATE SET until = CASE WHEN pace.until > $4 THEN pace.until ELSE $4 END + $5 RETURNING until`,
			[]any{w.principal, w.uid, micros(now.Add(all)), micros(now), all.Microseconds()}, when{&until})
		if err != nil {
			return nil, nil, err
		}
		for k, i := range rows[w] {
			at := until.Add(-all).Add(step * time.Duration(k+1)).Add(-p.Window)
			if at.After(turn[i]) {
				turn[i] = at
			}
		}
	}
	for i, d := range claimed {
		if !turn[i].After(now) {
			may = append(may, d)
			continue
		}
		d.Due = turn[i]
		if _, err := tx.exec(`UPDATE delivery SET due = $3, token = '', attempts = attempts - 1, held = 1 WHERE id = $1 AND token = $2`,
			d.ID, d.Token, micros(d.Due)); err != nil {
			return nil, nil, err
		}
		wait = append(wait, d)
	}
	return may, wait, nil
}

// sweepPace removes what no longer counts against anybody.
func (s *Store) sweepPace(ctx context.Context, _ Keep) error {
	return s.Write(ctx, nil, func(tx *Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		_, err = tx.exec(`DELETE FROM pace WHERE until < $1`, micros(now))
		return err
	})
}
