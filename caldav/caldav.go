// Package caldav is the HTTP door for calendar and contacts programs: the URL
// tree, methods, privileges, live properties and reports of RFC 4918, 3744,
// 4791, 6352, 6578 and 6638. Reading goes straight to the database; writing a
// calendar object goes through the desk and nowhere else.
//
// Calendars and address books are twins: one resource tree, one table of live
// properties, one table of reports. What differs between them is a row in a
// table and a branch on the kind of the collection.
package caldav

import (
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// Options of the door.
type Options struct {
	Store     *db.Store
	Directory *directory.Directory
	Desk      *scheduling.Desk
	// PublicURL is how people reach the server from outside, behind whatever
	// proxy; "" is the host of each request.
	PublicURL string
	// TimezoneService is the URL of the time zone service (RFC 7808) from which
	// programs may take rules that are left out of objects; "" is none.
	TimezoneService string
	// MaxResource is the most octets that an object may have; zero: 10 MB.
	MaxResource int64
	// Quota is the most octets that one person may keep; zero: no limit.
	Quota int64
	// MaxAsked is about how many calendar users one question about busy time is
	// answered; zero: 500.
	MaxAsked int
	// Bound limits the work of expanding one series; zero: ics.DefaultBound.
	Bound ics.Bound
	Log   *slog.Logger     // nil: slog.Default
	Now   func() time.Time // nil: time.Now
}

// door is the handler. It keeps no truth in memory.
type door struct {
	store       *db.Store
	directory   *directory.Directory
	desk        *scheduling.Desk
	publicURL   *url.URL // nil: as each request came
	publicHost  string
	classes     string // the DAV header
	timezones   string // URL of a time zone service
	maxResource int64
	quota       int64
	maxAsked    int
	bound       ics.Bound
	log         *slog.Logger
	now         func() time.Time

	asked asked

	epochMu sync.Mutex
	epoch   string    // of the store (STORAGE 10)
	epochAt time.Time // when it was read
}

// New makes the door. It serves "/", "/connect.mobileconfig",
// "/.well-known/caldav", "/.well-known/carddav", Thunderbird's file below
// "/.well-known/autoconfig/", everything below "/dav/" and "/freebusy/".
func New(opt Options) http.Handler {
	d := &door{store: opt.Store, directory: opt.Directory, desk: opt.Desk,
		maxResource: opt.MaxResource, quota: opt.Quota, bound: opt.Bound, maxAsked: opt.MaxAsked, log: opt.Log, now: opt.Now}
	if u, err := url.Parse(opt.PublicURL); err == nil && u.Host != "" {
		d.publicURL, d.publicHost = u, u.Host
	}
	d.classes, d.timezones = capabilities, opt.TimezoneService
	if d.timezones != "" {
		d.classes += ", calendar-no-timezone" // RFC 7809 §3.1.1, §3.1.2: not without such a service
	}
	if d.maxResource <= 0 {
		d.maxResource = 10 << 20
	}
	if d.maxAsked <= 0 {
		d.maxAsked = maxFreeBusyWhom
	}
	if d.log == nil {
		d.log = slog.Default()
	}
	if d.now == nil {
		d.now = time.Now
	}
	return d
}

// Bounds of what one person may keep and one request may ask.
const (
	maxCollections  = 1_000    // calendars, or address books, of one person
	maxDeadProperty = 64 << 10 // octets of one dead property
	maxDead         = 200      // dead properties of one resource
	maxSegment      = 255      // octets of the name of a resource
	pageRows        = 1_000    // rows loaded at once (STORAGE 11)
	pageBytes       = 1 << 20  // octets of bodies loaded at once
	pageBodies      = 128      // bodies loaded at once
)

// xmlLimits bound the body of every request but PUT.
var xmlLimits = dav.DefaultLimits
