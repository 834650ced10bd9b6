package caldav

import (
	"net/http"
	"slices"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
)

// Rooms and resources tell on their principals whether and how they answer by
// themselves, in the words of Apple's server; who looks after them may change
// that there.

var autoSchedule, autoScheduleMode = dav.CS("auto-schedule"), dav.CS("auto-schedule-mode")

var autoModes = []struct{ theirs, ours string }{
	{"none", "none"}, {"accept-always", "always"}, {"decline-always", "never"}, {"accept-if-free", "if-free"},
	{"decline-if-busy", "decline-if-busy"}, {"automatic", "automatic"},
}

// onlyModes reports whether a request changes nothing else.
func onlyModes(changes []dav.Change) bool {
	return len(changes) > 0 && !slices.ContainsFunc(changes, func(c dav.Change) bool { return c.Prop.Name != autoSchedule && c.Prop.Name != autoScheduleMode })
}

func answersItself(r *resource) bool { return r.owner.Kind == db.Room || r.owner.Kind == db.Resource }

func (x *exchange) mode(r *resource) (mode string, ok bool) {
	if !answersItself(r) {
		return "", false
	}
	ok = x.view(func(tx *db.Tx) error {
		mode = x.desk.Mode(tx, *r.owner)
		return nil
	})
	return mode, ok
}

func readAutoSchedule(x *exchange, r *resource, w *dav.Writer) bool {
	mode, ok := x.mode(r)
	if !ok {
		return false
	}
	if mode == "none" {
		w.Text("false")
	} else {
		w.Text("true")
	}
	return true
}

// readAutoMode tells none where the rules say more than Apple's modes can.
func readAutoMode(x *exchange, r *resource, w *dav.Writer) bool {
	mode, ok := x.mode(r)
	for _, m := range autoModes {
		if ok && m.ours == mode {
			w.Text(m.theirs)
			return true
		}
	}
	return false
}

func writeAutoSchedule(x *exchange, r *resource, c dav.Change, u *update) error {
	if err := x.looksAfter(r); err != nil {
		return err
	}
	mode, _ := x.mode(r)
	switch said := strings.TrimSpace(c.Prop.Text()); {
	case c.Remove:
		return errProtected
	case said == "false":
		u.mode = "none"
	case said == "true" && mode == "none":
		u.mode = "automatic"
	case said != "true":
		return conflict("neither true nor false")
	}
	return nil
}

func writeAutoMode(x *exchange, r *resource, c dav.Change, u *update) error {
	if err := x.looksAfter(r); err != nil {
		return err
	}
	if c.Remove {
		return errProtected
	}
	for _, m := range autoModes {
		if m.theirs == strings.TrimSpace(c.Prop.Text()) {
			u.mode = m.ours
			return nil
		}
	}
	return conflict("there is no such mode")
}

// looksAfter refuses who may not say how a room answers.
func (x *exchange) looksAfter(r *resource) error {
	if !answersItself(r) {
		return errProtected
	}
	may := false
	err := x.store.View(x.ctx, func(tx *db.Tx) (err error) {
		may, err = x.desk.LooksAfter(tx, x.me, *r.owner)
		return err
	})
	if err == nil && !may {
		err = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("need-privileges"), Hrefs: []string{r.href}}
	}
	return err
}
