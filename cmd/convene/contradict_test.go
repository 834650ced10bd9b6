package main

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
)

// What cannot be meant so is told, and nothing else, each with what to do next.
func TestContradictions(t *testing.T) {
	config := func(text string) Config {
		t.Helper()
		c, err := parseConfig("test", "domains = [\"example.org\"]\n"+text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	who := func(kind db.Kind, address string, set ...func(*resident)) resident {
		r := resident{Principal: db.Principal{Kind: kind, Address: address, Password: "x", MailCopies: "auto"}, addresses: []string{address}}
		for _, f := range set {
			f(&r)
		}
		return r
	}
	alias := func(a string) func(*resident) { return func(r *resident) { r.addresses = append(r.addresses, a) } }
	all := func(a string) func(*resident) { return func(r *resident) { r.catchAlls = append(r.catchAlls, a) } }
	members := func(as ...string) func(*resident) { return func(r *resident) { r.members = as } }
	rules := func(ls ...string) func(*resident) { return func(r *resident) { r.Policy = strings.Join(ls, "\n") } }
	ann, team := who(db.Person, "ann@example.org"), who(db.Group, "team@example.org", members("ann@example.org", "bob@example.com"))
	room := func(ls ...string) resident { return who(db.Room, "blue@example.org", rules(ls...)) }
	test := func(name string, c Config, want []string, rs ...resident) {
		t.Helper()
		var d census
		for _, r := range rs {
			d.add(r)
		}
		got := sorted(contradictions(c, d), 10)
		if len(got) != len(want) {
			t.Errorf("%s: %+v", name, got)
			return
		}
		for i, f := range got {
			kind, text, _ := strings.Cut(want[i], ": ")
			if f.Problem != (kind == "problem") || !strings.Contains(f.What, text) || f.Do == "" {
				t.Errorf("%s: %+v, want %q", name, f, want[i])
			}
		}
	}
	one := func(s string) []string { return []string{s} }
	plain := config("")
	test("nothing", plain, nil, ann, team, room("owner ann@example.org", "ACT_MANUAL"), who(db.Person, "dan@example.org", alias("d@example.org"), all("@example.org")))
	test("a program of nobody", plain, one("problem: declines everything: ask_program desk"), room("ask_program desk"))
	test("a program", config("[rooms]\nprograms = [\"desk /bin/sh\"]\n"), nil, room("ask_program desk"))
	test("an address twice", plain, one("problem: Ann@example.org is an address of ann@example.org and of dan@example.org"), ann, who(db.Person, "dan@example.org", alias("Ann@example.org")))
	test("a circle of groups", plain, one("problem: a@example.org, b@example.org, a@example.org"),
		who(db.Group, "a@example.org", members("b@example.org")), who(db.Group, "b@example.org", members("A@example.org", "x@example.com")))
	test("a group in itself", plain, one("problem: circle: a@example.org, a@example.org"), who(db.Group, "a@example.org", members("a@example.org")))
	test("an empty group", plain, one("warning: group a@example.org is empty"), who(db.Group, "a@example.org"))
	test("a member twice", plain, one("warning: lists ANN@example.org twice"), ann, who(db.Group, "a@example.org", members("ann@example.org", "ANN@example.org")))
	test("a member whom nobody knows", config("domains_complete = [\"example.org\"]\n"), one("problem: lists nobody@example.org"), who(db.Group, "a@example.org", members("nobody@example.org", "x@example.com")))
	test("an alias outside", plain, one("warning: ann@example.com, an alias of ann@example.org, is outside"), who(db.Person, "ann@example.org", alias("ann@example.com")))
	test("somebody outside", plain, one("warning: user ann@example.com is outside of domains"), who(db.Person, "ann@example.com"))
	test("a catch-all of another's domain", plain, one("problem: has all of example.com"), who(db.Person, "ann@example.org", all("@example.com")))
	test("nothing reaches him", plain, one("warning: no log-in and wants no mail"), who(db.Person, "ann@example.org", func(r *resident) { r.Password, r.MailCopies = "", "never" }))
	test("a room's rule of a person", plain, one("problem: only rooms and resources know"), who(db.Person, "ann@example.org", rules("within_capacity 3")))
	test("a rule that nobody knows", plain, one("problem: cannot read"), room("accept_always"))
	test("nobody decides", plain, one("problem: leaves bookings to an owner and has none"), room("ACT_MANUAL"))
	test("nobody decides, in another word", plain, one("problem: leaves bookings to an owner and has none"), room("accept_mode manual"))
	test("an owner whom nobody knows", plain, one("warning: owned by nobody@example.org"), room("owner nobody@example.org", "ACT_MANUAL"))
	test("a room owns a room", plain, one("problem: which is a room and decides nothing"), room("owner red@example.org", "ACT_MANUAL"), who(db.Room, "red@example.org"))
	test("a pool of nobody", plain, one("problem: passes bookings on to red@example.org"), room("pool red@example.org"))
	test("a pool of people", plain, one("problem: to the person ann@example.org"), room("pool ann@example.org"), ann)
	test("the calendar's own address", plain, one("problem: calendar@example.org is the calendar's own address"), who(db.Person, "calendar@example.org"))
	test("in circles by LMTP", config("[lmtp]\nlisten = \"127.0.0.1:2424\"\ndeliver_to = \"localhost:2424\"\n"), one("problem: [lmtp] deliver_to is [lmtp] listen itself"))
	test("in circles by SMTP", config("[lmtp]\nlisten = \"127.0.0.1:2424\"\n[smtp]\nrelay = \"127.0.0.1:2424\"\n"), one("problem: [smtp] relay is [lmtp] listen itself"))
	test("in circles by both", config("[lmtp]\ndeliver_to = \"127.0.0.1:25\"\n[smtp]\nrelay = \"127.0.0.1:25\"\n"), one("problem: are both 127.0.0.1:25"))
	test("two in one", plain, []string{"problem: all of example.com", "warning: no log-in"},
		who(db.Person, "ann@example.org", func(r *resident) { r.Password, r.MailCopies = "", "never" }), who(db.Person, "dan@example.org", all("@example.com")))
	var many []resident
	for range 12 {
		many = append(many, who(db.Group, "g"+string(rune('a'+len(many)))+"@example.org"))
	}
	var d census
	for _, r := range many {
		d.add(r)
	}
	if got := sorted(contradictions(plain, d), 10); len(got) != 11 || got[10].What != "and 2 more" {
		t.Errorf("%+v", got)
	}
}
