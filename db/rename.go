package db

import (
	"errors"
	"fmt"
	"strings"
)

// RenamePrincipal gives somebody another primary address; the old one stays as
// an alias. Groups that list the old one list the new one, and what he has of
// quotas is his. It raises Version. ErrExists if the address is somebody else's.
func (tx *Tx) RenamePrincipal(id int64, address string) error {
	name := strings.ToLower(address)
	if err := needText([]string{name}); err != nil {
		return err
	}
	var owner int64
	switch err := tx.row(`SELECT principal FROM address WHERE name = $1`, []any{name}, &owner); {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return err
	case owner != id:
		return fmt.Errorf("%w: the address %s", ErrExists, address)
	}
	var old string
	if err := tx.row(`SELECT sort FROM principal WHERE id = $1`, []any{id}, &old); err != nil {
		return err
	}
	n, err := tx.exec(`UPDATE principal SET address = $2, sort = $3, local = $4, version = version + 1 WHERE id = $1`, id, address, name, localPart(name))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return err
	}
	if _, err := tx.exec(`UPDATE address SET main = 0 WHERE principal = $1`, id); err != nil {
		return err
	}
	n, err = tx.exec(`INSERT INTO address (name, principal, address, main, tagged) VALUES ($1, $2, $3, 1, $4)
		ON CONFLICT (name) DO UPDATE SET main = 1, address = $3 WHERE address.principal = $2`, name, id, address, bit(tagged(name)))
	if err == nil && n == 0 { // taken since we looked
		err = tx.fail(ErrConflict)
	}
	if err != nil {
		return err
	}
	if old == name {
		return tx.regram(id)
	}
	if _, err := tx.exec(`UPDATE member SET name = $2, address = $3 WHERE name = $1`, old, name, address); err != nil {
		return err
	}
	was, is := "mailto:"+old, "mailto:"+name
	if _, err := tx.exec(`INSERT INTO quota_use (quota, organizer, principal, uid) SELECT quota, $2, principal, uid FROM quota_use WHERE organizer = $1
		ON CONFLICT (quota, organizer, principal, uid) DO NOTHING`, was, is); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM quota_use WHERE organizer = $1`, was); err != nil {
		return err
	}
	return tx.regram(id)
}

// InDomain returns those who have an address in a domain (lower case), by id
// after a given one.
func (tx *Tx) InDomain(domain string, after int64, limit int) ([]Principal, error) {
	if !key(domain) {
		return nil, nil
	}
	return collect(tx, `SELECT `+principalColumns+` FROM principal p WHERE p.id > $1 AND p.id IN
		(SELECT principal FROM address WHERE name LIKE $3 ESCAPE '\') ORDER BY p.id LIMIT $2`,
		[]any{after, limit, "%@" + likeLiteral(domain)}, (*Principal).fields)
}

// Speaking returns those in whose policy a text (lower case) stands, by id.
func (tx *Tx) Speaking(of string) ([]Principal, error) {
	if !text(of) {
		return nil, nil
	}
	return collect(tx, `SELECT `+principalColumns+` FROM principal p WHERE p.policy <> '' AND LOWER(p.policy) LIKE $1 ESCAPE '\' ORDER BY p.id`,
		[]any{"%" + likeLiteral(of) + "%"}, (*Principal).fields)
}

// Preferring returns which preferences of these names hold a text (lower case):
// their values, by principal and name.
func (tx *Tx) Preferring(of string, names ...string) (map[int64]map[string]string, error) {
	all := map[int64]map[string]string{}
	if !text(of) {
		return all, nil
	}
	err := chunks(names, 2, func(in string, args []any) error {
		return tx.rows(`SELECT principal, name, value FROM preference WHERE LOWER(value) LIKE $1 ESCAPE '\' AND name IN `+in,
			append([]any{"%" + likeLiteral(of) + "%"}, args...), func(scan func(...any) error) error {
				var id int64
				var name, value string
				if err := scan(&id, &name, &value); err != nil {
					return err
				}
				if all[id] == nil {
					all[id] = map[string]string{}
				}
				all[id][name] = value
				return nil
			})
	})
	return all, err
}

// Meeting is a scheduling object: where it stands in the order of them, and the
// conversation that it is part of.
type Meeting struct {
	Object int64
	UID    string
}

// Meetings lists what somebody has in his calendars of conversations with
// others, by object after a given one.
func (tx *Tx) Meetings(owner, after int64, limit int) ([]Meeting, error) {
	return collect(tx, `SELECT o.id, o.uid FROM object o JOIN collection c ON c.id = o.collection
		WHERE c.owner = $1 AND c.kind = 'calendar' AND o.deleted = 0 AND o.schedule_tag <> '' AND o.id > $2 ORDER BY o.id LIMIT $3`,
		[]any{owner, after, limit}, func(m *Meeting) []any { return []any{&m.Object, &m.UID} })
}

// QueuedAbout returns the conversations about which mail waits that goes out in
// somebody's name, or to one of these calendar user addresses.
func (tx *Tx) QueuedAbout(principal int64, rcpts []string) (uids []string, err error) {
	uids, err = texts(tx, `SELECT DISTINCT uid FROM delivery WHERE principal = $1 ORDER BY uid`, principal)
	if err != nil {
		return nil, err
	}
	for _, r := range rcpts {
		more, err := texts(tx, `SELECT DISTINCT uid FROM delivery WHERE rcpt = $1 AND principal <> $2 ORDER BY uid`, r, principal)
		if err != nil {
			return nil, err
		}
		uids = append(uids, more...)
	}
	return uids, nil
}

// DeliveriesAbout returns the mail that waits about a conversation, by id.
func (tx *Tx) DeliveriesAbout(uid string) ([]Delivery, error) {
	if !key(uid) {
		return nil, nil
	}
	return collect(tx, `SELECT `+deliveryColumns+` FROM delivery WHERE uid = $1 ORDER BY id`, []any{uid}, (*Delivery).fields)
}

// RewriteDelivery changes From, Rcpt, Body and Prior of mail that waits. What a
// worker has in hand goes out as it is. The conversation is locked.
func (tx *Tx) RewriteDelivery(d *Delivery) error {
	if err := needText([]string{d.Rcpt}, d.From); err != nil {
		return err
	}
	texts, err := d.texts(tx)
	if err != nil {
		return err
	}
	_, err = tx.exec(`UPDATE delivery SET body = $1, body_letter = $2, prior = $3, prior_letter = $4, sender = $5, rcpt = $6 WHERE id = $7 AND token = ''`,
		append(texts, d.From, d.Rcpt, d.ID)...)
	return err
}
