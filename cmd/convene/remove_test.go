package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
		// The room is free for the same hour.
		const uid2 = "after@example.org"
		if _, err := h.as(ben).put(t.Context(), calendarOf(ben)+"after.ics", demoEvent(time.Now(), uid2, "After", ben, blue), "If-None-Match", "*"); err != nil {
			t.Fatal(err)
		}
		h.eventually(ben, uid2, blue, "ACCEPTED")
	})
}
