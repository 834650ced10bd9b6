package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The programs that work on vdirsyncer's folders: khal, todoman, khard. What
// each makes reaches the server, what the server has each shows, and an
// invitation is answered by a line in a file.
func TestProgramsOfTheCommandLine(t *testing.T) {
	for _, name := range []string{"vdirsyncer", "khal", "khard", "todoman"} {
		_, err := exec.LookPath(name)
		needs(t, err == nil, "no %s", name)
	}
	onBoth(t, func(t *testing.T, dsn string) {
		_, relay := startSink(t, false)
		h := startHouse(t, dsn, "127.0.0.1:0", "", relay)
		dir := t.TempDir()
		write := func(name, text string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		run := func(stdin, name string, args ...string) string {
			t.Helper()
			cmd := exec.CommandContext(t.Context(), name, args...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8", "TZ=Europe/Berlin")
			cmd.Stdin = strings.NewReader(stdin)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s %v: %v\n%s", name, args, err, out)
			}
			return string(out)
		}
		// stored returns the one object of a collection of Ann's that has a text.
		stored := func(collection, text string) string {
			t.Helper()
			status, _, list, err := h.as(ann).do(t.Context(), "PROPFIND", collection, "", "Depth", "1")
			if err != nil || status != http.StatusMultiStatus {
				t.Fatalf("PROPFIND %s: %d %v", collection, status, err)
			}
			for _, m := range regexp.MustCompile(`<(?:\w+:)?href>([^<]*\.(?:ics|vcf))<`).FindAllStringSubmatch(list, -1) {
				if _, _, body, err := h.as(ann).do(t.Context(), "GET", m[1], ""); err == nil && strings.Contains(body, text) {
					return body
				}
			}
			t.Fatalf("nothing with %q in %s", text, collection)
			return ""
		}
		shows := func(got string, want ...string) {
			t.Helper()
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("%q is not in\n%s", w, got)
				}
			}
		}
		write("khal.conf", fmt.Sprintf(`[calendars]
[[all]]
path = %[1]s/events/*
type = discover
[default]
default_calendar = calendar
[locale]
local_timezone = Europe/Berlin
default_timezone = Europe/Berlin
timeformat = %%H:%%M
dateformat = %%Y-%%m-%%d
longdateformat = %%Y-%%m-%%d
datetimeformat = %%Y-%%m-%%d %%H:%%M
longdatetimeformat = %%Y-%%m-%%d %%H:%%M
[sqlite]
path = %[1]s/khal.db
`, dir))
		write("todoman.py", fmt.Sprintf(`path = "%[1]s/events/*"
cache_path = "%[1]s/todoman.db"
default_list = "tasks"
date_format = "%%Y-%%m-%%d"
time_format = "%%H:%%M"
`, dir))
		write("khard.conf", fmt.Sprintf(`[addressbooks]
[[contacts]]
path = %s/people/contacts
[general]
editor = true
merge_editor = true
default_action = list
`, dir))
		vdirsyncerConfig(t, dir, h)
		vdirsyncer(t, dir, "discover")
		vdirsyncer(t, dir, "sync")

		// khal makes an event and changes it; the server's changes it shows.
		khal := func(stdin string, args ...string) string {
			return run(stdin, "khal", append([]string{"-c", "khal.conf"}, args...)...)
		}
		khal("", "new", "-a", "calendar", "2027-01-04", "09:00", "10:00", "Made by khal", "::", "with words")
		vdirsyncer(t, dir, "sync")
		shows(stored(calendarOf(ann), "SUMMARY:Made by khal"), "DESCRIPTION:with words", "TZID=Europe/Berlin")
		khal("s\nChanged by khal\nn\nq\n", "edit", "Made by khal")
		vdirsyncer(t, dir, "sync")
		stored(calendarOf(ann), "SUMMARY:Changed by khal")

		// todoman makes a task and ends it.
		todoman := func(args ...string) string {
			return run("", "todoman", append([]string{"--config", "todoman.py"}, args...)...)
		}
		todoman("new", "-l", "tasks", "--due", "2027-01-05", "Made by todoman")
		vdirsyncer(t, dir, "sync")
		tasks := strings.Replace(calendarOf(ann), "/calendar/", "/tasks/", 1)
		shows(stored(tasks, "SUMMARY:Made by todoman"), "DUE;VALUE=DATE:20270105")
		todoman("done", "1")
		vdirsyncer(t, dir, "sync")
		shows(stored(tasks, "SUMMARY:Made by todoman"), "STATUS:COMPLETED", "PERCENT-COMPLETE:100")

		// khard makes a card, and lists what another program made.
		khard := func(stdin string, args ...string) string {
			return run(stdin, "khard", append([]string{"-c", "khard.conf"}, args...)...)
		}
		write("dora.yaml", "First name : Dora\nLast name : Dorn\nEmail:\n    home : dora@example.net\n")
		khard("", "new", "-a", "contacts", "-i", "dora.yaml")
		book := "/dav/addressbooks/" + ann + "/contacts/"
		status, _, _, err := h.as(ann).do(t.Context(), "PUT", book+"ewa.vcf",
			"BEGIN:VCARD\r\nVERSION:4.0\r\nUID:ewa\r\nFN:Ewa Ecks\r\nN:Ecks;Ewa;;;\r\nEMAIL;PREF=1:ewa@example.net\r\nEND:VCARD\r\n", "Content-Type", "text/vcard")
		if err != nil || status != http.StatusCreated {
			t.Fatalf("PUT of a card: %d %v", status, err)
		}
		vdirsyncer(t, dir, "sync")
		shows(stored(book, "FN:Dora Dorn"), "dora@example.net")
		shows(khard("", "list"), "Dora Dorn", "Ewa Ecks", "ewa@example.net")

		// Ben invites Ann. khal shows it; she answers in the file; Ben sees it.
		meeting := strings.ReplaceAll(strings.NewReplacer("20300101T010000Z", "20270106T090000Z").Replace(invitation("k00001", ben, ann)), "\n", "\r\n")
		status, _, text, err := h.as(ben).do(t.Context(), "PUT", calendarOf(ben)+"k00001.ics", meeting, "Content-Type", "text/calendar")
		if err != nil || status != http.StatusCreated {
			t.Fatalf("PUT of a meeting: %d %v %s", status, err, text)
		}
		vdirsyncer(t, dir, "sync")
		shows(khal("", "list", "2027-01-06", "1d"), "Meeting k00001")
		files, err := filepath.Glob(filepath.Join(dir, "events/calendar/*.ics"))
		if err != nil {
			t.Fatal(err)
		}
		answered := false
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(data), "UID:k00001") {
				answered = true
				data = []byte(strings.Replace(unfold(string(data)), "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED", 1))
				if err := os.WriteFile(file, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !answered {
			t.Fatal("the invitation is not in the folder")
		}
		vdirsyncer(t, dir, "sync")
		h.eventually(ben, "k00001", ann, "ACCEPTED")
		vdirsyncer(t, dir, "sync") // nothing left to do, no conflict
	})
}

