package caldav

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// The busy URL of a group tells when anybody in it is busy, that of a pool when
// all of it are. To who is logged in, somebody who does not share his time and
// somebody who is not here look alike; to who is not, all look alike.
func TestFreeBusyURLOfGroups(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.add(db.Principal{Address: "den@example.org", Kind: db.Room, Name: "Den"})
		h.add(db.Principal{Address: "team@example.org", Kind: db.Group})
		h.add(db.Principal{Address: "rooms@example.org", Kind: db.Group})
		change := func(f func(tx *db.Tx, id func(string) int64) error) {
			t.Helper()
			err := h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
				return f(tx, func(a string) int64 {
					p, err := tx.PrincipalByAddress(a)
					if err != nil {
						t.Fatal(err)
					}
					return p.ID
				})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		change(func(tx *db.Tx, id func(string) int64) error {
			if err := tx.SetMembers(id("team@example.org"), []string{ann, bob}); err != nil {
				return err
			}
			if err := directory.SetPreference(tx, id("rooms@example.org"), directory.FreeBusyToken, "sesame"); err != nil {
				return err
			}
			return tx.SetMembers(id("rooms@example.org"), []string{"room@example.org", "den@example.org"})
		})
		h.put(ann, annCalendar+"a.ics", event("a", "20261103T100000Z", "20261103T110000Z", "")).want(t, 201)
		h.put(bob, bobCalendar+"b.ics", event("b", "20261103T120000Z", "20261103T130000Z", "")).want(t, 201)
		h.put(ann, annCalendar+"r1.ics", meeting("r1", "20261104T100000Z", "20261104T120000Z", "room@example.org")).want(t, 201)
		h.put(ann, annCalendar+"r2.ics", meeting("r2", "20261104T110000Z", "20261104T130000Z", "den@example.org")).want(t, 201)
		tells := func(r reply, want ...string) {
			t.Helper()
			var got []string
			for l := range strings.Lines(r.want(t, 200).body) {
				if _, v, ok := strings.Cut(strings.TrimRight(l, "\r\n"), "FBTYPE=BUSY:"); ok {
					got = append(got, strings.Split(v, ",")...)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		}
		tells(h.do(bob, "GET", "/freebusy/team@example.org?start=20261103T000000Z&end=20261104T000000Z", ""), "20261103T100000Z/PT1H", "20261103T120000Z/PT1H")
		tells(h.do(bob, "GET", "/freebusy/rooms@example.org.ifb?start=20261104T000000Z&end=20261105T000000Z", ""), "20261104T110000Z/PT1H")
		tells(h.do("", "GET", "/freebusy/rooms@example.org?start=20261104T000000Z&end=20261105T000000Z&token=sesame", ""), "20261104T110000Z/PT1H")
		tells(h.do("", "GET", "/freebusy/rooms@example.org?start=20261104T000000Z&end=20261105T000000Z&token=sesam", ""))

		change(func(tx *db.Tx, id func(string) int64) error {
			return directory.SetPreference(tx, id(bob), directory.FreeBusySharing, "no")
		})
		tells(h.do(ann, "GET", "/freebusy/team@example.org?start=20261103T000000Z&end=20261104T000000Z", ""), "20261103T100000Z/PT1H")
		shape := func(r reply) string {
			h := r.header.Clone()
			h.Del("Date")
			names := slices.Sorted(maps.Keys(h))
			for i, n := range names {
				names[i] += "=" + strings.Join(h[n], ",")
			}
			return strings.Join(names, "\n")
		}
		a, b := h.do(ann, "GET", "/freebusy/"+bob, "").want(t, 404), h.do(ann, "GET", "/freebusy/abc@example.org", "").want(t, 404)
		if shape(a) != shape(b) || a.body != b.body {
			t.Errorf("%s %s\ndiffers from\n%s %s", shape(a), a.body, shape(b), b.body)
		}
		one := shape(h.do("", "GET", "/freebusy/abc@example.org", "").want(t, 200))
		for _, there := range []string{bob, ann, "den@example.org", "team@example.org"} {
			if s := shape(h.do("", "GET", "/freebusy/"+there, "").want(t, 200)); s != one {
				t.Errorf("%s: %s\ndiffers from\n%s", there, s, one)
			}
		}
	})
}
