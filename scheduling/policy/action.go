package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/convene-server/convene/directory/cuaddr"
)

// verb is what an action does with an invitation.
type verb uint8

const (
	nothing          verb = iota // it is about other messages
	manual                       // somebody decides
	leave                        // nobody answers
	accept                       // whatever else there is
	tentative                    //
	reject                       //
	acceptIfFree                 // leaves conflicts to the next action
	tentativeIfFree              //
	rejectIfConflict             // leaves free occurrences to the next action
)

// action is one of Wallace's: resource policies and invitationpolicy.
type action struct {
	verb
	events, tasks bool
	notify        bool // tell the owner, or the person himself
	update        bool // about answers and changes
	forget        bool // a copy that was called off goes away
	sender        string
}

func (a action) answers() bool { return a.verb != nothing }

type actionForm struct {
	action
	tasksToo bool
}

var actions = map[string]actionForm{
	"MANUAL":                   {action{verb: manual}, true},
	"ACCEPT":                   {action{verb: accept}, true},
	"ACCEPT_AND_NOTIFY":        {action{verb: accept, notify: true}, true},
	"TENTATIVE":                {action{verb: tentative}, false},
	"REJECT":                   {action{verb: reject}, true},
	"ACCEPT_IF_NO_CONFLICT":    {action{verb: acceptIfFree}, false},
	"TENTATIVE_IF_NO_CONFLICT": {action{verb: tentativeIfFree}, false},
	"REJECT_IF_CONFLICT":       {action{verb: rejectIfConflict}, false},
	"STORE_AND_NOTIFY":         {action{verb: leave, notify: true}, true},
	"SAVE_TO_FOLDER":           {action{verb: leave}, true},
	"SAVE_TO_CALENDAR":         {action{verb: leave}, true},
	"SAVE_AND_FORWARD":         {action{verb: leave, notify: true}, true},
	"UPDATE":                   {action{update: true}, true},
	"UPDATE_AND_NOTIFY":        {action{update: true, notify: true}, true},
	"CANCEL_DELETE":            {action{forget: true}, true},
	"CANCEL_DELETE_AND_NOTIFY": {action{forget: true, notify: true}, true},
}

// parseAction reads PREFIX_NAME[:SENDER]; known is false where it is none.
func parseAction(word string) (a action, known bool, err error) {
	word, sender, whose := strings.Cut(word, ":")
	prefix, name, _ := strings.Cut(word, "_")
	f, ok := actions[name]
	switch {
	case prefix != "ACT" && prefix != "ALL" && prefix != "EVENT" && prefix != "TASK":
		return a, false, nil
	case name == "DELEGATE" || name == "DELEGATE_IF_CONFLICT":
		return a, true, fmt.Errorf("%s: say to whom, by schedule_for_delegate ADDRESS", word)
	case !ok:
		return a, false, nil
	case whose && sender == "":
		return a, true, fmt.Errorf("%s: says no domain or address behind the colon", word)
	case prefix == "TASK" && !f.tasksToo:
		return a, true, fmt.Errorf("%s: there is no %s for tasks", word, name)
	}
	a = f.action
	a.events = prefix != "TASK"
	a.tasks = prefix != "EVENT" && f.tasksToo
	a.sender = strings.ToLower(strings.TrimPrefix(sender, "*"))
	return a, true, nil
}

func (a action) about(kind string, sender cuaddr.Address, means func(named, who cuaddr.Address) bool) bool {
	if kind == "VTODO" && !a.tasks || kind != "VTODO" && !a.events {
		return false
	}
	switch {
	case a.sender == "":
		return true
	case strings.Contains(a.sender, "@"):
		return is(means, cuaddr.Mailto(a.sender), sender)
	}
	return within(sender.Domain(), strings.TrimPrefix(a.sender, "."))
}

