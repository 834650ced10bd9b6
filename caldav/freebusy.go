package caldav

import (
	"crypto/rand"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/caldav/filter"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// Bounds of a question about busy time.
const (
	maxFreeBusySpan = itip.MostBusyTime
	maxFreeBusyBody = 1 << 20
	maxFreeBusyWhom = 500 // unless configured
)

const stamp = "20060102T150405Z"

// freeBusyQuery answers a free-busy-query (RFC 4791 §7.10).
func (x *exchange) freeBusyQuery(r *resource, root *dav.Element) error {
	tr := root.Child(dav.C("time-range"))
	if tr == nil {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "a free-busy-query without a time-range"}
	}
	from, to, err := period(tr.Attr("start"), tr.Attr("end"))
	if err != nil {
		return err
	}
	var spans []ics.Span
	switch r.kind {
	case kPrincipals: // no calendar object lies there
	case kCalendar:
		spans, err = x.desk.Busy(x.ctx, r.coll.ID, from, to)
	default:
		spans, err = x.busyTimeOf(r, from, to)
	}
	if err != nil {
		return err
	}
	x.sendCalendar(x.vfreebusy("", nil, "", from, to, spans))
	return nil
}

// busyTimeOf is that of somebody, of which a home and a principal are asked: what
// his outbox would be told (RFC 6638 §5).
func (x *exchange) busyTimeOf(r *resource, from, to time.Time) ([]ics.Span, error) {
	fbs, err := x.desk.FreeBusy(x.ctx, scheduling.FreeBusyQuery{Asker: x.me, Whom: []string{cuaddr.Mailto(r.owner.Address).Fold()}, From: from, To: to})
	if err != nil {
		return nil, err
	}
	if len(fbs) != 1 || !strings.HasPrefix(fbs[0].Status, "2.") {
		if r.kind == kCalendarHome { // RFC 4791 §7.10: as where there is none
			return nil, notFound
		}
		return nil, &dav.Error{Status: http.StatusForbidden, Cond: dav.D("need-privileges"), Hrefs: []string{r.href}, Privileges: []xml.Name{dav.C("read-free-busy")}}
	}
	return fbs[0].Spans, nil
}

// period reads start and end of a question about busy time: both are needed,
// in UTC.
func period(start, end string) (from, to time.Time, err error) {
	from, err1 := time.Parse(stamp, strings.TrimSpace(start))
	to, err2 := time.Parse(stamp, strings.TrimSpace(end))
	switch {
	case err1 != nil || err2 != nil:
		return from, to, &dav.Error{Status: http.StatusBadRequest, Detail: "start and end have to be times in UTC, such as 20260131T090000Z"}
	case !from.Before(to):
		return from, to, &dav.Error{Status: http.StatusBadRequest, Detail: "the end is not after the start"}
	case to.Sub(from) > maxFreeBusySpan:
		return from, to, &dav.Error{Status: http.StatusForbidden, Cond: dav.D("number-of-matches-within-limits"), Detail: "five years of busy time at most"}
	}
	return from, to, nil
}

func (x *exchange) sendCalendar(o *ics.Object) {
	h := x.w.Header()
	h.Set("Content-Type", "text/calendar; charset=utf-8; component=VFREEBUSY")
	h.Set("Content-Length", strconv.Itoa(len(o.Bytes())))
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-store")
	}
	x.w.WriteHeader(http.StatusOK)
	if x.r.Method != "HEAD" {
		x.w.Write(o.Bytes())
	}
}

// vfreebusy makes a VFREEBUSY of busy time, DTSTART and DTEND those of the
// question. who are ORGANIZER and ATTENDEE.
func (x *exchange) vfreebusy(method string, who []ics.Prop, uid string, from, to time.Time, spans []ics.Span) *ics.Object {
	if uid == "" {
		uid = rand.Text()
	}
	return itip.BusyMessage(itip.Method(method), uid, itip.BusyTime{From: from, To: to, Stamp: x.now(), Spans: spans}, who)
}

