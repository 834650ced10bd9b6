package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/published"
	"github.com/convene-server/convene/scheduling"
)

// freeBusy are the options that say who learns when somebody is busy.
type freeBusy struct {
	Sharing    *string  `enum:"share,no,default" placeholder:"share|no|default" help:"Who may ask when they are busy: share (outside too), no (nobody), default (people here)."`
	Publishing *string  `enum:"publish,no,default" placeholder:"publish|no" help:"Whether everybody may read it at /freebusy/ADDRESS; only with share."`
	Bundling   *string  `enum:"always,never,default" placeholder:"always|never" help:"Whether their mail carries it; only with share."`
	Token      *string  `enum:"new,none" placeholder:"new|none" help:"A secret with which anybody may read it at /freebusy/ADDRESS."`
	Hours      *string  `placeholder:"FILE" help:"When they can be met, as an iCalendar file with VAVAILABILITY; \"\" for always."`
	Details    []string `sep:"none" placeholder:"ADDRESS" help:"Who sees what fills their time too; may be repeated; \"\" for nobody."`
}

func (o freeBusy) set(tx *db.Tx, p *db.Principal) error {
	if o.Hours != nil {
		var text []byte
		if *o.Hours != "" {
			var err error
			if text, err = os.ReadFile(*o.Hours); err != nil {
				return err
			}
		}
		if err := scheduling.New(nil, scheduling.Options{}).SetAvailability(tx, *p, string(text)); err != nil {
			return fmt.Errorf("--freebusy-hours %s: %w", *o.Hours, err)
		}
	}
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
func showFreeBusy(tx *db.Tx, p db.Principal, row row) error {
	prefs, err := tx.Preferences(p.ID)
	if err != nil {
		return err
	}
	hours, err := tx.Availability(p.ID)
	if err != nil {
		return err
	}
	if hours != nil {
		row("freebusy-hours", fmt.Sprintf("set, %d octets", len(hours)))
	}
	for _, name := range []string{directory.FreeBusySharing, directory.FreeBusyPublishing, directory.FreeBusyBundling, directory.FreeBusyDetails, directory.FreeBusyToken} {
		row(strings.ReplaceAll(name, "_", "-"), prefs[name])
	}
	return nil
}

// fetchNetworks are those that the configuration allows beside public ones.
func (c Config) fetchNetworks() (ps []netip.Prefix) {
	for _, n := range c.FreeBusy.FetchNetworks {
		ps = append(ps, netip.MustParsePrefix(n)) // checked when it was read
	}
	return ps
}

type freeBusySetCmd struct {
	Address string `arg:"" help:"Mail address of somebody outside."`
	URL     string `arg:"" help:"Where their busy time is published."`
}

func (c *freeBusySetCmd) Run(e *env) error {
	if err := published.Check(c.URL); err != nil {
		return fmt.Errorf("%q: %w", c.URL, err)
	}
	return setPublished(e, c.Address, []db.Published{{URL: c.URL}}, "busy time of %s will be read there")
}

type freeBusyRemoveCmd struct {
	Address string `arg:"" help:"Mail address."`
}

func (c *freeBusyRemoveCmd) Run(e *env) error {
	return setPublished(e, c.Address, nil, "busy time of %s is not read any longer")
}

func setPublished(e *env, address string, ps []db.Published, done string) error {
	a, err := mailArg(address)
	if err != nil {
		return err
	}
	name := scheduling.OutsideName(a)
	for i := range ps {
		ps[i].Name = name
	}
	_, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	err = s.Write(e.ctx, nil, func(tx *db.Tx) error {
		if p, err := directory.Lookup(tx, a); err == nil {
			return fmt.Errorf("%s is here: the calendar tells when they are busy", p.Address)
		} else if !errors.Is(err, directory.ErrUnknown) {
			return err
		}
		if ps == nil {
			have, err := tx.PublishedFor(0, name)
			if err != nil {
				return err
			}
			if len(have) == 0 {
				return fmt.Errorf("nothing is set for %s", a.Mail())
			}
		}
		return tx.SetPublished(0, 0, name, ps)
	})
	if err != nil {
		return err
	}
	word := "set"
	if ps == nil {
		word = "removed"
	}
	return e.say(act{Done: word, Kind: "freebusy", Address: a.Mail()}, done, a.Mail())
}

type freeBusyListCmd struct{}

func (freeBusyListCmd) Run(e *env) error {
	_, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	w := tabwriter.NewWriter(plain{e.stdout}, 0, 8, 2, ' ', 0)
	for after := ""; ; {
		var page []db.Published
		err := s.View(e.ctx, func(tx *db.Tx) (err error) {
			page, err = tx.PublishedBySite(after, 500)
			return err
		})
		if err != nil {
			return err
		}
		for _, p := range page {
			after = p.Name
			state := "not read yet"
			switch {
			case p.Feed.Failures > 0:
				state = "failed: " + oneLine(p.Feed.Answer)
			case !p.Feed.Fetched.IsZero():
				state = "read " + p.Feed.Fetched.UTC().Format(time.RFC3339)
			}
			if e.json {
				if err := e.object(map[string]string{"address": strings.TrimPrefix(p.Name, "mailto:"), "url": p.URL, "state": state}); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", p.Name, p.URL, state)
		}
		if len(page) < 500 {
			return w.Flush()
		}
	}
}
