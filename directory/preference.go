package directory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
)

// Names of preferences.
const (
	// FreeBusySharing says to whom somebody's busy time is told. Unset: to
	// everybody here, to nobody outside (decision 27).
	FreeBusySharing = "freebusy_sharing"
	// FreeBusyBundling adds the busy time of who shares it to what he sends.
	FreeBusyBundling = "freebusy_bundling"
	// FreeBusyPublishing lets everybody read the busy time of who shares it at
	// /freebusy/ADDRESS, without logging in.
	FreeBusyPublishing = "freebusy_publishing"
	// FreeBusyDetails are the people who see what fills somebody's time.
	FreeBusyDetails = "freebusy_details"
	// UnknownOrganizers says whose invitations by mail go straight into the
	// calendar; those of anybody else outside go into quarantine.
	UnknownOrganizers = "unknown_organizers"
	// KnownOrganizers are addresses and domains ("@example.net") from which they
	// always do.
	KnownOrganizers = "known_organizers"
	// FreeBusyToken opens /freebusy/ADDRESS to whoever knows it.
	FreeBusyToken = "freebusy_token"
	// Incoming says how mail with scheduling messages reaches the mailbox: as it
	// came, or with a summary of what it means. The names are imip-agent's.
	Incoming = "incoming"
	// PartyCrashers says what becomes of somebody who answers and is not invited.
	PartyCrashers = "party_crashers"
	// OrganiserReplacement says who may become the organizer of a meeting.
	OrganiserReplacement = "organiser_replacement"
	// AddMethodResponse says what is done with one more instance of a meeting.
	AddMethodResponse = "add_method_response"
	// Participating says whether meetings come into somebody's calendar at all, or
	// by mail only.
	Participating = "participating"
	// FreeBusyMessages says whether mail that only tells of others' busy time comes
	// to the mailbox once it is noted.
	FreeBusyMessages = "freebusy_messages"
	// EventRefreshing says whether who asks how things stand is answered.
	EventRefreshing = "event_refreshing"
	// Members says whether it is told who is in a group: unset to everybody here,
	// who could invite it and see; Hidden to its members alone.
	Members = "members"
	Hidden  = "hidden"
	// Notices says when somebody is told what an agent did as its rules say so
	// (ACT_..._AND_NOTIFY): each time, or once a day of all.
	Notices = "notices"
)

// Daily is the value of Notices for one round-up a day.
const Daily = "daily"

// Values of Incoming.
const (
	MessageOnly         = "message-only"
	SummaryThenMessage  = "summary-then-message"
	MessageThenSummary  = "message-then-summary"
	SummaryOnly         = "summary-only"
	SummaryWrapsMessage = "summary-wraps-message"
)

// choices are the preferences with few values, the default first.
var choices = map[string][]string{
	FreeBusySharing:      {"", "share", "no"},
	FreeBusyBundling:     {"never", "always"},
	FreeBusyPublishing:   {"no", "publish"},
	Incoming:             {MessageOnly, SummaryThenMessage, MessageThenSummary, SummaryOnly, SummaryWrapsMessage},
	PartyCrashers:        {"ask", "add", "refuse"},
	OrganiserReplacement: {"attendee", "any", "never"},
	AddMethodResponse:    {"add", "refresh", "ignore"},
	EventRefreshing:      {"always", "never"},
	Participating:        {"participate", "no"},
	FreeBusyMessages:     {"notify", "none"},
	Notices:              {"at-once", Daily},
	UnknownOrganizers:    {"everyone", "contacts", "own-domain", "allow-list", "quarantine"},
}

// SetPreference stores what a principal chose; "" goes back to the default.
// The error says what can be chosen.
func SetPreference(tx *db.Tx, principal int64, name, value string) error {
	switch values, few := choices[name]; {
	case value == "" || name == FreeBusyToken:
	case few:
		if !slices.Contains(values, value) {
			return fmt.Errorf("%s is one of %s, not %q", name, strings.TrimLeft(strings.Join(values, ", "), ", "), value)
		}
	case name == FreeBusyDetails:
		for w := range strings.FieldsSeq(value) {
			if a, err := cuaddr.Parse(w); err != nil || a.Mail() == "" {
				return fmt.Errorf("%s: %w: %q", name, ErrAddress, w)
			}
		}
	case name == KnownOrganizers:
		for w := range strings.FieldsSeq(value) {
			if a, err := cuaddr.Parse("x" + w); !strings.HasPrefix(w, "@") || err != nil || a.Domain() == "" {
				if a, err := cuaddr.Parse(w); err != nil || a.Mail() == "" {
					return fmt.Errorf("%s: %w, nor a domain as @example.net: %q", name, ErrAddress, w)
				}
			}
		}
	default:
		return fmt.Errorf("there is no preference %q", name)
	}
	return tx.SetPreference(principal, name, value)
}
