package imip

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"github.com/convene-server/convene/scheduling/ics"
)

// tnefFile is what a winmail.dat holds of interest ([MS-OXTNEF]): the MAPI
// properties of a message, and attached calendars.
type tnefFile struct {
	class       string // message class, "IPM.Schedule.Meeting.Request"
	props       map[mapiTag]any
	attachments [][]byte
}

// mapiTag names a property: id, or a name's set and id where the set is not zero.
type mapiTag struct {
	set string // GUID as it stands in the file
	id  uint32
}

var (
	setAppointment = mustHex("0220060000000000c000000000000046") // PSETID_Appointment ([MS-OXPROPS] §1.3.2)
	setMeeting     = mustHex("90dad86e0b451b1098da00aa003f1305") // PSETID_Meeting
)

func mustHex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err) // a constant of ours
	}
	return string(b)
}

// Attributes of a TNEF stream ([MS-OXTNEF] §2.1.3).
const (
	tnefSignature   = 0x223e9f78
	attMessageClass = 0x00078008
	attMAPIProps    = 0x00069003
	attAttachTitle  = 0x00018010
	attAttachData   = 0x0006800f
	attRendData     = 0x00069002 // begins an attachment
	maxTNEF         = 4096       // attributes of a stream, properties of a message
)

var errTNEF = errors.New("winmail.dat: not a TNEF stream, or cut off")

// readTNEF finds the iTIP messages that Exchange sends to nobody but Exchange:
// a calendar file among the attachments, or a meeting in MAPI properties.
func (m *Mail) readTNEF(b []byte, lim ics.Limits) ([]document, error) {
	f, err := parseTNEF(b)
	if err != nil {
		return nil, err
	}
	for _, a := range f.attachments {
		if holdsCalendar(a) {
			docs, err := documents(a, "", lim)
			for i := range docs {
				docs[i].repairs = append(docs[i].repairs[:len(docs[i].repairs):len(docs[i].repairs)], "calendar in winmail.dat")
			}
			return docs, err
		}
	}
	text, err := m.meeting(f)
	if err != nil || text == "" {
		return nil, err
	}
	o, err := ics.Parse([]byte(text), lim)
	if err != nil {
		return nil, err
	}
	return []document{{refolded(o), []string{"meeting in winmail.dat"}}}, nil
}

// reader cuts little-endian values off a slice; the first that is not there
// empties it and sets short.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.short = nil, true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// size reads a length that must fit into what is left.
func (r *reader) size() int {
	n := r.u32()
	if uint64(n) > uint64(len(r.b)) {
		r.b, r.short = nil, true
		return 0
	}
	return int(n)
}

func parseTNEF(b []byte) (*tnefFile, error) {
	r := &reader{b: b}
	if r.u32() != tnefSignature {
		return nil, errTNEF
	}
	r.u16() // key
	f := &tnefFile{props: map[mapiTag]any{}}
	open := false // an attachment that is a calendar by its name
	for n := 0; len(r.b) > 0 && !r.short; n++ {
		if n == maxTNEF {
			return nil, &LimitError{"attributes in winmail.dat", maxTNEF}
		}
		r.take(1) // level
		id := r.u32()
		data := r.take(r.size())
		r.u16() // checksum
		if r.short {
			break // what came whole counts
		}
		switch id {
		case attMessageClass:
			f.class = legacyClass(ansi(data))
		case attMAPIProps:
			if err := f.mapi(data); err != nil {
				return nil, err
			}
		case attRendData:
			open = false
		case attAttachTitle:
			open = strings.HasSuffix(strings.ToLower(ansi(data)), ".ics")
		case attAttachData:
			if open || holdsCalendar(data[:min(len(data), 4096)]) {
				f.attachments = append(f.attachments, data)
			}
		}
	}
	if c, ok := f.props[mapiTag{"", 0x001a}].(string); ok && c != "" { // PidTagMessageClass
		f.class = c
	}
	return f, nil
}

// legacyClass maps the classes of [MS-OXTNEF] §2.1.3.3.1.1 to those of today.
func legacyClass(c string) string {
	switch strings.ToLower(c) {
	case "ipm.microsoft schedule.mtgreq":
		return "IPM.Schedule.Meeting.Request"
	case "ipm.microsoft schedule.mtgrespp":
		return "IPM.Schedule.Meeting.Resp.Pos"
	case "ipm.microsoft schedule.mtgrespn":
		return "IPM.Schedule.Meeting.Resp.Neg"
	case "ipm.microsoft schedule.mtgrespa":
		return "IPM.Schedule.Meeting.Resp.Tent"
	case "ipm.microsoft schedule.mtgcncl":
		return "IPM.Schedule.Meeting.Canceled"
	}
	return c
}

// mapi reads the properties of a message ([MS-OXTNEF] §2.1.3.4).
func (f *tnefFile) mapi(b []byte) error {
	r := &reader{b: b}
	count := r.u32()
	if count > maxTNEF {
		return &LimitError{"properties in winmail.dat", maxTNEF}
	}
	for range count {
		kind, id := r.u16(), uint32(r.u16())
		tag := mapiTag{id: id}
		if id >= 0x8000 { // a named property
			tag.set = string(r.take(16))
			if r.u32() == 0 {
				tag.id = r.u32()
			} else {
				r.padded() // by a text: none of ours
				tag.id = 0
			}
		}
		v := r.value(kind)
		if r.short {
			return nil // what came whole counts
		}
		if v != nil {
			f.props[tag] = v
		}
	}
	return nil
}

// padded reads a length and as many octets, filled up to four.
func (r *reader) padded() []byte {
	n := r.size()
	out := r.take(n)
	if pad := -n & 3; pad <= len(r.b) {
		r.take(pad)
	} else {
		r.b = nil
	}
	return out
}

