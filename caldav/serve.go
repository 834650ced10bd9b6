package caldav

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
)

// exchange is one request and its answer.
type exchange struct {
	*door
	w   *answer
	r   *http.Request
	ctx context.Context
	me  db.Principal

	prefer dav.Prefer
	noroot bool // the resource itself is left out of a listing, as was preferred
	// What was loaded once for this request.
	found   *found
	self    []string
	known   map[int64]acquainted // of the page of principals in hand
	listed  map[homeKey][]db.Collection
	owners  map[string]*db.Principal // of other homes, by address in lower case
	grants  map[int64]directory.Grants
	tags    map[int64]map[int64]string // of what I have for myself in calendars of others
	acting  []db.Proxy                 // for whom I may act
	sharers []*db.Principal            // who has granted me something
	mounts  map[string]*db.Mount       // calendars of others in my home, by name
	through map[int64]*db.Mount        // those of them by which this request knows a calendar, by its id
	usage   map[int64]int64            // octets that people keep
	locks   map[homeKey][]db.DavLock
	// lockedAt is when locks were looked at, by the database's clock.
	lockedAt time.Time
	out      *lazy  // of a multistatus
	added    bool   // a new member has got its name here
	dest     string // the Destination of a COPY or MOVE
	// broken is the first error of the database while an answer was written.
	broken error
	// tooMuch: something was left out because it passes the bounds.
	tooMuch bool
}

// answer remembers what was sent of it, for the log and the last net.
type answer struct {
	http.ResponseWriter
	status   int
	recorder *recorder // nil: nobody wants to see it
	packed   bool      // the octets are compressed, and recorded before that
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if a.recorder != nil && !a.packed {
		a.recorder.answer.take(b)
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	x := &exchange{door: d, w: &answer{ResponseWriter: w}, r: r, ctx: r.Context()}
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			d.log.Error("dav: panic", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			if x.w.status == 0 {
				http.Error(x.w, "internal error", http.StatusInternalServerError)
			}
		}
		if d.log.Enabled(x.ctx, slog.LevelDebug) {
			d.log.LogAttrs(x.ctx, slog.LevelDebug, "dav", slog.String("method", r.Method), slog.String("path", r.URL.Path),
				slog.String("user", x.me.Address), slog.Int("status", x.w.status), slog.Duration("took", time.Since(start)))
		}
		x.keep()
	}()
	err := x.route()
	if err == nil && x.out != nil {
		err = x.out.close()
	}
	if err != nil {
		x.fail(err)
	}
}

// route tells the few paths apart that do not belong to the tree.
func (x *exchange) route() error {
	path := x.r.URL.EscapedPath()
	if done, err := x.wellKnown(path); done {
		return err
	}
	if done, err := x.aux(path); done {
		return err
	}
	segments, slash, err := dav.Segments(path)
	misnamed := err != nil
	if len(segments) > 2 && !strings.Contains(segments[2], "@") {
		// Whose home it is, by a program that encodes once more what our answers had
		// encoded (see dav.MultiStatus.EncodedAt).
		segments[2] = strings.ReplaceAll(segments[2], "%40", "@")
	}
	if !misnamed && x.isPublic(segments) {
		return x.publicFreeBusy(segments[1])
	}
	ok := !misnamed && x.recognise(segments)
	if !ok {
		if ok, err = x.authenticate(); err != nil {
			return err
		}
	}
	if !ok {
		x.challenge()
		return nil
	}
	if x.found == nil || x.r.Header["Destination"] != nil || x.r.Header["If"] != nil {
		if err := x.loadMounts(); err != nil {
			return err
		}
	}
	x.directory.Touch(x.ctx, x.me) // decision 5, of this request's own effects too; a failure has none
	x.listen()
	x.prefer = dav.ParsePrefer(x.r.Header["Prefer"], x.r.Header.Get("Brief"))
	if misnamed {
		return notFound
	}
	if len(segments) > 0 && segments[0] == "freebusy" {
		return x.freeBusyURL(segments[1:])
	}
	m, ok := methods[x.r.Method]
	if x.r.Method == "SCHEDULE" {
		// Of drafts of RFC 6638; what it did, a PUT does.
		return &dav.Error{Status: http.StatusMethodNotAllowed, Detail: "write scheduling objects by PUT"}
	}
	if !ok {
		return &dav.Error{Status: http.StatusNotImplemented, Detail: "unknown method"}
	}
	switch x.r.Method {
	case "DELETE", "COPY", "MOVE", "LOCK":
		if _, err := dav.ParseDepth(x.r.Header.Get("Depth"), dav.Infinity); err != nil { // of an object as well
			return err
		}
	}
	switch to, err := x.moved(segments, slash); {
	case err != nil:
		return err
	case to != "":
		return x.redirect(to)
	}
	return m(x, segments, slash)
}

