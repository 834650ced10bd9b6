package caldav

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// TestFrontPageInBrowser opens the page on a phone, narrow and usual, and at a
// desk, in the light and in the dark, with JavaScript off: nothing is wider than
// the screen, nothing too small to read or to touch, and the code can be
// photographed. With CONVENE_SCREENSHOTS=FOLDER it keeps what it looks like.
func TestFrontPageInBrowser(t *testing.T) {
	h := newHouse(t, dbtest.New(t, "sqlite"))
	const long = "wilhelmine.von-der-heydt-schulze@calendars.students.university.example.org"
	h.add(db.Principal{Address: long, Kind: db.Person, Name: "Wilhelmine von der Heydt-Schulze"})
	for _, calendar := range []string{annCalendar, annTasks} {
		h.share(ann, calendar, "mailto:"+long, "read").want(t, 200)
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))...)
	t.Cleanup(stop)
	browser, stop := chromedp.NewContext(alloc)
	t.Cleanup(stop)
	browser, stop = context.WithTimeout(browser, 5*time.Minute)
	t.Cleanup(stop)
	for _, screen := range []struct {
		name          string
		width, height int64
		scheme        string
		language      string
		login         string
	}{
		{"narrow", 320, 640, "light", "de", ""}, {"phone", 390, 844, "dark", "en", ""}, {"desk", 1280, 800, "light", "en", ""},
		{"phone-own", 390, 844, "light", "en", long}, {"desk-own", 1280, 800, "dark", "de", long},
	} {
		t.Run(screen.name, func(t *testing.T) {
			headers := network.Headers{"Accept-Language": screen.language}
			address := h.http.URL + "/"
			if screen.login != "" {
				address += "?login"
				headers["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(screen.login+":secret"))
			}
			var page struct {
				Wide   int64    `json:"wide"`
				Text   float64  `json:"text"`
				Code   float64  `json:"code"`
				Small  []string `json:"small"`
				Hidden []string `json:"hidden"`
			}
			var png []byte
			err := chromedp.Run(browser, network.Enable(), network.SetExtraHTTPHeaders(headers), emulation.SetScriptExecutionDisabled(true),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.scheme}}),
				chromedp.EmulateViewport(screen.width, screen.height, chromedp.EmulateScale(1)), chromedp.Navigate(address), chromedp.WaitReady("main", chromedp.ByQuery),
				chromedp.Evaluate(`({
					wide: document.documentElement.scrollWidth,
					text: parseFloat(getComputedStyle(document.body).fontSize),
					code: document.querySelector("svg") ? document.querySelector("svg").getBoundingClientRect().width : 0,
					small: [...document.querySelectorAll("summary, a.button, button")].filter(e => e.getBoundingClientRect().height < 40).map(e => e.innerText),
					hidden: [...document.querySelectorAll("main > *")].filter(e => e.getBoundingClientRect().height == 0).map(e => e.tagName),
				})`, &page), chromedp.FullScreenshot(&png, 100))
			if err != nil {
				t.Fatal(err)
			}
			// One after the other is opened, and closes the one before.
			for i := range len(frontTexts[0].Guides) {
				var open struct {
					Wide  int64 `json:"wide"`
					Open  int   `json:"open"`
					Steps int   `json:"steps"`
				}
				err := chromedp.Run(browser, chromedp.Click(fmt.Sprintf("details:nth-of-type(%d) summary", i+1), chromedp.ByQuery),
					chromedp.Evaluate(`({wide: document.documentElement.scrollWidth, open: document.querySelectorAll("details[open]").length, steps: document.querySelectorAll("details[open] li").length})`, &open))
				if err != nil {
					t.Fatal(err)
				}
				if open.Wide > screen.width || open.Open != 1 || open.Steps == 0 {
					t.Errorf("guide %d on a screen of %d: %+v", i, screen.width, open)
				}
			}
			var opened []byte
			if err := chromedp.Run(browser, chromedp.Click("details:nth-of-type(1) summary", chromedp.ByQuery), chromedp.FullScreenshot(&opened, 100)); err != nil {
				t.Fatal(err)
			}
			if folder := os.Getenv("CONVENE_SCREENSHOTS"); folder != "" {
				for name, picture := range map[string][]byte{screen.name: png, screen.name + "-open": opened} {
					if err := os.WriteFile(filepath.Join(folder, "front-"+name+".png"), picture, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			if screen.width < 400 {
				page.Code += 120 // who reads it there needs no code to come there
			}
			if page.Wide > screen.width || page.Text < 15 || page.Code < 120 || len(page.Small) > 0 || len(page.Hidden) > 0 {
				t.Errorf("on a screen of %d: %+v", screen.width, page)
			}
		})
	}
}
