package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A stranger on the catcher's page: reads the mail, answers it by the buttons
// of a mail program and on the page that it links to. Nothing is left behind.
func TestDemoStranger(t *testing.T) {
	var out bytes.Buffer
	e := env{ctx: t.Context(), stdout: &out, stderr: &out}
	d, err := newDemo(&e, true)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	defer func() {
		if !closed {
			d.close()
		}
	}()
	if err := d.play(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	d.invite()
	if !strings.Contains(out.String(), d.page) || !strings.Contains(out.String(), "ann@example.org   password ann-demo") {
		t.Errorf("addresses and passwords are not printed:\n%s", out.String())
	}
	h := &house{d.server, t}
	uid := regexp.MustCompile(`convene why (\S+-plans@example.org)`).FindStringSubmatch(out.String())[1]
	get := func(address string) string {
		t.Helper()
		resp, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %d %s", address, resp.StatusCode, body)
		}
		return string(body)
	}
	list := get(d.page)
	link := regexp.MustCompile(`href="(/mail/\d+)"[^>]*>\s*<div class="row"><span class="who">to carol@example.net`).FindStringSubmatch(list)
	if link == nil {
		t.Fatalf("no mail to Carol in\n%s", list)
	}
	mail := get(strings.TrimSuffix(d.page, "/") + link[1])
	post := func(address string, form url.Values) {
		t.Helper()
		resp, err := http.PostForm(address, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
			t.Fatalf("POST %s: %d %s", address, resp.StatusCode, body)
		}
	}
	post(strings.TrimSuffix(d.page, "/")+link[1], url.Values{"partstat": {"DECLINED"}})
	h.eventually(ann, uid, carol, "DECLINED")
	rsvp := regexp.MustCompile(`http://[^/"]+/rsvp/[^"<\s]+`).FindString(mail)
	if rsvp == "" {
		t.Fatalf("no answer page in\n%s", mail)
	}
	if page := get(rsvp); !strings.Contains(page, "Plans for the spring") || !strings.Contains(page, `name="TENTATIVE"`) {
		t.Errorf("the answer page is\n%s", page)
	}
	h.eventually(ann, uid, carol, "DECLINED") // looking at the page answers nothing
	post(rsvp, url.Values{"TENTATIVE": {"1"}})
	h.eventually(ann, uid, carol, "TENTATIVE")
	h.eventually(ben, uid, carol, "TENTATIVE")

	d.close()
	closed = true
	if _, err := os.Stat(d.dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there", d.dir)
	}
}

// Two demos run beside each other: the second takes other ports.
func TestDemoPorts(t *testing.T) {
	e := env{ctx: t.Context(), stdout: io.Discard, stderr: io.Discard}
	var all []*demo
	for range 2 {
		d, err := newDemo(&e, false)
		if err != nil {
			t.Fatal(err)
		}
		defer d.close()
		all = append(all, d)
	}
	if all[0].server.HTTP.String() == all[1].server.HTTP.String() || all[0].page == all[1].page {
		t.Errorf("both at %s, %s", all[0].server.HTTP, all[0].page)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, d := range all {
		if status, _, _, err := d.as(ann).do(ctx, "GET", "/healthz", ""); status != 200 || err != nil {
			t.Error(fmt.Errorf("%d %w", status, err))
		}
	}
}
