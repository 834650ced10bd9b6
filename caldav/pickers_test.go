package caldav

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// Rooms are found by what is known of them, in each way in which programs look:
// Apple's, Thunderbird's, Nextcloud's, and the book of everybody here.
func TestRoomsAreFound(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.add(db.Principal{Address: "hall@example.org", Kind: db.Room, Name: "Hall", Capacity: 120})
		h.add(db.Principal{Address: "den@example.org", Kind: db.Room, Name: "Den", Capacity: 4})
		h.add(db.Principal{Address: "car@example.org", Kind: db.Resource, Name: "Car", Capacity: 5})
		set := func(address, name string, values ...string) {
			t.Helper()
			err := h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
				p, err := tx.PrincipalByAddress(address)
				if err != nil {
					return err
				}
				return directory.SetAttribute(tx, p.ID, name, values...)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		set("hall@example.org", directory.Building, "North  Tower")
		set("hall@example.org", directory.Floor, "2")
		set("hall@example.org", directory.Feature, "video", "stage, large")
		set("hall@example.org", directory.Geo, "52.5163, 13.3777")
		set("den@example.org", directory.Building, "South Tower")
		set("den@example.org", directory.Feature, "Video")

		const props = `<D:prop><D:displayname/></D:prop>`
		apple := func(context string, words string, want ...string) {
			t.Helper()
			tokens := ""
			for _, w := range strings.Fields(words) {
				tokens += `<CS:search-token>` + w + `</CS:search-token>`
			}
			r := h.report(ann, "/dav/principals/", `<CS:calendarserver-principal-search context="`+context+`">`+tokens+props+`</CS:calendarserver-principal-search>`)
			equal(t, context+" "+words, names(t, r, "/dav/principals/"), append([]string{}, want...))
		}
		apple("location", "tower", "den@example.org/", "hall@example.org/")
		apple("location", "video north", "hall@example.org/")
		apple("location", "2", "hall@example.org/")
		apple("resource", "video")
		apple("attendee", "VIDEO", "den@example.org/", "hall@example.org/")
		apple("user", "tower")

		search := func(in string, want ...string) {
			t.Helper()
			r := h.report(ann, "/dav/principals/", strings.Replace(`<D:principal-property-search`+in+props+`</D:principal-property-search>`, ">", ` xmlns:N="http://nextcloud.com/ns">`, 1))
			equal(t, in, names(t, r, "/dav/principals/"), append([]string{}, want...))
		}
		by := func(prop, match string) string {
			return `<D:property-search><D:prop><` + prop + `/></D:prop><D:match>` + match + `</D:match></D:property-search>`
		}
		search(`>`+by("N:room-building-address", "north tower"), "hall@example.org/")
		search(`>`+by("N:room-features", "stage"), "hall@example.org/")
		search(`>`+by("N:room-features", "video")+by("N:room-building-story", "2"), "hall@example.org/")
		search(` test="anyof">`+by("N:room-features", "stage")+by("N:room-building-address", "south"), "den@example.org/", "hall@example.org/")
		search(`>`+by("N:room-seating-capacity", "5"), "car@example.org/", "hall@example.org/")
		search(`>`+by("C:calendar-user-type", "ROOM")+by("N:room-seating-capacity", "4"), "den@example.org/", "hall@example.org/")
		search(`>` + by("N:room-seating-capacity", "many"))
		search(`>`+by("C:calendar-user-type", "ROOM"), "den@example.org/", "hall@example.org/", "room@example.org/")
		search(` type="RESOURCE">`+by("D:displayname", "a"), "car@example.org/")
		search(` test="anyof">`+by("D:displayname", "den")+by("C:calendar-user-type", "resource"), "car@example.org/", "den@example.org/")
		search(`>`+by("C:calendar-user-address-set", "mailto:den@"), "den@example.org/")
		search(` type="ROOM">`+by("C:calendar-user-address-set", "mail"), "den@example.org/", "hall@example.org/", "room@example.org/")

		const hall = "/dav/principals/hall@example.org/"
		r := h.do(ann, "PROPFIND", hall, `<D:propfind xmlns:D="DAV:" xmlns:N="http://nextcloud.com/ns"><D:prop><N:room-type/><N:room-seating-capacity/><N:room-building-address/><N:room-building-story/><N:room-features/></D:prop></D:propfind>`, "Depth", "0").want(t, 207)
		for _, v := range []string{">meeting-room<", ">120<", ">North Tower<", ">2<", ">video,stage, large<"} {
			if !strings.Contains(r.body, v) {
				t.Errorf("no %s in %s", v, r.body)
			}
		}
		card := h.do(ann, "GET", theDirectory+"hall@example.org.vcf", "").want(t, 200).body
		for _, v := range []string{"ADR;TYPE=WORK:;North Tower;;;;;\r\n", "X-CONVENE-FLOOR:2\r\n", "CATEGORIES:video,stage\\, large\r\n", "GEO:52.516300;13.377700\r\n", "Capacity: 120\\nFloor: 2"} {
			if !strings.Contains(card, v) {
				t.Errorf("no %q in\n%s", v, card)
			}
		}
		book := func(prop, text string, want ...string) {
			t.Helper()
			r := h.report(ann, theDirectory, `<CR:addressbook-query><D:prop><D:getetag/></D:prop><CR:filter><CR:prop-filter name="`+prop+`"><CR:text-match>`+text+`</CR:text-match></CR:prop-filter></CR:filter></CR:addressbook-query>`, "Depth", "1")
			equal(t, prop+" "+text, names(t, r, theDirectory), append([]string{}, want...))
		}
		book("CATEGORIES", "video", "den@example.org.vcf", "hall@example.org.vcf")
		book("ADR", "north", "hall@example.org.vcf")
		book("X-CONVENE-FLOOR", "2", "hall@example.org.vcf")

		for _, bad := range [][2]string{{directory.Geo, "here"}, {directory.Geo, "91,0"}, {directory.Geo, "NaN,0"}, {directory.Floor, strings.Repeat("x", 300)}} {
			err := h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
				p, err := tx.PrincipalByAddress("den@example.org")
				if err != nil {
					return err
				}
				return directory.SetAttribute(tx, p.ID, bad[0], bad[1])
			})
			if err == nil {
				t.Errorf("%s %s is taken", bad[0], bad[1])
			}
		}
	})
}

