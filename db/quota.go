package db

// QuotaUse is one booking that counts in a quota. When it is, and whether it
// still is, its busy record tells.
type QuotaUse struct {
	Quota     string
	Organizer string // calendar user address, in lower case
	Principal int64  // what is booked
	UID       string
}

// UseQuota notes one; a second time nothing.
func (tx *Tx) UseQuota(u QuotaUse) error {
	if err := needText([]string{u.Quota, u.Organizer, u.UID}); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO quota_use (quota, organizer, principal, uid) VALUES ($1, $2, $3, $4)
		ON CONFLICT (quota, organizer, principal, uid) DO NOTHING`, u.Quota, u.Organizer, u.Principal, u.UID)
	return err
}

// FreeQuota forgets a booking in all quotas; none is no error.
func (tx *Tx) FreeQuota(principal int64, uid string) error {
	if !key(uid) {
		return nil
	}
	_, err := tx.exec(`DELETE FROM quota_use WHERE principal = $1 AND uid = $2`, principal, uid)
	return err
}

// QuotaRows returns the busy time in [from, to) that an organizer has of a
// quota, the conversation except left out; series come if their span meets the
// window.
func (tx *Tx) QuotaRows(quota, organizer string, from, to int64, except string) ([]BusyRow, error) {
	if !key(quota) || !key(organizer) || !key(except) {
		return nil, nil
	}
	args := []any{bounded(from), bounded(to), quota, organizer, except}
	const head = `SELECT c.owner, s.collection, s.object, `
	const bookings = ` FROM quota_use q JOIN object o ON o.uid = q.uid AND o.deleted = 0
		JOIN collection c ON c.id = o.collection AND c.owner = q.principal AND c.kind = 'calendar' JOIN `
	const of = ` s ON s.collection = o.collection AND s.object = o.id WHERE q.quota = $3 AND q.organizer = $4 AND q.uid <> $5 AND `
	slots, err := collect(tx, head+slotColumns+bookings+`slot`+of+`s.busy <> 0 AND `+slotMeets, args, func(r *BusyRow) []any {
		r.Slot = new(Slot)
		return append([]any{&r.Owner, &r.Collection, &r.Object}, r.Slot.fields()...)
	})
	if err != nil {
		return nil, err
	}
	series, err := collect(tx, head+seriesColumns+bookings+`series`+of+seriesMeets, args, func(r *BusyRow) []any {
		r.Series = new(Series)
		return append([]any{&r.Owner, &r.Collection, &r.Object}, r.Series.fields()...)
	})
	return append(slots, series...), err
}

// WithQuota returns those whose policy names some quota, by id.
func (tx *Tx) WithQuota() (policies map[int64]string, err error) {
	policies = map[int64]string{}
	err = tx.rows(`SELECT id, policy FROM principal WHERE policy LIKE '%quota %'`, nil, func(scan func(...any) error) error {
		var id int64
		var policy string
		err := scan(&id, &policy)
		policies[id] = policy
		return err
	})
	return policies, err
}
