package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
)

// defaultFiles is where the configuration is looked for without --config.
var defaultFiles = []string{"convene.toml", "/etc/convene/convene.toml"}

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
		PastGrace  time.Duration
		InboxKeep  time.Duration // how long messages lie in inboxes that nobody empties
		TellOthers int
		// LocalStrict: between people here the server alone schedules.
		LocalStrict bool
		PublicX     []string // X- properties that organizers tell, upper case
		SharedX     []string // and that attendees may set for everybody
	}
	People struct { // what somebody prefers who did not choose; "": as anywhere
		PartyCrashers, OrganiserReplacement, AddMethodResponse, EventRefreshing string
		Participating, FreeBusyMessages                                         string
		FreeBusySharing, FreeBusyBundling, FreeBusyPublishing                   string
		Policy                                                                  []string // rules by which people answer who have none
	}
	Rooms struct {
		Policy        []string // rules of rooms and resources that have none
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
	{"smtp.per_domain", func(c *Config, v any) error {
		n, ok := v.(int64)
		if !ok || n < 1 || n > 1000 {
			return fmt.Errorf("%s is no number from 1 to 1000", show(v))
		}
		c.SMTP.PerDomain = int(n)
		return nil
	}},
	{"smtp.hourly_per_event", hourlyInto(func(c *Config) *int { return &c.SMTP.PerEvent })},
	{"smtp.hourly_per_user", hourlyInto(func(c *Config) *int { return &c.SMTP.PerUser })},
	{"mail.catalogues", stringInto(func(c *Config) *string { return &c.Mail.Catalogues }, optional(checkFolder))},
	{"mail.templates", stringInto(func(c *Config) *string { return &c.Mail.Templates }, optional(checkFolder))},
	{"mail.incoming", stringInto(func(c *Config) *string { return &c.Mail.Incoming }, oneOf(directory.MessageOnly, directory.SummaryThenMessage, directory.MessageThenSummary, directory.SummaryOnly, directory.SummaryWrapsMessage))},
	{"scheduling.past_grace", spanInto(func(c *Config) *time.Duration { return &c.Scheduling.PastGrace })},
	{"scheduling.inbox_keep", spanInto(func(c *Config) *time.Duration { return &c.Scheduling.InboxKeep })},
	{"scheduling.tell_others", func(c *Config, v any) error {
		n, ok := v.(int64)
		if !ok || n < 1 || n > 1e6 {
			return fmt.Errorf("%s is no number from 1 to 1000000", show(v))
		}
		c.Scheduling.TellOthers = int(n)
		return nil
	}},
	{"scheduling.local_strict", func(c *Config, v any) error {
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("%s is neither true nor false", show(v))
		}
		c.Scheduling.LocalStrict = b
		return nil
	}},
	{"scheduling.public_x", listInto(func(c *Config) *[]string { return &c.Scheduling.PublicX }, propertyX)},
	{"scheduling.shared_x", listInto(func(c *Config) *[]string { return &c.Scheduling.SharedX }, propertyX)},
	{"people.party_crashers", stringInto(func(c *Config) *string { return &c.People.PartyCrashers }, oneOf("ask", "add", "refuse"))},
	{"people.organiser_replacement", stringInto(func(c *Config) *string { return &c.People.OrganiserReplacement }, oneOf("attendee", "any", "never"))},
	{"people.add_method_response", stringInto(func(c *Config) *string { return &c.People.AddMethodResponse }, oneOf("add", "refresh", "ignore"))},
	{"people.event_refreshing", stringInto(func(c *Config) *string { return &c.People.EventRefreshing }, oneOf("always", "never"))},
	{"people.participating", stringInto(func(c *Config) *string { return &c.People.Participating }, oneOf("participate", "no"))},
	{"people.freebusy_messages", stringInto(func(c *Config) *string { return &c.People.FreeBusyMessages }, oneOf("notify", "none"))},
	{"people.freebusy_sharing", stringInto(func(c *Config) *string { return &c.People.FreeBusySharing }, oneOf("share", "no"))},
	{"people.freebusy_bundling", stringInto(func(c *Config) *string { return &c.People.FreeBusyBundling }, oneOf("never", "always"))},
	{"people.freebusy_publishing", stringInto(func(c *Config) *string { return &c.People.FreeBusyPublishing }, oneOf("no", "publish"))},
	{"people.policy", listInto(func(c *Config) *[]string { return &c.People.Policy }, sitePolicy)},
	{"rooms.administrator", stringInto(func(c *Config) *string { return &c.Rooms.Administrator }, checkMail)},
	{"rooms.policy", listInto(func(c *Config) *[]string { return &c.Rooms.Policy }, sitePolicy)},
	{"freebusy.fetch", func(c *Config, v any) error {
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("%s is neither true nor false", show(v))
		}
		c.FreeBusy.Fetch = b
		return nil
	}},
	{"freebusy.max_attendees", func(c *Config, v any) error {
		n, ok := v.(int64)
		if !ok || n < 1 || n > 5000 {
			return fmt.Errorf("%s is no number from 1 to 5000", show(v))
		}
		c.FreeBusy.MaxAttendees = int(n)
		return nil
	}},
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
	{"trust.verify_dkim", func(c *Config, v any) error {
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("%s is neither true nor false", show(v))
		}
		c.Trust.VerifyDKIM = b
		return nil
	}},
	{"log.level", stringInto(func(c *Config) *string { return &c.Log.Level }, oneOf("debug", "info", "warn", "error"))},
}

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

