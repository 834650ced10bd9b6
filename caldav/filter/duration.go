package filter

import (
	"strings"
	"time"
)

// maxDuration is more than anybody means; longer values count as it, so that
// no sum of them overflows.
const maxDuration = 100 * 366 * 24 * time.Hour

// duration reads a DURATION (RFC 5545 §3.3.6) with days of 24 hours, which is
// exact for alarms and periods in UTC.
func duration(s string) (time.Duration, bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	if !strings.HasPrefix(s, "P") || len(s) < 3 {
		return 0, false
	}
	var d time.Duration
	inTime := false
	for s = s[1:]; s != ""; {
		if s[0] == 'T' && !inTime && len(s) > 1 {
			inTime, s = true, s[1:]
			continue
		}
		i := 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		if i == 0 || i == len(s) {
			return 0, false
		}
		var unit time.Duration
		switch {
		case s[i] == 'W' && !inTime:
			unit = 7 * 24 * time.Hour
		case s[i] == 'D' && !inTime:
			unit = 24 * time.Hour
		case s[i] == 'H' && inTime:
			unit = time.Hour
		case s[i] == 'M' && inTime:
			unit = time.Minute
		case s[i] == 'S' && inTime:
			unit = time.Second
		default:
			return 0, false
		}
		n := digits(s[:i])
		d = min(d+time.Duration(min(n, int(maxDuration/unit)))*unit, maxDuration)
		s = s[i+1:]
	}
	if neg {
		d = -d
	}
	return d, true
}

// digits reads a number without sign, at most 2^31; -1 if it is none.
func digits(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = min(n*10+int(s[i]-'0'), 1<<31)
	}
	if s == "" {
		return -1
	}
	return n
}
