package caldav

import (
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// Who is in which group is told to everybody here, or to the members alone
// where whoever runs the server says so (RFC 3744 §4.3, §4.4).
func TestGroupMembers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const team, all, eve = "/dav/principals/team@example.org/", "/dav/principals/all@example.org/", "eve@example.org"
		h.add(dbPerson(eve))
		ids := map[string]int64{}
		for _, g := range []string{"team@example.org", "all@example.org"} {
			h.add(db.Principal{Address: g, Kind: db.Group, Name: "Group " + g})
			err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
				p, err := tx.PrincipalByAddress(g)
				if err != nil {
					return err
				}
				ids[g] = p.ID
				if g == "team@example.org" {
					return tx.SetMembers(p.ID, []string{ann, "out@example.net"})
				}
				return tx.SetMembers(p.ID, []string{"team@example.org", bob, ann})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		test := func(who, path, property, want string) {
			t.Helper()
			w := h.propfind(who, path, "0", property).row(t, path)
			if want == "none" && !w.lacks(property) || want != "none" && w.text(property) != want {
				t.Errorf("%s asks %s for %s: %q, want %q", who, path, property, w.text(property), want)
			}
		}
		for _, who := range []string{ann, bob, eve} {
			test(who, team, "D:group-member-set", href(annPath))
			test(who, all, "D:group-member-set", href(team)+href(bobPath)+href(annPath))
			test(who, all, "CS:expanded-group-member-set", href(team)+href(bobPath)+href(annPath))
			test(who, annPath, "D:group-membership", href(all)+href(team))
			test(who, team, "D:group-membership", href(all))
		}
		test(ann, annPath, "CS:expanded-group-membership", href(all)+href(team))
		test(eve, bobPath, "CS:expanded-group-membership", href(all))
		test(bob, "/dav/principals/"+eve+"/", "D:group-membership", "none")
		test(eve, "/dav/principals/"+eve+"/", "D:group-membership", "")
		// As Apple's picker does.
		w := h.report(eve, all, `<D:expand-property><D:property name="expanded-group-member-set" namespace="http://calendarserver.org/ns/"><D:property name="displayname"/></D:property></D:expand-property>`).row(t, all)
		if got := w.text("CS:expanded-group-member-set"); !strings.Contains(got, "Ann") || !strings.Contains(got, "Bob") || !strings.Contains(got, "Group team") {
			t.Errorf("%s", got)
		}

		err := h.store.Write(t.Context(), nil, func(tx *db.Tx) error {
			return tx.SetPreference(ids["team@example.org"], directory.Members, directory.Hidden)
		})
		if err != nil {
			t.Fatal(err)
		}
		test(ann, team, "D:group-member-set", href(annPath))
		test(eve, team, "D:group-member-set", "none")
		test(eve, team, "CS:expanded-group-member-set", "none")
		test(eve, annPath, "D:group-membership", href(all))
		test(eve, all, "CS:expanded-group-member-set", href(team)+href(bobPath)+href(annPath)) // Ann by herself
		test(ann, annPath, "D:group-membership", href(all)+href(team))
	})
}
