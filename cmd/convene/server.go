package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/convene-server/convene/caldav"
	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/imipbridge"
	"github.com/convene-server/convene/published"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/words"
	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// server is a running node: the doors, the desk's and the mail's workers, and
// the database under them.
type server struct {
	Config    Config // with what was bound, where the configuration left it open
	Store     *db.Store
	Directory *directory.Directory
	Desk      *scheduling.Desk
	Bridge    *imipbridge.Bridge

	HTTP, LMTP, Observe, Milter net.Addr // nil where the configuration has none

	log     *slog.Logger
	http    *http.Server
	cancel  context.CancelFunc // ends the workers and the listeners for mail
	wg      sync.WaitGroup
	failed  chan error
	stopped sync.Once

	// ballast lets the collector of garbage wait until the heap has grown by some
	// megabytes more: what lives is about one, and it would run after every fourth
	// that is allocated. Nobody touches these octets, so they cost addresses and
	// no memory.
	ballast []byte
}

// start opens and migrates the database, binds every listener and starts the
// workers. It returns when requests are answered. Stop ends it; ctx only
// bounds the start.
func start(ctx context.Context, c Config, log *slog.Logger) (_ *server, err error) {
	s := &server{Config: c, log: log, failed: make(chan error, 8), ballast: make([]byte, 4<<20)}
	if s.Store, err = openStore(ctx, c); err != nil {
		return nil, err
	}
	var bound []net.Listener
	defer func() {
		if err != nil {
			for _, l := range bound {
				l.Close()
			}
			s.Store.Close()
		}
	}()
	inherited, err := inheritedListeners()
	if err != nil {
		return nil, err
	}
	listen := func(name, key, addr string) net.Listener {
		if err != nil || addr == "" {
			return nil
		}
		l := inherited[name]
		if l == nil {
			l, err = listenOn(addr)
			if err != nil {
				err = atListener(key, addr, err)
				return nil
			}
		}
		bound = append(bound, l)
		return l
	}
	web := listen("http", "[http] listen", c.HTTP.Listen)
	lmtp := listen("lmtp", "[lmtp] listen", c.LMTP.Listen)
	observe := listen("observe", "[lmtp] observe", c.LMTP.Observe)
	milter := listen("milter", "[milter] listen", c.Milter.Listen)
	if err != nil {
		return nil, err
	}
	s.HTTP = web.Addr()
	if strings.HasSuffix(s.Config.HTTP.PublicURL, ":0") { // any free port was asked for
		s.Config.HTTP.PublicURL = "http://" + s.HTTP.String()
	}

	if s.Store.Dialect() == "sqlite" { // the workers of the process before us are dead
		if err = s.Store.Write(ctx, nil, (*db.Tx).ReleaseClaims); err != nil {
			return nil, err
		}
	}
	s.Directory = directory.New(s.Store)
	s.Desk = newDesk(s.Store, s.Config, log)
	if s.Bridge, err = newBridge(s.Store, s.Desk, s.Config, log); err != nil {
		return nil, err
	}
	s.warn(ctx)

	run, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.work(func() { s.Desk.Work(run) })
	s.work(func() { s.Bridge.Work(run) })
	s.work(func() { s.sweep(run) })
	s.work(func() {
		if err := s.Store.Gram(run); err != nil && run.Err() == nil {
			s.log.Warn("the directory is searched slowly", "error", err)
		}
	})
	if c.FreeBusy.Fetch {
		fetch := published.New(published.Options{Store: s.Store, Networks: c.fetchNetworks(), Log: log})
		s.work(func() { fetch.Work(run) })
	}
	if lmtp != nil {
		s.LMTP = lmtp.Addr()
		s.work(func() { s.report("lmtp", s.Bridge.ServeLMTP(run, lmtp, false)) })
	}
	if observe != nil {
		s.Observe = observe.Addr()
		s.work(func() { s.report("lmtp observe", s.Bridge.ServeLMTP(run, observe, true)) })
	}
	if milter != nil {
		s.Milter = milter.Addr()
		s.work(func() { s.report("milter", s.Bridge.ServeMilter(run, milter)) })
	}
	s.http = newHTTPServer(s.routes(), log)
	s.work(func() {
		if err := s.http.Serve(web); !errors.Is(err, http.ErrServerClosed) {
			s.report("http", err)
		}
	})
	log.Info("convene answers", "http", s.HTTP, "public_url", s.Config.HTTP.PublicURL, "lmtp", addrText(s.LMTP), "observe", addrText(s.Observe), "milter", addrText(s.Milter), "relay", c.SMTP.Relay)
	return s, nil
}

