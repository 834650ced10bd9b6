package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling/dialogue"
	"github.com/convene-server/convene/scheduling/ics"
)

func (h *stage) Prefer(who, name, value string) error {
	return h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
		p, err := tx.PrincipalByAddress(h.person(who).Address)
		if err != nil {
			return err
		}
		return directory.SetPreference(tx, p.ID, name, value)
	})
}

// Available stores when somebody can be met: by CalDAV, or for a room as its
// administrator does.
func (h *stage) Available(who string, object []byte) error {
	if h.person(who).Kind == "room" {
		return h.store.Write(context.Background(), nil, func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(h.person(who).Address)
			if err != nil {
				return err
			}
			return h.desk.SetAvailability(tx, p, string(object))
		})
	}
	code, text, _ := h.dav(who, "PROPPATCH", "/dav/calendars/"+h.person(who).Address+"/inbox/",
		`<propertyupdate xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><C:calendar-availability>`+html.EscapeString(string(object))+
			`</C:calendar-availability></prop></set></propertyupdate>`, "Content-Type", "text/xml")
	if code != 207 || !strings.Contains(text, "200 OK") {
		return fmt.Errorf("PROPPATCH of calendar-availability: %d %s", code, text)
	}
	return nil
}

// Busy asks at the outbox (RFC 6638 §5).
func (h *stage) Busy(who, whom string, from, to time.Time) ([]string, error) {
	const form = "20060102T150405Z"
	me := h.person(who).Address
	code, text, _ := h.dav(who, "POST", "/dav/calendars/"+me+"/outbox/", strings.Join([]string{
		"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//dialogue//EN", "METHOD:REQUEST", "BEGIN:VFREEBUSY", "UID:asked", "DTSTAMP:" + h.clock().UTC().Format(form),
		"DTSTART:" + from.Format(form), "DTEND:" + to.Format(form), "ORGANIZER:mailto:" + me, "ATTENDEE:mailto:" + h.person(whom).Address,
		"END:VFREEBUSY", "END:VCALENDAR", ""}, "\r\n"), "Content-Type", "text/calendar; charset=utf-8")
	if code != 200 {
		return nil, fmt.Errorf("POST to the outbox: %d %s", code, text)
	}
	var answer struct {
		Response []struct {
			Status string `xml:"request-status"`
			Data   string `xml:"calendar-data"`
		} `xml:"response"`
	}
	if err := xml.Unmarshal([]byte(text), &answer); err != nil || len(answer.Response) != 1 {
		return nil, fmt.Errorf("%v: %s", err, text)
	}
	one := answer.Response[0]
	switch {
	case strings.HasPrefix(one.Status, "3.7"):
		return []string{"unknown"}, nil
	case strings.HasPrefix(one.Status, "3.8"):
		return []string{"refused"}, nil
	case !strings.HasPrefix(one.Status, "2.0"):
		return nil, fmt.Errorf("request-status %s", one.Status)
	}
	o, err := ics.Parse([]byte(one.Data), ics.Limits{})
	if err != nil {
		return nil, err
	}
	return dialogue.BusyLines(o, from, to)
}