// A search among very many reads those in whom the text may stand, and one that
// no index answers ends somewhere and says so.
func TestPrincipalSearchIsBounded(t *testing.T) {
	s := storeOf(t, "sqlite")
	h := newHouse(t, s)
	err := s.Write(context.Background(), nil, func(tx *db.Tx) error {
		for i := range maxLooked + 10 {
			if err := tx.InsertPrincipal(&db.Principal{Address: fmt.Sprintf("p%d@example.net", i), Kind: db.Person, Name: "Nobody"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.add(db.Principal{Address: "zulu@example.org", Kind: db.Room, Name: "Zulu"})
	const props = `<D:prop><D:displayname/></D:prop>`
	found := func(in string) int {
		t.Helper()
		r := h.report(ann, "/dav/principals/", in)
		n := len(r.rows(t))
		if strings.Contains(r.body, "507") {
			return -n
		}
		return n
	}
	by := func(prop, match string) string {
		return `<D:principal-property-search><D:property-search><D:prop><` + prop + `/></D:prop><D:match>` + match + `</D:match></D:property-search>` + props + `</D:principal-property-search>`
	}
	if n := found(by("D:displayname", "zulu")); n != 1 {
		t.Errorf("by name: %d", n)
	}
	if n := found(`<CS:calendarserver-principal-search context="location"><CS:search-token>zul</CS:search-token>` + props + `</CS:calendarserver-principal-search>`); n != 1 {
		t.Errorf("by a word: %d", n)
	}
	if n := found(by("C:calendar-user-type", "room")); n != 2 {
		t.Errorf("by kind: %d", n)
	}
	if n := found(by("D:displayname", "nobody")); n != -(maxFound + 1) {
		t.Errorf("too many: %d", n)
	}
	// Of whom there are more than are looked at, in the order of ids.
	if n := found(by("C:calendar-user-address-set", "mail")); n != -(maxFound + 1) {
		t.Errorf("everybody: %d", n)
	}
	if n := found(strings.Replace(by("C:calendar-user-address-set", "mail"), "<D:property-search>", "<D:property-search><D:prop><CS:unknown/></D:prop><D:match>x</D:match></D:property-search><D:property-search>", 1)); n != 0 {
		t.Errorf("what nobody has: %d", n)
	}
}
