package caldav

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
	"github.com/emersion/go-webdav"
	"github.com/emersion/go-webdav/caldav"
)

// go-webdav's client finds its way, stores, queries and gets.
func TestGoWebdav(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		login := webdav.HTTPClientWithBasicAuth(http.DefaultClient, ann, "secret")
		dc, err := webdav.NewClient(login, h.http.URL+"/dav/")
		if err != nil {
			t.Fatal(err)
		}
		principal, err := dc.FindCurrentUserPrincipal(ctx)
		if err != nil || principal != annSelf {
			t.Fatalf("principal %q, %v", principal, err)
		}
		c, err := caldav.NewClient(login, h.http.URL+"/dav/")
		if err != nil {
			t.Fatal(err)
		}
		home, err := c.FindCalendarHomeSet(ctx, principal)
		if err != nil || home != annHome {
			t.Fatalf("home %q, %v", home, err)
		}
		cals, err := c.FindCalendars(ctx, home)
		if err != nil || len(cals) != 2 || cals[0].Path != annCalendar || cals[0].MaxResourceSize != 1<<20 ||
			strings.Join(cals[0].SupportedComponentSet, ",") != "VEVENT" || strings.Join(cals[1].SupportedComponentSet, ",") != "VTODO" {
			t.Fatalf("calendars %+v, %v", cals, err)
		}
		cal, err := ical.NewDecoder(strings.NewReader(event("a", "20261102T100000Z", "20261102T110000Z", ""))).Decode()
		if err != nil {
			t.Fatal(err)
		}
		put, err := c.PutCalendarObject(ctx, annCalendar+"a.ics", cal)
		if err != nil || put.ETag == "" {
			t.Fatalf("put %+v, %v", put, err)
		}
		got, err := c.GetCalendarObject(ctx, annCalendar+"a.ics")
		if err != nil || got.ETag != put.ETag {
			t.Fatalf("get %+v, %v", got, err)
		}
		wanted := caldav.CalendarCompRequest{Name: "VCALENDAR", AllProps: true, AllComps: true}
		found, err := c.QueryCalendar(ctx, annCalendar, &caldav.CalendarQuery{CompRequest: wanted, CompFilter: caldav.CompFilter{Name: "VCALENDAR",
			Comps: []caldav.CompFilter{{Name: "VEVENT", Start: now, End: now.Add(24 * time.Hour)}}}})
		if err != nil || len(found) != 1 || found[0].Path != annCalendar+"a.ics" || found[0].ETag != put.ETag {
			t.Fatalf("query %+v, %v", found, err)
		}
		many, err := c.MultiGetCalendar(ctx, annCalendar, &caldav.CalendarMultiGet{Paths: []string{annCalendar + "a.ics"}, CompRequest: wanted})
		if err != nil || len(many) != 1 || many[0].Data.Events()[0].Props.Get("UID").Value != "a" {
			t.Fatalf("multiget %+v, %v", many, err)
		}
		if err := dc.RemoveAll(ctx, annCalendar+"a.ics"); err != nil {
			t.Fatal(err)
		}
	})
}
