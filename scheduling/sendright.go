package scheduling

import (
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// maySend refuses a change by somebody who is not the calendar's owner if
// messages would go out in the owner's name and his outbox does not let the
// other one send them (RFC 6638 §6.2.2, §6.2.3): to be allowed to write is not
// enough for that.
func (s *sitting) maySend(owner db.Principal, msgs []itip.Message) error {
	var need directory.Rights
	for _, m := range msgs {
		switch {
		case m.Method == itip.Reply, m.Method == itip.Counter, m.Method == itip.Refresh,
			m.Method == itip.Request && ics.Organizer(m.Body.First()) != m.From: // an attendee delegates
			need |= directory.SendReply
		default:
			need |= directory.SendInvite
		}
	}
	return s.maySendAs(s.by, owner, need)
}

// maySendAs refuses what somebody may not send through another's outbox.
func (s *sitting) maySendAs(by, owner db.Principal, need directory.Rights) error {
	if need == 0 || by.ID == 0 || by.ID == owner.ID {
		return nil
	}
	if owner.Kind == db.Room || owner.Kind == db.Resource {
		return nil // it has no outbox: who may write its calendar answers for it
	}
	g, err := directory.Granted(s.tx, by, owner)
	if err != nil {
		return err
	}
	outbox, err := s.tx.CollectionByName(owner.ID, db.Outbox, "outbox")
	if err != nil {
		return err
	}
	missing := need &^ g.Collections[outbox.ID]
	if missing == 0 {
		return nil
	}
	// RFC 3744 §7.1.1
	r := &itip.Refusal{Precondition: "D:need-privileges", Href: outbox.Name + "/", Privilege: "C:schedule-send-reply", Detail: "this would send messages in the name of " + owner.Address}
	if missing&directory.SendInvite != 0 {
		r.Privilege = "C:schedule-send-invite"
	}
	return r
}