// redirect leads to where a resource is since its owner has another address.
// Programs old and new follow a 301 for what only reads; a 308 keeps the method
// and the body of what writes (RFC 9110 §15.4).
func (x *exchange) redirect(to string) error {
	if q := x.r.URL.RawQuery; q != "" {
		to += "?" + q
	}
	x.w.Header().Set("Location", to)
	switch x.r.Method {
	case "GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT":
		x.w.WriteHeader(http.StatusMovedPermanently)
	default:
		x.w.WriteHeader(http.StatusPermanentRedirect)
	}
	return nil
}

// methods is the table of what the tree understands. A method decides by the
// kind of the resource whether it makes sense there; Allow tells the same.
var methods map[string]func(x *exchange, segments []string, slash bool) error

func init() {
	methods = map[string]func(*exchange, []string, bool) error{
		"OPTIONS":    (*exchange).options,
		"GET":        (*exchange).get,
		"HEAD":       (*exchange).get,
		"PUT":        (*exchange).put,
		"DELETE":     (*exchange).delete,
		"POST":       (*exchange).post,
		"PROPFIND":   (*exchange).propfind,
		"PROPPATCH":  (*exchange).proppatch,
		"REPORT":     (*exchange).report,
		"MKCALENDAR": (*exchange).mkcol,
		"MKCOL":      (*exchange).mkcol,
		"COPY":       (*exchange).copy,
		"MOVE":       (*exchange).move,
		"ACL":        (*exchange).acl,
		"LOCK":       (*exchange).lock,
		"UNLOCK":     (*exchange).unlock,
	}
}

// realm is the same on every path: Thunderbird finds a saved log-in by it.
const realm = `Basic realm="Convene", charset="UTF-8"` // RFC 7617 §2.1

func (x *exchange) challenge() {
	x.w.Header().Set("WWW-Authenticate", realm)
	x.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	x.w.WriteHeader(http.StatusUnauthorized)
	x.w.Write([]byte("log in with your address and password\n"))
}

// authenticate finds out who asks; false: nobody whom we know.
// login finds out who asks, and asks him for his password where that is not known:
// nothing else is to be answered then.
func (x *exchange) login() (bool, error) {
	ok, err := x.authenticate()
	if !ok && err == nil {
		x.challenge()
	}
	return ok, err
}

func (x *exchange) authenticate() (bool, error) {
	login, password, ok := x.r.BasicAuth()
	if !ok {
		return false, nil
	}
	me, err := x.directory.Authenticate(x.ctx, login, password)
	if errors.Is(err, directory.ErrDenied) {
		return false, nil
	}
	x.me = me
	return err == nil, err
}

// recognise finds out who asks without a statement of its own (STORAGE 24):
// the credentials are those that were checked last, and they count because the
// statement that finds the resource also returns the version under which they
// were. false: authenticate decides.
func (x *exchange) recognise(segments []string) bool {
	login, password, ok := x.r.BasicAuth()
	if !ok {
		return false
	}
	if x.me, ok = x.directory.AuthenticateCached(login, password); !ok {
		return false
	}
	p, ok := x.placeOf(segments)
	if !ok || p.owner != "" || x.mayNameMount(segments) {
		return false
	}
	var version int64
	f := &found{place: p}
	if m := x.r.Method; p.member != "" && m != "PUT" && m != "DELETE" {
		f.r, version, f.err = x.objectAt(p)
	} else {
		f.place.member = ""
		f.r, version, f.err = x.collectionAt(f.place)
	}
	if version != x.me.Version {
		return false
	}
	x.found = f
	return true
}

// found is a resource that was looked up while its owner was recognised.
type found struct {
	place
	r   *resource
	err error
}

// take returns it, once: whoever looks again sees what is there then.
func (x *exchange) take(p place) (r *resource, err error, ok bool) {
	f := x.found
	if f == nil || f.place != p {
		return nil, nil, false
	}
	x.found = nil
	return f.r, f.err, true
}

// capabilities is the DAV header: only what is true, "1" first because
// Thunderbird drops the first token, in one line (RFC 4918 §10.1).
const capabilities = "1, 2, 3, access-control, calendar-proxy, calendar-access, calendar-schedule, calendar-auto-schedule, calendar-availability, inbox-availability, calendarserver-recurrence-split, calendarserver-group-attendee, calendar-query-extended, addressbook, extended-mkcol, calendarserver-principal-property-search, calendarserver-principal-search, calendarserver-home-sync, calendarserver-sharing, calendarserver-sharing-no-scheduling, calendarserver-group-sharee"

var (
	notFound = &dav.Error{Status: http.StatusNotFound}
	// hidden answers whatever is asked of a home in which I may see nothing, and
	// of the home of somebody who is not here: word for word the same, whether
	// there is something or not (RFC 3744 §7.1.1).
	hidden = &dav.Error{Status: http.StatusForbidden, Cond: dav.D("need-privileges"), Detail: "there is nothing that you may see here"}
)

