package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// Nothing of who is removed stays: tasks end like meetings, whom he sent comes in his
// place, and what he proposed, was granted, belonged to or waited for is gone.
func TestRemoveLeavesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		s := dbtest.Open(t, dsn, db.Options{})
		people := map[string]db.Principal{}
		write := func(f func(tx *db.Tx) error) {
			t.Helper()
			if err := s.Write(t.Context(), nil, f); err != nil {
				t.Fatal(err)
			}
		}
		write(func(tx *db.Tx) error {
			for _, a := range []string{ann, ben, "dan@example.org"} {
				p := db.Principal{Kind: db.Person, Address: a, Password: "x", MailCopies: "always"}
				if err := directory.Add(tx, &p, nil); err != nil {
					return err
				}
				people[a] = p
			}
			g := db.Principal{Kind: db.Group, Address: "team@example.org"}
			if err := directory.Add(tx, &g, nil); err != nil {
				return err
			}
			people["team"] = g
			if err := tx.SetMembers(g.ID, []string{"ANN@example.org", ben}); err != nil {
				return err
			}
			return tx.SetProxies(people[ben].ID, true, []int64{people[ann].ID})
		})
		desk := scheduling.New(s, scheduling.Options{Domains: []string{"example.org"}, Coalesce: time.Hour})
		at := time.Now().UTC().AddDate(0, 0, 3).Format("20060102") + "T100000Z"
		put := func(who, calendar, uid, component string, lines ...string) {
			t.Helper()
			body := strings.ReplaceAll("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:"+component+"\nUID:"+uid+"\nDTSTAMP:20260101T000000Z\nDTSTART:"+at+"\nSUMMARY:S\n"+strings.Join(lines, "\n")+"\nEND:"+component+"\nEND:VCALENDAR\n", "\n", "\r\n")
			var col db.Collection
			write(func(tx *db.Tx) (err error) {
				col, err = tx.CollectionByName(people[who].ID, db.Calendar, calendar)
				return err
			})
			name := uid + ".ics"
			write(func(tx *db.Tx) error {
				rows, err := tx.ObjectsByUID(uid, people[who].ID)
				if len(rows) == 1 {
					name = rows[0].Name
				}
				return err
			})
			if _, err := desk.Put(t.Context(), scheduling.Put{Actor: people[who], Collection: col.ID, Name: name, Body: []byte(body), Door: "dav"}); err != nil {
				t.Fatalf("%s: %v", uid, err)
			}
		}
		guest := func(who string, params ...string) string {
			return "ATTENDEE" + strings.Join(params, "") + ":mailto:" + who
		}
		put(ann, "tasks", "task", "VTODO", "ORGANIZER:mailto:"+ann, guest(ben))
		put(ben, "calendar", "sent", "VEVENT", "ORGANIZER:mailto:"+ben, guest(ann), guest(carol))
		put(ann, "calendar", "sent", "VEVENT", "ORGANIZER:mailto:"+ben, guest(ann, ";PARTSTAT=DELEGATED", `;DELEGATED-TO="mailto:dan@example.org"`),
			guest("dan@example.org", `;DELEGATED-FROM="mailto:`+ann+`"`), guest(carol))
		put(ben, "calendar", "moved", "VEVENT", "ORGANIZER:mailto:"+ben, guest(ann))
		start := time.Now().AddDate(0, 0, 5).Truncate(time.Hour)
		if v, err := desk.Propose(t.Context(), scheduling.Proposal{UID: "moved", Attendee: cuaddr.Mailto(ann), Organizer: scheduling.Organizer{Principal: people[ben].ID}, Start: start, End: start.Add(time.Hour), Door: "rsvp"}); err != nil || !v.Applied {
			t.Fatal(v, err)
		}
		write(func(tx *db.Tx) error {
			if ps, err := tx.ProposalsAbout("moved"); len(ps) != 1 || err != nil {
				t.Errorf("proposals: %v, %v", ps, err)
			}
			return nil
		})

		config := filepath.Join(t.TempDir(), "convene.toml")
		if err := os.WriteFile(config, fmt.Appendf(nil, "domains = [\"example.org\"]\n[store]\ndsn = %q\n", dsn), 0o600); err != nil {
			t.Fatal(err)
		}
		command := func(want int) {
			t.Helper()
			var out bytes.Buffer
			if status := run(env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &out}, []string{"user", "remove", ann, "--config", config}); status != want {
				t.Fatalf("exit status %d\n%s", status, out.String())
			}
		}
		command(exitDone)
		command(exitFailed) // once
		if _, err := desk.WorkOnce(t.Context()); err != nil {
			t.Fatal(err)
		}

		write(func(tx *db.Tx) error {
			copyOf := func(uid, who string) *ics.Object {
				rows, err := tx.ObjectsByUID(uid, people[who].ID)
				if err != nil || len(rows) != 1 {
					t.Fatalf("%s has %d copies of %s, %v", who, len(rows), uid, err)
				}
				o, err := ics.Parse(rows[0].Body, ics.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				return o
			}
			if o := copyOf("task", ben); o.First().Value("STATUS") != "CANCELLED" {
				t.Errorf("the task goes on:\n%s", o.Bytes())
			}
			if got := partStats(copyOf("moved", ben)); got[ann] != "DECLINED" {
				t.Errorf("answers %v", got)
			}
			// Whom she sent comes in her place.
			if got := partStats(copyOf("sent", ben)); got[ann] != "DELEGATED" || got["dan@example.org"] != "NEEDS-ACTION" {
				t.Errorf("answers %v", got)
			}
			copyOf("sent", "dan@example.org")
			if ps, err := tx.ProposalsAbout("moved"); len(ps) != 0 || err != nil {
				t.Errorf("what she proposed: %v, %v", ps, err)
			}
			if ms, err := tx.Members(people["team"].ID); !slices.Equal(ms, []string{ben}) || err != nil {
				t.Errorf("in the group: %q, %v", ms, err)
			}
			if ps, err := tx.Proxies(people[ben].ID); len(ps) != 0 || err != nil {
				t.Errorf("acts for Ben: %v, %v", ps, err)
			}
			ds, err := tx.Deliveries(0, 100)
			for _, d := range ds {
				if d.Rcpt == "mailto:"+ann {
					t.Errorf("%s waits for her", d.Method)
				}
			}
			return err
		})
	})
}
