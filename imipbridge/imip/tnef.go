package imip

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
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

// Properties of a meeting by their names in [MS-OXPROPS].
var (
	setAppointment = mustHex("0220060000000000c000000000000046") // PSETID_Appointment ([MS-OXPROPS] §1.3.2)
	setMeeting     = mustHex("90dad86e0b451b1098da00aa003f1305") // PSETID_Meeting

	pidTagMessageClass           = mapiTag{"", 0x001a}
	pidTagSubject                = mapiTag{"", 0x0037}
	pidTagStartDate              = mapiTag{"", 0x0060}
	pidTagEndDate                = mapiTag{"", 0x0061}
	pidTagConversationTopic      = mapiTag{"", 0x0070}
	pidLidAttendeeCriticalChange = mapiTag{setMeeting, 0x0001}
	pidLidGlobalObjectID         = mapiTag{setMeeting, 0x0003}
	pidLidOwnerCriticalChange    = mapiTag{setMeeting, 0x001a}
	pidLidCleanGlobalObjectID    = mapiTag{setMeeting, 0x0023}
	pidLidAppointmentSequence    = mapiTag{setAppointment, 0x8201}
	pidLidLocation               = mapiTag{setAppointment, 0x8208}
	pidLidAppointmentStartWhole  = mapiTag{setAppointment, 0x820d}
	pidLidAppointmentEndWhole    = mapiTag{setAppointment, 0x820e}
	pidLidAppointmentSubType     = mapiTag{setAppointment, 0x8215}
	pidLidAppointmentRecur       = mapiTag{setAppointment, 0x8216}
	pidLidRecurring              = mapiTag{setAppointment, 0x8223}
	pidLidTimeZoneStruct         = mapiTag{setAppointment, 0x8233}
	pidLidTimeZoneDescription    = mapiTag{setAppointment, 0x8234}
)

// Types of properties ([MS-OXCDATA] §2.11.1).
const (
	ptypNull         = 0x01
	ptypInteger16    = 0x02
	ptypInteger32    = 0x03
	ptypFloating32   = 0x04
	ptypFloating64   = 0x05
	ptypCurrency     = 0x06
	ptypFloatingTime = 0x07
	ptypErrorCode    = 0x0a
	ptypBoolean      = 0x0b
	ptypObject       = 0x0d
	ptypInteger64    = 0x14
	ptypString8      = 0x1e
	ptypString       = 0x1f
	ptypTime         = 0x40
	ptypGUID         = 0x48
	ptypBinary       = 0x102
	ptypMultiple     = 0x1000 // a bit beside the others
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
	if c := prop[string](f, pidTagMessageClass); c != "" {
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
	if kind&ptypMultiple != 0 {
		n := r.u32()
		if n > maxTNEF {
			r.short = true
			return nil
		}
		for range n {
			r.one(kind &^ ptypMultiple)
		}
		return nil
	}
	switch kind {
	case ptypString8, ptypString, ptypObject, ptypBinary:
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
	case ptypInteger16, ptypInteger32, ptypFloating32, ptypErrorCode:
		return int32(r.u32())
	case ptypBoolean:
		return r.u32()&0xffff != 0
	case ptypTime: // 100 ns since 1601
		b := r.take(8)
		if b == nil {
			return nil
		}
		t := binary.LittleEndian.Uint64(b) / 10
		if t > 1<<58 {
			return nil
		}
		return time.UnixMicro(int64(t) - 11644473600_000_000).UTC()
	case ptypFloating64, ptypCurrency, ptypFloatingTime, ptypInteger64:
		r.take(8)
	case ptypGUID:
		r.take(16)
	case ptypString8:
		return ansi(r.padded())
	case ptypString:
		b := r.padded()
		units := make([]uint16, 0, len(b)/2)
		for i := 0; i+1 < len(b); i += 2 {
			units = append(units, binary.LittleEndian.Uint16(b[i:]))
		}
		return strings.TrimRight(string(utf16.Decode(units)), "\x00")
	case ptypBinary, ptypObject:
		return r.padded()
	case ptypNull:
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

// prop returns a property of a message, the zero value where it has none of this
// type.
func prop[T any](f *tnefFile, tag mapiTag) T {
	v, _ := f.props[tag].(T)
	return v
}