// value reads one property value: int32, bool, time.Time, string, []byte, or nil
// for what is of no interest.
func (r *reader) value(kind uint16) any {
	if kind&0x1000 != 0 { // several values
		n := r.u32()
		if n > maxTNEF {
			r.short = true
			return nil
		}
		for range n {
			r.one(kind &^ 0x1000)
		}
		return nil
	}
	switch kind {
	case 0x1e, 0x1f, 0x0d, 0x102:
		if n := r.u32(); n != 1 { // how many follow
			for range min(n, maxTNEF) {
				r.one(kind)
			}
			return nil
		}
	}
	return r.one(kind)
}

func (r *reader) one(kind uint16) any {
	switch kind {
	case 0x02, 0x03, 0x04, 0x0a: // short, long, float, error
		return int32(r.u32())
	case 0x0b:
		return r.u32()&0xffff != 0
	case 0x40: // 100 ns since 1601
		b := r.take(8)
		if b == nil {
			return nil
		}
		t := binary.LittleEndian.Uint64(b) / 10
		if t > 1<<58 {
			return nil
		}
		return time.UnixMicro(int64(t) - 11644473600_000_000).UTC()
	case 0x05, 0x06, 0x07, 0x14:
		r.take(8)
	case 0x48:
		r.take(16)
	case 0x1e:
		return ansi(r.padded())
	case 0x1f:
		b := r.padded()
		units := make([]uint16, 0, len(b)/2)
		for i := 0; i+1 < len(b); i += 2 {
			units = append(units, binary.LittleEndian.Uint16(b[i:]))
		}
		return strings.TrimRight(string(utf16.Decode(units)), "\x00")
	case 0x102, 0x0d:
		return r.padded()
	case 0x01:
	default:
		r.short = true // of unknown length
	}
	return nil
}

// ansi reads text in the code page that Windows uses in the West.
func ansi(b []byte) string {
	s := strings.TrimRight(string(b), "\x00")
	if out, err := charmap.Windows1252.NewDecoder().String(s); err == nil {
		return out
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func (f *tnefFile) text(set string, id uint32) string {
	s, _ := f.props[mapiTag{set, id}].(string)
	return strings.TrimSpace(s)
}

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
	class := strings.ToLower(f.class)
	method, partstat := "", ""
	switch {
	case strings.HasPrefix(class, "ipm.schedule.meeting.request"):
		method, partstat = "REQUEST", "NEEDS-ACTION"
	case strings.HasPrefix(class, "ipm.schedule.meeting.canceled"):
		method = "CANCEL"
	case strings.HasPrefix(class, "ipm.schedule.meeting.resp.pos"):
		method, partstat = "REPLY", "ACCEPTED"
	case strings.HasPrefix(class, "ipm.schedule.meeting.resp.neg"):
		method, partstat = "REPLY", "DECLINED"
	case strings.HasPrefix(class, "ipm.schedule.meeting.resp.tent"):
		method, partstat = "REPLY", "TENTATIVE"
	default:
		return "", nil
	}
	goid, _ := f.props[mapiTag{setMeeting, 0x23}].([]byte) // PidLidCleanGlobalObjectId
	own, _ := f.props[mapiTag{setMeeting, 0x03}].([]byte)  // PidLidGlobalObjectId, with the day of an instance
	if goid == nil {
		goid = own
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
	components := []func(){func() { f.times(own, line) }}
	if recurs, _ := f.props[mapiTag{setAppointment, 0x8223}].(bool); recurs && method == "REQUEST" {
		recurrence, _ := f.props[mapiTag{setAppointment, 0x8216}].([]byte) // PidLidAppointmentRecur
		s, err := parseSeries(recurrence)
		if err != nil {
			return "", err
		}
		allDay, _ := f.props[mapiTag{setAppointment, 0x8215}].(bool) // PidLidAppointmentSubType
		z, ok := f.zone()
		switch {
		case allDay:
		case !ok:
			return "", errors.New("winmail.dat: a series without the clocks by which it goes")
		default:
			z.write(line)
		}
		components = s.times(z, allDay, line)
	}
	stamp := f.time(mapiTag{setMeeting, 0x1a}, mapiTag{setMeeting, 0x01}) // owner's, attendee's critical change
	if method == "REPLY" {
		stamp = f.time(mapiTag{setMeeting, 0x01})
	}
	seq, _ := f.props[mapiTag{setAppointment, 0x8201}].(int32)
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
		if subject := cmp.Or(f.text("", 0x0070), f.text("", 0x0037)); !strings.Contains(told, "\nSUMMARY:") { // PidTagConversationTopic: without "Accepted:"
			line("SUMMARY", ics.Escape(subject))
		}
		if where := f.text(setAppointment, 0x8208); where != "" && !strings.Contains(told, "\nLOCATION:") {
			line("LOCATION", ics.Escape(where))
		}
		m.parties(line, method, partstat)
		line("END", "VEVENT")
	}
	line("END", "VCALENDAR")
	return b.String(), nil
}

// times writes when a single meeting is, or which day of a series is spoken of.
func (f *tnefFile) times(own []byte, line func(name, value string)) {
	start := f.time(mapiTag{setAppointment, 0x820d}, mapiTag{"", 0x0060})
	end := f.time(mapiTag{setAppointment, 0x820e}, mapiTag{"", 0x0061})
	if !start.IsZero() {
		line("DTSTART", start.Format("20060102T150405Z"))
	}
	if !end.IsZero() && end.After(start) {
		line("DTEND", end.Format("20060102T150405Z"))
	}
	if day := instanceDay(own); day != "" {
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
