package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
)

// open reads the configuration and opens the database that it names, its
// schema brought up to date.
func (e *env) open() (Config, *db.Store, error) {
	c, err := loadConfig(e.configFile)
	if err != nil {
		return c, nil, err
	}
	s, err := openStore(e.ctx, c)
	return c, s, err
}

func openStore(ctx context.Context, c Config) (*db.Store, error) {
	s, err := db.Open(ctx, c.Store.DSN, db.Options{})
	if err != nil {
		return nil, atStore(c.Store.DSN, err)
	}
	if err := s.Migrate(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// atDesk lets the desk do something about somebody, whom it returns.
func (e *env) atDesk(address string, kind db.Kind, do func(*scheduling.Desk, db.Principal) error) (p db.Principal, err error) {
	c, s, err := e.open()
	if err != nil {
		return p, err
	}
	defer s.Close()
	err = s.View(e.ctx, func(tx *db.Tx) (err error) {
		p, err = find(tx, address, kind)
		return err
	})
	if err != nil {
		return p, err
	}
	return p, do(newDesk(s, c, slog.New(slog.DiscardHandler)), p)
}

func newDesk(s *db.Store, c Config, log *slog.Logger) *scheduling.Desk {
	return scheduling.New(s, scheduling.Options{
		Domains:         c.Domains,
		DomainsComplete: c.DomainsComplete,
		Coalesce:        c.SMTP.Coalesce,
		PastGrace:       c.Scheduling.PastGrace,
		MaxAttendees:    c.Scheduling.MaxAttendees,
		TellOthers:      c.Scheduling.TellOthers,
		Strict:          c.Scheduling.LocalStrict,
		PublicX:         c.Scheduling.PublicX,
		SharedX:         c.Scheduling.SharedX,
		MaxResource:     c.HTTP.MaxResource,
		Policy:          strings.Join(c.Rooms.Policy, "\n"),
		PeoplePolicy:    strings.Join(c.People.Policy, "\n"),
		Administrator:   c.Rooms.Administrator,
		Programs:        c.programNames(),
		Program: func(ctx context.Context, q scheduling.Consulted) (string, error) {
			return c.runProgram(ctx, q, log)
		},
		Prefer: prefer(c),
		Now:    time.Now,
		Log:    log,
	})
}

// warnings of a configuration, for the start and for config check.
func warnings(ctx context.Context, c Config, s *db.Store) (list []string) {
	if len(c.Trust.AuthservIDs) == 0 && c.Trust.Unverified == "all" {
		list = append(list, `no [trust] authserv_ids: mail is believed by its From alone. Add the name that your mail server writes first into Authentication-Results, as authserv_ids = ["mx.example.org"]`)
	} else if c.Trust.Unverified == "all" {
		list = append(list, `[trust] unverified = "all": mail without any proof of its sender may change meetings`)
	}
	if strings.HasPrefix(c.Store.DSN, "sqlite:") {
		list = append(list, "SQLite: one server process only; for several nodes use PostgreSQL ([store] dsn)")
	}
	if s != nil {
		var unsafe []string
		err := s.View(ctx, func(tx *db.Tx) (err error) {
			unsafe, err = tx.Unsafe()
			return err
		})
		if err == nil && len(unsafe) > 0 {
			list = append(list, "PostgreSQL runs with "+strings.Join(unsafe, " and ")+" off: a power cut may lose what was accepted")
		}
	}
	if strings.HasPrefix(c.HTTP.PublicURL, "http://") && !strings.HasPrefix(c.HTTP.PublicURL, "http://127.0.0.1") && !strings.HasPrefix(c.HTTP.PublicURL, "http://localhost") {
		list = append(list, "[http] public_url is plain http: passwords cross the network in the clear; put a TLS proxy in front and name it https://")
	}
	return list
}