// configError is a mistake in a configuration file. Its text names the file,
// the line and the key, and says what to do.
type configError struct {
	File string
	Line int    // 0: the file as a whole
	Key  string // dotted; "" for a syntax error
	What string
}

func (e *configError) Error() string {
	s := e.File
	if e.Line > 0 {
		s += ":" + strconv.Itoa(e.Line)
	}
	if e.Key != "" {
		s += ": " + e.Key
	}
	return s + ": " + e.What
}

// loadConfig reads the file, or the first of defaultFiles that there is. All
// mistakes of a file are returned together.
func loadConfig(file string) (Config, error) {
	files := defaultFiles
	if file != "" {
		files = []string{file}
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) && file == "" {
			continue
		}
		if err != nil {
			return Config{}, fmt.Errorf("configuration: %w", err)
		}
		return parseConfig(f, string(data))
	}
	return Config{}, fmt.Errorf("no configuration: there is neither ./%s nor %s; write one of them (deploy/convene.toml is an example) or name yours with --config FILE", files[0], files[1])
}

// parseConfig reads the text of a configuration; file is its name in errors.
func parseConfig(file, text string) (Config, error) {
	var root map[string]any
	if _, err := toml.Decode(text, &root); err != nil {
		if pe, ok := errors.AsType[toml.ParseError](err); ok {
			// Position.Line is that of the next line where a line ends too early, and
			// LastKey may stand on an earlier one.
			before := text[:min(pe.Position.Start, len(text))]
			written, _, _ := strings.Cut(text[strings.LastIndex(before, "\n")+1:], "\n")
			if !strings.Contains(written, pe.LastKey[strings.LastIndex(pe.LastKey, ".")+1:]) {
				pe.LastKey = ""
			}
			return Config{}, &configError{file, 1 + strings.Count(before, "\n"), pe.LastKey, "not TOML: " + pe.Message}
		}
		return Config{}, &configError{file, 0, "", err.Error()}
	}
	c := Config{File: file}
	var mistakes []*configError
	given := map[string]bool{}
	walkTOML(root, nil, func(path []string, v any) {
		name := strings.Join(path, ".")
		given[name] = true
		i := slices.IndexFunc(configKeys, func(k configKey) bool { return k.name == name })
		if i < 0 {
			mistakes = append(mistakes, &configError{file, lineOf(text, path), name, unknownKey(name)})
			return
		}
		if err := configKeys[i].set(&c, v); err != nil {
			mistakes = append(mistakes, &configError{file, lineOf(text, path), name, err.Error()})
		}
	})
	// What only several keys together tell is looked at once each is right by
	// itself.
	if len(mistakes) == 0 {
		mistakes = c.complete(given, func(name string) int { return lineOf(text, strings.Split(name, ".")) })
	}
	if len(mistakes) > 0 {
		slices.SortStableFunc(mistakes, func(a, b *configError) int { return cmp.Compare(a.Line, b.Line) })
		var all []error
		for _, m := range mistakes {
			all = append(all, m)
		}
		return Config{}, errors.Join(all...)
	}
	return c, nil
}

