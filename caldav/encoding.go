package caldav

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// lazy sends the status 207 with the first octets, so that an error before
// them can still be told. A long answer is compressed if the client likes
// that (RFC 9110 §8.4.1.3), as a stream.
type lazy struct {
	x  *exchange
	gz *gzip.Writer
}

// worthwhile is the shortest answer that is compressed: below it one packet
// carries it anyway. An answer that is shorter comes in one piece.
const worthwhile = 1400

var gzips = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return z
}}

func (l *lazy) Write(b []byte) (int, error) {
	w := l.x.w
	if w.status == 0 {
		if h := w.Header(); len(b) >= worthwhile {
			h.Add("Vary", "Accept-Encoding")
			if acceptsGzip(l.x.r.Header["Accept-Encoding"]) {
				h.Set("Content-Encoding", "gzip")
				l.gz = gzips.Get().(*gzip.Writer)
				l.gz.Reset(w)
				w.packed = true
			}
		}
		w.WriteHeader(http.StatusMultiStatus)
	}
	if l.gz == nil {
		return w.Write(b)
	}
	if w.recorder != nil {
		w.recorder.answer.take(b)
	}
	return l.gz.Write(b)
}

// close ends a compressed answer.
func (l *lazy) close() error {
	if l.gz == nil {
		return nil
	}
	err := l.gz.Close()
	gzips.Put(l.gz)
	l.gz = nil
	return err
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3): gzip by name or by
// "*", with a weight that is not zero, and not less liked than no encoding.
func acceptsGzip(header []string) bool {
	weight := map[string]float64{}
	for _, h := range header {
		for item := range strings.SplitSeq(h, ",") {
			name, params, _ := strings.Cut(item, ";")
			q := 1.0
			if v, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(params, " ", "")), "q="); ok {
				f, err := strconv.ParseFloat(v, 64)
				if err != nil {
					return false
				}
				q = f
			}
			weight[strings.ToLower(strings.TrimSpace(name))] = q
		}
	}
	q, named := weight["gzip"]
	if !named {
		q = weight["*"]
	}
	return q > 0 && q >= weight["identity"]
}
