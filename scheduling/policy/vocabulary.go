package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Form is how a rule is written, and what it is for.
type Form struct{ Name, Arguments, Meaning string }

// Forms returns the vocabulary but for the actions, in the order of the
// alphabet.
func Forms() []Form {
	var all []Form
	for _, name := range slices.Sorted(maps.Keys(vocabulary)) {
		all = append(all, Form{name, vocabulary[name].arguments, vocabulary[name].meaning})
	}
	return all
}

type word struct {
	arguments, meaning string
	read               func(p *Policy, args []string) error
}

// vocabulary holds the rules with small letters: imip-agent's scheduling functions
// and preferences under their names, and what large suites know for rooms.
var vocabulary = map[string]word{
	"schedule_in_freebusy": {"[N]", "free: at no instant N (1) other bookings",
		func(p *Policy, args []string) error { return p.addFreeBusy(args, false, false) }},
	"schedule_corrected_in_freebusy": {"[N]", "free; a time that is not permitted is answered by the next permitted one",
		func(p *Policy, args []string) error { return p.addFreeBusy(args, true, false) }},
	"schedule_next_available_in_freebusy": {"[N]", "free; else the next time at which everybody is free is proposed",
		func(p *Policy, args []string) error { return p.addFreeBusy(args, true, true) }},
	"permitted_times": {"MM,.. | HH,..:MM,..", "when a booking may begin",
		func(p *Policy, args []string) (err error) {
			if len(args) != 1 {
				return errors.New("takes one list such as 0,15,30,45 or 8,9,10:0,30")
			}
			p.permitted, err = parseClocks(args[0])
			return err
		}},
	"same_domain_only": {"", "the organizer has an address of the same domain",
		func(p *Policy, args []string) error { return p.put(sameDomain{}, args) }},
	"access_control_list": {"accept|decline [organizer|attendee ADDRESS...]", "who may come; without a name: everybody else",
		func(p *Policy, args []string) error { return p.access.add(args) }},
	"may_book": {"ADDRESS|DOMAIN...", "the organizer is one of these, or in one of these groups or domains", readMayBook},
	"request_out_of_policy": {"[ADDRESS|DOMAIN...]", "what a condition refuses of these, or of everybody, the owner decides",
		func(p *Policy, args []string) error {
			w, err := readWhose(args)
			p.beyond = &w
			return err
		}},
	"check_quota": {"NAME DURATION|* [ADDRESS|DOMAIN...]", "what one organizer, or these together, have booked ahead in all of NAME is at most DURATION", readCheckQuota},
	"schedule_across_quota": {"NAME", "the organizer has nothing else of NAME at that time",
		func(p *Policy, args []string) error {
			if len(args) != 1 {
				return errors.New("takes the name of a quota")
			}
			p.quotas = append(p.quotas, args[0])
			return p.put(acrossQuota(args[0]), nil)
		}},
	"schedule_for_delegate": {"[most_available] ADDRESS...", "free, or else one of these is and takes it, or the one with the fewest conflicts",
		func(p *Policy, args []string) error { return p.addPool(args, true) }},
	"pool": {"[most_available] ADDRESS...", "one of these that is free takes it, never this one itself",
		func(p *Policy, args []string) error { return p.addPool(args, false) }},
	"ask_program": {"NAME [WORD...]", "what all other rules let pass a program of the configuration decides", readProgram},
	"owner": {"ADDRESS", "who decides what ACT_MANUAL leaves open, and is notified",
		func(p *Policy, args []string) error {
			if len(args) == 0 {
				return errors.New("takes an address")
			}
			as, err := addresses(args)
			p.owners = append(p.owners, as...)
			return err
		}},
	"freebusy_offers": {"DURATION", "how long a proposed time is held",
		func(p *Policy, args []string) (err error) { p.hold, err = oneDuration(args); return err }},
	"accept_mode":    {"none|always|never|if-free|decline-if-busy|automatic|manual", "what is answered at all", readAcceptMode},
	"booking_window": {"[EARLIEST] LATEST", "begins at least EARLIEST and ends at most LATEST from now", readWindow},
	"shortest": {"DURATION", "lasts at least that long",
		func(p *Policy, args []string) error {
			d, err := oneDuration(args)
			return then(err, func() { p.conditions = append(p.conditions, each{shortest(d)}) })
		}},
	"longest": {"DURATION", "lasts at most that long",
		func(p *Policy, args []string) error {
			d, err := oneDuration(args)
			return then(err, func() { p.conditions = append(p.conditions, each{longest(d)}) })
		}},
	"granularity": {"DURATION", "begins at a multiple of it since midnight, and lasts one",
		func(p *Policy, args []string) error {
			d, err := oneDuration(args)
			if err == nil && (d < time.Minute || (24*time.Hour)%d != 0) {
				err = fmt.Errorf("%s is no part of a day", args[0])
			}
			return then(err, func() { p.conditions = append(p.conditions, each{granularity(d)}) })
		}},
	"working_hours": {"DAYS HH:MM-HH:MM [ZONE]", "lies within these hours, such as MO-FR 08:00-18:00; several lines add up",
		func(p *Policy, args []string) error {
			h, err := parseHours(args)
			return then(err, func() { p.hours = append(p.hours, h) })
		}},
	"buffer": {"DURATION [DURATION]", "that much time is free before, and after", readBuffer},
	"within_capacity": {"[N]", "not more people than the room holds, or N",
		func(p *Policy, args []string) error {
			n, err := count(args, 0, 100_000)
			return then(err, func() { p.conditions = append(p.conditions, withinCapacity(n)) })
		}},
	"endless": {"accept|refuse", "whether a series may have no end",
		func(p *Policy, args []string) error {
			no, err := refuses(args)
			if no {
				p.conditions = append(p.conditions, endsSometime{})
			}
			return err
		}},
	"recurring": {"accept|refuse", "whether it may be a series",
		func(p *Policy, args []string) error {
			no, err := refuses(args)
			if no {
				p.conditions = append(p.conditions, single{})
			}
			return err
		}},
	"all_or_nothing": {"", "one occurrence that is refused refuses the whole series",
		func(p *Policy, args []string) error {
			p.whole = true
			return none(args)
		}},
	"conflicts_allowed": {"N%|N", "more refused occurrences than this share, or this number, refuse the whole series",
		func(p *Policy, args []string) error {
			if len(args) == 1 {
				digits, share := strings.CutSuffix(args[0], "%")
				switch n, err := strconv.Atoi(digits); {
				case err != nil || n < 1:
				case share && n <= 100:
					p.share = n
					return nil
				case !share && n <= MaxExceptions:
					p.most = n
					return nil
				}
			}
			return fmt.Errorf("takes a share between 1%% and 100%%, or a number up to %d", MaxExceptions)
		}},
	"organizer_info": {"", "who has the time is told to whom it is refused",
		func(p *Policy, args []string) error {
			p.named = true
			return none(args)
		}},
	"additional_response": {"TEXT", "what every answer says, too",
		func(p *Policy, args []string) error {
			p.response = strings.TrimSpace(p.response + "\n" + strings.Join(args, " "))
			if len(args) == 0 {
				return errors.New("takes a text")
			}
			return nil
		}},
	"check_in": {"DURATION", "a booking is given back to which nobody has checked in that long after its beginning",
		func(p *Policy, args []string) (err error) {
			if p.arrive, err = oneDuration(args); err == nil && p.arrive > 24*time.Hour {
				err = errors.New("takes a day at most")
			}
			return err
		}},
	"delete_attachments":       {"", "the room's copy has no attachments", keep(func(k *keeps) { k.noAttachments = true })},
	"delete_comments":          {"", "the room's copy has no description and no comments", keep(func(k *keeps) { k.noComments = true })},
	"delete_subject":           {"", "the room's copy has no title", keep(func(k *keeps) { k.noSubject = true })},
	"add_organizer_to_subject": {"", "in the room's copy the title begins with the organizer's name", keep(func(k *keeps) { k.organizer = true })},
	"remove_private_property":  {"", "in the room's copy nothing says that it is private", keep(func(k *keeps) { k.public = true })},
	"forget_after": {"DURATION", "how long after its end a booking stays in the calendar",
		func(p *Policy, args []string) (err error) { p.forget, err = oneDuration(args); return err }},
	"private_calendar":      {"NAME", "invitations of CLASS PRIVATE come into this calendar", drawer("PRIVATE")},
	"confidential_calendar": {"NAME", "invitations of CLASS CONFIDENTIAL come into this calendar", drawer("CONFIDENTIAL")},
	"auto_release": {"", "a booking is given back when everybody but the organizer has declined",
		func(p *Policy, args []string) error { return p.put(autoRelease{}, args) }},
}

