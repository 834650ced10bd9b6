package main

import (
	"crypto/rand"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// freeBusy are the options that say who learns when somebody is busy.
type freeBusy struct {
	Sharing    *string  `enum:"share,no,default" placeholder:"share|no|default" help:"Who may ask when they are busy: share (outside too), no (nobody), default (people here)."`
	Publishing *string  `enum:"publish,no,default" placeholder:"publish|no" help:"Whether everybody may read it at /freebusy/ADDRESS; only with share."`
	Bundling   *string  `enum:"always,never,default" placeholder:"always|never" help:"Whether their mail carries it; only with share."`
	Token      *string  `enum:"new,none" placeholder:"new|none" help:"A secret with which anybody may read it at /freebusy/ADDRESS."`
	Details    []string `sep:"none" placeholder:"ADDRESS" help:"Who sees what fills their time too; may be repeated; \"\" for nobody."`
}

func (o freeBusy) set(tx *db.Tx, p *db.Principal) error {
	for _, one := range []struct {
		name  string
		value *string
	}{
		{directory.FreeBusySharing, o.Sharing}, {directory.FreeBusyPublishing, o.Publishing},
		{directory.FreeBusyBundling, o.Bundling}, {directory.FreeBusyToken, o.Token},
	} {
		if one.value == nil {
			continue
		}
		value := *one.value
		switch value {
		case "default", "none":
			value = ""
		case "new":
			value = strings.ToLower(rand.Text())
		}
		if err := directory.SetPreference(tx, p.ID, one.name, value); err != nil {
			return err
		}
	}
	if o.Details == nil {
		return nil
	}
	return directory.SetPreference(tx, p.ID, directory.FreeBusyDetails, strings.TrimSpace(strings.Join(o.Details, " ")))
}

// showFreeBusy lists what somebody chose.
func showFreeBusy(tx *db.Tx, p db.Principal, row func(name, value string)) error {
	prefs, err := tx.Preferences(p.ID)
	if err != nil {
		return err
	}
	for _, name := range []string{directory.FreeBusySharing, directory.FreeBusyPublishing, directory.FreeBusyBundling, directory.FreeBusyDetails, directory.FreeBusyToken} {
		row(strings.ReplaceAll(name, "_", "-"), prefs[name])
	}
	return nil
}
