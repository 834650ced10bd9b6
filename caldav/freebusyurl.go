package caldav

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// freeBusyDays is what a plain GET asks for, from today on.
const freeBusyDays = 60

// publicSpan is how much may be asked for without logging in.
const publicSpan = 366 * 24 * time.Hour

// isPublic reports whether a request asks for /freebusy/ADDRESS without
// logging in.
func (x *exchange) isPublic(segments []string) bool {
	return len(segments) == 2 && segments[0] == "freebusy" && x.r.Header.Get("Authorization") == "" && (x.r.Method == "GET" || x.r.Method == "HEAD")
}

// freeBusyURL answers GET /freebusy/ADDRESS?start=&end= to whoever has logged
// in (decision 27). Whoever is not here, and whoever must not be asked about,
// is not found.
func (x *exchange) freeBusyURL(segments []string) error {
	if len(segments) != 1 {
		return notFound
	}
	switch x.r.Method {
	case "GET", "HEAD":
	case "OPTIONS":
		x.w.Header().Set("Allow", "OPTIONS, GET, HEAD")
		x.w.Header().Set("Content-Length", "0")
		x.w.WriteHeader(http.StatusOK)
		return nil
	default:
		x.w.Header().Set("Allow", "OPTIONS, GET, HEAD")
		return &dav.Error{Status: http.StatusMethodNotAllowed}
	}
	from, to, err := x.window(x.r.URL.Query())
	if err != nil {
		return err
	}
	a := freeBusyAddress(segments[0])
	if a.IsZero() {
		return notFound
	}
	fb, err := x.desk.FreeBusy(x.ctx, scheduling.FreeBusyQuery{Asker: x.me, Whom: []string{a.String()}, From: from, To: to})
	if err != nil {
		return err
	}
	if len(fb) != 1 || !strings.HasPrefix(fb[0].Status, "2.") {
		return notFound
	}
	x.sendFreeBusy(a, from, to, fb[0].Spans)
	return nil
}

// publicFreeBusy answers whoever has not logged in: with the busy time of those
// who publish it, or whose token he knows; else with a dummy, the same for
// those who are here and those who are not, so that nobody finds addresses.
func (x *exchange) publicFreeBusy(name string) error {
	q := x.r.URL.Query()
	from, to, err := x.window(q)
	if err != nil {
		return err
	}
	if to.Sub(from) > publicSpan {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.D("number-of-matches-within-limits"), Detail: "a year of busy time at most without logging in"}
	}
	h := x.w.Header()
	h.Set("Vary", "Authorization")
	a := freeBusyAddress(name)
	if !a.IsZero() {
		spans, ok, err := x.desk.PublicFreeBusy(x.ctx, a, q.Get("token"), from, to)
		if err != nil {
			return err
		}
		if ok {
			x.sendFreeBusy(a, from, to, spans)
			return nil
		}
	}
	// RFC 9110 §11.6.1: a hint that more is told to whoever logs in. The dummy
	// speaks of a second long ago, or a program would show everybody as free.
	h.Set("WWW-Authenticate", realm)
	h.Set("Cache-Control", "no-store")
	past := time.Unix(0, 0).UTC()
	x.sendCalendar(x.vfreebusy("PUBLISH", []ics.Prop{ics.NewProp("COMMENT", "Nothing is told without logging in.")}, freeBusyUID(a), past, past.Add(time.Second), nil))
	return nil
}

// freeBusyAddress reads a path segment: an address, perhaps with the ending
// that programs want.
func freeBusyAddress(segment string) cuaddr.Address {
	for _, ending := range []string{".ifb", ".vfb"} { // Evolution, Kolab; Outlook
		if a, ok := strings.CutSuffix(segment, ending); ok {
			return cuaddr.Mailto(a)
		}
	}
	return cuaddr.Mailto(segment)
}

// freeBusyUID stays the same for an address.
func freeBusyUID(a cuaddr.Address) string {
	sum := sha256.Sum256([]byte(a.Fold()))
	return "freebusy-" + hex.EncodeToString(sum[:12])
}

// window reads start and end of a query, each in iCalendar's UTC form or that of
// RFC 3339, or a period from the start on (CalConnect's free/busy read URL);
// without them it is the next sixty days.
func (x *exchange) window(q url.Values) (from, to time.Time, err error) {
	from = x.now().UTC().Truncate(24 * time.Hour)
	to = from.AddDate(0, 0, freeBusyDays)
	start, end, length := instant(q.Get("start")), instant(q.Get("end")), q.Get("period")
	if start == "" && end == "" && length == "" {
		return from, to, nil
	}
	if start == "" {
		start = from.Format(stamp)
	}
	if end == "" {
		lasts := freeBusyDays * 24 * time.Hour
		if length != "" {
			if lasts, err = ics.Duration(length); err != nil || lasts <= 0 {
				return from, to, &dav.Error{Status: http.StatusBadRequest, Detail: "period is no duration such as P42D"}
			}
		}
		if t, err := time.Parse(stamp, start); err == nil {
			end = t.Add(lasts).Format(stamp)
		}
	}
	return period(start, end)
}

// instant puts a time in the form of RFC 3339 into iCalendar's; what is none
// stays as it is.
func instant(s string) string {
	// A "+" that is not escaped means a space in a query.
	if t, err := time.Parse(time.RFC3339, strings.Replace(s, " ", "+", 1)); err == nil {
		return t.UTC().Format(stamp)
	}
	return s
}

// sendFreeBusy sends busy time under an entity tag: whoever asks often is told
// only what has changed.
func (x *exchange) sendFreeBusy(a cuaddr.Address, from, to time.Time, spans []ics.Span) {
	o := x.vfreebusy("PUBLISH", []ics.Prop{ics.NewProp("ORGANIZER", a.String())}, freeBusyUID(a), from, to, spans)
	root := o.Root().Clone()
	for _, c := range root.Children {
		c.Remove("DTSTAMP")
	}
	sum := sha256.Sum256(ics.New(root).Bytes())
	tag := hex.EncodeToString(sum[:16])
	h := x.w.Header()
	h.Set("ETag", `"`+tag+`"`)
	h.Set("Cache-Control", "private, no-cache") // kept, but asked about each time
	if dav.WeakTags(x.r.Header["If-None-Match"]).Match(tag) {
		x.w.WriteHeader(http.StatusNotModified)
		return
	}
	x.sendCalendar(o)
}
