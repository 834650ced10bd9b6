package db

import (
	"fmt"
	"time"
)

// Published says where the busy time of somebody outside is published.
type Published struct {
	Viewer int64  // principal for whom it is looked up; 0: everybody
	Name   string // whose: an address
	Object int64  // the card that says so; 0: set by an administrator
	URL    string
	Feed   Feed // what was found there
}

// Feed is what was found at a URL.
type Feed struct {
	URL      string
	Due      time.Time // zero: when somebody asks
	Fetched  time.Time // zero: never
	Failures int       // one after another
	Answer   string    // of the last failure
	ETag     string
	Data     []byte
}

const feedColumns = `f.url, f.due, f.fetched, f.failures, f.answer, f.etag, f.data`

func (f *Feed) fields() []any {
	return []any{&f.URL, when{&f.Due}, when{&f.Fetched}, &f.Failures, &f.Answer, &f.ETag, &f.Data}
}

func (p *Published) fields() []any {
	return append([]any{&p.Viewer, &p.Name, &p.Object, &p.URL}, p.Feed.fields()...)
}

const publishedRows = `SELECT p.viewer, p.name, p.object, p.url, ` + feedColumns + ` FROM published p JOIN feed f ON f.url = p.url `

// cardIsThere leaves out rows of cards that are gone; Sweep removes them.
const cardIsThere = `(p.object = 0 OR EXISTS (SELECT 1 FROM object o WHERE o.id = p.object AND o.deleted = 0))`

// PublishedFor returns where the busy time of people outside is published for
// a viewer, his own cards first.
func (tx *Tx) PublishedFor(viewer int64, names ...string) ([]Published, error) {
	var all []Published
	err := chunks(keys(names), 2, func(in string, args []any) error {
		rows, err := collect(tx, publishedRows+`WHERE p.viewer IN (0, $1) AND p.name IN `+in+` AND `+cardIsThere+` ORDER BY p.viewer DESC, p.name, p.object`,
			append([]any{viewer}, args...), (*Published).fields)
		all = append(all, rows...)
		return err
	})
	return all, err
}

// PublishedBySite lists what administrators have set, page by page.
func (tx *Tx) PublishedBySite(afterName string, limit int) ([]Published, error) {
	return collect(tx, publishedRows+`WHERE p.viewer = 0 AND p.name > $1 ORDER BY p.name LIMIT $2`, []any{afterName, limit}, (*Published).fields)
}

// SetPublished stores what a card, or for object 0 an administrator about one
// name, says, in place of what it said before; a URL that is new is fetched
// soon.
func (tx *Tx) SetPublished(viewer, object int64, name string, ps []Published) error {
	var err error
	if object != 0 {
		_, err = tx.exec(`DELETE FROM published WHERE object = $1`, object)
	} else {
		_, err = tx.exec(`DELETE FROM published WHERE viewer = $1 AND name = $2 AND object = 0`, viewer, name)
	}
	if err != nil || len(ps) == 0 {
		return err
	}
	now, err := tx.Now()
	if err != nil {
		return err
	}
	for _, p := range ps {
		if !key(p.Name) || !key(p.URL) {
			return fmt.Errorf("%w: %.40q", ErrText, p.URL)
		}
		if _, err := tx.exec(`INSERT INTO published (viewer, name, object, url) VALUES ($1, $2, $3, $4) ON CONFLICT (viewer, name, object) DO UPDATE SET url = excluded.url`,
			viewer, p.Name, object, p.URL); err != nil {
			return err
		}
		if _, err := tx.exec(`INSERT INTO feed (url, due, fetched, failures, answer, etag, data) VALUES ($1, $2, 0, 0, '', '', $3) ON CONFLICT (url) DO NOTHING`,
			p.URL, micros(now), []byte{}); err != nil {
			return err
		}
	}
	tx.Wake("feed")
	return nil
}

// WantFeeds makes those due that are not.
func (tx *Tx) WantFeeds(urls []string) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	err = chunks(urls, 2, func(in string, args []any) error {
		_, err := tx.exec(`UPDATE feed SET due = $1 WHERE due = 0 AND url IN `+in, append([]any{micros(now)}, args...)...)
		return err
	})
	tx.Wake("feed")
	return err
}

// ClaimFeeds takes up to limit due ones; for the time of lease nobody else
// does.
func (tx *Tx) ClaimFeeds(limit int, lease time.Duration) ([]Feed, error) {
	now, err := tx.Now()
	if err != nil {
		return nil, err
	}
	return collect(tx, `WITH c AS MATERIALIZED (SELECT d.url FROM feed d WHERE d.due > 0 AND d.due <= $1 ORDER BY d.due LIMIT $2 {skip})
		UPDATE feed AS f SET due = $3 WHERE f.url IN (SELECT url FROM c) RETURNING `+feedReturned,
		[]any{micros(now), limit, micros(now.Add(lease))}, (*Feed).fields)
}

const feedReturned = `url, due, fetched, failures, answer, etag, data`

// DueFeed reports whether one is due: it reads only.
func (tx *Tx) DueFeed() (bool, error) {
	now, err := tx.Now()
	if err != nil {
		return false, err
	}
	n := 0
	err = tx.row(`SELECT count(*) FROM (SELECT url FROM feed WHERE due > 0 AND due <= $1 LIMIT 1) AS d`, []any{micros(now)}, &n)
	return n > 0, err
}

// PutFeed stores what came of fetching one.
func (tx *Tx) PutFeed(f Feed) error {
	answer := f.Answer
	if !text(answer) {
		answer = "?"
	}
	etag := f.ETag
	if !text(etag) {
		etag = ""
	}
	_, err := tx.exec(`UPDATE feed SET due = $2, fetched = $3, failures = $4, answer = $5, etag = $6, data = $7 WHERE url = $1`,
		f.URL, micros(f.Due), micros(f.Fetched), f.Failures, answer, etag, some(f.Data))
	return err
}
