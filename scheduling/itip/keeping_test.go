package itip_test

import (
	"errors"
	"maps"
	"slices"

	"github.com/convene-server/convene/scheduling/dialogue"
	"github.com/convene-server/convene/scheduling/ics"
	. "github.com/convene-server/convene/scheduling/itip"
)

// Move has no effect on the meeting; the resource is another one (decision 16).
func (c *core) Move(who, uid, calendar string, cond dialogue.Condition) error {
	e := c.store[who][uid]
	if e == nil {
		return errors.New("nothing to move")
	}
	if err := c.check(who, uid, cond); err != nil {
		return err
	}
	e.calendar = calendar
	e.tag++
	return nil
}

// Drop removes a calendar: each meeting in it ends as if it were removed alone.
func (c *core) Drop(who, calendar string, silent bool) error {
	for _, uid := range slices.Sorted(maps.Keys(c.store[who])) {
		if c.Lies(who, uid) == calendar {
			if err := c.Delete(who, uid, silent, dialogue.Condition{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Import stores without scheduling.
func (c *core) Import(who string, object []byte) error {
	after, err := ics.Parse(object, ics.Limits{})
	if err != nil {
		return err
	}
	out, err := Originate(c.actor(who, after.UID()), nil, after, Options{Silent: true})
	if err != nil {
		return err
	}
	if len(out.Messages) > 0 {
		return errors.New("an import tells somebody")
	}
	c.keep(who, after.UID(), out)
	return nil
}

// Remove ends all that somebody has; the heir takes over what he organized.
func (c *core) Remove(who, heir string) error {
	for _, uid := range slices.Sorted(maps.Keys(c.store[who])) {
		c.tick()
		self := c.actor(who, uid).Self
		if heir != "" {
			if after, msgs, ok := HandOver(c.actor(heir, uid), self, c.store[who][uid].obj); ok {
				delete(c.store[who], uid)
				c.keep(heir, uid, Outcome{Object: after, Scheduled: true})
				if err := c.settle(heir, uid, Outcome{Messages: msgs}); err != nil {
					return err
				}
				continue
			}
		}
		if err := c.Delete(who, uid, false, dialogue.Condition{}); err != nil {
			return err
		}
	}
	return nil
}

func (c *core) Lies(who, uid string) string {
	switch e := c.store[who][uid]; {
	case e == nil:
		return ""
	case e.calendar == "":
		return "calendar"
	default:
		return e.calendar
	}
}
