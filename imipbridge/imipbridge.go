// Package imipbridge is the mail door: LMTP in, SMTP out, and the pages on
// which people answer without a calendar program. It owns who sent a mail and
// whether that can be believed; what a calendar object means is the desk's.
//
// A mail that comes in is first decided on, durably, and then handed on as it
// came; a retry finds the decision and only hands on. A mail that goes out is
// a row of the queue until the relay has it.
package imipbridge

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/itip"
	"github.com/convene-server/convene/words"
)

// Trust says who is believed (decision 10).
type Trust struct {
	// AuthservIDs are the servers whose Authentication-Results count.
	AuthservIDs []string
	// Unverified is what counts without any evidence: "all", "reply", "none".
	// "" means "all" while AuthservIDs is empty and else "none".
	Unverified string
	// LookupTXT asks the DNS for DKIM keys. nil: signatures are not verified
	// here; the results of AuthservIDs count alone.
	LookupTXT func(ctx context.Context, name string) ([]string, error)
}

// Options of a Bridge.
type Options struct {
	Store   *db.Store
	Desk    *scheduling.Desk
	Domains []string // in whose names mail may be sent

	// DeliverTo is the next hop for mail as it came: "host:port" or
	// "unix:/path", LMTP, or SMTP where LHLO is refused. "" is copy mode: the
	// mail system delivers the original itself (decision 2).
	DeliverTo string
	Relay     string // SMTP server for what we send, "host:port" or "unix:/path"
	// RelayUser and RelayPassword log in to the relay (RFC 4954); "": nobody does.
	RelayUser, RelayPassword string
	// RelayTLS is "" for TLS where it is offered, with any certificate, or
	// "required" for TLS with a certificate of the relay's name.
	RelayTLS   string
	RelayRoots *x509.CertPool // who signs it; nil: the system's

	From      string // mail address of the calendar itself
	PublicURL string // of the answer pages; "": mails have no links
	Trust     Trust

	MaxMessage    int64 // octets of one mail; zero: 50 MiB
	MaxRecipients int   // of one transaction; zero: 1000
	MaxSessions   int   // at once, on one listener; zero: 100
	// GiveUp is how long a mail is tried, by the queue's clock; zero: 5 days.
	GiveUp time.Duration
	// PerDomain is how many mails to one domain are on their way at once from one
	// node; zero: 8.
	PerDomain int

	// PerEvent and PerUser are how many mails about one meeting, and of one
	// person, go out within an hour; what is beyond waits. Zero: no bound.
	PerEvent, PerUser int

	// Prefer is what people prefer who did not choose, by the names of
	// preferences.
	Prefer map[string]string
	// Incoming is how mail comes to the mailbox of who did not choose
	// (directory.Incoming); "": as it is.
	Incoming string

	// Words are the languages of mails and pages; nil: those that are built in.
	Words *words.Book
	// Templates replace ours: mail.html, mail.txt and answer.html, each if it is
	// there. nil: none does.
	Templates fs.FS

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: slog.Default
}

// desk is what the mail door asks of scheduling.
type desk interface {
	Deliver(context.Context, scheduling.Deliver) (scheduling.Verdict, error)
	Observe(context.Context, scheduling.Observe) (scheduling.Verdict, error)
	Answer(context.Context, scheduling.Answer) (scheduling.Verdict, error)
	Propose(context.Context, scheduling.Proposal) (scheduling.Verdict, error)
	AnswerProposal(context.Context, scheduling.ProposalAnswer) (scheduling.Verdict, error)
	Release(ctx context.Context, quarantined int64, door string) error
	Drop(ctx context.Context, quarantined int64, door string) error
	BundledBusyTime(ctx context.Context, principal int64) (itip.BusyTime, bool, error)
	Owners(ctx context.Context, room db.Principal) ([]cuaddr.Address, error)
	Bounced(ctx context.Context, principal int64, uid string, rcpt cuaddr.Address, status, detail string) error
}

// Bridge is the mail door. It is safe for concurrent use, on any number of
// nodes.
type Bridge struct {
	opt   Options
	store *db.Store
	desk  desk
	from  cuaddr.Address
	log   *slog.Logger
	now   func() time.Time

	secretMu sync.Mutex
	secret   []byte

	words *words.Book
	look  imip.Look
	pages *template.Template

	relay  relay
	pace   db.Pace
	beat   time.Duration       // between renewals of a lease
	memory *semaphore.Weighted // octets of mails that are being taken
	parse  func([]byte, time.Time, imip.Limits) (*imip.Mail, error)
}

