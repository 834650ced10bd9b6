package caldav

import (
	"net/http"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling/ics"
)

// A scheduling message about a meeting in the outbox is how the drafts before
// RFC 6638 invited, which our calendar-schedule in the DAV header stands for
// too. Programs of that time store the meeting and post the message after it.
// Storing has told everybody (RFC 6638 §3), so the message itself has no
// effect: who posts it learns whom the meeting has reached.
type explicit struct {
	method     string
	uid        string
	recipients []ics.Prop // ATTENDEEs, or the ORGANIZER of an answer
}

// fromAttendee are the methods that an attendee sends (RFC 5546 §1.4); all
// others are the organizer's.
var fromAttendee = map[string]bool{"REPLY": true, "REFRESH": true, "COUNTER": true}

// explicitMessage reads one; refusals are those of the drafts.
func (x *exchange) explicitMessage(o *ics.Object, owner *db.Principal) (*explicit, error) {
	refuse := func(cond, detail string) error {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C(cond), Detail: detail}
	}
	m := &explicit{method: o.Method(), uid: o.UID()}
	c := o.First()
	org, whom := c.Prop("ORGANIZER"), ics.Attendees(c)
	switch {
	case m.method == "":
		return nil, refuse("valid-calendar-data", "there is no METHOD")
	case org == nil:
		return nil, refuse("organizer-allowed", "there is no ORGANIZER")
	case fromAttendee[m.method]:
		if len(whom) != 1 { // RFC 5546 §3.2.3
			return nil, refuse("valid-calendar-data", "one ATTENDEE answers")
		}
		if !x.isOf(owner, ics.CalAddress(whom[0])) {
			return nil, refuse("attendee-allowed", "the ATTENDEE has to be whose outbox it is")
		}
		m.recipients = []ics.Prop{*org}
	default:
		if !x.isOf(owner, ics.CalAddress(org)) {
			return nil, refuse("organizer-allowed", "the ORGANIZER has to be whose outbox it is")
		}
		for _, a := range whom {
			if !x.isOf(owner, ics.CalAddress(a)) {
				m.recipients = append(m.recipients, *a)
			}
		}
		if len(m.recipients) == 0 {
			return nil, refuse("recipient-specified", "there is no ATTENDEE to send it to")
		}
	}
	if x.broken != nil {
		return nil, x.broken
	}
	return m, nil
}

// explicitly answers one.
func (x *exchange) explicitly(r *resource, o *ics.Object) error {
	m, err := x.explicitMessage(o, r.owner)
	if err != nil {
		return err
	}
	if r.owner.ID != x.me.ID { // RFC 6638 §6.2
		right := directory.SendInvite
		if fromAttendee[m.method] {
			right = directory.SendReply
		}
		if err := x.may(r, right); err != nil {
			return err
		}
	}
	var stored *ics.Object
	err = x.store.View(x.ctx, func(tx *db.Tx) error {
		rows, err := tx.ObjectsByUID(m.uid, r.owner.ID)
		if err != nil || len(rows) == 0 {
			return err
		}
		stored, err = ics.Parse(rows[0].Body, ics.Limits{})
		return err
	})
	if err != nil {
		return err
	}
	x.scheduleResponse(func(w *dav.Writer) {
		for i := range m.recipients {
			to := &m.recipients[i]
			w.Raw("\n<C:response><C:recipient>")
			w.Href(strings.TrimSpace(to.Value))
			w.Raw("</C:recipient>")
			if m.reached(stored, to) {
				w.Element(dav.C("request-status"), success)
			} else {
				w.Element(dav.C("request-status"), unsupported)
				w.Element(dav.D("responsedescription"), "meetings are sent by storing them in a calendar")
			}
			w.Raw("</C:response>")
		}
	})
	return nil
}

// Request statuses of a message that is not sent by posting it (RFC 5546 §3.6).
const (
	success     = "2.0;Success"
	unsupported = "3.14;Unsupported capability"
)

// reached reports whether somebody has been told by what is stored: his line
// says so, or it is a cancellation and he is in nothing of it.
func (m *explicit) reached(stored *ics.Object, to *ics.Prop) bool {
	address := ics.CalAddress(to)
	there := false
	if stored != nil {
		for _, c := range stored.Main() {
			for i := range c.Props {
				p := &c.Props[i]
				if p.Name != "ATTENDEE" && p.Name != "ORGANIZER" || ics.CalAddress(p).Fold() != address.Fold() {
					continue
				}
				there = there || !strings.EqualFold(c.Value("STATUS"), "CANCELLED")
				if s := p.Param("SCHEDULE-STATUS"); strings.HasPrefix(s, "1.") || strings.HasPrefix(s, "2.") {
					return true
				}
			}
		}
	}
	return m.method == "CANCEL" && !there
}
