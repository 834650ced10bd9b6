package imipbridge

import (
	"errors"
	"net/http"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// decide shows an organizer what an attendee proposed, and takes his decision
// (decision 26).
func (v *visit) decide() {
	ctx := v.r.Context()
	body, have, name, zone, err := v.proposal()
	switch {
	case errors.Is(err, db.ErrNotFound):
		v.say(http.StatusGone, "This proposal is decided already.")
		return
	case err != nil:
		v.away(err)
		return
	}
	l, c := v.words, body.First()
	p := answerPage{Heading: l.Say("%s proposes another time", name), CommentLabel: l.Say("Comment")}
	p.Title, _ = imip.Describe(l, body, c, zone)
	before := have.Master()
	if rid := v.inv.RID; rid != "" {
		before = have.Occurrence(rid)
	}
	row := imip.Row{Label: l.Say("Proposed"), Value: imip.When(l, body, c, zone)}
	if before != nil {
		p.Title, _ = imip.Describe(l, have, before, zone)
		row.Was = imip.When(l, have, before, zone)
	}
	p.Rows = []imip.Row{row, {Label: l.Say("From"), Value: v.inv.Attendee.Mail()}}
	if text := c.Text("COMMENT"); text != "" {
		p.Rows = append(p.Rows, imip.Row{Label: l.Say("Comment"), Value: text})
	}
	said := v.decision(&p, imip.ProposalButtons(l))
	if v.r.Method != http.MethodPost {
		v.show(http.StatusOK, p)
		return
	}
	if said == "" {
		v.say(http.StatusBadRequest, badAddress)
		return
	}
	verdict, err := v.desk.AnswerProposal(ctx, scheduling.ProposalAnswer{
		UID: v.inv.UID, Organizer: scheduling.Organizer{Principal: v.inv.Organizer}, Attendee: v.inv.Attendee, RID: v.inv.RID,
		Accept: said == "accept", Comment: v.comment(), Door: "rsvp",
	})
	status := http.StatusOK
	p.Buttons = nil
	switch {
	case err != nil:
		v.away(err)
		return
	case !verdict.Applied:
		status, p.Message = http.StatusConflict, l.Say("The answer was not taken")+": "+verdict.Rule
	case said == "accept":
		p.Message, p.Good = l.Say("The meeting has the new time, and everybody is told."), true
	default:
		p.Message, p.Good = l.Say("The proposal is declined, and %s is told.", name), true
		p.Rows[0] = imip.Row{Label: l.Say("When"), Value: row.Was, Was: row.Value}
	}
	v.show(status, p)
}

// proposal reads what is proposed, the organizer's copy, what the attendee is
// called and the organizer's zone. ErrNotFound: it is decided, or the meeting is gone.
func (v *visit) proposal() (body, have *ics.Object, name string, zone *time.Location, err error) {
	err = v.store.Read(v.r.Context(), func(tx *db.Tx) error {
		organizer, err := tx.Principal(v.inv.Organizer)
		if err != nil {
			return err
		}
		zone = zoneOf(organizer.TZ)
		open, err := tx.Proposals(v.inv.UID, v.inv.Organizer)
		if err != nil {
			return err
		}
		objects, err := tx.ObjectsByUID(v.inv.UID, v.inv.Organizer)
		if err != nil {
			return err
		}
		for _, x := range open {
			a, err := cuaddr.Parse(x.Attendee)
			if err != nil || !imip.Same(a, v.inv.Attendee) || ics.RID(x.RID) != v.inv.RID {
				continue
			}
			if o, err := ics.Parse(x.Body, ics.Limits{}); err == nil && o.First() != nil {
				body = o
			}
		}
		for _, x := range objects {
			if o, err := ics.Parse(x.Body, ics.Limits{}); err == nil && o.First() != nil {
				have = o
			}
		}
		return nil
	})
	if err == nil && (body == nil || have == nil) {
		err = db.ErrNotFound
	}
	if err != nil {
		return nil, nil, "", nil, err
	}
	if name = nameOf(have, v.inv.Attendee); name == "" {
		name = v.inv.Attendee.Mail()
	}
	return body, have, name, zone, nil
}
