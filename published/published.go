// Package published fetches the busy time that people outside publish: the
// FBURL of cards, and what administrators set. It works in the background,
// from rows that a question made due; no request waits for it. URLs come from
// users, so the fetcher connects to public addresses only, unless it is told
// of others, and every answer is bounded in size, time and redirects.
package published

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling/itip"
)

// Bounds of one answer.
const (
	MaxBytes     = 1 << 20
	MaxRedirects = 3
	Timeout      = 20 * time.Second
)

const (
	batch = 8
	lease = 2 * time.Minute
	tries = 6 // one after another; then it waits until somebody asks
)

// Options of a Fetcher.
type Options struct {
	Store *db.Store
	// Networks are addresses to which it connects though they are not public.
	Networks []netip.Prefix
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: slog.Default
}

// Fetcher is safe for concurrent use, on any number of nodes.
type Fetcher struct {
	opt    Options
	client *http.Client
}

// New makes a fetcher.
func New(opt Options) *Fetcher {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	f := &Fetcher{opt: opt}
	dial := &net.Dialer{Timeout: 10 * time.Second, Control: f.control}
	f.client = &http.Client{
		Timeout: Timeout,
		Transport: &http.Transport{
			Proxy: nil, DialContext: dial.DialContext, DisableKeepAlives: true,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > MaxRedirects {
				return fmt.Errorf("more than %d redirects", MaxRedirects)
			}
			return Check(r.URL.String())
		},
	}
	return f
}

// Check says whether a URL can be one at which busy time is published.
func Check(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || len(s) > 1000:
		return errors.New("no URL")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return errors.New("neither http:// nor https://")
	case u.User != nil:
		return errors.New("a URL with a password in it")
	}
	return nil
}

// control is asked about every address before a connection is made to it,
// after names were looked up: a name that changes its address gains nothing.
func (f *Fetcher) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	a := ap.Addr().Unmap().WithZone("")
	for _, p := range f.opt.Networks {
		if p.Contains(a) {
			return nil
		}
	}
	if !Public(a) {
		return fmt.Errorf("%s is no public address", a)
	}
	return nil
}

// reserved are the networks that no public server stands in (RFC 6890 and what
// IANA added), and those by which others are reached through a translator.
var reserved = func() (ps []netip.Prefix) {
	for _, s := range strings.Fields(`0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
		192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
		::/96 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8`) {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}()

// Public reports whether an address is one of the public Internet.
func Public(a netip.Addr) bool {
	if a = a.Unmap(); !a.IsGlobalUnicast() {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// Work fetches what is due until ctx ends.
func (f *Fetcher) Work(ctx context.Context) {
	woken := f.opt.Store.Listen(ctx, "feed")
	for ctx.Err() == nil {
		if _, err := f.WorkOnce(ctx); err != nil && ctx.Err() == nil {
			f.opt.Log.Warn("published busy time is not fetched", "error", err)
		}
		pause := time.NewTimer(5*time.Second + rand.N(time.Second)) // a wake-up is only a hint (STORAGE 26)
		select {
		case <-ctx.Done():
		case <-woken:
		case <-pause.C:
		}
		pause.Stop()
	}
}

// WorkOnce fetches what is due now and returns how many there were. The error
// is the database's.
func (f *Fetcher) WorkOnce(ctx context.Context) (n int, err error) {
	for ctx.Err() == nil {
		due := false
		if err := f.opt.Store.View(ctx, func(tx *db.Tx) (err error) {
			due, err = tx.DueFeed()
			return err
		}); err != nil || !due {
			return n, err // an idle server writes nothing
		}
		var feeds []db.Feed
		err := f.opt.Store.Write(ctx, nil, func(tx *db.Tx) (err error) {
			feeds, err = tx.ClaimFeeds(batch, lease)
			return err
		})
		if err != nil || len(feeds) == 0 {
			return n, err
		}
		n += len(feeds)
		var wg sync.WaitGroup
		for i := range feeds {
			wg.Go(func() { f.refresh(ctx, &feeds[i]) })
		}
		wg.Wait()
		err = f.opt.Store.Write(ctx, nil, func(tx *db.Tx) error {
			now, err := tx.Now()
			if err != nil {
				return err
			}
			for _, feed := range feeds {
				if feed.Failures > 0 && feed.Failures < tries {
					feed.Due = now.Add(time.Minute << (2 * (feed.Failures - 1)))
				}
				if err := tx.PutFeed(feed); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
	}
	return n, ctx.Err()
}

// refresh fetches one and notes what came of it. What was found before stays
// where it fails.
func (f *Fetcher) refresh(ctx context.Context, feed *db.Feed) {
	feed.Due = time.Time{}
	data, etag, err := f.get(ctx, feed)
	if err != nil {
		feed.Failures++
		feed.Answer = err.Error()
		f.opt.Log.Info("published busy time not fetched", "host", host(feed.URL), "failures", feed.Failures, "error", err)
		return
	}
	feed.Failures, feed.Answer, feed.Fetched = 0, "", f.opt.Now()
	if data != nil {
		feed.Data, feed.ETag = data, etag
	}
}

// host is what a log says of a URL: the rest may be a secret.
func host(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.Host
}

// get fetches a URL once; nil data: it is as it was.
func (f *Fetcher) get(ctx context.Context, feed *db.Feed) (data []byte, etag string, err error) {
	if err := Check(feed.URL); err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", feed.URL, nil)
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("Accept", "text/calendar")
	r.Header.Set("User-Agent", "Convene")
	if feed.ETag != "" && len(feed.Data) > 0 {
		r.Header.Set("If-None-Match", feed.ETag)
	}
	answer, err := f.client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL
		}
		return nil, "", err
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusNotModified && r.Header.Get("If-None-Match") != "":
		return nil, "", nil
	case answer.StatusCode != http.StatusOK:
		return nil, "", fmt.Errorf("status %d", answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, MaxBytes+1))
	if err != nil {
		return nil, "", err
	}
	if len(text) > MaxBytes {
		return nil, "", fmt.Errorf("more than %d octets", MaxBytes)
	}
	known, err := itip.ReadPublished(text, f.opt.Now())
	if err != nil {
		return nil, "", err
	}
	if etag = answer.Header.Get("ETag"); len(etag) > 200 {
		etag = ""
	}
	return itip.WriteKnown(known), etag, nil
}
