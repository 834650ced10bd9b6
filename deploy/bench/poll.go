package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const pollBody = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:" xmlns:S="http://calendarserver.org/ns/"><prop><S:getctag/><sync-token/></prop></propfind>`

// polls measures what a calendar program asks most: whether anything has
// changed, where nothing has. davbench has it only in its mix. Twenty people
// ask in turn about their calendars; each answer has to be what the first one
// was.
func polls(o options, s *server, clients int) (result, error) {
	const users = 20
	x := result{Workload: "poll", Concurrency: clients}
	poll := func(c *http.Client, user int) (body []byte, took time.Duration, err error) {
		name := userName(user)
		r, err := http.NewRequest("PROPFIND", fmt.Sprintf("http://%s/dav/calendars/%s@example.com/calendar/", s.http, name), strings.NewReader(pollBody))
		if err != nil {
			return nil, 0, err
		}
		r.SetBasicAuth(name, name)
		r.Header.Set("Depth", "0")
		r.Header.Set("Content-Type", "application/xml; charset=utf-8")
		start := time.Now()
		a, err := c.Do(r)
		if err != nil {
			return nil, 0, err
		}
		body, err = io.ReadAll(a.Body)
		took = time.Since(start)
		a.Body.Close()
		if err == nil && (a.StatusCode != http.StatusMultiStatus || !bytes.Contains(body, []byte("getctag"))) {
			err = fmt.Errorf("%s: %s", a.Status, body)
		}
		return body, took, err
	}
	first := make(map[int][]byte)
	for user := 1; user <= users; user++ {
		body, _, err := poll(http.DefaultClient, user)
		if err != nil {
			return x, err
		}
		first[user] = body
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var all []time.Duration
	var failed error
	start := time.Now()
	for k := range clients {
		wg.Go(func() {
			c := &http.Client{Transport: &http.Transport{DisableCompression: true}}
			defer c.CloseIdleConnections()
			var mine []time.Duration
			var bytesIn int64
			var err error
			for i := k; err == nil && time.Since(start) < o.duration; i += clients {
				var body []byte
				var took time.Duration
				if body, took, err = poll(c, 1+i%users); err == nil && !bytes.Equal(body, first[1+i%users]) {
					err = errors.New("the answer changed, though nothing did")
				}
				mine, bytesIn = append(mine, took), bytesIn+int64(len(body))
			}
			mu.Lock()
			defer mu.Unlock()
			all, x.BytesIn, failed = append(all, mine...), x.BytesIn+bytesIn, errors.Join(failed, err)
		})
	}
	wg.Wait()
	if failed != nil {
		return x, fmt.Errorf("poll: %w", failed)
	}
	slices.Sort(all)
	at := func(p int) float64 { return float64(all[(len(all)-1)*p/100].Microseconds()) / 1000 }
	x.Ops, x.OpsPerSec = len(all), float64(len(all))/time.Since(start).Seconds()
	x.P50, x.P95, x.P99 = at(50), at(95), at(99)
	return x, nil
}
