package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/convene-server/convene/db/dbtest"
)

// vdirsyncer keeps a calendar and an address book in folders, both ways.
func TestVdirsyncer(t *testing.T) {
	_, err := exec.LookPath("vdirsyncer")
	needs(t, err == nil, "no vdirsyncer")
	onBoth(t, func(t *testing.T, dsn string) {
		_, relay := startSink(t, false)
		h := startHouse(t, dsn, "127.0.0.1:0", "", relay)
		dir := t.TempDir()
		vdirsyncerConfig(t, dir, h)
		run := func(args ...string) {
			t.Helper()
			vdirsyncer(t, dir, args...)
		}
		dav := func(method, path, body string, want int, header ...string) string {
			t.Helper()
			status, _, got, err := h.as(ann).do(t.Context(), method, path, body, header...)
			if err != nil || status != want {
				t.Fatalf("%s %s: %d %v %s", method, path, status, err, got)
			}
			return got
		}
		event := func(uid, summary string) string {
			return strings.ReplaceAll("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//EN\nBEGIN:VEVENT\nUID:"+uid+"\nDTSTAMP:20260101T000000Z\nDTSTART:20270101T090000Z\nDTEND:20270101T100000Z\nSUMMARY:"+summary+"\nX-KEPT;X-P=\"a,b\":as it was\nEND:VEVENT\nEND:VCALENDAR\n", "\n", "\r\n")
		}
		card := func(uid, name string) string {
			return strings.ReplaceAll("BEGIN:VCARD\nVERSION:3.0\nUID:"+uid+"\nFN:"+name+"\nN:;"+name+";;;\nEND:VCARD\n", "\n", "\r\n")
		}
		here := func(path string) string {
			data, err := os.ReadFile(filepath.Join(dir, path))
			if err != nil {
				return ""
			}
			return string(data)
		}
		cal, book := calendarOf(ann), "/dav/addressbooks/"+ann+"/contacts/"

		// From the server to the folders.
		dav("PUT", cal+"one.ics", event("one", "On the server"), http.StatusCreated, "Content-Type", "text/calendar")
		dav("PUT", book+"carol.vcf", card("carol", "Carol"), http.StatusCreated, "Content-Type", "text/vcard")
		run("discover")
		run("sync")
		if got := here("events/calendar/one.ics"); !strings.Contains(got, "SUMMARY:On the server") || !strings.Contains(got, `X-KEPT;X-P="a,b":as it was`) {
			t.Fatalf("the event came as %q", got)
		}
		if !strings.Contains(here("people/contacts/carol.vcf"), "FN:Carol") {
			t.Fatal("the card did not come")
		}

		// From the folders to the server, and changes both ways.
		write := func(path, text string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("events/calendar/two.ics", event("two", "In the folder"))
		write("people/contacts/dora.vcf", card("dora", "Dora"))
		dav("PUT", cal+"one.ics", event("one", "Changed on the server"), http.StatusNoContent, "Content-Type", "text/calendar")
		run("sync")
		if !strings.Contains(dav("GET", cal+"two.ics", "", http.StatusOK), "SUMMARY:In the folder") || !strings.Contains(dav("GET", book+"dora.vcf", "", http.StatusOK), "FN:Dora") {
			t.Error("what was in the folder is not on the server")
		}
		if !strings.Contains(here("events/calendar/one.ics"), "Changed on the server") {
			t.Error("the change on the server did not come")
		}
		write("events/calendar/two.ics", event("two", "Changed in the folder"))
		if err := os.Remove(filepath.Join(dir, "events/calendar/one.ics")); err != nil {
			t.Fatal(err)
		}
		dav("DELETE", book+"carol.vcf", "", http.StatusNoContent)
		run("sync")
		dav("GET", cal+"one.ics", "", http.StatusNotFound)
		if !strings.Contains(dav("GET", cal+"two.ics", "", http.StatusOK), "Changed in the folder") {
			t.Error("the change in the folder did not reach the server")
		}
		if here("people/contacts/carol.vcf") != "" {
			t.Error("a deleted card is still in the folder")
		}
		run("sync") // nothing left to do, no conflict
	})
}

// vdirsyncerConfig has Ann's calendars in events/ of dir and her address books
// in people/.
func vdirsyncerConfig(t *testing.T, dir string, h *house) {
	t.Helper()
	config := fmt.Sprintf(`[general]
status_path = "%[1]s/status"

[pair events]
a = "here_events"
b = "there_events"
collections = ["from b"]
conflict_resolution = "b wins"
metadata = ["displayname", "color"]

[storage here_events]
type = "filesystem"
path = "%[1]s/events"
fileext = ".ics"

[storage there_events]
type = "caldav"
url = "%[2]s/"
username = "%[3]s"
password = "%[4]s"

[pair people]
a = "here_people"
b = "there_people"
collections = ["from b"]

[storage here_people]
type = "filesystem"
path = "%[1]s/people"
fileext = ".vcf"

[storage there_people]
type = "carddav"
url = "%[2]s/"
username = "%[3]s"
password = "%[4]s"
`, dir, h.Config.HTTP.PublicURL, ann, demoPasswords[ann])
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

// vdirsyncer runs a command of it, with dir as home.
func vdirsyncer(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "vdirsyncer", append([]string{"-c", filepath.Join(dir, "config"), "-v", "WARNING"}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.Stdin = strings.NewReader(strings.Repeat("y\n", 20)) // makes the folders
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("vdirsyncer %v: %v\n%s", args, err, out)
	}
}

// The configuration that the page about coming from another server prints is
// one that vdirsyncer reads: calendars come as files, contacts into the book.
func TestMigrationPage(t *testing.T) {
	_, err := exec.LookPath("vdirsyncer")
	needs(t, err == nil, "no vdirsyncer")
	page, err := os.ReadFile("../../deploy/docs/migration/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, relay := startSink(t, false)
	old := startHouse(t, dbtest.DSN(t, "sqlite"), "127.0.0.1:0", "", relay)
	fresh := startHouse(t, dbtest.DSN(t, "sqlite"), "127.0.0.1:0", "", relay)
	dir := t.TempDir()
	config := ""
	for line := range strings.Lines(string(page)) {
		if said, ok := strings.CutPrefix(line, "    "); ok {
			config += said
		}
	}
	config = strings.NewReplacer(
		"/tmp/migration", dir, "https://old.example.org", old.Config.HTTP.PublicURL, "https://cal.example.org", fresh.Config.HTTP.PublicURL,
		`"ann"`, `"`+ann+`"`, `"ann@example.org"`, `"`+ann+`"`, `"..."`, `"`+demoPasswords[ann]+`"`,
	).Replace(config)
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	put := func(path, kind, body string) {
		t.Helper()
		status, _, got, err := old.as(ann).do(t.Context(), "PUT", path, strings.ReplaceAll(body, "\n", "\r\n"), "Content-Type", kind)
		if err != nil || status != http.StatusCreated {
			t.Fatalf("%s: %d %v %s", path, status, err, got)
		}
	}
	put(calendarOf(ann)+"one.ics", "text/calendar", "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//EN\nBEGIN:VEVENT\nUID:one\nDTSTAMP:20260101T000000Z\nDTSTART:20270101T090000Z\nSUMMARY:Old\nEND:VEVENT\nEND:VCALENDAR\n")
	put("/dav/addressbooks/"+ann+"/contacts/carol.vcf", "text/vcard", "BEGIN:VCARD\nVERSION:3.0\nUID:carol\nFN:Carol\nN:;Carol;;;\nEND:VCARD\n")
	vdirsyncer(t, dir, "discover")
	vdirsyncer(t, dir, "sync")
	if got, err := os.ReadFile(filepath.Join(dir, "ann/calendar/one.ics")); !strings.Contains(string(got), "SUMMARY:Old") {
		t.Errorf("the event came as %q, %v", got, err)
	}
	status, _, got, err := fresh.as(ann).do(t.Context(), "GET", "/dav/addressbooks/"+ann+"/contacts/carol.vcf", "")
	if err != nil || status != http.StatusOK || !strings.Contains(got, "FN:Carol") {
		t.Errorf("the card came as %d %q, %v", status, got, err)
	}
}