func (s *server) work(fn func()) {
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		fn()
	}()
}

func (s *server) report(what string, err error) {
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, context.Canceled) {
		s.failed <- fmt.Errorf("%s: %w", what, err)
	}
}

// Stop lets running requests and deliveries finish for up to ten seconds, ends
// everything and closes the database. What was accepted is durable already.
func (s *server) Stop() {
	s.stopped.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.http.Shutdown(ctx); err != nil {
			s.http.Close()
		}
		s.cancel()
		s.wg.Wait()
		if err := s.Store.Close(); err != nil {
			s.log.Error("closing the database", "err", err)
		}
	})
}

// warn says what an operator should know about this configuration.
func (s *server) warn(ctx context.Context) {
	for _, w := range warnings(ctx, s.Config, s.Store) {
		s.log.Warn(w)
	}
}

// inheritedListeners are those that systemd passes by socket activation, by
// their FileDescriptorName: http, lmtp, observe, milter.
func inheritedListeners() (map[string]net.Listener, error) {
	byName, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fmt.Errorf("socket activation: %w", err)
	}
	one := map[string]net.Listener{}
	for name, ls := range byName {
		if len(ls) > 0 {
			one[name] = ls[0]
		}
	}
	return one, nil
}

// listenOn binds "host:port" or "unix:/path". A socket that a killed server
// left behind is replaced, one that answers is not.
func listenOn(addr string) (net.Listener, error) {
	path, ok := strings.CutPrefix(addr, "unix:")
	if !ok {
		return net.Listen("tcp", addr)
	}
	if fi, err := os.Lstat(path); err == nil && fi.Mode()&os.ModeSocket != 0 {
		if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
			conn.Close()
			return nil, fmt.Errorf("%s is in use by another process", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	// Whoever may enter the directory's group may connect; systemd/convene.service
	// makes the directory.
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func addrText(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

type serveCmd struct{}

func (serveCmd) Run(e *env) error {
	c, err := loadConfig(e.configFile)
	if err != nil {
		return err
	}
	log := logger(e.stderr, c.Log.Level)
	s, err := start(e.ctx, c, log)
	if err != nil {
		return err
	}
	defer s.Stop()
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		log.Warn("systemd was not told that the server is ready", "err", err)
	}
	select {
	case <-e.ctx.Done():
		log.Info("stopping")
		daemon.SdNotify(false, daemon.SdNotifyStopping)
		return nil
	case err := <-s.failed:
		return err
	}
}

func newBridge(s *db.Store, desk *scheduling.Desk, c Config, log *slog.Logger) (*imipbridge.Bridge, error) {
	trust := imipbridge.Trust{AuthservIDs: c.Trust.AuthservIDs, Unverified: c.Trust.Unverified}
	if c.Trust.VerifyDKIM {
		trust.LookupTXT = net.DefaultResolver.LookupTXT
	}
	opt := imipbridge.Options{
		Store: s, Desk: desk, Domains: c.Domains, DeliverTo: c.LMTP.DeliverTo, Relay: c.SMTP.Relay, From: c.SMTP.From,
		PublicURL: c.HTTP.PublicURL, Trust: trust, Log: log,
		RelayUser: c.SMTP.Username, RelayPassword: c.SMTP.Password, RelayTLS: c.SMTP.TLS, PerDomain: c.SMTP.PerDomain,
		PerEvent: c.SMTP.PerEvent, PerUser: c.SMTP.PerUser, Incoming: c.Mail.Incoming, Prefer: prefer(c),
	}
	if c.Mail.Catalogues != "" {
		book, err := words.Default().With(os.DirFS(c.Mail.Catalogues))
		if err != nil {
			return nil, fmt.Errorf("[mail] catalogues: %w", err)
		}
		opt.Words = book
	}
	if c.Mail.Templates != "" {
		opt.Templates = os.DirFS(c.Mail.Templates)
	}
	return imipbridge.New(opt)
}

func (s *server) davDoor() http.Handler {
	return caldav.New(caldav.Options{
		Store: s.Store, Directory: s.Directory, Desk: s.Desk, PublicURL: s.Config.HTTP.PublicURL, TimezoneService: s.Config.HTTP.TimezoneService,
		MaxResource: s.Config.HTTP.MaxResource, Quota: s.Config.HTTP.Quota, MaxAsked: s.Config.FreeBusy.MaxAttendees, Log: s.log,
	})
}
