package main

import (
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// habits are the options that say what is done for somebody with messages that
// programs seldom send.
type habits struct {
	PartyCrashers        *string `enum:"ask,add,refuse" placeholder:"ask|add|refuse" help:"Somebody not invited answers: the organizer is shown it (ask), he is invited (add), or told that he is not (refuse)."`
	OrganiserReplacement *string `enum:"attendee,any,never" placeholder:"attendee|any|never" help:"Who may become the organizer of a meeting: one who is invited to it, anybody, nobody."`
	AddMethodResponse    *string `enum:"add,refresh,ignore" placeholder:"add|refresh|ignore" help:"One more date of a series comes by itself (ADD): taken, the whole asked for, left alone."`
	Incoming             *string `enum:"message-only,summary-then-message,message-then-summary,summary-only,summary-wraps-message" placeholder:"MODE" help:"How mail about meetings comes to the mailbox: as it is (message-only), with a summary before or after it, as a summary alone, or inside a summary (summary-then-message, message-then-summary, summary-only, summary-wraps-message)."`
	Participating        *string `enum:"participate,no" placeholder:"participate|no" help:"Whether meetings come into the calendar, or by mail only, which is left alone."`
	FreebusyMessages     *string `enum:"notify,none" placeholder:"notify|none" help:"Whether mail that only tells when others are busy comes to the mailbox, too, once it is noted."`
	Notices              *string `enum:"at-once,daily" placeholder:"at-once|daily" help:"What the rules of a policy tell by mail (AND_NOTIFY): each time, or all of a day in one mail."`
	EventRefreshing      *string `enum:"always,never" placeholder:"always|never" help:"Whether an attendee who asks how a meeting stands (REFRESH) is answered."`
}

func (o habits) set(tx *db.Tx, p *db.Principal) error {
	for _, one := range []struct {
		name  string
		value *string
	}{
		{directory.PartyCrashers, o.PartyCrashers}, {directory.OrganiserReplacement, o.OrganiserReplacement},
		{directory.AddMethodResponse, o.AddMethodResponse}, {directory.EventRefreshing, o.EventRefreshing},
		{directory.Incoming, o.Incoming}, {directory.Participating, o.Participating}, {directory.FreeBusyMessages, o.FreebusyMessages},
		{directory.Notices, o.Notices},
	} {
		if one.value == nil {
			continue
		}
		if err := directory.SetPreference(tx, p.ID, one.name, *one.value); err != nil {
			return err
		}
	}
	return nil
}

// showHabits lists what somebody chose.
func showHabits(tx *db.Tx, p db.Principal, row row) error {
	prefs, err := tx.Preferences(p.ID)
	if err != nil {
		return err
	}
	for _, name := range []string{directory.PartyCrashers, directory.OrganiserReplacement, directory.AddMethodResponse, directory.EventRefreshing, directory.Incoming,
		directory.Participating, directory.FreeBusyMessages, directory.Notices} {
		row(strings.ReplaceAll(name, "_", "-"), prefs[name])
	}
	return nil
}

// prefer is what people prefer here who did not choose, by the names of
// preferences.
func prefer(c Config) map[string]string {
	return map[string]string{
		directory.PartyCrashers: c.People.PartyCrashers, directory.OrganiserReplacement: c.People.OrganiserReplacement,
		directory.AddMethodResponse: c.People.AddMethodResponse, directory.EventRefreshing: c.People.EventRefreshing,
		directory.Participating: c.People.Participating, directory.FreeBusyMessages: c.People.FreeBusyMessages,
		directory.Notices:         c.People.Notices,
		directory.FreeBusySharing: c.People.FreeBusySharing, directory.FreeBusyBundling: c.People.FreeBusyBundling,
		directory.FreeBusyPublishing: c.People.FreeBusyPublishing,
	}
}