var modes = map[string]Policy{
	"none":            {actions: []action{{verb: leave, events: true, tasks: true}}, looks: true},
	"always":          {actions: []action{{verb: accept, events: true, tasks: true}}, looks: true},
	"never":           {actions: []action{{verb: reject, events: true, tasks: true}}, looks: true},
	"if-free":         {actions: []action{{verb: acceptIfFree, events: true}, {verb: leave, events: true, tasks: true}}, looks: true},
	"decline-if-busy": {actions: []action{{verb: rejectIfConflict, events: true}, {verb: leave, events: true, tasks: true}}, looks: true},
	"automatic":       {conditions: []condition{inFreeBusy{limit: 1}}, looks: true},
	"manual":          {actions: []action{{verb: manual, events: true, tasks: true}}},
}

func readAcceptMode(p *Policy, args []string) error {
	if len(args) != 1 {
		return errors.New("takes one mode")
	}
	m, ok := modes[strings.ReplaceAll(strings.ToLower(args[0]), "_", "-")]
	if !ok {
		return fmt.Errorf("there is no mode %q", args[0])
	}
	p.actions = append(p.actions, m.actions...)
	p.conditions = append(p.conditions, m.conditions...)
	p.looks = p.looks || m.looks
	return nil
}

// Handling is what the rules say of a message that asks for no answer.
type Handling struct {
	Notify bool // he is told
	Forget bool // the copy of what was called off goes away
}

// Answered tells what becomes of an answer that came.
func (p Policy) Answered(kind string, sender cuaddr.Address, means func(named, who cuaddr.Address) bool) Handling {
	for _, a := range p.actions {
		if a.update && a.about(kind, sender, means) {
			return Handling{Notify: a.notify}
		}
	}
	return Handling{}
}

// CalledOff tells what becomes of a copy whose organizer cancelled it.
func (p Policy) CalledOff(kind string, sender cuaddr.Address, means func(named, who cuaddr.Address) bool) Handling {
	for _, a := range p.actions {
		if (a.forget || a.update) && a.about(kind, sender, means) {
			return Handling{Notify: a.notify, Forget: a.forget}
		}
	}
	return Handling{}
}

// act answers what no condition refused.
func (in *inquiry) act() {
	for _, o := range in.asked {
		if o.beyond.Text != "" && o.answer == "" && !o.left {
			in.set(o, tentatively, Reason{Text: "waits for a decision", For: &o.beyond})
			in.ask = true
		}
	}
	if len(in.policy.actions) == 0 {
		for _, o := range in.asked {
			in.set(o, accepted, Reason{Text: "free at that time"})
		}
		return
	}
	kind := in.After.Kind()
	for _, o := range in.asked {
		rest := declined
		why := Reason{Text: "refused by its rules"}
		for _, a := range in.policy.actions {
			if o.answer != "" || o.left {
				break
			}
			if !a.answers() || !a.about(kind, in.Organizer, in.Named) {
				continue
			}
			in.apply(o, a)
			if a.verb == rejectIfConflict { // what refuses conflicts alone refuses nothing else
				rest, why = accepted, Reason{Text: "free at that time"}
			}
		}
		if in.Unattended {
			in.set(o, rest, why)
		}
	}
}

func (in *inquiry) apply(o *occasion, a action) {
	switch a.verb {
	case manual:
		if o.left = !in.Unattended; !o.left {
			in.set(o, tentatively, Reason{Text: "waits for a decision"})
			in.ask = true
		}
	case leave:
		o.left = true
	case accept:
		in.set(o, accepted, Reason{Text: "accepted by its rules"})
	case tentative:
		in.set(o, tentatively, Reason{Text: "accepted by its rules, not for certain"})
	case reject:
		in.set(o, declined, Reason{Text: "refused by its rules"})
	case acceptIfFree:
		if !o.clash {
			in.set(o, accepted, Reason{Text: "free at that time"})
		}
	case tentativeIfFree:
		if !o.clash {
			in.set(o, tentatively, Reason{Text: "free at that time"})
		}
	case rejectIfConflict:
		if o.clash {
			in.set(o, declined, busyThen)
		}
	}
	if a.notify && (o.answer != "" || o.left) {
		in.tell = true
	}
}