// cadaver opens the tree as a file system.
func TestCadaver(t *testing.T) {
	_, err := exec.LookPath("cadaver")
	needs(t, err == nil, "no cadaver")
	onBoth(t, func(t *testing.T, dsn string) {
		_, relay := startSink(t, false)
		h := startHouse(t, dsn, "127.0.0.1:0", "", relay)
		dir := t.TempDir()
		host, _, _ := strings.Cut(h.HTTP.String(), ":")
		for name, text := range map[string]string{
			".netrc":   fmt.Sprintf("machine %s\nlogin %s\npassword %s\n", host, ann, demoPasswords[ann]),
			"note.txt": "words of a file\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		home := "/dav/calendars/" + ann + "/"
		commands := []string{
			"cd " + home, "ls", "mkcol papers", "cd papers", "put note.txt", "lock note.txt", "put note.txt", "unlock note.txt",
			"copy note.txt copy.txt", "move copy.txt moved.txt", "ls", "get moved.txt back.txt", "delete moved.txt", "cd ..", "rmcol papers", "ls", "quit",
		}
		cmd := exec.CommandContext(t.Context(), "cadaver", "http://"+h.HTTP.String()+"/dav/")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8")
		cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
		out, err := cmd.CombinedOutput()
		got := string(out)
		if err != nil || strings.Contains(got, "failed") || strings.Count(got, "succeeded") < 12 {
			t.Errorf("cadaver: %v\n%s", err, got)
		}
		back, err := os.ReadFile(filepath.Join(dir, "back.txt"))
		if err != nil || string(back) != "words of a file\n" {
			t.Errorf("the file came back as %q: %v", back, err)
		}
		status, _, _, err := h.as(ann).do(t.Context(), "PROPFIND", home+"papers/", "", "Depth", "0")
		if err != nil || status != http.StatusNotFound {
			t.Errorf("the folder is still there: %d %v", status, err)
		}
	})
}
