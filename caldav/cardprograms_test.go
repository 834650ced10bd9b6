package caldav

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-vcard"
	"github.com/emersion/go-webdav"
	"github.com/emersion/go-webdav/carddav"
)

// TestContactsWithGoWebdav drives the door with go-webdav's client.
func TestContactsWithGoWebdav(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		c, err := carddav.NewClient(webdav.HTTPClientWithBasicAuth(http.DefaultClient, ann, "secret"), h.http.URL+"/dav/")
		must(err)
		must(c.HasSupport(ctx))
		principal, err := c.FindCurrentUserPrincipal(ctx)
		must(err)
		home, err := c.FindAddressBookHomeSet(ctx, principal)
		must(err)
		books, err := c.FindAddressBooks(ctx, home)
		must(err)
		if len(books) != 1 || books[0].Path != annContacts || books[0].MaxResourceSize != 1<<20 || len(books[0].SupportedAddressData) != 3 {
			t.Fatalf("%+v", books)
		}
		make := func(name string) vcard.Card {
			v := vcard.Card{}
			v.SetValue(vcard.FieldVersion, "3.0")
			v.SetValue(vcard.FieldUID, "uid-"+name)
			v.SetValue(vcard.FieldFormattedName, name)
			v.AddValue(vcard.FieldEmail, name+"@example.com")
			return v
		}
		for _, name := range []string{"carl", "dora"} {
			_, err := c.PutAddressObject(ctx, annContacts+name+".vcf", make(name))
			must(err)
		}
		got, err := c.GetAddressObject(ctx, annContacts+"carl.vcf")
		must(err)
		if got.Card.Value(vcard.FieldFormattedName) != "carl" || got.ETag == "" {
			t.Errorf("%+v", got)
		}
		first, err := c.SyncCollection(ctx, annContacts, &carddav.SyncQuery{})
		must(err)
		if len(first.Updated) != 2 || first.SyncToken == "" {
			t.Errorf("%+v", first)
		}
		found, err := c.QueryAddressBook(ctx, annContacts, &carddav.AddressBookQuery{
			DataRequest: carddav.AddressDataRequest{Props: []string{vcard.FieldVersion, vcard.FieldEmail}},
			PropFilters: []carddav.PropFilter{{Name: vcard.FieldEmail, TextMatches: []carddav.TextMatch{{Text: "DORA@", MatchType: carddav.MatchStartsWith}}}},
		})
		must(err)
		if len(found) != 1 || found[0].Path != annContacts+"dora.vcf" || found[0].Card.Value(vcard.FieldEmail) != "dora@example.com" || found[0].Card.Value(vcard.FieldFormattedName) != "" {
			t.Errorf("%+v", found)
		}
		many, err := c.MultiGetAddressBook(ctx, annContacts, &carddav.AddressBookMultiGet{Paths: []string{annContacts + "carl.vcf", annContacts + "dora.vcf"}})
		must(err)
		if len(many) != 2 {
			t.Errorf("%+v", many)
		}
		must(c.RemoveAll(ctx, annContacts+"carl.vcf"))
		next, err := c.SyncCollection(ctx, annContacts, &carddav.SyncQuery{SyncToken: first.SyncToken})
		must(err)
		if len(next.Updated) != 0 || len(next.Deleted) != 1 || next.Deleted[0] != annContacts+"carl.vcf" {
			t.Errorf("%+v", next)
		}
	})
}

// TestContactsWithVdirsyncer synchronises a folder of cards with vdirsyncer,
// both ways.
func TestContactsWithVdirsyncer(t *testing.T) {
	if _, err := exec.LookPath("vdirsyncer"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("vdirsyncer is not installed")
	}
	each(t, func(t *testing.T, h *house) {
		h.fill()
		dir := t.TempDir()
		config := fmt.Sprintf(`[general]
status_path = "%[1]s/status/"
[pair contacts]
a = "here"
b = "there"
collections = ["from a", "from b"]
conflict_resolution = "b wins"
[storage here]
type = "filesystem"
path = "%[1]s/cards/"
fileext = ".vcf"
[storage there]
type = "carddav"
url = "%[2]s/"
username = "%[3]s"
password = "secret"
`, dir, h.http.URL, ann)
		file := filepath.Join(dir, "config")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		run := func(args ...string) {
			t.Helper()
			cmd := exec.Command("vdirsyncer", append([]string{"-c", file}, args...)...)
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+dir)
			cmd.Stdin = strings.NewReader(strings.Repeat("y\n", 10))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("vdirsyncer %v: %v\n%s", args, err, out)
			}
		}
		run("discover")
		run("sync")
		cards, _ := filepath.Glob(filepath.Join(dir, "cards", "contacts", "*.vcf"))
		if len(cards) != 3 {
			t.Fatalf("%q", cards)
		}
		// One new and one changed here, one gone there.
		own := filepath.Join(dir, "cards", "contacts", "own.vcf")
		if err := os.WriteFile(own, []byte(card("own", "Olga")), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, f := range cards {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(b), "u-b") {
				changed := strings.Replace(string(b), "NICKNAME:me", "NICKNAME:us", 1)
				if err := os.WriteFile(f, []byte(changed), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		h.do(ann, "DELETE", annContacts+"a.vcf", "").want(t, 204)
		run("sync")
		if cards, _ = filepath.Glob(filepath.Join(dir, "cards", "contacts", "*.vcf")); len(cards) != 3 {
			t.Errorf("%q", cards)
		}
		rows := h.report(ann, annContacts, `<CR:addressbook-query><D:prop><CR:address-data/></D:prop><CR:filter/></CR:addressbook-query>`, "Depth", "1").rows(t)
		all := fmt.Sprint(rows)
		if len(rows) != 3 || !strings.Contains(all, "NICKNAME:us") || !strings.Contains(all, "FN:Olga") || strings.Contains(all, "Anna") {
			t.Errorf("%s", all)
		}
	})
}
