package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
)

// Config is a whole configuration, defaults filled in. Keys, types, defaults
// and what each is for stand in configKeys.
type Config struct {
	File string // where it was read; "" for one made in memory

	Domains         []string
	DomainsComplete []string

	HTTP struct {
		Listen      string // host:port, or unix:/path
		PublicURL   string // without a slash at the end
		MaxResource int64  // octets of one object
		Quota       int64  // octets that one person may keep; 0: no limit
		// TimezoneService is the URL of a time zone service (RFC 7808); "" is none.
		TimezoneService string
	}
	Store struct {
		DSN string
	}
	LMTP struct {
		Listen    string
		DeliverTo string
		Observe   string
	}
	Milter struct {
		Listen string // "" is none
	}
	SMTP struct {
		Relay    string
		From     string
		Coalesce time.Duration

		Username, Password string // at the relay
		TLS                string // "" or required
		PerDomain          int    // mails on their way to one domain at once
		PerEvent, PerUser  int    // mails within an hour about one meeting, of one person; 0: no bound
	}
	Mail struct {
		Catalogues string // folder of translations
		Templates  string // folder of templates
		Incoming   string // how mail comes to mailboxes whose owners did not choose
	}
	Scheduling struct {
		PastGrace    time.Duration
		MaxAttendees int           // of one component
		InboxKeep    time.Duration // how long messages lie in inboxes that nobody empties
		TellOthers   int
		// LocalStrict: between people here the server alone schedules.
		LocalStrict bool
		PublicX     []string // X- properties that organizers tell, upper case
		SharedX     []string // and that attendees may set for everybody
	}
	People struct { // what somebody prefers who did not choose; "": as anywhere
		PartyCrashers, OrganiserReplacement, AddMethodResponse, EventRefreshing string
		Participating, FreeBusyMessages, Notices                                string
		FreeBusySharing, FreeBusyBundling, FreeBusyPublishing                   string
		Policy                                                                  []string // rules by which people answer who have none
	}
	Rooms struct {
		Policy        []string // rules of rooms and resources that have none
		Programs      []string // "NAME /path argument ...", that rules may ask
		Administrator string   // who is told of rules that cannot be read
	}
	Trust struct {
		AuthservIDs []string
		Unverified  string // all, reply, none
		VerifyDKIM  bool
	}
	FreeBusy struct {
		Fetch         bool     // what people outside publish
		FetchNetworks []string // that are not public and yet fetched from
		MaxAttendees  int      // about whom one question is answered
	}
	Log struct {
		Level string
	}
}

// complete fills in the defaults and checks what concerns several keys. given
// are the keys that the file has, line tells where.
func (c *Config) complete(given map[string]bool, line func(string) int) (mistakes []*configError) {
	wrong := func(key, format string, args ...any) {
		n := 0
		if given[key] {
			n = line(key)
		}
		mistakes = append(mistakes, &configError{c.File, n, key, fmt.Sprintf(format, args...)})
	}
	if len(c.Domains) == 0 {
		wrong("domains", `missing: name the mail domains in whose names Convene may send, as domains = ["example.org"]`)
		return mistakes
	}
	c.defaults(given)
	for _, d := range c.DomainsComplete {
		if !slices.Contains(c.Domains, d) {
			wrong("domains_complete", "%q is not in domains: add it there or take it out here", d)
		}
	}
	if c.HTTP.PublicURL == "" {
		wrong("http.public_url", "missing: calendar programs and the links in mails need the address from outside, as https://cal.example.org")
	}
	if !slices.Contains(c.Domains, cuaddr.Mailto(c.SMTP.From).Domain()) {
		wrong("smtp.from", "%s is in none of the domains %s: mail from it could not be answered", c.SMTP.From, strings.Join(c.Domains, ", "))
	}
	for i, name := range c.programNames() {
		if slices.Index(c.programNames(), name) < i {
			wrong("rooms.programs", "%s is there twice", name)
		}
	}
	if err := c.knowsPrograms(strings.Join(c.Rooms.Policy, "\n")); err != nil {
		wrong("rooms.policy", "%v", err)
	}
	if (c.SMTP.Username == "") != (c.SMTP.Password == "") {
		wrong("smtp.username", "username and password belong together: give both or neither")
	}
	listens := map[string]string{}
	for _, l := range []struct{ key, addr string }{{"http.listen", c.HTTP.Listen}, {"lmtp.listen", c.LMTP.Listen}, {"lmtp.observe", c.LMTP.Observe}, {"milter.listen", c.Milter.Listen}} {
		if l.addr == "" || strings.HasSuffix(l.addr, ":0") {
			continue
		}
		if other, taken := listens[l.addr]; taken {
			wrong(l.key, "%s is the address of %s already", l.addr, other)
		}
		listens[l.addr] = l.key
	}
	return mistakes
}

// defaults fills in what the file does not have. There is a domain.
func (c *Config) defaults(given map[string]bool) {
	unless(given["http.listen"], &c.HTTP.Listen, "127.0.0.1:8008")
	if !strings.HasPrefix(c.HTTP.Listen, "unix:") {
		unless(given["http.public_url"], &c.HTTP.PublicURL, "http://"+c.HTTP.Listen)
	}
	unless(given["http.max_resource"], &c.HTTP.MaxResource, 10<<20)
	unless(given["store.dsn"], &c.Store.DSN, "sqlite:/var/lib/convene/convene.db")
	unless(given["lmtp.listen"], &c.LMTP.Listen, "127.0.0.1:2424")
	unless(given["smtp.relay"], &c.SMTP.Relay, "127.0.0.1:25")
	unless(given["smtp.from"], &c.SMTP.From, "calendar@"+c.Domains[0])
	unless(given["smtp.coalesce"], &c.SMTP.Coalesce, 10*time.Second)
	unless(given["smtp.per_domain"], &c.SMTP.PerDomain, 8)
	unless(given["smtp.hourly_per_event"], &c.SMTP.PerEvent, 5000)
	unless(given["smtp.hourly_per_user"], &c.SMTP.PerUser, 10_000)
	unless(given["mail.incoming"], &c.Mail.Incoming, directory.MessageOnly)
	unless(given["scheduling.max_attendees"], &c.Scheduling.MaxAttendees, 5000)
	unless(given["scheduling.past_grace"], &c.Scheduling.PastGrace, 7*24*time.Hour) // decision 18
	unless(given["scheduling.inbox_keep"], &c.Scheduling.InboxKeep, keep.Inbox)
	unless(given["scheduling.tell_others"], &c.Scheduling.TellOthers, 250)
	unverified := "none" // decision 10
	if len(c.Trust.AuthservIDs) == 0 {
		unverified = "all"
	}
	unless(given["trust.unverified"], &c.Trust.Unverified, unverified)
	unless(given["trust.verify_dkim"], &c.Trust.VerifyDKIM, true)
	unless(given["freebusy.max_attendees"], &c.FreeBusy.MaxAttendees, 500)
	unless(given["freebusy.fetch"], &c.FreeBusy.Fetch, true)
	unless(given["log.level"], &c.Log.Level, "info")
}

func unless[T any](given bool, to *T, value T) {
	if !given {
		*to = value
	}
}
