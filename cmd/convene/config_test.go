package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestConfigDefaults(t *testing.T) {
	c, err := parseConfig("convene.toml", `domains = ["Example.ORG"]`)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{File: "convene.toml", Domains: []string{"example.org"}}
	want.HTTP.Listen, want.HTTP.PublicURL, want.HTTP.MaxResource = "127.0.0.1:8008", "http://127.0.0.1:8008", 10<<20
	want.Store.DSN = "sqlite:/var/lib/convene/convene.db"
	want.LMTP.Listen = "127.0.0.1:2424"
	want.SMTP.Relay, want.SMTP.From, want.SMTP.Coalesce, want.SMTP.PerDomain = "127.0.0.1:25", "calendar@example.org", 10*time.Second, 8
	want.SMTP.PerEvent, want.SMTP.PerUser = 5000, 10_000
	want.Trust.Unverified, want.Trust.VerifyDKIM = "all", true
	want.FreeBusy.Fetch, want.FreeBusy.MaxAttendees = true, 500
	want.Scheduling.MaxAttendees = 5000
	want.Scheduling.PastGrace, want.Scheduling.InboxKeep, want.Scheduling.TellOthers = 7*24*time.Hour, 30*24*time.Hour, 250
	want.Mail.Incoming = "message-only"
	want.Log.Level = "info"
	if got, exp := text(c), text(want); got != exp {
		t.Errorf("defaults are\n%s\nwant\n%s", got, exp)
	}
}

// Decision 10: without an authserv-id everything counts, with one only what it
// proves, unless the configuration says otherwise.
func TestConfigTrust(t *testing.T) {
	test := func(text, want string) {
		t.Helper()
		c, err := parseConfig("c", "domains = [\"example.org\"]\n[trust]\n"+text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if c.Trust.Unverified != want {
			t.Errorf("%s: unverified is %q, want %q", text, c.Trust.Unverified, want)
		}
	}
	test(``, "all")
	test(`authserv_ids = ["mx.example.org"]`, "none")
	test("authserv_ids = [\"mx.example.org\"]\nunverified = \"reply\"", "reply")
	test(`unverified = "none"`, "none")
}

func TestConfigMistakes(t *testing.T) {
	test := func(text string, want ...string) {
		t.Helper()
		_, err := parseConfig("convene.toml", text)
		if err == nil {
			t.Errorf("%q was accepted", text)
			return
		}
		got := strings.Split(err.Error(), "\n")
		if len(got) != len(want) {
			t.Errorf("%q: got\n%v\nwant %d mistakes", text, err, len(want))
			return
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%q:\n got %s\nwant %s...", text, got[i], want[i])
			}
		}
	}
	const ok = "domains = [\"example.org\"]\n"
	test("", "convene.toml: domains: missing: name the mail domains")
	test(ok+"[http]\nlistne = \"127.0.0.1:8008\"\n", `convene.toml:3: http.listne: unknown key; did you mean http.listen?`)
	test(ok+"\n\n[htpp]\nlisten = \"127.0.0.1:8008\"\n", `convene.toml:5: htpp.listen: unknown key; did you mean http.listen?`)
	test(ok+"public_url = \"https://c.example.org\"\n", `convene.toml:2: public_url: unknown key; did you mean http.public_url?`)
	test(ok+"[colours]\n", `convene.toml:2: colours: unknown key; there are domains, `)
	test(ok+"http = 1\n", `convene.toml:2: http: unknown key`)
	test("domains = \"example.org\"\n", `convene.toml:1: domains: "example.org" is no list; write ["one", "two"]`)
	test("domains = [\n  \"example.org\",\n  \"ann@example.org\",\n]\n", `convene.toml:1: domains: "ann@example.org" is no mail domain`)
	test(ok+"domains_complete = [\"example.com\"]\n", `convene.toml:2: domains_complete: "example.com" is not in domains`)
	test(ok+"[http]\nlisten = 8008\n", `convene.toml:3: http.listen: 8008 is no text; put it in quotes`)
	test(ok+"[http]\nlisten = \"8008\"\n", `convene.toml:3: http.listen: "8008" is no address; write host and port`)
	test(ok+"[http]\nlisten = \"localhost:http\"\n", `convene.toml:3: http.listen: "localhost:http" is no address: "http" is no port number`)
	test(ok+"[http]\nlisten = \"unix:/run/c.sock\"\n", `convene.toml: http.public_url: missing`)
	test(ok+"[http]\npublic_url = \"cal.example.org\"\n", `convene.toml:3: http.public_url: "cal.example.org" is no address of a web server`)
	test(ok+"[http]\npublic_url = \"https://example.org/cal\"\n", `convene.toml:3: http.public_url: "https://example.org/cal" must not have anything after the host`)
	test(ok+"[store]\ndsn = \"/var/lib/c.db\"\n", `convene.toml:3: store.dsn: "/var/lib/c.db" names no database; write sqlite:`)
	test(ok+"[lmtp]\ndeliver_to = \"unix:lmtp\"\n", `convene.toml:3: lmtp.deliver_to: "unix:lmtp" is no socket`)
	test(ok+"[lmtp]\nlisten = \"127.0.0.1:8008\"\n", `convene.toml:3: lmtp.listen: 127.0.0.1:8008 is the address of http.listen already`)
	test(ok+"[smtp]\nfrom = \"calendar@example.net\"\n", `convene.toml:3: smtp.from: calendar@example.net is in none of the domains example.org`)
	test(ok+"[smtp]\ncoalesce = \"10\"\n", `convene.toml:3: smtp.coalesce: "10" is no time`)
	test(ok+"[smtp]\ncoalesce = 10\n", `convene.toml:3: smtp.coalesce: 10 is no time`)
	test(ok+"[scheduling]\nlocal_strict = 1\n", `convene.toml:3: scheduling.local_strict: 1 is neither true nor false`)
	test(ok+"[scheduling]\nmax_attendees = 5001\n", `convene.toml:3: scheduling.max_attendees: 5001 is no number from 1 to 5000`)
	test(ok+"[freebusy]\nmax_attendees = 0\n", `convene.toml:3: freebusy.max_attendees: 0 is no number from 1 to 5000`)
	test(ok+"[scheduling]\npublic_x = [\"TEAM\"]\nshared_x = [\"x-convene-own\"]\n",
		`convene.toml:3: scheduling.public_x: "TEAM" is no name of a private property`, `convene.toml:4: scheduling.shared_x: "x-convene-own" is what Convene keeps for itself`)
	test(ok+"[freebusy]\nfetch_networks = [\"10.1\"]\n", `convene.toml:3: freebusy.fetch_networks: "10.1" is no network`)
	test(ok+"[freebusy]\nfetch = 1\n", `convene.toml:3: freebusy.fetch: 1 is neither true nor false`)
	test(ok+"[trust]\nunverified = \"some\"\n", `convene.toml:3: trust.unverified: "some" is none of all, reply, none`)
	test(ok+"[trust]\nverify_dkim = \"yes\"\n", `convene.toml:3: trust.verify_dkim: "yes" is neither true nor false`)
	test(ok+"[trust]\nauthserv_ids = [\"mx; spf=pass\"]\n", `convene.toml:3: trust.authserv_ids: "mx; spf=pass" is no authserv-id`)
	test(ok+"[http]\nlisten = here\n", `convene.toml:3: http.listen: not TOML: `)
	test(ok+ok, `convene.toml:2: domains: not TOML: `)
	test(ok+"[smtp]\nrelay = \"127.0.0.1:25\"\n[trust\nverify_dkim = true\n", `convene.toml:4: not TOML: `)
	// All mistakes at once, in the order of the file.
	test("[smtp]\nrelay = \"\"\n[http]\nx = 1\n", `convene.toml:2: smtp.relay: "" is no address`, `convene.toml:4: http.x: unknown key`)
}

