package imipbridge

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// Who joins a list later and has no calendar program is told by mail of what its
// members are invited to from outside, and answers that as any mail: by the page,
// or by his mail program.
func TestListGrows(t *testing.T) {
	each(t, func(h *house) {
		h.persons("ann")
		byMail := func(p *db.Principal) { p.MailCopies, p.Password = "always", "" }
		h.add(db.Person, "ben", byMail)
		h.add(db.Person, "fay", byMail)
		apart := h.add(db.Person, "pat", byMail)
		team := h.add(db.Group, "team")
		h.write(func(tx *db.Tx) error {
			if err := tx.SetPreference(apart.ID, directory.Participating, "no"); err != nil {
				return err
			}
			return tx.SetMembers(team.ID, []string{ann, "pat@example.org"})
		})
		invited := mailOf(cleo, "team@example.org", "", event("REQUEST", "u1", organizer(cleo)+attendees("team@example.org")))
		h.want("verdict", h.give(cleo, invited, "team@example.org")["team@example.org"], "250")
		h.want("again", h.give(cleo, invited, "team@example.org")["team@example.org"], "250")
		if h.copyOf("pat", "u1") != nil {
			t.Error("who takes no part has a copy")
		}
		h.write(func(tx *db.Tx) error {
			return scheduling.Regroup(tx, team, func() error {
				return tx.SetMembers(team.ID, []string{ann, "ben@example.org", "fay@example.org", "pat@example.org"})
			})
		})
		if _, err := h.desk.WorkOnce(h.ctx); err != nil {
			t.Fatal(err)
		}
		h.work()
		mails := h.relay.all()
		h.want("mails", len(mails), 2)
		if h.copyOf("pat", "u1") != nil {
			t.Error("who takes no part has a copy now")
		}

		code, text, _ := h.page("POST", h.link(h.to("ben@example.org", mails)), url.Values{"ACCEPTED": {"1"}})
		h.want("the page", code, 200)
		if h.partstat("ben", "u1", "ben@example.org") != "ACCEPTED" {
			t.Errorf("Ben's copy, after\n%s", text)
		}
		body := h.parsed(h.to("fay@example.org", mails)).Objects[0]
		if name := h.parsed(h.to("fay@example.org", mails)).From.Name; !strings.HasPrefix(name, "Cleo") {
			t.Errorf("from %q", name)
		}
		token := ics.Organizer(body.Master()).Mail()
		reply := event("REPLY", "u1", organizer(token)+answered("fay@example.org", "TENTATIVE"))
		h.want("verdict", h.give("fay@example.org", mailOf("fay@example.org", token, "", reply), token)[token], "250")
		h.want("Fay's copy", h.partstat("fay", "u1", "fay@example.org"), "TENTATIVE")
		h.work()
		var told []string
		for _, m := range h.relay.all() {
			o := h.parsed(m).Objects[0]
			told = append(told, m.rcpt+" "+o.Method()+" "+ics.PartStat(ics.Attendees(o.First())[0])+" "+ics.Attendees(o.First())[0].Param("MEMBER"))
		}
		slices.Sort(told)
		h.want("Cleo is told", told, []string{cleo + " REPLY ACCEPTED mailto:team@example.org", cleo + " REPLY TENTATIVE mailto:team@example.org"})
	})
}