func (p *Policy) add(name string, args []string) error {
	if w, ok := vocabulary[name]; ok {
		if err := w.read(p, args); err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(name+" "+w.arguments), err)
		}
		return nil
	}
	a, known, err := parseAction(name)
	switch {
	case err != nil:
		return err
	case !known:
		return fmt.Errorf("there is no rule %q", name)
	case len(args) > 0:
		return fmt.Errorf("%s takes no argument, got %q", name, args[0])
	}
	p.actions = append(p.actions, a)
	return nil
}

// put adds a condition that takes no arguments.
func (p *Policy) put(c condition, args []string) error {
	p.conditions = append(p.conditions, c)
	return none(args)
}

// refuses reads accept or refuse.
func refuses(args []string) (bool, error) {
	if len(args) != 1 || args[0] != "accept" && args[0] != "refuse" {
		return false, errors.New("takes accept or refuse")
	}
	return args[0] == "refuse", nil
}

// then does what follows where nothing is wrong.
func then(err error, do func()) error {
	if err == nil {
		do()
	}
	return err
}

func none(args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("takes no argument, got %q", args[0])
	}
	return nil
}

// count reads an optional number of at least 1.
func count(args []string, otherwise, most int) (int, error) {
	switch len(args) {
	case 0:
		return otherwise, nil
	case 1:
		if n, err := strconv.Atoi(args[0]); err == nil && n >= 1 && n <= most {
			return n, nil
		}
	}
	return 0, fmt.Errorf("takes one number up to %d", most)
}

func oneDuration(args []string) (time.Duration, error) {
	if len(args) != 1 {
		return 0, errors.New("takes one duration such as PT30M or P7D")
	}
	return duration(args[0])
}

func duration(s string) (time.Duration, error) {
	d, err := ics.Duration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no duration such as PT30M or P7D", s)
	}
	return d, nil
}

func addresses(args []string) ([]cuaddr.Address, error) {
	as := make([]cuaddr.Address, 0, len(args))
	for _, s := range args {
		a, err := cuaddr.Parse(s)
		if err != nil || a.Mail() == "" {
			return nil, fmt.Errorf("%q is no mail address", s)
		}
		as = append(as, a)
	}
	return as, nil
}
