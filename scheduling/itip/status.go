package itip

import (
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// Delivery status codes (RFC 6638 §3.2.9, RFC 5546 §3.6; decision 17).
const (
	StatusPending       = "1.0"
	StatusSent          = "1.1" // durable on its way to somebody outside
	StatusDelivered     = "1.2" // in the calendar of somebody here
	StatusSuccess       = "2.0"
	StatusInvalidUser   = "3.7"
	StatusNoAuthority   = "3.8"
	StatusNotDelivered  = "5.1"
	StatusInvalidDomain = "5.2"
	StatusRejected      = "5.3"
)

// Stamp sets SCHEDULE-STATUS on the ATTENDEE lines (and the ORGANIZER line) of
// the given addresses in every component; nothing else changes. It returns o
// itself where nothing differs.
func Stamp(o *ics.Object, status map[cuaddr.Address]string) *ics.Object {
	panic("itip: not built yet")
}

// SetPartStat returns o with the PARTSTAT of the attendees whom who recognises
// set in instance r ("" for the whole), an override made where r has none:
// what an attendee's client would PUT. nil if there is no such attendee or
// instance.
func SetPartStat(o *ics.Object, who func(cuaddr.Address) bool, r ics.RID, partstat, comment string) *ics.Object {
	panic("itip: not built yet")
}
