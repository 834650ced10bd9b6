package db

// Invited says that a group is invited into a meeting.
type Invited struct {
	Group     int64
	UID       string
	Organizer int64
}

// SetInvited notes which groups are invited into a meeting, in place of what
// was noted. With none, what was remembered of people in them goes too.
func (tx *Tx) SetInvited(uid string, organizer int64, groups []int64) error {
	if err := needText([]string{uid}); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM invited WHERE uid = $1 AND organizer = $2`, uid, organizer); err != nil {
		return err
	}
	if len(groups) == 0 {
		_, err := tx.exec(`DELETE FROM stayed_away WHERE uid = $1 AND organizer = $2`, uid, organizer)
		return err
	}
	var rows [][]any
	for _, g := range groups {
		rows = append(rows, []any{g, uid, organizer})
	}
	return tx.insertMany(`INSERT INTO invited (grp, uid, organizer)`, ``, rows, nil)
}

// InvitedTo lists the meetings into which a group is invited, by UID and
// organizer after a given one.
func (tx *Tx) InvitedTo(group int64, after Invited, limit int) ([]Invited, error) {
	if !text(after.UID) {
		return nil, nil
	}
	return collect(tx, `SELECT grp, uid, organizer FROM invited WHERE grp = $1 AND (uid > $2 OR uid = $2 AND organizer > $3)
		ORDER BY uid, organizer LIMIT $4`, []any{group, after.UID, after.Organizer, limit},
		func(i *Invited) []any { return []any{&i.Group, &i.UID, &i.Organizer} })
}

// StayAway remembers those who declined a meeting before they left a group that
// is invited into it: calendar user addresses, in lower case.
func (tx *Tx) StayAway(i Invited, names []string) error {
	if err := needText(append([]string{i.UID}, names...)); err != nil {
		return err
	}
	for _, n := range names {
		if _, err := tx.exec(`INSERT INTO stayed_away (grp, uid, organizer, name) VALUES ($1, $2, $3, $4)
			ON CONFLICT (grp, uid, organizer, name) DO NOTHING`, i.Group, i.UID, i.Organizer, n); err != nil {
			return err
		}
	}
	return nil
}

// StayedAway returns who is remembered so.
func (tx *Tx) StayedAway(i Invited) ([]string, error) {
	if !key(i.UID) {
		return nil, nil
	}
	return texts(tx, `SELECT name FROM stayed_away WHERE grp = $1 AND uid = $2 AND organizer = $3 ORDER BY name`, i.Group, i.UID, i.Organizer)
}

// InvitedGroups returns the groups that are noted for a meeting, by id.
func (tx *Tx) InvitedGroups(uid string, organizer int64) ([]int64, error) {
	if !key(uid) {
		return nil, nil
	}
	return collect(tx, `SELECT grp FROM invited WHERE uid = $1 AND organizer = $2 ORDER BY grp`, []any{uid, organizer}, func(id *int64) []any { return []any{id} })
}