func (x *exchange) options(segments []string, slash bool) error {
	res, err := x.find(segments)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	h := x.w.Header()
	h.Set("DAV", x.classes)
	if err != nil { // something of mine that may be created here
		h.Set("Allow", "OPTIONS, PUT, MKCALENDAR, MKCOL, LOCK")
	} else {
		h.Set("Allow", allow(res.kind))
	}
	h.Set("Content-Length", "0")
	x.w.WriteHeader(http.StatusOK) // not 204: GNOME wants 200
	return nil
}

func allow(k kind) string {
	if k&(kDirectory|kEntry) != 0 {
		return "OPTIONS, GET, HEAD, PROPFIND, REPORT"
	}
	a := "OPTIONS, GET, HEAD, PROPFIND, PROPPATCH, REPORT"
	if k&kMember == 0 { // whose entries are its collection's
		a += ", ACL"
	}
	if k&(kColl|kMember) != 0 {
		a += ", LOCK, UNLOCK"
	}
	switch {
	case k&kOutbox != 0:
		a += ", POST"
	case k&kTold != 0:
		a += ", DELETE"
	case k&kEvent != 0:
		a += ", POST, PUT, DELETE, COPY, MOVE"
	case k&(kCard|kFile) != 0:
		a += ", PUT, DELETE, COPY, MOVE"
	case k&(kCalendar|kBook|kPlain) != 0:
		a += ", POST, DELETE, COPY, MOVE"
	case k == kNotice:
		a += ", DELETE"
	case k == kCalendarHome:
		a += ", MKCALENDAR, MKCOL, POST"
	case k == kBookHome:
		a += ", MKCOL"
	}
	return a
}

// body reads the XML of a request; nil without any.
func (x *exchange) body() (*dav.Element, error) {
	if x.r.Body == nil || x.r.Body == http.NoBody {
		return nil, nil
	}
	if x.r.Header.Get("Content-Encoding") != "" {
		return nil, &dav.Error{Status: http.StatusUnsupportedMediaType, Detail: "a request body must not be encoded"}
	}
	if n := x.r.ContentLength; x.r.Method == "PROPFIND" && 0 < n && n <= maxAsked {
		return x.asked.parse(x.r.Body, int(n))
	}
	return parseBody(x.r.Body)
}

func parseBody(r io.Reader) (*dav.Element, error) {
	root, err := dav.Parse(r, xmlLimits)
	if errors.Is(err, dav.ErrEmpty) {
		return nil, nil
	}
	return root, err
}

// asked are bodies of PROPFIND as they were parsed: programs poll with the same
// few, and reading XML takes a quarter of a poll. Nobody changes an element.
type asked struct {
	mu     sync.Mutex
	parsed map[string]*dav.Element
}

const (
	maxAsked  = 2 << 10 // octets of a body that is kept
	mostAsked = 64
)

// parse reads n octets and returns what they mean, from memory if they came
// before.
func (a *asked) parse(r io.Reader, n int) (*dav.Element, error) {
	b := make([]byte, n)
	if k, err := io.ReadFull(r, b); err != nil {
		return parseBody(io.MultiReader(bytes.NewReader(b[:k]), r)) // which meets the error again
	}
	a.mu.Lock()
	root, ok := a.parsed[string(b)]
	a.mu.Unlock()
	if ok {
		return root, nil
	}
	root, err := parseBody(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.parsed == nil {
		a.parsed = make(map[string]*dav.Element)
	}
	if len(a.parsed) >= mostAsked {
		for other := range a.parsed {
			delete(a.parsed, other)
			break
		}
	}
	a.parsed[string(b)] = root
	return root, nil
}

// multistatus begins a 207 answer.
func (x *exchange) multistatus() *dav.MultiStatus {
	h := x.w.Header()
	h.Set("Content-Type", "application/xml; charset=utf-8")
	h.Set("DAV", x.classes) // Apple's programs read it here too
	x.preferred()
	x.out = &lazy{x: x}
	ms := dav.NewMultiStatus(x.out, x.prefer.Minimal)
	path := x.r.URL.EscapedPath()
	ms.EncodedAt = strings.Contains(path, "%40") && !strings.Contains(path, "@")
	return ms
}

// preferred says that return=minimal was honoured (RFC 7240 §3).
func (x *exchange) preferred() {
	if x.prefer.Minimal {
		x.w.Header().Add("Preference-Applied", "return=minimal")
		x.w.Header().Add("Vary", "Prefer, Brief")
	}
	if x.noroot {
		x.w.Header().Add("Preference-Applied", "depth-noroot")
	}
}

func (x *exchange) sendXML(status int, body []byte) {
	h := x.w.Header()
	h.Set("Content-Type", "application/xml; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	if x.r.Method != "HEAD" {
		x.w.Write(body)
	}
}
