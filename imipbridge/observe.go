package imipbridge

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
)

// observer is a session of the listener for copies of what local users send
// from their mail programs (decision 12). Every recipient is taken: whom the
// user wrote to is his business, and the copy goes nowhere.
type observer struct{ *session }

func (o *observer) Rcpt(to string, _ *smtp.RcptOptions) error {
	o.rcpts = append(o.rcpts, recipient{asked: to, address: cuaddr.Mailto(to)})
	return nil
}

func (o *observer) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	o.busy(true)
	defer o.busy(false)
	ctx, cancel := context.WithTimeout(o.ctx, mailDeadline)
	defer cancel()
	data, free, err := o.read(ctx, r)
	if err != nil {
		return err
	}
	defer free()
	if err := o.b.observe(ctx, observed{door: "observe", from: o.from, data: data}); err != nil {
		o.b.log.Warn("copy not decided", "error", err)
		return fault(err)
	}
	return nil
}

// mayWrite reports whether a mail with this MAIL FROM may speak for a user here:
// it is his address, or that of somebody whom he lets act for him, who is
// returned.
func mayWrite(tx *db.Tx, envelope string, actor db.Principal) (ok bool, by db.Principal, err error) {
	who, err := directory.Lookup(tx, cuaddr.Mailto(envelope))
	if errors.Is(err, directory.ErrUnknown) {
		return false, db.Principal{}, nil
	}
	if err != nil || who.ID == actor.ID {
		return err == nil, db.Principal{}, err
	}
	ok, err = directory.MayActFor(tx, who, actor)
	return ok, who, err
}

// mayLogIn reports whether who logged in under this name may speak for a user
// here: it is one of his, or that of somebody whom he lets act for him. Which
// names that nobody here has may send as whom is the mail system's to say, as
// all of them are where it tells us none.
func mayLogIn(tx *db.Tx, login string, actor db.Principal) (bool, error) {
	var who []db.Principal
	var err error
	if strings.Contains(login, "@") {
		var p db.Principal
		if p, err = directory.Lookup(tx, cuaddr.Mailto(login)); err == nil {
			who = append(who, p)
		}
	} else {
		who, err = tx.PrincipalsByLocalPart(strings.ToLower(login))
	}
	if errors.Is(err, directory.ErrUnknown) || err == nil && len(who) != 1 {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return directory.MayActFor(tx, who[0], actor)
}

// observed is a mail that somebody sent from his mail program.
type observed struct {
	door  string           // "observe" or "milter"
	from  string           // MAIL FROM
	login string           // "" where the mail system does not tell
	rcpts []cuaddr.Address // RCPT TO, where the mail system tells them
	data  []byte
}

// observe takes the iTIP messages that a user here sent as what he did.
func (b *Bridge) observe(ctx context.Context, sent observed) error {
	a, err := b.arrive(ctx, sent.door, sent.from, sent.data)
	if err != nil {
		return err
	}
	if len(a.mail.Objects) == 0 || a.keys.ownMail(a.mail.MessageID) {
		return nil
	}
	var actor, by db.Principal
	his := false
	err = b.store.Read(ctx, func(tx *db.Tx) (err error) {
		if actor, err = directory.Lookup(tx, a.mail.From.Address); err != nil {
			return err
		}
		if his, by, err = mayWrite(tx, sent.from, actor); err != nil || !his || sent.login == "" {
			return err
		}
		his, err = mayLogIn(tx, sent.login, actor)
		return err
	})
	if errors.Is(err, directory.ErrUnknown) {
		err, actor = nil, db.Principal{}
	}
	if err != nil {
		return err
	}
	if actor.ID == 0 || !his || a.mail.Froms != 1 {
		x := a.decision(recipient{address: a.mail.From.Address}, actor.ID, a.mail.Objects[0].UID())
		x.Method, x.Belief = a.mail.Objects[0].Method(), string(scheduling.Contradicted)
		x.Rule, x.Outcome = "header From is nobody here, or MAIL FROM may not speak for him", "ignored"
		x.Detail = "MAIL FROM " + ascii(sent.from, 200)
		if sent.login != "" {
			x.Rule = "header From is nobody here, or MAIL FROM or the log-in may not speak for him"
			x.Detail += ", log-in " + ascii(sent.login, 200)
		}
		return b.record(ctx, x)
	}
	told := slices.Clone(sent.rcpts)
	for _, m := range a.mail.To {
		told = append(told, m.Address)
	}
	for _, o := range a.mail.Objects {
		v, err := b.desk.Observe(ctx, scheduling.Observe{
			Actor: actor, By: by, Body: o, Told: told, MessageID: a.mail.MessageID, Key: a.key("observe", o.Method(), o.UID()), Door: a.door,
		})
		if err != nil {
			return err
		}
		b.log.Info("mail observed", "uid", o.UID(), "method", o.Method(), "from", a.mail.From.Address.String(), "applied", v.Applied, "rule", v.Rule)
	}
	return nil
}
