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

// Who is removed while the server runs leaves no meeting behind: those outside
// get a mail, those here see it cancelled, and the room is free again.
func TestRemoveOrganizer(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		outside, relay := startSink(t, false)
		h := startHouse(t, dsn, "127.0.0.1:0", "", relay)
		const uid = "leaving@example.org"
		event := demoEvent(time.Now(), uid, "Plans", ann, ben, blue, carol)
		if _, err := h.as(ann).put(t.Context(), calendarOf(ann)+"plans.ics", event, "If-None-Match", "*"); err != nil {
			t.Fatal(err)
		}
		waitMail(t, outside, carol, "REQUEST", "Plans")
		h.arrived(ben, uid)
		// She has asked him to share her calendar, too.
		const share = `<CS:share xmlns:CS="http://calendarserver.org/ns/" xmlns:D="DAV:"><CS:set><D:href>mailto:` + ben + `</D:href><CS:read/></CS:set></CS:share>`
		if status, _, body, err := h.as(ann).do(t.Context(), "POST", calendarOf(ann), share, "Content-Type", "text/xml"); status != 200 || err != nil {
			t.Fatalf("%d %s %v", status, body, err)
		}
		offers := func() int {
			t.Helper()
			status, _, body, err := h.as(ben).do(t.Context(), "PROPFIND", "/dav/calendars/"+ben+"/notification/", "", "Depth", "1")
			if status != 207 || err != nil {
				t.Fatalf("%d %s %v", status, body, err)
			}
			return strings.Count(body, ".xml</D:href>")
		}
		if n := offers(); n != 1 {
			t.Errorf("he was asked %d times", n)
		}

		config := filepath.Join(t.TempDir(), "convene.toml")
		text := fmt.Sprintf("domains = [\"example.org\"]\n[store]\ndsn = %q\n[smtp]\ncoalesce = \"0s\"\n", dsn)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		e := env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &out}
		if status := run(e, []string{"user", "remove", ann, "--config", config}); status != exitDone || !strings.Contains(out.String(), "1 objects were taken out") {
			t.Fatalf("exit status %d\n%s", status, out.String())
		}
		mail := waitMail(t, outside, carol, "CANCEL", "Plans")
		if mail.Calendar.UID() != uid {
			t.Errorf("cancelled is %s", mail.Calendar.UID())
		}
		if f := h.arrived(ben, uid); f.Object.First().Value("STATUS") != "CANCELLED" {
			t.Errorf("Ben still has\n%s", f.Object.Bytes())
		}
		if status, _, _, err := h.as(ann).do(t.Context(), "PROPFIND", calendarOf(ann), ""); status != 401 || err != nil {
			t.Errorf("she still gets in: %d %v", status, err)
		}
		if n := offers(); n != 0 {
			t.Errorf("he is still asked to share it: %d", n)
		}
		// The room is free for the same hour.
		const uid2 = "after@example.org"
		if _, err := h.as(ben).put(t.Context(), calendarOf(ben)+"after.ics", demoEvent(time.Now(), uid2, "After", ben, blue), "If-None-Match", "*"); err != nil {
			t.Fatal(err)
		}
		h.eventually(ben, uid2, blue, "ACCEPTED")
	})
}

// What she organized goes on under the heir: people here and outside hear whose
// it is now, their answers stand, and nothing is cancelled.
func TestRemoveHandOver(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		outside, relay := startSink(t, false)
		h := startHouse(t, dsn, "127.0.0.1:0", "", relay)
		const uid = "stays@example.org"
		if _, err := h.as(ann).put(t.Context(), calendarOf(ann)+"plans.ics", demoEvent(time.Now(), uid, "Plans", ann, ben, blue, carol), "If-None-Match", "*"); err != nil {
			t.Fatal(err)
		}
		waitMail(t, outside, carol, "REQUEST", "Plans")
		h.eventually(ann, uid, blue, "ACCEPTED")
		h.arrived(ben, uid)

		config := filepath.Join(t.TempDir(), "convene.toml")
		text := fmt.Sprintf("domains = [\"example.org\"]\n[store]\ndsn = %q\n[smtp]\ncoalesce = \"0s\"\n", dsn)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		command := func(want int, args ...string) {
			t.Helper()
			var out bytes.Buffer
			if status := run(env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &out}, append(args, "--config", config)); status != want {
				t.Fatalf("exit status %d\n%s", status, out.String())
			}
		}
		command(exitFailed, "user", "remove", ann, "--hand-over-to", ann)
		command(exitFailed, "user", "remove", ann, "--hand-over-to", blue)
		command(exitDone, "user", "remove", ann, "--hand-over-to", ben)
		mail := waitMail(t, outside, carol, "REQUEST", "Plans")
		for mail.Calendar.First().Value("SEQUENCE") == "0" {
			time.Sleep(50 * time.Millisecond)
			for _, m := range outside.Mails() {
				if m.Method == "CANCEL" {
					t.Fatal("it was cancelled")
				}
				if m.Rcpt() == carol && m.Calendar != nil && m.Calendar.First().Value("SEQUENCE") == "1" {
					mail = m
				}
			}
		}
		if o := ics.Organizer(mail.Calendar.First()); o.Mail() != ben {
			t.Errorf("Carol hears of %v", o)
		}
		f := h.arrived(ben, uid)
		if o := ics.Organizer(f.Object.First()); o.Mail() != ben || strings.Contains(string(f.Object.Bytes()), ann) {
			t.Errorf("Ben has\n%s", f.Object.Bytes())
		}
		if got := partStats(f.Object); got[blue] != "ACCEPTED" || got[ben] != "ACCEPTED" {
			t.Errorf("answers %v", got)
		}
		// He organizes it: his change reaches Carol.
		changed := strings.Replace(string(f.Object.Bytes()), "SUMMARY:Plans", "SUMMARY:New plans", 1)
		if _, err := h.as(ben).put(t.Context(), f.Href, changed); err != nil {
			t.Fatal(err)
		}
		waitMail(t, outside, carol, "REQUEST", "New plans")
	})
}
