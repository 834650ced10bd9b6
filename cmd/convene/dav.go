package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// davClient speaks to a server as a calendar program does. The demo plays with
// it, and tests use it.
type davClient struct {
	base           string // without a slash at the end
	user, password string
}

func (c davClient) do(ctx context.Context, method, path, body string, header ...string) (int, http.Header, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, "", err
	}
	if c.user != "" {
		req.SetBasicAuth(c.user, c.password)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(got), err
}

// put stores an event; any answer but success is an error.
func (c davClient) put(ctx context.Context, path, event string, header ...string) (http.Header, error) {
	status, h, body, err := c.do(ctx, "PUT", path, event, append([]string{"Content-Type", "text/calendar; charset=utf-8"}, header...)...)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("PUT %s: %d %s", path, status, strings.TrimSpace(body))
	}
	return h, err
}

// found is one object of a query.
type found struct {
	Href, ETag, ScheduleTag string
	Object                  *ics.Object
}

// query returns the events of a calendar, all or those of one UID
// (calendar-query, RFC 4791 §7.8).
func (c davClient) query(ctx context.Context, calendar, uid string) ([]found, error) {
	filter := ""
	if uid != "" {
		var b bytes.Buffer
		xml.EscapeText(&b, []byte(uid))
		filter = `<C:prop-filter name="UID"><C:text-match collation="i;octet">` + b.String() + `</C:text-match></C:prop-filter>`
	}
	status, _, body, err := c.do(ctx, "REPORT", calendar, `<?xml version="1.0" encoding="utf-8"?>
<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:schedule-tag/><C:calendar-data/></D:prop>`+
		`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">`+filter+`</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`,
		"Content-Type", "application/xml; charset=utf-8", "Depth", "1")
	if err != nil {
		return nil, err
	}
	if status != http.StatusMultiStatus {
		return nil, fmt.Errorf("REPORT %s: %d %s", calendar, status, strings.TrimSpace(body))
	}
	var answer struct {
		Responses []struct {
			Href string `xml:"DAV: href"`
			Prop struct {
				ETag        string `xml:"DAV: getetag"`
				ScheduleTag string `xml:"urn:ietf:params:xml:ns:caldav schedule-tag"`
				Data        string `xml:"urn:ietf:params:xml:ns:caldav calendar-data"`
			} `xml:"DAV: propstat>prop"`
		} `xml:"DAV: response"`
	}
	if err := xml.Unmarshal([]byte(body), &answer); err != nil {
		return nil, err
	}
	var all []found
	for _, r := range answer.Responses {
		if r.Prop.Data == "" {
			continue
		}
		o, err := ics.Parse([]byte(r.Prop.Data), ics.Limits{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Href, err)
		}
		all = append(all, found{Href: r.Href, ETag: r.Prop.ETag, ScheduleTag: r.Prop.ScheduleTag, Object: o})
	}
	return all, nil
}

// event returns the one event of a UID in a calendar.
func (c davClient) event(ctx context.Context, calendar, uid string) (found, error) {
	list, err := c.query(ctx, calendar, uid)
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("%s has %d events of UID %s", calendar, len(list), uid)
	}
	if err != nil {
		return found{}, err
	}
	return list[0], nil
}

// calendarOf returns the path of somebody's default calendar.
func calendarOf(address string) string { return "/dav/calendars/" + address + "/calendar/" }

// accepting is an event whose attendee accepts it.
func accepting(o *ics.Object, who string) string {
	root := o.Root().Clone()
	for _, c := range root.Children {
		for i := range c.Props {
			if p := &c.Props[i]; p.Name == "ATTENDEE" && ics.CalAddress(p).Mail() == who {
				c.Props[i] = p.WithParam("PARTSTAT", "ACCEPTED").WithoutParams("RSVP")
			}
		}
	}
	return string(ics.New(root).Bytes())
}

// partStats returns the answer of every attendee of an event by mail address.
func partStats(o *ics.Object) map[string]string {
	all := map[string]string{}
	for _, p := range ics.Attendees(o.First()) {
		all[ics.CalAddress(p).Mail()] = ics.PartStat(p)
	}
	return all
}
