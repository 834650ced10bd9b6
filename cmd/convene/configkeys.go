package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
)

// configKey is one line of the configuration's vocabulary.
type configKey struct {
	name string // dotted, as in an error
	set  func(c *Config, value any) error
}

// configKeys is every key there is; what is not here is refused.
var configKeys = []configKey{
	{"domains", domainsInto(func(c *Config) *[]string { return &c.Domains })},
	{"domains_complete", domainsInto(func(c *Config) *[]string { return &c.DomainsComplete })},
	{"http.listen", stringInto(func(c *Config) *string { return &c.HTTP.Listen }, checkAddr)},
	{"http.public_url", stringInto(func(c *Config) *string { return &c.HTTP.PublicURL }, checkPublicURL)},
	{"http.max_resource", func(c *Config, v any) error {
		n, ok := v.(int64)
		if !ok || n < 1<<10 || n > 1<<30 {
			return fmt.Errorf("%s is no number of octets between 1024 and 1073741824", show(v))
		}
		c.HTTP.MaxResource = n
		return nil
	}},
	{"http.quota", func(c *Config, v any) error {
		n, ok := v.(int64)
		if !ok || n < 0 {
			return fmt.Errorf("%s is no number of octets; 0 is no limit", show(v))
		}
		c.HTTP.Quota = n
		return nil
	}},
	{"http.timezone_service", stringInto(func(c *Config) *string { return &c.HTTP.TimezoneService }, optional(checkServiceURL))},
	{"store.dsn", stringInto(func(c *Config) *string { return &c.Store.DSN }, checkDSN)},
	{"lmtp.listen", stringInto(func(c *Config) *string { return &c.LMTP.Listen }, optional(checkAddr))},
	{"lmtp.deliver_to", stringInto(func(c *Config) *string { return &c.LMTP.DeliverTo }, optional(checkAddr))},
	{"lmtp.observe", stringInto(func(c *Config) *string { return &c.LMTP.Observe }, optional(checkAddr))},
	{"milter.listen", stringInto(func(c *Config) *string { return &c.Milter.Listen }, optional(checkAddr))},
	{"smtp.relay", stringInto(func(c *Config) *string { return &c.SMTP.Relay }, checkAddr)},
	{"smtp.from", stringInto(func(c *Config) *string { return &c.SMTP.From }, checkMail)},
	{"smtp.coalesce", func(c *Config, v any) error {
		s, _ := v.(string)
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 || d > time.Hour {
			return fmt.Errorf(`%s is no time from "0s" to "1h"; write it as "10s"`, show(v))
		}
		c.SMTP.Coalesce = d
		return nil
	}},
	{"smtp.username", stringInto(func(c *Config) *string { return &c.SMTP.Username }, anyText)},
	{"smtp.password", stringInto(func(c *Config) *string { return &c.SMTP.Password }, anyText)},
	{"smtp.tls", stringInto(func(c *Config) *string { return &c.SMTP.TLS }, optional(oneOf("required")))},
	{"smtp.per_domain", countInto(func(c *Config) *int { return &c.SMTP.PerDomain }, 1000)},
	{"smtp.hourly_per_event", hourlyInto(func(c *Config) *int { return &c.SMTP.PerEvent })},
	{"smtp.hourly_per_user", hourlyInto(func(c *Config) *int { return &c.SMTP.PerUser })},
	{"mail.catalogues", stringInto(func(c *Config) *string { return &c.Mail.Catalogues }, optional(checkFolder))},
	{"mail.templates", stringInto(func(c *Config) *string { return &c.Mail.Templates }, optional(checkFolder))},
	{"mail.incoming", stringInto(func(c *Config) *string { return &c.Mail.Incoming }, oneOf(directory.MessageOnly, directory.SummaryThenMessage, directory.MessageThenSummary, directory.SummaryOnly, directory.SummaryWrapsMessage))},
	{"scheduling.max_attendees", countInto(func(c *Config) *int { return &c.Scheduling.MaxAttendees }, 5000)},
	{"scheduling.past_grace", spanInto(func(c *Config) *time.Duration { return &c.Scheduling.PastGrace })},
	{"scheduling.inbox_keep", spanInto(func(c *Config) *time.Duration { return &c.Scheduling.InboxKeep })},
	{"scheduling.tell_others", countInto(func(c *Config) *int { return &c.Scheduling.TellOthers }, 1_000_000)},
	{"scheduling.local_strict", boolInto(func(c *Config) *bool { return &c.Scheduling.LocalStrict })},
	{"scheduling.public_x", listInto(func(c *Config) *[]string { return &c.Scheduling.PublicX }, propertyX)},
	{"scheduling.shared_x", listInto(func(c *Config) *[]string { return &c.Scheduling.SharedX }, propertyX)},
	{"people.party_crashers", stringInto(func(c *Config) *string { return &c.People.PartyCrashers }, oneOf("ask", "add", "refuse"))},
	{"people.organiser_replacement", stringInto(func(c *Config) *string { return &c.People.OrganiserReplacement }, oneOf("attendee", "any", "never"))},
	{"people.add_method_response", stringInto(func(c *Config) *string { return &c.People.AddMethodResponse }, oneOf("add", "refresh", "ignore"))},
	{"people.event_refreshing", stringInto(func(c *Config) *string { return &c.People.EventRefreshing }, oneOf("always", "never"))},
	{"people.participating", stringInto(func(c *Config) *string { return &c.People.Participating }, oneOf("participate", "no"))},
	{"people.notices", stringInto(func(c *Config) *string { return &c.People.Notices }, oneOf("at-once", directory.Daily))},
	{"people.freebusy_messages", stringInto(func(c *Config) *string { return &c.People.FreeBusyMessages }, oneOf("notify", "none"))},
	{"people.freebusy_sharing", stringInto(func(c *Config) *string { return &c.People.FreeBusySharing }, oneOf("share", "no"))},
	{"people.freebusy_bundling", stringInto(func(c *Config) *string { return &c.People.FreeBusyBundling }, oneOf("never", "always"))},
	{"people.freebusy_publishing", stringInto(func(c *Config) *string { return &c.People.FreeBusyPublishing }, oneOf("no", "publish"))},
	{"people.policy", listInto(func(c *Config) *[]string { return &c.People.Policy }, peoplePolicy)},
	{"rooms.administrator", stringInto(func(c *Config) *string { return &c.Rooms.Administrator }, checkMail)},
	{"rooms.policy", listInto(func(c *Config) *[]string { return &c.Rooms.Policy }, sitePolicy)},
	{"rooms.programs", listInto(func(c *Config) *[]string { return &c.Rooms.Programs }, checkProgram)},
	{"freebusy.fetch", boolInto(func(c *Config) *bool { return &c.FreeBusy.Fetch })},
	{"freebusy.max_attendees", countInto(func(c *Config) *int { return &c.FreeBusy.MaxAttendees }, 5000)},
	{"freebusy.fetch_networks", listInto(func(c *Config) *[]string { return &c.FreeBusy.FetchNetworks }, func(s string) (string, error) {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return "", errors.New("is no network; write it as 10.1.0.0/16")
		}
		return p.Masked().String(), nil
	})},
	{"trust.authserv_ids", listInto(func(c *Config) *[]string { return &c.Trust.AuthservIDs }, func(s string) (string, error) {
		if s == "" || strings.ContainsAny(s, " \t;") {
			return "", errors.New("is no authserv-id; it is the first word of your own mail server's Authentication-Results header")
		}
		return s, nil
	})},
	{"trust.unverified", stringInto(func(c *Config) *string { return &c.Trust.Unverified }, oneOf("all", "reply", "none"))},
	{"trust.verify_dkim", boolInto(func(c *Config) *bool { return &c.Trust.VerifyDKIM })},
	{"log.level", stringInto(func(c *Config) *string { return &c.Log.Level }, oneOf("debug", "info", "warn", "error"))},
}

