package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
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

// Busy asks at the outbox (RFC 6638 §5), about all of them in one request.
func (h *stage) Busy(who string, whom []string, from, to time.Time, with []string) ([][]string, error) {
	const form = "20060102T150405Z"
	me := h.person(who).Address
	lines := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//dialogue//EN", "METHOD:REQUEST", "BEGIN:VFREEBUSY", "UID:asked", "DTSTAMP:" + h.clock().UTC().Format(form),
		"DTSTART:" + from.Format(form), "DTEND:" + to.Format(form), "ORGANIZER:mailto:" + me}
	for _, name := range whom {
		lines = append(lines, "ATTENDEE:mailto:"+h.person(name).Address)
	}
	lines = append(append(lines, with...), "END:VFREEBUSY", "END:VCALENDAR", "")
	code, text, _ := h.dav(who, "POST", "/dav/calendars/"+me+"/outbox/", strings.Join(lines, "\r\n"), "Content-Type", "text/calendar; charset=utf-8")
	if code != 200 {
		return nil, fmt.Errorf("POST to the outbox: %d %s", code, text)
	}
	var answer struct {
		Response []struct {
			Recipient string `xml:"recipient>href"`
			Status    string `xml:"request-status"`
			Data      string `xml:"calendar-data"`
		} `xml:"response"`
	}
	if err := xml.Unmarshal([]byte(text), &answer); err != nil || len(answer.Response) != len(whom) {
		return nil, fmt.Errorf("%v: %d answers about %d people: %s", err, len(answer.Response), len(whom), text)
	}
	var told [][]string
	for i, one := range answer.Response {
		if one.Recipient != "mailto:"+h.person(whom[i]).Address {
			return nil, fmt.Errorf("answer %d is about %s", i+1, one.Recipient)
		}
		lines, err := busyAnswer(one.Status, one.Data, from, to)
		if err != nil {
			return nil, err
		}
		told = append(told, lines)
	}
	return told, nil
}

// busyAnswer is what is told of one.
func busyAnswer(status, data string, from, to time.Time) ([]string, error) {
	switch {
	case (strings.HasPrefix(status, "3.7") || strings.HasPrefix(status, "3.8")) && data != "":
		return nil, fmt.Errorf("request-status %s, and yet: %s", status, data)
	case strings.HasPrefix(status, "3.7"):
		return []string{"unknown"}, nil
	case strings.HasPrefix(status, "3.8"):
		return []string{"refused"}, nil
	case !strings.HasPrefix(status, "2.0"):
		return nil, fmt.Errorf("request-status %s", status)
	}
	o, err := ics.Parse([]byte(data), ics.Limits{})
	if err != nil {
		return nil, err
	}
	return dialogue.BusyLines(o, from, to)
}

// Publish lets an object be read at a URL; Card writes that into an address
// book (RFC 6350 §6.9.1).
func (h *stage) Publish(whom string, object []byte) error {
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
		w.Write(object)
	}))
	h.t.Cleanup(at.Close)
	if h.read == nil {
		h.read = map[string]string{}
	}
	h.read[whom] = at.URL + "/busy.ifb"
	return nil
}

func (h *stage) Card(who, whom string) error {
	code, text, _ := h.dav(who, "PUT", "/dav/addressbooks/"+h.person(who).Address+"/contacts/"+whom+".vcf", strings.Join([]string{
		"BEGIN:VCARD", "VERSION:3.0", "UID:" + whom, "FN:" + whom, "N:" + whom + ";;;;", "EMAIL:" + h.person(whom).Address, "FBURL:" + h.read[whom], "END:VCARD", ""}, "\r\n"),
		"Content-Type", "text/vcard")
	return h.answer(code, text)
}
