package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestRecorder: while a server runs an operator has one user recorded, reads
// what the programs did without reading the user's life, and ends it.
func TestRecorder(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		p := newProcess(t, dsn, "")
		p.must("anna\n", "user", "add", "anna@example.org", "--name", "Anna Arbor", "--password-stdin")
		p.must("bob\n", "user", "add", "bob@example.org", "--name", "Bob Bitter", "--password-stdin")
		p.start()
		file := filepath.Join(t.TempDir(), "recording")
		act := func(want int, user, method, path, body string, header ...string) {
			t.Helper()
			status, text, err := p.dav(user, method, path, body, header...)
			if err != nil || status != want {
				t.Fatalf("%s %s: %d %v\n%s", method, path, status, err, text)
			}
		}
		const home = "/dav/calendars/anna@example.org/"
		event := func(uid string) string {
			return strings.ReplaceAll("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Newcomer//9\nBEGIN:VEVENT\nUID:"+uid+"\nDTSTAMP:20310301T090000Z\nDTSTART:20310310T090000Z\nDURATION:PT1H\n"+
				"SUMMARY:Clinic Zebra\nLOCATION:Elm Street\nDESCRIPTION:a very private note\nX-NEWCOMER-MOOD:gloomy\nORGANIZER;CN=Anna Arbor:mailto:anna@example.org\n"+
				"ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@example.org\nATTENDEE;CN=Bob Bitter;RSVP=TRUE:mailto:bob@example.org\nEND:VEVENT\nEND:VCALENDAR\n", "\n", "\r\n")
		}
		put := func(uid, user, path string) {
			t.Helper()
			act(201, user, "PUT", path+uid+".ics", event(uid), "Content-Type", "text/calendar; charset=utf-8", "User-Agent", "Newcomer/9", "Cookie", "session=zebra")
		}
		if out, err := p.run("", "user", "record", "anna@example.org", "--to", file); err == nil || !strings.Contains(out, "anna@example.org is not recorded") {
			t.Errorf("%v %s", err, out)
		}
		put("before-uid", "anna@example.org", home+"calendar/")
		if out := p.must("", "user", "record", "anna@example.org"); !strings.Contains(out, "is recorded until 20") {
			t.Error(out)
		}
		if out := p.must("", "user", "show", "anna@example.org"); !strings.Contains(out, "recorded until") {
			t.Error(out)
		}
		put("zebra-uid", "anna@example.org", home+"calendar/")
		act(401, "nobody@example.org", "PROPFIND", home, "")
		act(207, "bob@example.org", "PROPFIND", "/dav/calendars/bob@example.org/", "", "Depth", "0")
		act(207, "anna@example.org", "REPORT", home+"calendar/", `<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop><D:href>`+home+`calendar/zebra-uid.ics</D:href></C:calendar-multiget>`,
			"Content-Type", "application/xml", "Accept-Encoding", "gzip")
		act(403, "anna@example.org", "GET", "/dav/calendars/zebra@example.org/", "")
		act(207, "anna@example.org", "PROPPATCH", home+"calendar/", `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>Zebra's life</D:displayname></D:prop></D:set></D:propertyupdate>`, "Content-Type", "application/xml")
		act(204, "anna@example.org", "DELETE", home+"calendar/zebra-uid.ics", "", "If-Match", "*")

		if out := p.must("", "user", "record", "anna@example.org", "--to", file); !strings.Contains(out, "5 requests of anna@example.org are written") {
			t.Error(out)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		for _, private := range []string{"zebra", "elm street", "private", "gloomy", "arbor", "bitter", "anna", "bob", "example.org", "before-uid", "session"} {
			if at := strings.Index(strings.ToLower(text), private); at >= 0 {
				t.Errorf("%s is in it: %s", private, text[max(at-50, 0):])
			}
		}
		if strings.Contains(text, "YW5uYUBleGFtcGxl") { // the log-in in base64
			t.Error("the log-in is in it")
		}
		mark := `x-[0-9a-f]{10}`
		// One mark for the UID, the name of the object and the href of the report.
		first := regexp.MustCompile(`(?m)^> PUT /dav/calendars/(` + mark + `)@redacted.invalid/calendar/(` + mark + `)\.ics$`).FindStringSubmatch(text)
		if first == nil {
			t.Fatal(text)
		}
		me, uid := first[1], first[2]
		for _, line := range []string{
			"> User-Agent: Newcomer/9", "> Cookie: (not shown)", "> Authorization: Basic (not shown)", "> PRODID:-//Newcomer//9", "> UID:" + uid, "> DTSTART:20310310T090000Z",
			"> ATTENDEE;PARTSTAT=ACCEPTED:mailto:" + me + "@redacted.invalid", "< 201", "< 403", "< 204", "> DELETE /dav/calendars/" + me + "@redacted.invalid/calendar/" + uid + ".ics", "> If-Match: *",
		} {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("it does not have the line %s", line)
			}
		}
		for _, piece := range []string{"<D:href>/dav/calendars/" + me + "@redacted.invalid/calendar/" + uid + ".ics</D:href>", "< UID:" + uid, "<D:displayname>x-", "> X-NEWCOMER-MOOD:x-", "SCHEDULE-STATUS=1.2"} {
			if !strings.Contains(text, piece) {
				t.Errorf("it does not have %s", piece)
			}
		}
		if n := strings.Count(text, "\n### ") + 1; n != 5 || !strings.HasPrefix(text, "### 1 20") {
			t.Errorf("%d requests", n)
		}
		if t.Failed() {
			t.Log(text)
		}

		if out := p.must("", "user", "record", "anna@example.org", "--to", "-", "--json"); strings.Count(out, "\n") != 5 || !strings.Contains(out, `"method":"PROPPATCH"`) {
			t.Error(out)
		}
		if out := p.must("", "user", "record", "anna@example.org", "--off"); !strings.Contains(out, "what was recorded is gone") {
			t.Error(out)
		}
		act(207, "anna@example.org", "PROPFIND", home, "", "Depth", "0")
		// A new one begins empty, and ends by itself.
		p.must("", "user", "record", "anna@example.org", "--for", "1ms")
		time.Sleep(2 * time.Millisecond) // longer than it lasts
		act(207, "anna@example.org", "PROPFIND", home, "", "Depth", "0")
		if out := p.must("", "user", "record", "anna@example.org", "--to", "-"); out != "" {
			t.Error(out)
		}
		p.must("", "user", "record", "anna@example.org", "--off")
		for _, bad := range [][]string{{"--for", "25h"}, {"--for", "-1h"}, {"--for", "1h", "--off"}, {"--for", "1h", "--to", "-"}} {
			if out, err := p.run("", append([]string{"user", "record", "anna@example.org"}, bad...)...); err == nil {
				t.Errorf("%q: %s", bad, out)
			}
		}
		if out, err := p.run("", "user", "record", "eve@example.org"); err == nil || !strings.Contains(out, "eve@example.org is unknown here") {
			t.Errorf("%v %s", err, out)
		}
	})
}