func show(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}

func boolInto(field func(*Config) *bool) func(*Config, any) error {
	return func(c *Config, v any) error {
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("%s is neither true nor false", show(v))
		}
		*field(c) = b
		return nil
	}
}

func countInto(field func(*Config) *int, most int64) func(*Config, any) error {
	return func(c *Config, v any) error {
		n, ok := v.(int64)
		if !ok || n < 1 || n > most {
			return fmt.Errorf("%s is no number from 1 to %d", show(v), most)
		}
		*field(c) = int(n)
		return nil
	}
}

func stringInto(field func(*Config) *string, check func(string) (string, error)) func(*Config, any) error {
	return func(c *Config, v any) error {
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("%s is no text; put it in quotes", show(v))
		}
		s, err := check(strings.TrimSpace(s))
		if err != nil {
			return fmt.Errorf("%s %w", show(v), err)
		}
		*field(c) = s
		return nil
	}
}

func listInto(field func(*Config) *[]string, check func(string) (string, error)) func(*Config, any) error {
	return func(c *Config, v any) error {
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf(`%s is no list; write ["one", "two"]`, show(v))
		}
		for _, e := range list {
			s, ok := e.(string)
			if !ok {
				return fmt.Errorf("%s is no text; put it in quotes", show(e))
			}
			s, err := check(strings.TrimSpace(s))
			if err != nil {
				return fmt.Errorf("%s %w", show(e), err)
			}
			*field(c) = append(*field(c), s)
		}
		return nil
	}
}

