package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// A user and then a whole domain get new addresses while the server runs: the
// old ones log in and receive, meetings follow, and those outside hear of it.
func TestRenameCommands(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		outside, relay := startSink(t, false)
		h := startHouse(t, dsn, "127.0.0.1:0", "", relay)
		const uid, arbor = "moves@example.org", "arbor@example.org"
		if _, err := h.as(ann).put(t.Context(), calendarOf(ann)+"plans.ics", demoEvent(time.Now(), uid, "Plans", ann, ben, blue, carol), "If-None-Match", "*"); err != nil {
			t.Fatal(err)
		}
		waitMail(t, outside, carol, "REQUEST", "Plans")
		h.eventually(ann, uid, blue, "ACCEPTED")

		config := filepath.Join(t.TempDir(), "convene.toml")
		text := fmt.Sprintf("domains = [\"example.org\", \"example.com\"]\n[store]\ndsn = %q\n[smtp]\ncoalesce = \"0s\"\n", dsn)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		command := func(want int, says string, args ...string) {
			t.Helper()
			var out bytes.Buffer
			status := run(env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &out}, append(args, "--config", config))
			if status != want || !strings.Contains(out.String(), says) {
				t.Fatalf("%v: exit status %d\n%s", args, status, out.String())
			}
		}
		command(exitFailed, "belongs to somebody", "user", "rename", ann, ben)
		command(exitFailed, "is unknown here", "user", "rename", "nobody@example.org", arbor)
		command(exitFailed, "no user but a room", "user", "rename", blue, arbor)
		command(exitFailed, "no mail address", "user", "rename", ann, "arbor")
		command(exitDone, "renamed user "+ann+" to "+arbor, "user", "rename", ann, arbor)
		command(exitFailed, "is an alias of "+arbor, "user", "rename", ann, "ann.b@example.org")
		// The new domain is not the server's: a token stands in for the address
		// itself.
		mailed := func(domain string) bool {
			for _, m := range outside.Mails() {
				if m.Rcpt() != carol || m.Calendar == nil {
					continue
				}
				if o := m.Calendar.First().Prop("ORGANIZER"); o.Param("EMAIL") == "arbor@"+domain || ics.CalAddress(o).Mail() == "arbor@"+domain {
					return true
				}
			}
			return false
		}
		until := func(what string, done func() bool) {
			t.Helper()
			for end := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("never: %s", what)
				}
			}
		}
		until("carol hears of it", func() bool { return mailed("example.org") })
		command(exitUsage, "two mail domains", "domain", "rename", "example.org", "example.org")
		command(exitDone, "from example.org to example.com", "domain", "rename", "example.org", "example.com")
		until("carol hears of the domain", func() bool { return mailed("example.com") })
		command(exitDone, "arbor@example.com", "user", "show", ann)
		command(exitDone, "renamed 0 from", "domain", "rename", "example.org", "example.com")

		// The oldest address logs in, and finds the way.
		until("ben's copy follows", func() bool {
			f, err := h.as(ben).event(t.Context(), calendarOf("ben@example.com"), uid)
			return err == nil && ics.Organizer(f.Object.First()).Mail() == "arbor@example.com" && partStats(f.Object)["blue@example.com"] == "ACCEPTED"
		})
		if _, err := h.as(ann).event(t.Context(), calendarOf("arbor@example.com"), uid); err != nil {
			t.Errorf("the oldest address: %v", err)
		}
	})
}
