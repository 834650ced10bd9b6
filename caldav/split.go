package caldav

import (
	"net/http"
	"net/url"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/itip"
)

// split answers POST ?action=split on an event: the series is parted at an
// instance (caldav-recursplit §3).
func (x *exchange) split(r *resource, query url.Values) error {
	if err := x.may(r, directory.WriteContent); err != nil {
		return err
	}
	coll, err := x.collection(place{owner: r.owner.Address, wing: r.wing(), coll: r.coll.Name})
	if err != nil {
		return err
	}
	if err := x.may(coll, directory.Bind); err != nil { // the other half is a new object
		return err
	}
	conditions := x.conditions()
	if conditions.Under, err = x.guardPut(coll, r.obj.Name); err != nil {
		return err
	}
	if conditions.Guest, err = x.asGuest(coll); err != nil {
		return err
	}
	halves, err := x.desk.Split(x.ctx, scheduling.Split{
		Actor: x.me, Collection: r.coll.ID, Name: r.obj.Name, At: query.Get("rid"), UID: query.Get("uid"),
		Conditions: conditions, Door: doorName,
	})
	if err != nil {
		return x.absolute(err, r.owner)
	}
	x.tags = nil // there is one object more
	fresh := memberHref(coll.href, halves.Before.Name)
	h := x.w.Header()
	if !x.prefer.Representation {
		h.Set("Split-Component-URL", fresh)
		if halves.From.ScheduleTag != "" {
			h["Schedule-Tag"] = []string{`"` + halves.From.ScheduleTag + `"`}
		}
		if conditions.Guest == 0 {
			h["Etag"] = []string{`"` + halves.From.ETag + `"`}
		}
		x.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	h.Set("Preference-Applied", "return=representation")
	if conditions.Guest == 0 {
		h["Etag"] = []string{`"` + halves.From.ETag + `"`}
	}
	ms := x.multistatus()
	for _, href := range []string{r.href, fresh} {
		segments, _, err := dav.Segments(href)
		if err != nil {
			return err
		}
		half, err := x.find(segments)
		if err != nil {
			return err
		}
		ms.Begin(href)
		ms.Element(dav.D("getetag"), `"`+half.obj.ETag+`"`)
		if half.obj.ScheduleTag != "" {
			ms.Element(dav.C("schedule-tag"), `"`+half.obj.ScheduleTag+`"`)
		}
		ms.Open(dav.C("calendar-data"))
		ms.TextBytes(itip.Shown(half.obj.Body))
		ms.Close(dav.C("calendar-data"))
		ms.Finish()
	}
	return ms.End("")
}
