package imipbridge

import (
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
)

func mailCopies(p *db.Principal) { p.MailCopies = "always" }

var testKeys = keys{[]byte("0123456789abcdef0123456789abcdef")}

func TestTokens(t *testing.T) {
	k := testKeys
	who := cuaddr.Mailto("cleo@example.net")
	reply := k.reply(7, "u1", who)
	kind, payload := k.unpack(strings.ToUpper(reply))
	r, ok := readReply(payload)
	if kind != kindReply || !ok || r.Principal != 7 || !r.conversation(k, "u1") || r.conversation(k, "u2") ||
		!r.names(k, "u1", cuaddr.Mailto("Cleo@example.net")) || r.names(k, "u1", cuaddr.Mailto("ben@example.net")) || r.names(k, "u2", who) {
		t.Errorf("%s %+v", kind, r)
	}
	d := &db.Delivery{ID: 1 << 40, Created: time.UnixMicro(1772438400123456)}
	for _, kind := range []string{kindBounce, kindCopy, kindID} {
		token := k.delivery(kind, d)
		got, payload := k.unpack(token)
		id, created, ok := readDelivery(payload)
		if got != kind || !ok || id != d.ID || !created.Equal(d.Created) {
			t.Errorf("%s: %s %d %v", kind, got, id, created)
		}
		if n := len("calendar+" + token); n > 64 {
			t.Errorf("a local part of %d octets", n)
		}
		// A token of one kind is none of another.
		for _, other := range "rblm" {
			if kind != string(other) {
				if got, _ := k.unpack(string(other) + token[1:]); got != "" {
					t.Errorf("%s taken for %c", kind, other)
				}
			}
		}
	}
	if got, _ := (keys{[]byte("another secret")}).unpack(reply); got != "" {
		t.Error("a token of another installation was taken")
	}
	if !k.ownMail(k.delivery(kindID, d)+"@example.org") || k.ownMail("x@example.org") || k.ownMail(reply+"@example.org") {
		t.Error("ownMail")
	}
}

func TestPageToken(t *testing.T) {
	k := testKeys
	i := invitation{Organizer: 7, UID: "u1@x/ü", Attendee: cuaddr.Mailto("cleo@example.net"), Expires: time.Unix(1772438400, 0).UTC(), Language: "pt-BR", RID: "20260309T090000Z"}
	token := k.page(i)
	if got, ok := k.readPage(token); !ok || got != i {
		t.Errorf("%+v", got)
	}
	decide := i
	decide.Decide = true
	if got, ok := k.readPage(k.page(decide)); !ok || got != decide || k.page(decide) == token {
		t.Errorf("%+v", got)
	}
	for j := range token {
		for _, c := range "Ab0_" {
			if other := token[:j] + string(c) + token[j+1:]; other != token {
				if _, ok := k.readPage(other); ok {
					t.Fatalf("octet %d changed to %c and taken", j, c)
				}
			}
		}
	}
}

func TestTokenAddress(t *testing.T) {
	b, err := New(Options{From: "Calendar@example.org", Domains: []string{"example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	test := func(addr, want string) {
		t.Helper()
		if got := b.tokenOf(cuaddr.Mailto(addr)); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
	test("calendar+abc@example.org", "abc")
	test("CALENDAR+ABC@example.com", "ABC")
	test("calendar+abc@example.net", "")
	test("calendar@example.org", "")
	test("calendar+@example.org", "")
	test("ann+abc@example.org", "")
}

func TestNewChecksOptions(t *testing.T) {
	test := func(want string, o Options) {
		t.Helper()
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	test("[smtp] from", Options{From: "x"})
	test("[trust] unverified", Options{From: "a@example.org", Trust: Trust{Unverified: "some"}})
	test("[http] public_url", Options{From: "a@example.org", PublicURL: "cal.example.org"})
}

func FuzzTokens(f *testing.F) {
	f.Add(testKeys.reply(7, "u1", cuaddr.Mailto("cleo@example.net")))
	f.Add(testKeys.delivery(kindBounce, &db.Delivery{ID: 3, Created: time.UnixMicro(5)}))
	f.Add(testKeys.page(invitation{Organizer: 7, UID: "u1", Attendee: cuaddr.Mailto("cleo@example.net"), Expires: time.Unix(9, 0)}))
	f.Fuzz(func(t *testing.T, s string) {
		if kind, payload := testKeys.unpack(s); kind != "" {
			readReply(payload)
			readDelivery(payload)
			if again := testKeys.pack(kind, payload); again != strings.ToLower(s) {
				t.Errorf("%q says the same as %q", s, again)
			}
		}
		if i, ok := testKeys.readPage(s); ok && testKeys.page(i) != s {
			t.Errorf("%q is not how %+v is written", s, i)
		}
		// What was not sealed must not panic either.
		readReply([]byte(s))
		readDelivery([]byte(s))
	})
}

func BenchmarkTokens(b *testing.B) {
	who := cuaddr.Mailto("cleo@example.net")
	for b.Loop() {
		testKeys.unpack(testKeys.reply(7, "u1", who))
	}
}
