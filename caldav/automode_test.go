package caldav

import (
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
)

// Apple's programs see on a room's principal how it answers, and let those who
// look after it change that; nobody else can, whatever else he may.
func TestAutoScheduleMode(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		room := dbPerson("blue@example.org")
		room.Kind, room.Policy = db.Room, "same_domain_only\nowner bob@example.org"
		h.add(room)
		h.add(dbPerson("cleo@example.org"))
		const path = "/dav/principals/blue@example.org/"
		patch := func(name, value string) string {
			return "<D:set><D:prop><CS:" + name + ">" + value + "</CS:" + name + "></D:prop></D:set>"
		}
		tells := func(auto, mode string) {
			t.Helper()
			w := h.propfind(ann, path, "0", "CS:auto-schedule CS:auto-schedule-mode").row(t, path)
			if w.text("CS:auto-schedule") != auto || w.text("CS:auto-schedule-mode") != mode || mode == "" && !w.lacks("CS:auto-schedule-mode") {
				t.Errorf("%+v, want %s, %s", w, auto, mode)
			}
		}
		rules := func(want string) {
			t.Helper()
			err := h.store.View(t.Context(), func(tx *db.Tx) error {
				p, err := directory.Lookup(tx, cuaddr.Mailto("blue@example.org"))
				if p.Policy != want {
					t.Errorf("rules %q, want %q", p.Policy, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		may := func(who, name, value string) {
			t.Helper()
			if w := h.proppatch(who, path, patch(name, value)).row(t, path); !w.has("CS:" + name) {
				t.Errorf("%s to %s: %+v", name, value, w)
			}
		}
		mayNot := func(who, path, name, value string) {
			t.Helper()
			r := h.proppatch(who, path, patch(name, value))
			if r.status == 207 && r.row(t, path).has("CS:"+name) {
				t.Errorf("%s to %s is changed", name, value)
			}
		}
		tells("true", "automatic")
		mayNot(ann, path, "auto-schedule-mode", "accept-always")
		mayNot(ann, annSelf, "auto-schedule-mode", "accept-always")
		rules("same_domain_only\nowner bob@example.org")
		may(bob, "auto-schedule-mode", "accept-if-free") // the owner
		tells("true", "accept-if-free")
		rules("same_domain_only\nowner bob@example.org\naccept_mode if-free")
		mayNot(bob, path, "auto-schedule-mode", "sometimes")
		may(bob, "auto-schedule", "false")
		tells("false", "none")
		may(bob, "auto-schedule", "true")
		tells("true", "automatic")
		rules("same_domain_only\nowner bob@example.org")

		err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error { // a delegate
			ids := map[string]int64{}
			for _, a := range []string{"blue@example.org", "cleo@example.org"} {
				p, err := directory.Lookup(tx, cuaddr.Mailto(a))
				if err != nil {
					return err
				}
				ids[a] = p.ID
			}
			return tx.SetProxies(ids["blue@example.org"], true, []int64{ids["cleo@example.org"]})
		})
		if err != nil {
			t.Fatal(err)
		}
		may("cleo@example.org", "auto-schedule-mode", "decline-always")
		tells("true", "decline-always")
		// Nothing else of the principal is hers.
		r := h.proppatch("cleo@example.org", path, patch("auto-schedule-mode", "none")+`<D:set><D:prop><X:y xmlns:X="x">z</X:y></D:prop></D:set>`)
		if r.status != 403 {
			t.Errorf("%d %s", r.status, r.body)
		}
		tells("true", "decline-always")
		if w := h.propfind(ann, annSelf, "0", "CS:auto-schedule CS:auto-schedule-mode").row(t, annSelf); !w.lacks("CS:auto-schedule") || !w.lacks("CS:auto-schedule-mode") {
			t.Errorf("people have it: %+v", w)
		}
	})
}
