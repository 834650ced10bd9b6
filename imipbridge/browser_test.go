package imipbridge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/convene-server/convene/directory"
)

// browser is a headless Chromium without JavaScript, as a mail program's
// careful user has it.
func browser(t *testing.T, width, height int64) context.Context {
	t.Helper()
	alloc, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))...)
	t.Cleanup(stop)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(stop)
	if err := chromedp.Run(ctx, emulation.SetScriptExecutionDisabled(true), chromedp.EmulateViewport(width, height, chromedp.EmulateScale(1))); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// TestAnswerInBrowser answers, proposes and decides by the pages as people do:
// by links, buttons and fields, on a phone and at a desk, without JavaScript.
// With CONVENE_SCREENSHOTS=FOLDER it keeps what they look like.
func TestAnswerInBrowser(t *testing.T) {
	h := open(t, "sqlite")
	h.persons("ann")
	h.put("ann", event("", "u1", "RRULE:FREQ=WEEKLY;COUNT=6\nLOCATION:Room 3\\, first floor\nDESCRIPTION:Please bring the figures.\n"+organizer(ann)+attendees(ann, cleo, "finn@example.net")))
	h.work()
	invitation := h.to(cleo, h.relay.all())
	pages := httptest.NewServer(h.bridge.RSVP())
	defer pages.Close()
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"phone", 390, 844}, {"desk", 1280, 800}} {
		t.Run(size.name, func(t *testing.T) {
			ctx := browser(t, size.width, size.height)
			shot := func(name string) chromedp.Action {
				return chromedp.ActionFunc(func(ctx context.Context) error {
					folder := os.Getenv("CONVENE_SCREENSHOTS")
					if folder == "" {
						return nil
					}
					var png []byte
					if err := chromedp.FullScreenshot(&png, 100).Do(ctx); err != nil {
						return err
					}
					return os.WriteFile(filepath.Join(folder, name+"-"+size.name+".png"), png, 0o644)
				})
			}
			// fits: nothing is wider than the screen.
			fits := chromedp.ActionFunc(func(ctx context.Context) error {
				var wide int64
				if err := chromedp.Evaluate(`document.documentElement.scrollWidth`, &wide).Do(ctx); err != nil {
					return err
				}
				if wide > size.width {
					return fmt.Errorf("the page is %d wide, the screen %d", wide, size.width)
				}
				return nil
			})
			run := func(what string, actions ...chromedp.Action) {
				t.Helper()
				if err := chromedp.Run(ctx, actions...); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			says := func(what, text string) {
				t.Helper()
				var got string
				for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // the next page may not be there yet
					err := chromedp.Run(ctx, chromedp.Evaluate(`document.querySelector("main").innerText`, &got))
					if err == nil && strings.Contains(got, text) {
						run(what, fits)
						return
					}
					if time.Now().After(end) {
						t.Fatalf("%s: no %q in\n%s", what, text, got)
					}
				}
			}
			link := pages.URL + h.link(invitation)

			run("the mail", chromedp.Navigate(serve(t, invitation)), fits, shot("mail-invitation"))
			run("open", chromedp.Navigate(link+"?answer=ACCEPTED"), shot("answer"))
			says("open", "Will you come?")
			h.want("GET answers nothing", h.partstat("ann", "u1", cleo) != "ACCEPTED" || size.name != "phone", true)
			run("accept", chromedp.SendKeys("#comment", "With pleasure.", chromedp.ByQuery), chromedp.Click("button.ACCEPTED", chromedp.ByQuery))
			says("accept", "Your answer is noted: accepted")
			run("look", shot("noted"))
			h.want("effect", h.partstat("ann", "u1", cleo), "ACCEPTED")

			run("propose", chromedp.Click("summary", chromedp.ByQuery), chromedp.WaitVisible("#day", chromedp.ByQuery), shot("propose"),
				chromedp.SetValue("#from", "15:00", chromedp.ByQuery), chromedp.SetValue("#to", "16:00", chromedp.ByQuery), chromedp.Click("button[name=propose]", chromedp.ByQuery))
			says("propose", "Your proposal is sent.")
			h.work()
			proposal := h.to(ann, h.relay.all())
			run("its mail", chromedp.Navigate(serve(t, proposal)), fits, shot("mail-proposal"))
			run("decide", chromedp.Navigate(pages.URL+h.link(proposal)), shot("decide"))
			says("decide", "Cleo proposes another time")
			run("decline", chromedp.Click("button.decline", chromedp.ByQuery))
			says("decline", "The proposal is declined, and Cleo is told.")
			run("look", shot("declined"))
			h.work()
			h.relay.all()

			h.prefers("ann", directory.UnknownOrganizers, "quarantine")
			h.prefers("ann", directory.Incoming, directory.SummaryOnly)
			h.give(cleo, mailOf("Cleo <"+cleo+">", ann, "", event("REQUEST", "w-"+size.name, "LOCATION:The Harbour Hall\nDESCRIPTION:You do not know us yet.\n"+organizer(cleo)+attendees(ann, "finn@example.net"))), ann)
			summary := h.to(ann, h.nextHop.all())
			run("the summary", chromedp.Navigate(serve(t, summary)), fits, shot("mail-summary"))
			run("what waits", chromedp.Navigate(pages.URL+h.link(summary)), shot("waiting"))
			says("what waits", "Do you know who invites you?")
			run("take it", chromedp.Click("button.accept", chromedp.ByQuery))
			says("take it", "It is in your calendar now.")
			run("look", shot("taken"))
			run("a wrong link", chromedp.Navigate(pages.URL+"/rsvp/x"), shot("wrong"))
			says("a wrong link", "This address is not valid.")
		})
	}
}

// serve shows the HTML of a mail as a mail program does.
func serve(t *testing.T, m caught) string {
	t.Helper()
	_, part, ok := bytes.Cut(m.data, []byte("Content-Type: text/html"))
	_, part, _ = bytes.Cut(part, []byte("\r\n\r\n"))
	part, _, _ = bytes.Cut(part, []byte("\r\n--=_"))
	p, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(part)))
	if !ok || err != nil {
		t.Fatal("no HTML in the mail", err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(p)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}