// New makes the mail door. The error tells what is wrong with the options; the
// database is not asked yet.
func New(opt Options) (*Bridge, error) {
	b := &Bridge{opt: opt, store: opt.Store, log: opt.Log, now: opt.Now, from: cuaddr.Mailto(opt.From), parse: imip.Parse}
	if opt.Desk != nil {
		b.desk = opt.Desk
	}
	if b.log == nil {
		b.log = slog.Default()
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.from.IsZero() {
		return nil, fmt.Errorf("[smtp] from = %q is no mail address", opt.From)
	}
	b.opt.Domains = slices.Clone(opt.Domains)
	for i, d := range b.opt.Domains {
		b.opt.Domains[i] = strings.ToLower(d)
	}
	switch opt.Trust.Unverified {
	case "all", "reply", "none":
	case "":
		b.opt.Trust.Unverified = "none"
		if len(opt.Trust.AuthservIDs) == 0 {
			b.opt.Trust.Unverified = "all"
		}
	default:
		return nil, fmt.Errorf(`[trust] unverified = %q is none of "all", "reply", "none"`, opt.Trust.Unverified)
	}
	if opt.PublicURL != "" {
		u, err := url.Parse(opt.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("[http] public_url = %q is no http address", opt.PublicURL)
		}
		b.opt.PublicURL = strings.TrimSuffix(opt.PublicURL, "/")
	}
	unlessGiven(&b.opt.MaxMessage, 50<<20)
	unlessGiven(&b.opt.MaxRecipients, 1000)
	unlessGiven(&b.opt.MaxSessions, 100)
	unlessGiven(&b.opt.GiveUp, 5*24*time.Hour)
	unlessGiven(&b.opt.PerDomain, 8)
	if b.words = opt.Words; b.words == nil {
		b.words = words.Default()
	}
	b.pages = answerTemplate
	if opt.Templates != nil {
		if err := b.templates(opt.Templates); err != nil {
			return nil, err
		}
	}
	b.memory = semaphore.NewWeighted(4 * b.opt.MaxMessage)
	b.pace = db.Pace{Event: opt.PerEvent, User: opt.PerUser, Window: time.Hour}
	b.beat = lease / 3
	b.relay = relay{addr: opt.Relay, hello: b.from.Domain(), user: opt.RelayUser, password: opt.RelayPassword, strict: opt.RelayTLS == "required", roots: opt.RelayRoots}
	return b, nil
}

// unlessGiven puts the default where an option is zero.
func unlessGiven[N int | int64 | time.Duration](option *N, value N) {
	if *option <= 0 {
		*option = value
	}
}

// templates reads what replaces our own. The error names the file.
func (b *Bridge) templates(files fs.FS) error {
	for name, parse := range map[string]func(string) error{
		"mail.html": b.look.ParseHTML, "mail.txt": b.look.ParseText, "answer.html": b.parseAnswer,
	} {
		source, err := fs.ReadFile(files, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = parse(string(source))
		}
		if err != nil {
			return fmt.Errorf("template %s: %w", name, err)
		}
	}
	return nil
}

// ours reports whether mail may be sent in the name of an address's domain.
func (b *Bridge) ours(a cuaddr.Address) bool {
	return a.Domain() != "" && slices.Contains(b.opt.Domains, a.Domain())
}

// limits of what is parsed.
func (b *Bridge) limits() imip.Limits { return imip.Limits{Bytes: int(b.opt.MaxMessage)} }

// keys returns the secret of the installation, which all nodes share.
func (b *Bridge) keys(ctx context.Context) (keys, error) {
	b.secretMu.Lock()
	defer b.secretMu.Unlock()
	if b.secret == nil {
		fresh := make([]byte, 32)
		rand.Read(fresh)
		var stands []byte
		err := b.store.Write(ctx, nil, func(tx *db.Tx) (err error) {
			stands, err = tx.SetMetaOnce("secret", fresh)
			return err
		})
		if err != nil {
			return keys{}, err
		}
		if len(stands) < 16 {
			return keys{}, errors.New("imipbridge: the secret in the database is too short")
		}
		b.secret = stands
	}
	return keys{b.secret}, nil
}
