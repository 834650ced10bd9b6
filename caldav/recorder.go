package caldav

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/convene-server/convene/caldav/record"
	"github.com/convene-server/convene/db"
)

// recorder keeps the beginnings of what goes to and fro in an exchange of a
// user whom an operator wants to see recorded. Nobody else's exchange has one.
type recorder struct {
	start   time.Time
	header  http.Header // as it came
	request body
	answer  body
}

// body is the beginning of one.
type body struct {
	kept   []byte
	octets int64
}

func (b *body) take(p []byte) {
	b.octets += int64(len(p))
	if room := record.MaxBody - len(b.kept); room > 0 {
		b.kept = append(b.kept, p[:min(room, len(p))]...)
	}
}

// tap reads the body of a request and keeps what it sees.
type tap struct {
	io.ReadCloser
	to *body
}

func (t tap) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.to.take(p[:n])
	return n, err
}

// listen begins to record this exchange, if whoever asks is to be recorded.
func (x *exchange) listen() {
	start := time.Now()
	if !x.me.Recorded.After(start) {
		return
	}
	x.w.recorder = &recorder{start: start, header: x.r.Header.Clone()}
	if x.r.Body != nil && x.r.Body != http.NoBody {
		x.r.Body = tap{x.r.Body, &x.w.recorder.request}
	}
}

// keep redacts the exchange and adds it to the recording. What cannot be
// stored is lost, and the answer is not.
func (x *exchange) keep() {
	rec := x.w.recorder
	if rec == nil {
		return
	}
	took := time.Since(rec.start)
	ctx, cancel := background()
	defer cancel()
	var r db.Recording
	err := x.store.View(ctx, func(tx *db.Tx) (err error) {
		r, err = tx.Recording(x.me.ID)
		return err
	})
	if err != nil { // ended meanwhile, or the database is away
		return
	}
	red := record.New(r.Secret)
	e := record.Exchange{At: rec.start, Took: took, Method: x.r.Method, Target: red.Target(x.r.RequestURI), Header: red.Header(rec.header),
		Body:   red.Body(record.Body{Type: rec.header.Get("Content-Type"), Kept: rec.request.kept, Octets: rec.request.octets}),
		Status: x.w.status, Answer: red.Header(x.w.Header()),
		Text: red.Body(record.Body{Type: x.w.Header().Get("Content-Type"), Kept: rec.answer.kept, Octets: rec.answer.octets})}
	data, err := json.Marshal(&e)
	if err != nil { // texts and numbers cannot fail
		return
	}
	err = x.store.Write(ctx, nil, func(tx *db.Tx) error {
		_, err := tx.AddRecorded(x.me.ID, data)
		return err
	})
	if err != nil {
		x.log.Warn("dav: a request is missing from a recording", "error", err)
	}
}
