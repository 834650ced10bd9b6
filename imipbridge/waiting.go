package imipbridge

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling/ics"
)

// waiting shows somebody an invitation of his that is in quarantine, and takes
// it into his calendar or drops it (decision 11).
func (v *visit) waiting() {
	ctx, l := v.r.Context(), v.words
	var q db.Quarantined
	var o *ics.Object
	var zone *time.Location
	err := v.store.Read(ctx, func(tx *db.Tx) (err error) {
		if q, err = tx.Quarantine(v.inv.Organizer, v.inv.UID); err != nil {
			return err
		}
		owner, err := tx.Principal(v.inv.Organizer)
		if err != nil {
			return err
		}
		zone = zoneOf(owner.TZ)
		have, err := tx.ObjectsByUID(v.inv.UID, v.inv.Organizer)
		for _, x := range have {
			if parsed, err := ics.Parse(x.Body, ics.Limits{}); err == nil && parsed.First() != nil {
				o = parsed
			}
		}
		return err
	})
	switch {
	case errors.Is(err, db.ErrNotFound), err == nil && (o == nil || !q.InForce):
		v.say(http.StatusGone, "This invitation is decided already.")
		return
	case err != nil:
		v.away(err)
		return
	}
	m := &meeting{o: o, shown: o.First(), zone: zone}
	p := answerPage{Heading: imip.When(l, o, m.shown, zone), Question: l.Say("Do you know who invites you?"),
		Message: l.Say("This invitation waits: it blocks no time until you take it.")}
	p.Title, p.Rows = imip.Describe(l, o, m.shown, zone)
	if start, _, _, ok := m.span(m.shown); ok {
		p.Tile = &dayTile{start.Day(), l.In("month", start.Month().String())}
	}
	p.Rows = slices.DeleteFunc(p.Rows, func(r imip.Row) bool { return r.Value == p.Heading }) // said already
	if p.Heading == "" {
		p.Heading = v.inv.Attendee.Mail()
	}
	from := q.From
	if a, err := cuaddr.Parse(from); err == nil && a.Mail() != "" {
		from = a.Mail()
	}
	p.Rows = append(p.Rows, imip.Row{Label: l.Say("From"), Value: from})
	told := p.Rows // once it is decided
	p.Rows = append(p.Rows, imip.Row{Label: l.Say("Why it waits"), Value: l.Say(whyItWaits(q.Rule))})
	said := v.decision(&p, imip.QuarantineButtons(l))
	if v.r.Method != http.MethodPost {
		v.show(http.StatusOK, p)
		return
	}
	p.Rows, p.Buttons = told, nil
	switch said {
	case "accept":
		err = v.desk.Release(ctx, q.ID, "rsvp")
		p.Message, p.Good = l.Say("It is in your calendar now. Answer it there, or in your mail program."), true
	case "decline":
		err = v.desk.Drop(ctx, q.ID, "rsvp")
		p.Message, p.Good = l.Say("It is dropped. Nobody is told."), true
	default:
		v.say(http.StatusBadRequest, badAddress)
		return
	}
	switch {
	case errors.Is(err, db.ErrNotFound): // somebody was faster
		v.say(http.StatusGone, "This invitation is decided already.")
	case err != nil:
		v.away(err)
	default:
		v.show(http.StatusOK, p)
	}
}

// whyItWaits words the rule by which an invitation came into quarantine.
func whyItWaits(rule string) string {
	switch {
	case strings.HasPrefix(rule, "nothing proves"):
		return "Nothing proves who sent it."
	case strings.HasPrefix(rule, "an organizer whom"):
		return "You do not know its organizer."
	}
	return "Who sent it is not its organizer."
}