func TestConfigLookup(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if _, err := loadConfig(filepath.Join(dir, "none.toml")); err == nil || !strings.Contains(err.Error(), "none.toml") {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile("convene.toml", []byte(`domains = ["example.org"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := loadConfig(""); err != nil || c.File != "convene.toml" {
		t.Errorf("read %q, %v; want ./convene.toml", c.File, err)
	}
}

// The example that the documentation points to is right, names every key, and
// says nothing but the defaults where a key has one. The operator's guide names
// every key too.
func TestConfigExample(t *testing.T) {
	data, err := os.ReadFile("../../deploy/convene.toml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseConfig("convene.toml", string(data))
	if err != nil {
		t.Fatal(err)
	}
	def, err := parseConfig("convene.toml", "domains = [\"example.org\"]\n[http]\npublic_url = \"https://cal.example.org\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if g, w := text(got), text(def); g != w {
		t.Errorf("the example differs from the defaults:\n%s\n%s", g, w)
	}
	guide, err := os.ReadFile("../../deploy/docs/operators.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range configKeys {
		if !strings.Contains(string(guide), "\n| `"+k.name+"` |") {
			t.Errorf("the operator's guide does not name %s", k.name)
		}
		name := k.name[strings.LastIndexByte(k.name, '.')+1:]
		if !strings.Contains(string(data), "\n"+name+" = ") && !strings.Contains(string(data), "\n# "+name+" = ") {
			t.Errorf("the example does not name %s", k.name)
		}
	}
}

func text(c Config) string { return fmt.Sprintf("%+v", c) }

// How long things are kept that nobody takes is a stretch of time above none.
func TestConfigKeep(t *testing.T) {
	test := func(value string, want time.Duration) {
		t.Helper()
		c, err := parseConfig("c", "domains = [\"example.org\"]\n[scheduling]\ninbox_keep = "+value)
		if (err != nil) != (want == 0) || err == nil && c.Scheduling.InboxKeep != want {
			t.Errorf("%s: %v, %v", value, c, err)
		}
	}
	test(`"48h"`, 48*time.Hour)
	test(`"0s"`, 0)
	test(`"-1h"`, 0)
	test(`"2 weeks"`, 0)
	test("30", 0)
}
