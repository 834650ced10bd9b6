package ics

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // zones must not depend on what the machine has installed
)

// Location returns the IANA zone of a name as programs write it: IANA names,
// also behind a prefix ("/mozilla.org/20050126_1/Europe/Berlin"), Windows names
// ("W. Europe Standard Time"). nil if there is none.
func Location(tzid string) *time.Location {
	if z := namedZone(tzid); z != nil {
		return z.loc
	}
	return nil
}

// namedZone is Location with the Zone that is shared by all objects.
func namedZone(tzid string) *Zone {
	if z, ok := known.Load(tzid); ok {
		return z.(*Zone)
	}
	name := trimZone(tzid)
	if name == "" || len(name) > 128 {
		return nil
	}
	if z := ianaZone(name); z != nil {
		return z
	}
	if strings.HasPrefix(name, "/") {
		// RFC 5545 §3.2.19: a leading slash marks a name that is unique
		// everywhere; libical, Mozilla and Evolution put the IANA name behind
		// their own.
		for rest := name[1:]; ; {
			if z := ianaZone(rest); z != nil {
				return z
			}
			i := strings.IndexByte(rest, '/')
			if i < 0 {
				return nil
			}
			rest = rest[i+1:]
		}
	}
	low := strings.ToLower(name)
	if iana, ok := windowsZones[low]; ok {
		return ianaZone(iana)
	}
	if strings.HasPrefix(low, "(utc") || strings.HasPrefix(low, "(gmt") {
		if i := strings.IndexByte(low, ')'); i > 0 {
			if iana, ok := windowsZones[strings.TrimSpace(low[i+1:])]; ok {
				return ianaZone(iana)
			}
		}
		return nil
	}
	if iana, ok := wholeHours(low); ok {
		return ianaZone(iana)
	}
	if low == name { // "europe/berlin"
		return ianaZone(titled(name))
	}
	return nil
}

// trimZone removes what programs leave around a TZID: blanks, quotes, escaped
// line ends.
func trimZone(s string) string {
	s = strings.Trim(s, " \t\"'")
	s = strings.TrimSuffix(strings.TrimSuffix(s, `\n`), `\N`)
	return strings.Trim(s, " \t\"'")
}

var (
	known   sync.Map // IANA name -> *Zone
	unknown sync.Map // names that are none, at most maxUnknown of them
	misses  atomic.Int64
)

const maxUnknown = 4096

// ianaZone looks a name of the tz database up.
func ianaZone(name string) *Zone {
	if z, ok := known.Load(name); ok {
		return z.(*Zone)
	}
	if !ianaName(name) {
		return nil
	}
	if _, ok := unknown.Load(name); ok {
		return nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		if misses.Add(1) <= maxUnknown {
			unknown.Store(name, true)
		}
		return nil
	}
	z, _ := known.LoadOrStore(name, &Zone{loc: loc})
	return z.(*Zone)
}

// ianaName reports whether a name can be one of the tz database. It keeps away
// what time.LoadLocation would take for the server's own zone ("Local",
// "localtime"), and the trees beside the database ("right/...").
func ianaName(s string) bool {
	if len(s) > 64 || s == "" || s[0] < 'A' || s[0] > 'Z' || s == "Local" || s == "Factory" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if b := s[i]; !nameByte(b) && b != '+' && b != '/' {
			return false
		}
	}
	return !strings.Contains(s, "//") && s[len(s)-1] != '/'
}

// wholeHours reads "utc+1", "gmt-05:00": in the tz database the sign of these
// zones is turned round.
func wholeHours(low string) (string, bool) {
	s, ok := strings.CutPrefix(low, "utc")
	if !ok {
		s, ok = strings.CutPrefix(low, "gmt")
	}
	if !ok || len(s) < 2 || s[0] != '+' && s[0] != '-' {
		return "", false
	}
	digits := strings.TrimSuffix(s[1:], ":00")
	if len(digits) == 4 {
		digits = strings.TrimSuffix(digits, "00")
	}
	h, err := strconv.Atoi(digits)
	if err != nil || len(digits) > 2 || h > 14 || s[0] == '-' && h > 12 {
		return "", false
	}
	switch {
	case h == 0:
		return "Etc/UTC", true
	case s[0] == '+':
		return "Etc/GMT-" + strconv.Itoa(h), true
	}
	return "Etc/GMT+" + strconv.Itoa(h), true
}

// titled writes "america/new_york" as "America/New_York".
func titled(s string) string {
	b := []byte(s)
	up := true
	for i, c := range b {
		if up && c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
		up = c == '/' || c == '_' || c == '-'
	}
	return string(b)
}