func domainsInto(field func(*Config) *[]string) func(*Config, any) error {
	return listInto(field, func(s string) (string, error) {
		d := cuaddr.Mailto("x@" + s).Domain()
		if d == "" || strings.Contains(s, "@") {
			return "", errors.New("is no mail domain; write the part after the @")
		}
		return d, nil
	})
}

// spanInto sets a stretch of time.
func spanInto(at func(*Config) *time.Duration) func(*Config, any) error {
	return func(c *Config, v any) error {
		s, _ := v.(string)
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 || d > 1e6*time.Hour {
			return fmt.Errorf(`%s is no time above "0s" and up to "1000000h"; write it as "720h"`, show(v))
		}
		*at(c) = d
		return nil
	}
}

func hourlyInto(field func(*Config) *int) func(*Config, any) error {
	return func(c *Config, v any) error {
		n, ok := v.(int64)
		if !ok || n < 0 || n > 1e9 {
			return fmt.Errorf("%s is no number of mails; 0 is no bound", show(v))
		}
		*field(c) = int(n)
		return nil
	}
}

func optional(check func(string) (string, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		if s == "" {
			return "", nil
		}
		return check(s)
	}
}

func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", fmt.Errorf("is none of %s", strings.Join(words, ", "))
		}
		return s, nil
	}
}

func anyText(s string) (string, error) { return s, nil }

// propertyX checks the name of a private property (RFC 5545 §3.8.8.2).
func propertyX(s string) (string, error) {
	s = strings.ToUpper(s)
	switch {
	case !strings.HasPrefix(s, "X-") || len(s) < 3 || len(s) > 100 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "":
		return "", errors.New(`is no name of a private property, such as "X-TEAM-ROOM"`)
	case strings.HasPrefix(s, "X-CONVENE-"):
		return "", errors.New("is what Convene keeps for itself")
	}
	return s, nil
}

// checkFolder takes a folder that is there.
func checkFolder(s string) (string, error) {
	if fi, err := os.Stat(s); err != nil || !fi.IsDir() {
		return "", errors.New("is no folder that can be read")
	}
	return s, nil
}

// checkAddr takes "host:port" and "unix:/absolute/path".
func checkAddr(s string) (string, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return "", errors.New("is no socket; write unix: and an absolute path")
		}
		return s, nil
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", errors.New(`is no address; write host and port as "127.0.0.1:25", or a socket as "unix:/run/..."`)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return "", fmt.Errorf("is no address: %q is no port number", port)
	}
	return s, nil
}

func checkPublicURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("is no address of a web server; write it as https://cal.example.org")
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", errors.New("must not have anything after the host: Convene answers at the root of its own host name")
	}
	return strings.TrimRight(s, "/"), nil
}

func checkServiceURL(s string) (string, error) {
	if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("is no address of a service; write it as https://zones.example.org/tz")
	}
	return s, nil
}

func checkDSN(s string) (string, error) {
	if path, ok := strings.CutPrefix(s, "sqlite:"); ok && path != "" {
		return s, nil
	}
	if strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://") {
		if _, err := url.Parse(s); err == nil {
			return s, nil
		}
	}
	return "", errors.New("names no database; write sqlite:/path/convene.db or postgres://user@host/database")
}

func checkMail(s string) (string, error) {
	m := cuaddr.Mailto(s).Mail()
	if m == "" {
		return "", errors.New("is no mail address")
	}
	return m, nil
}