// complete fills in the defaults and checks what concerns several keys.
func (c *Config) complete(given map[string]bool, line func(string) int) (mistakes []*configError) {
	wrong := func(key, format string, args ...any) {
		n := 0
		if given[key] {
			n = line(key)
		}
		mistakes = append(mistakes, &configError{c.File, n, key, fmt.Sprintf(format, args...)})
	}
	def := func(key string, to *string, value string) {
		if !given[key] {
			*to = value
		}
	}
	if len(c.Domains) == 0 {
		wrong("domains", `missing: name the mail domains in whose names Convene may send, as domains = ["example.org"]`)
		return mistakes
	}
	for _, d := range c.DomainsComplete {
		if !slices.Contains(c.Domains, d) {
			wrong("domains_complete", "%q is not in domains: add it there or take it out here", d)
		}
	}
	def("http.listen", &c.HTTP.Listen, "127.0.0.1:8008")
	if c.HTTP.PublicURL == "" && !strings.HasPrefix(c.HTTP.Listen, "unix:") {
		c.HTTP.PublicURL = "http://" + c.HTTP.Listen
	}
	if c.HTTP.PublicURL == "" {
		wrong("http.public_url", "missing: calendar programs and the links in mails need the address from outside, as https://cal.example.org")
	}
	if c.HTTP.MaxResource == 0 {
		c.HTTP.MaxResource = 10 << 20
	}
	def("store.dsn", &c.Store.DSN, "sqlite:/var/lib/convene/convene.db")
	def("lmtp.listen", &c.LMTP.Listen, "127.0.0.1:2424")
	def("smtp.relay", &c.SMTP.Relay, "127.0.0.1:25")
	def("smtp.from", &c.SMTP.From, "calendar@"+c.Domains[0])
	if !slices.Contains(c.Domains, cuaddr.Mailto(c.SMTP.From).Domain()) {
		wrong("smtp.from", "%s is in none of the domains %s: mail from it could not be answered", c.SMTP.From, strings.Join(c.Domains, ", "))
	}
	if c.SMTP.PerDomain == 0 {
		c.SMTP.PerDomain = 8
	}
	if !given["smtp.hourly_per_event"] {
		c.SMTP.PerEvent = 5000
	}
	if !given["smtp.hourly_per_user"] {
		c.SMTP.PerUser = 10_000
	}
	if (c.SMTP.Username == "") != (c.SMTP.Password == "") {
		wrong("smtp.username", "username and password belong together: give both or neither")
	}
	if !given["smtp.coalesce"] {
		c.SMTP.Coalesce = 10 * time.Second
	}
	if c.Scheduling.PastGrace == 0 {
		c.Scheduling.PastGrace = 7 * 24 * time.Hour // decision 18
	}
	if c.Scheduling.InboxKeep == 0 {
		c.Scheduling.InboxKeep = keep.Inbox
	}
	if c.Scheduling.TellOthers == 0 {
		c.Scheduling.TellOthers = 250
	}
	if c.Trust.Unverified == "" { // decision 10
		c.Trust.Unverified = "none"
		if len(c.Trust.AuthservIDs) == 0 {
			c.Trust.Unverified = "all"
		}
	}
	if c.FreeBusy.MaxAttendees == 0 {
		c.FreeBusy.MaxAttendees = 500
	}
	if !given["freebusy.fetch"] {
		c.FreeBusy.Fetch = true
	}
	if !given["trust.verify_dkim"] {
		c.Trust.VerifyDKIM = true
	}
	def("mail.incoming", &c.Mail.Incoming, directory.MessageOnly)
	def("log.level", &c.Log.Level, "info")
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

// unknownKey says what may have been meant.
func unknownKey(name string) string {
	best, far := "", 4
	for _, k := range configKeys {
		d := distance(name, k.name)
		if strings.HasSuffix(k.name, "."+name) { // right key, wrong table
			d = 0
		}
		if d < far {
			best, far = k.name, d
		}
	}
	if best != "" {
		return "unknown key; did you mean " + best + "?"
	}
	var names []string
	for _, k := range configKeys {
		names = append(names, k.name)
	}
	return "unknown key; there are " + strings.Join(names, ", ")
}

// distance is the edit distance of two short words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// walkTOML calls fn for every value that is not a table, and for empty tables
// of unknown names, so that [htpp] alone is noticed too.
func walkTOML(table map[string]any, path []string, fn func([]string, any)) {
	for k, v := range table {
		p := append(slices.Clip(path), k)
		if sub, ok := v.(map[string]any); ok {
			prefix := strings.Join(p, ".") + "."
			known := slices.ContainsFunc(configKeys, func(c configKey) bool { return strings.HasPrefix(c.name, prefix) })
			if known || len(sub) > 0 {
				walkTOML(sub, p, fn)
				continue
			}
		}
		fn(p, v)
	}
}

// trap is a value whose decoding always fails: the TOML decoder then tells on
// which line the key stands, which it keeps to itself otherwise.
type trap struct{}

var errTrap = errors.New("here")

func (*trap) UnmarshalTOML(any) error { return errTrap }

// lineOf returns the line of a key, 0 if it cannot be told.
func lineOf(text string, path []string) int {
	t := reflect.TypeFor[trap]()
	for _, k := range slices.Backward(path) {
		t = reflect.StructOf([]reflect.StructField{{
			Name: "Field", Type: t, Tag: reflect.StructTag("toml:" + strconv.Quote(k)),
		}})
	}
	_, err := toml.Decode(text, reflect.New(t).Interface())
	if pe, ok := errors.AsType[toml.ParseError](err); ok {
		return pe.Position.Line
	}
	return 0
}

func show(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
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
