package scheduling

import (
	"slices"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/itip"
)

// Check compares a resource (nil: none) with what a request demands (RFC 9110
// §13.1, RFC 6638 §8.3).
func (c Conditions) Check(o *db.Object) error {
	failed := func(why string) error { return &itip.Refusal{Status: 412, Detail: why} }
	matches := func(tags []string) bool {
		return o != nil && (slices.Contains(tags, "*") || slices.Contains(tags, o.ETag))
	}
	if c.IfMatch != nil && !matches(c.IfMatch) {
		return failed("the resource is not as it was when it was read")
	}
	// RFC 9110 §13.1.4, §13.2.2: where no entity tag is asked for.
	if since := c.IfUnmodifiedSince; c.IfMatch == nil && !since.IsZero() && o != nil && o.Modified.Truncate(time.Second).After(since) {
		return failed("the resource was changed since then")
	}
	if c.IfNoneMatch != nil && matches(c.IfNoneMatch) {
		return failed("the resource is there already")
	}
	if tag := c.IfScheduleTagMatch; tag != nil {
		have := ""
		if o != nil {
			have = o.ScheduleTag
		}
		if have != *tag {
			return failed("the Schedule-Tag is another now")
		}
	}
	return nil
}

// seen reports whether the request names the state that it changes.
func (c Conditions) seen() bool {
	return c.IfMatch != nil && !slices.Contains(c.IfMatch, "*")
}
