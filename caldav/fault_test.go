package caldav

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/db/dbtest"
)

// While the database is away every request is told to come back; afterwards
// all is as it was.
func TestDatabaseAway(t *testing.T) {
	server, dsn := dbtest.Private(t)
	h := newHouse(t, dbtest.Open(t, dsn, db.Options{}))
	body := event("a", "20261102T100000Z", "20261102T110000Z", "")
	h.put(ann, annCalendar+"a.ics", body).want(t, 201)
	server.Stop(syscall.SIGQUIT)
	for _, r := range []reply{
		h.do(ann, "GET", annCalendar+"a.ics", ""),
		h.propfind(ann, annHome, "1", "D:displayname"),
		h.report(ann, annCalendar, queryOf(`<C:comp-filter name="VEVENT"/>`, "D:getetag")),
		h.put(ann, annCalendar+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")),
		h.do(ann, "DELETE", annCalendar+"a.ics", ""),
	} {
		if r.want(t, 503).header.Get("Retry-After") == "" {
			t.Errorf("no Retry-After: %v", r.header)
		}
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if g := h.do(ann, "GET", annCalendar+"a.ics", "").want(t, 200); g.body != body {
		t.Errorf("%q", g.body)
	}
	h.put(ann, annCalendar+"b.ics", event("b", "20261102T100000Z", "20261102T110000Z", "")).want(t, 201)
}

// A full disk refuses what is new and serves what is there.
func TestDiskFull(t *testing.T) {
	h := newHouse(t, dbtest.Open(t, dbtest.DSN(t, "sqlite")+"?max_page_count=200", db.Options{}))
	big := strings.Repeat("x", 60_000)
	stored := 0
	for {
		uid := fmt.Sprint("u", stored)
		r := h.put(ann, annCalendar+uid+".ics", event(uid, "20261102T100000Z", "20261102T110000Z", "DESCRIPTION:"+big))
		if r.status != 201 {
			r.refused(t, 507, "D:sufficient-disk-space")
			h.do(ann, "GET", annCalendar+uid+".ics", "").want(t, 404)
			break
		}
		if stored++; stored > 100 {
			t.Fatal("the disk is not full")
		}
	}
	if stored == 0 {
		t.Fatal("nothing could be stored")
	}
	if rows := h.propfind(ann, annCalendar, "1", "D:getetag").rows(t); len(rows) != stored+1 {
		t.Errorf("%d rows of %d objects", len(rows), stored)
	}
	h.do(ann, "DELETE", annCalendar+"u0.ics", "").want(t, 204)
}
