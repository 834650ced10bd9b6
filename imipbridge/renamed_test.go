package imipbridge

import (
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// Somebody who reads mail alone gets another address: what he was sent before
// still answers, by the token that was made for the old one.
func TestTokenOfOldAddress(t *testing.T) {
	const dora, eve, fresh = "dora@elsewhere.example", "eve@example.org", "eva@fresh.example"
	each(t, func(h *house) {
		h.persons(dora, "eve")
		h.write(func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(eve)
			if err != nil {
				return err
			}
			p.MailCopies = "always"
			return tx.UpdatePrincipal(&p)
		})
		h.put(dora, event("", "u1", organizer(dora)+attendees(eve)))
		h.work()
		out := h.relay.all()
		h.want("mails", len(out), 1)
		token := ics.CalAddress(h.parsed(h.to(eve, out)).Objects[0].Master().Prop("ORGANIZER")).Mail()
		h.write(func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(eve)
			if err != nil {
				return err
			}
			return scheduling.Rename(tx, p, fresh)
		})
		if _, err := h.desk.WorkOnce(h.ctx); err != nil {
			t.Fatal(err)
		}
		h.want("renamed", h.partstat(dora, "u1", fresh), "NEEDS-ACTION")
		// Somebody else has no use of it.
		h.give("finn@example.net", mailOf("finn@example.net", token, "", event("REPLY", "u1", answered("finn@example.net", "DECLINED"))), token)
		h.want("by somebody else", h.partstat(dora, "u1", fresh), "NEEDS-ACTION")
		h.want("answer", h.give(eve, mailOf(eve, token, "", event("REPLY", "u1", answered(eve, "ACCEPTED"))), token)[token], "250")
		h.want("PARTSTAT", h.partstat(dora, "u1", fresh), "ACCEPTED")
	}, unverified("none"))
}
