package db

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/lib/pq"
)

// Wake tells every node's workers that the queue named topic ("delivery",
// "job") has work. It is sent after the commit of the transaction.
func (tx *Tx) Wake(topic string) {
	if !slices.Contains(tx.wakes, topic) {
		tx.wakes = append(tx.wakes, topic)
	}
}

// Listen returns a channel that receives when topic may have work: after Wake
// on any node, and after a reconnection. A hint: poll beside it (STORAGE 26).
// It is closed when ctx ends.
func (s *Store) Listen(ctx context.Context, topic string) <-chan struct{} {
	return s.waker.listen(ctx, topic)
}

// notifyEvery bounds how often a node sends notifications (STORAGE 26).
const notifyEvery = 50 * time.Millisecond

const channel = "convene"

// waker carries hints: to listeners in this process at once, to other nodes
// by NOTIFY, coalesced, after the commit and outside the transaction, which
// PostgreSQL would otherwise serialise.
type waker struct {
	mu        sync.Mutex
	listeners map[string][]chan struct{}
	pending   map[string]bool
	notify    func(topics []string) // nil on SQLite
	scheduled bool
	closed    bool

	stop     context.CancelFunc
	ctx      context.Context
	running  sync.WaitGroup
	listener *pq.Listener
	connect  func() *pq.Listener
}

func newWaker() *waker {
	w := &waker{listeners: make(map[string][]chan struct{}), pending: make(map[string]bool)}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

func (w *waker) listen(ctx context.Context, topic string) <-chan struct{} {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	w.listeners[topic] = append(w.listeners[topic], ch)
	w.startListening()
	w.mu.Unlock()
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.listeners[topic] = slices.DeleteFunc(w.listeners[topic], func(c chan struct{}) bool { return c == ch })
		close(ch)
	})
	return ch
}

// wake tells the listeners here and, soon, those of other nodes.
func (w *waker) wake(topics []string) {
	if len(topics) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range topics {
		w.tell(t)
		if w.notify != nil {
			w.pending[t] = true
		}
	}
	if w.notify == nil || w.scheduled || w.closed {
		return
	}
	w.scheduled = true
	w.running.Add(1)
	time.AfterFunc(notifyEvery, func() {
		defer w.running.Done()
		w.mu.Lock()
		w.scheduled = false
		var topics []string
		for t := range w.pending {
			topics = append(topics, t)
		}
		clear(w.pending)
		w.mu.Unlock()
		w.notify(topics)
	})
}

func (w *waker) tell(topic string) {
	for _, ch := range w.listeners[topic] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

func (w *waker) tellAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for t := range w.listeners {
		w.tell(t)
	}
}

func (w *waker) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.stop()
	w.running.Wait()
}

// openPostgres makes the waker send and hear NOTIFY. The listening connection
// is opened when somebody listens.
func (w *waker) openPostgres(s *Store, dsn string) {
	w.notify = func(topics []string) {
		ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
		defer cancel()
		// A hint that is lost is made up for by polling.
		_ = s.View(ctx, func(tx *Tx) error {
			for _, t := range topics {
				if _, err := tx.exec(`SELECT pg_notify($1, $2)`, channel, t); err != nil {
					return err
				}
			}
			return nil
		})
	}
	w.connect = func() *pq.Listener {
		return pq.NewListener(dsn, 100*time.Millisecond, 5*time.Second, func(e pq.ListenerEventType, _ error) {
			switch e {
			case pq.ListenerEventReconnected:
				// The server may be another one, that took over.
				ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
				_ = s.settleEpoch(ctx)
				cancel()
				w.tellAll()
			case pq.ListenerEventConnected:
				w.tellAll()
			}
		})
	}
}

// startListening is called with the lock held.
func (w *waker) startListening() {
	if w.connect == nil || w.listener != nil || w.closed {
		return
	}
	l := w.connect()
	w.listener = l
	w.running.Add(1)
	go func() {
		defer w.running.Done()
		defer l.Close()
		go func() {
			_ = l.Listen(channel) // waits for the first connection; Close ends it
		}()
		for {
			select {
			case n := <-l.Notify:
				if n == nil { // the connection was lost: anything may have happened
					w.tellAll()
					continue
				}
				w.mu.Lock()
				w.tell(n.Extra)
				w.mu.Unlock()
			case <-time.After(time.Minute):
				go l.Ping() // finds a dead connection
			case <-w.ctx.Done():
				return
			}
		}
	}()
}
