package imip

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

func (f *tnefFile) text(tag mapiTag) string { return strings.TrimSpace(prop[string](f, tag)) }

func (f *tnefFile) time(tags ...mapiTag) (t time.Time) {
	for _, tag := range tags {
		if t, ok := f.props[tag].(time.Time); ok {
			return t
		}
	}
	return t
}

// meeting writes the iTIP message that a meeting message of MAPI stands for
// ([MS-OXCICAL] §2.1.3.1.1); "" for what is no meeting.
func (m *Mail) meeting(f *tnefFile) (string, error) {
	method, partstat := said(f.class)
	if method == "" {
		return "", nil
	}
	goid := prop[[]byte](f, pidLidCleanGlobalObjectID)
	if goid == nil {
		goid = prop[[]byte](f, pidLidGlobalObjectID)
	}
	uid := objectUID(goid)
	if uid == "" {
		return "", errors.New("winmail.dat: a meeting without an id")
	}
	if method == "REPLY" && m.From.Address.IsZero() {
		return "", errors.New("winmail.dat: an answer of nobody")
	}
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%s:%s\r\n", name, value) }
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Convene//TNEF//EN\r\n")
	line("METHOD", method)
	components, err := f.components(method, line)
	if err != nil {
		return "", err
	}
	stamp := f.time(pidLidOwnerCriticalChange, pidLidAttendeeCriticalChange)
	if method == "REPLY" {
		stamp = f.time(pidLidAttendeeCriticalChange)
	}
	seq := prop[int32](f, pidLidAppointmentSequence)
	for _, times := range components {
		line("BEGIN", "VEVENT")
		line("UID", ics.Escape(uid))
		if !stamp.IsZero() {
			line("DTSTAMP", stamp.Format("20060102T150405Z"))
		}
		line("SEQUENCE", fmt.Sprint(max(seq, 0)))
		from := b.Len()
		times()
		told := b.String()[from:]
		if subject := cmp.Or(f.text(pidTagConversationTopic), f.text(pidTagSubject)); !strings.Contains(told, "\nSUMMARY:") { // the topic is without "Accepted:"
			line("SUMMARY", ics.Escape(subject))
		}
		if where := f.text(pidLidLocation); where != "" && !strings.Contains(told, "\nLOCATION:") {
			line("LOCATION", ics.Escape(where))
		}
		m.parties(line, method, partstat)
		line("END", "VEVENT")
	}
	line("END", "VCALENDAR")
	return b.String(), nil
}

// classes are the kinds of meeting messages, and what they say ([MS-OXCICAL]
// §2.1.3.1.1.1).
var classes = []struct{ class, method, partstat string }{
	{"ipm.schedule.meeting.request", "REQUEST", "NEEDS-ACTION"},
	{"ipm.schedule.meeting.canceled", "CANCEL", ""},
	{"ipm.schedule.meeting.resp.pos", "REPLY", "ACCEPTED"},
	{"ipm.schedule.meeting.resp.neg", "REPLY", "DECLINED"},
	{"ipm.schedule.meeting.resp.tent", "REPLY", "TENTATIVE"},
}

// said is what a message of a class says; method "": it is about no meeting.
func said(class string) (method, partstat string) {
	for _, c := range classes {
		if strings.HasPrefix(strings.ToLower(class), c.class) {
			return c.method, c.partstat
		}
	}
	return "", ""
}

// components returns what writes when the meeting takes place, one for each
// component, and writes the zone that they need.
func (f *tnefFile) components(method string, line func(name, value string)) ([]func(), error) {
	if !prop[bool](f, pidLidRecurring) || method != "REQUEST" {
		return []func(){func() { f.times(line) }}, nil
	}
	s, err := parseSeries(prop[[]byte](f, pidLidAppointmentRecur))
	if err != nil {
		return nil, err
	}
	allDay := prop[bool](f, pidLidAppointmentSubType)
	z, ok := f.zone()
	switch {
	case allDay:
	case !ok:
		return nil, errors.New("winmail.dat: a series without the clocks by which it goes")
	default:
		z.write(line)
	}
	return s.times(z, allDay, line), nil
}

// times writes when a single meeting is, or which day of a series is spoken of.
func (f *tnefFile) times(line func(name, value string)) {
	start := f.time(pidLidAppointmentStartWhole, pidTagStartDate)
	end := f.time(pidLidAppointmentEndWhole, pidTagEndDate)
	if !start.IsZero() {
		line("DTSTART", start.Format("20060102T150405Z"))
	}
	if !end.IsZero() && end.After(start) {
		line("DTEND", end.Format("20060102T150405Z"))
	}
	if day := instanceDay(prop[[]byte](f, pidLidGlobalObjectID)); day != "" {
		line("RECURRENCE-ID;VALUE=DATE", day)
	}
}

// parties writes who is concerned: a meeting message of MAPI has them in the
// header of its mail.
func (m *Mail) parties(line func(name, value string), method, partstat string) {
	if method == "REPLY" {
		line("ATTENDEE;PARTSTAT="+partstat, m.From.Address.String())
		return
	}
	line("ORGANIZER", m.From.Address.String())
	for _, to := range m.To {
		par := ""
		if partstat != "" {
			par = ";RSVP=TRUE;PARTSTAT=" + partstat
		}
		line("ATTENDEE"+par, to.Address.String())
	}
	if method == "CANCEL" {
		line("STATUS", "CANCELLED")
	}
}

// objectUID returns the UID that a global object id stands for ([MS-OXCICAL]
// §2.1.3.1.1.20.26): the one of another program that it wraps, or its own
// octets in hexadecimal without the day of an instance.
func objectUID(goid []byte) string {
	if len(goid) < 40 || len(goid) > 2048 {
		return ""
	}
	if rest, ok := strings.CutPrefix(string(goid[40:]), "vCal-Uid\x01\x00\x00\x00"); ok {
		rest, _, _ = strings.Cut(rest, "\x00")
		return strings.TrimSpace(rest)
	}
	clean := append([]byte(nil), goid...)
	clear(clean[16:20])
	return strings.ToUpper(hex.EncodeToString(clean))
}

// instanceDay returns the day of the instance that a global object id names,
// "" for the whole.
func instanceDay(goid []byte) string {
	if len(goid) < 20 {
		return ""
	}
	y, mo, d := int(goid[16])<<8|int(goid[17]), int(goid[18]), int(goid[19])
	if y == 0 || mo < 1 || mo > 12 || d < 1 || d > 31 {
		return ""
	}
	return fmt.Sprintf("%04d%02d%02d", y, mo, d)
}