// post answers a POST to the outbox: a question about busy time (RFC 6638 §5).
// Kontact posts it to the inbox.
func (x *exchange) post(segments []string, slash bool) error {
	if p, ok := x.placeOf(segments); ok && p.member == addMemberName {
		return x.addMember(p)
	}
	r, err := x.find(segments)
	if err != nil {
		if errors.Is(err, db.ErrNotFound) {
			return notFound
		}
		return err
	}
	if query := x.r.URL.Query(); r.kind&kEvent != 0 && query.Get("action") == "split" {
		return x.split(r, query)
	}
	if r.kind&(kCalendar|kCalendarHome) != 0 && x.sentXML() {
		return x.postXML(r)
	}
	if r.kind&(kOutbox|kInbox) == 0 {
		x.w.Header().Set("Allow", allow(r.kind))
		return &dav.Error{Status: http.StatusMethodNotAllowed, Detail: "POST is for the outbox"}
	}
	if r.owner.ID != x.me.ID { // RFC 6638 §6.2.3: in the name of whose outbox it is
		if r.kind != kOutbox {
			return notFound
		}
		if err := x.may(r, directory.SendFreeBusy); err != nil {
			return err
		}
	}
	if m, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err != nil || m != "text/calendar" && m != filter.JCal {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("supported-calendar-data"), Detail: "the outbox takes text/calendar"}
	}
	body, err := io.ReadAll(io.LimitReader(x.r.Body, maxFreeBusyBody+1))
	if err != nil {
		return &dav.Error{Status: http.StatusBadRequest, Detail: "the request ended early"}
	}
	if len(body) > maxFreeBusyBody {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("max-resource-size"), Detail: "the request has too many octets"}
	}
	parse := ics.Parse
	if x.sentJCal() {
		parse = ics.ParseJCal
	}
	o, err := parse(body, ics.Limits{})
	if err != nil {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.C("valid-calendar-data"), Detail: err.Error()}
	}
	if r.kind == kOutbox && o.Kind() != "VFREEBUSY" {
		return x.explicitly(r, o)
	}
	q, err := x.question(o, r.owner)
	if err != nil {
		return err
	}
	within := min(len(q.whom), x.maxAsked)
	fbs, err := x.desk.FreeBusy(x.ctx, scheduling.FreeBusyQuery{Asker: *r.owner, Whom: q.whom[:within], From: q.from, To: q.to, Mask: q.mask, Details: q.details})
	if err != nil {
		return err
	}
	for _, w := range q.whom[within:] { // RFC 5546 §3.6: asked about too many
		fbs = append(fbs, scheduling.FreeBusy{Asked: w, Status: "5.1;Service unavailable"})
	}
	x.scheduleResponse(func(w *dav.Writer) {
		for i, fb := range fbs {
			x.writeFreeBusy(w, q, i, fb)
		}
	})
	return nil
}

// scheduleResponse sends the answer to a POST to the outbox (RFC 6638 §10.1).
func (x *exchange) scheduleResponse(body func(*dav.Writer)) {
	x.w.Header().Set("DAV", x.classes)
	x.w.Header().Set("Cache-Control", "private, no-store")
	x.sendXML(http.StatusOK, dav.Document(dav.C("schedule-response"), body))
}

// question is a VFREEBUSY REQUEST.
type question struct {
	from, to  time.Time
	whom      []string // as spelled in the request, in its order
	attendees []ics.Prop
	organizer ics.Prop
	uid, mask string
	details   bool // Apple's X-CALENDARSERVER-EXTENDED-FREEBUSY
}

// question reads one; refusals are those of RFC 6638 §5.2.
func (x *exchange) question(o *ics.Object, owner *db.Principal) (*question, error) {
	invalid := func(detail string) error {
		return &dav.Error{Status: http.StatusBadRequest, Cond: dav.C("valid-scheduling-message"), Detail: detail} // RFC 6638 §5.2.1
	}
	if o.Method() != "REQUEST" || o.Kind() != "VFREEBUSY" || len(o.Main()) != 1 {
		return nil, invalid("the outbox answers a VFREEBUSY with METHOD:REQUEST; meetings are sent by storing them")
	}
	c := o.First()
	q := &question{uid: o.UID(), mask: strings.TrimSpace(c.Value("X-CALENDARSERVER-MASK-UID")),
		details: strings.HasPrefix(strings.ToUpper(c.Value("X-CALENDARSERVER-EXTENDED-FREEBUSY")), "T")}
	org := c.Prop("ORGANIZER")
	if org == nil || !x.isOf(owner, ics.CalAddress(org)) {
		// RFC 6638 §5.2.2
		return nil, &dav.Error{Status: http.StatusForbidden, Cond: dav.C("valid-organizer"), Detail: "the ORGANIZER has to be whose outbox it is"}
	}
	if x.broken != nil {
		return nil, x.broken
	}
	// RFC 5546 §3.3.2, but for what programs add that changes nothing: a SUMMARY, time
	// zones.
	for _, name := range []string{"UID", "DTSTAMP"} {
		if len(c.PropsNamed(name)) != 1 {
			return nil, invalid("a question has one " + name)
		}
	}
	for _, name := range []string{"FREEBUSY", "DURATION", "REQUEST-STATUS", "URL"} {
		if c.Prop(name) != nil {
			return nil, invalid("there is a " + name + ", which only an answer has")
		}
	}
	q.organizer = ics.NewProp("ORGANIZER", org.Value)
	from, to, wrong := itip.AskedFor(o)
	if wrong != "" {
		return nil, invalid(wrong)
	}
	q.from, q.to = from, to
	for _, a := range ics.Attendees(c) {
		q.whom = append(q.whom, strings.TrimSpace(a.Value))
		// As who asks knows him, and nothing else of what he says about him.
		q.attendees = append(q.attendees, a.WithoutParamsFunc(func(name string) bool { return name != "CN" }))
	}
	if len(q.whom) == 0 {
		return nil, invalid("there is no ATTENDEE")
	}
	return q, nil
}

// isOf reports whether an address is one of somebody's, or his principal's
// path.
func (x *exchange) isOf(p *db.Principal, a cuaddr.Address) bool {
	if a.IsZero() {
		return false
	}
	for _, own := range x.addresses(p) {
		if a.Fold() == cuaddr.Mailto(own).Fold() {
			return true
		}
	}
	return strings.EqualFold(a.Path(), "/dav/principals/"+p.Address+"/")
}

// noRecipient is what the drafts before RFC 6638 say of a calendar user who
// cannot be asked, in the spelling that Apple's server had: §10.2 leaves open
// which conditions a DAV:error names.
const noRecipient = "<D:error><recipient-exists xmlns='urn:ietf:params:xml:ns:caldav'/></D:error>"

// writeFreeBusy writes the answer about one attendee (RFC 6638 §10.2), who is
// named as in the request.
func (x *exchange) writeFreeBusy(w *dav.Writer, q *question, i int, fb scheduling.FreeBusy) {
	w.Raw("\n<C:response><C:recipient>")
	w.Href(fb.Asked)
	w.Raw("</C:recipient>")
	w.Element(dav.C("request-status"), fb.Status)
	if strings.HasPrefix(fb.Status, "2.") {
		o := x.vfreebusy("REPLY", []ics.Prop{q.organizer, q.attendees[i]}, q.uid, fb.From, fb.To, fb.Spans)
		if len(fb.Events) > 0 {
			root := o.Root().Clone()
			root.Children = append(root.Children, fb.Events...)
			o = ics.New(root)
		}
		if x.wantsJCal() { // RFC 7265 §6
			w.OpenWith(dav.C("calendar-data"), jcalAttrs)
			w.TextBytes(o.JCal())
		} else {
			w.Open(dav.C("calendar-data"))
			w.Lines(o.Bytes())
		}
		w.Close(dav.C("calendar-data"))
	}
	if strings.HasPrefix(fb.Status, "3.7") {
		w.Raw(noRecipient)
	}
	w.Raw("</C:response>")
}
