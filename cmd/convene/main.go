// Command convene is the scheduling server and its administration: it reads
// the configuration, builds the rooms (database, directory, desk, doors) and
// hands them to each other. Everything a user does here goes through the same
// desk as a calendar program's request, whether a server runs or not.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
	_ "time/tzdata" // zones are the same on every machine

	"github.com/alecthomas/kong"
	"github.com/convene-server/convene/db"
)

// Exit statuses of every command but mail (ARCHITECTURE.md, the outside).
const (
	exitDone   = 0
	exitFailed = 1 // refused or failed
	exitUsage  = 2
)

// exitMailLater is what mail exits with where the fault is ours: the mail server
// tries again (sysexits.h; imipbridge knows the others).
const exitMailLater = 75

type cli struct {
	ConfigFile string `name:"config" placeholder:"FILE" help:"Configuration (default: ./convene.toml, then /etc/convene/convene.toml)."`
	JSON       bool   `name:"json" help:"For programs: one JSON object a line, mistakes too."`

	Demo  demoCmd  `cmd:"" help:"Show everything on loopback with throw-away data: sample people, a room, a mail catcher; one meeting played through."`
	Serve serveCmd `cmd:"" help:"Run the server."`

	User struct {
		Add    userAddCmd    `cmd:"" help:"Add a person."`
		List   listCmd       `cmd:"" help:"List the people, one a line."`
		Show   showCmd       `cmd:"" help:"Show everything about a person but the password."`
		Set    userSetCmd    `cmd:"" help:"Change a person."`
		Rename renameCmd     `cmd:"" help:"Give a person another address; the old one stays as an alias, and meetings follow."`
		Record recordCmd     `cmd:"" help:"Record what a person's programs send and get, without what is personal."`
		Remove userRemoveCmd `cmd:"" help:"Remove a person: own meetings are cancelled or handed over, invitations declined."`
	} `cmd:"" help:"People."`
	Room     placeCmds `cmd:"" help:"Rooms, which answer invitations by themselves."`
	Resource placeCmds `cmd:"" help:"Resources such as projectors and cars, which answer like rooms."`
	Group    struct {
		Add    groupAddCmd `cmd:"" help:"Add a group."`
		List   listCmd     `cmd:"" help:"List the groups, one a line."`
		Show   showCmd     `cmd:"" help:"Show a group and its members."`
		Set    groupSetCmd `cmd:"" help:"Change a group."`
		Rename renameCmd   `cmd:"" help:"Give a group another address; the old one stays as an alias, and meetings follow."`
		Remove removeCmd   `cmd:"" help:"Remove a group; its members stay."`
	} `cmd:"" help:"Groups, which are invited as one and answer one by one."`
	Domain struct {
		Rename domainRenameCmd `cmd:"" help:"Give everybody in a domain the same address in another one; the old ones stay as aliases, and meetings follow."`
	} `cmd:"" help:"Mail domains."`

	Freebusy struct {
		Set    freeBusySetCmd    `cmd:"" help:"Say where somebody outside publishes their busy time."`
		List   freeBusyListCmd   `cmd:"" help:"List what was said so, and what came of it."`
		Remove freeBusyRemoveCmd `cmd:"" help:"Forget it."`
	} `cmd:"" help:"Busy time of people outside."`
	Import importCmd      `cmd:"" help:"Store the events of iCalendar files; nobody is told."`
	Export exportCmd      `cmd:"" help:"Write a calendar, or all of somebody's, to standard output."`
	Mail   mailCmd        `cmd:"" help:"Take one mail in from standard input, for MTAs that pipe (exit 0, 65, 67, 75)."`
	Filter smtpdFilterCmd `cmd:"" name:"smtpd-filter" help:"Show Convene's milter what users send; for OpenSMTPD, which starts it."`
	Why    whyCmd         `cmd:"" help:"Tell what was decided about a meeting or a mail, when, and by which rule."`
	Queue  struct {
		List  queueListCmd  `cmd:"" help:"List outgoing mail, one a line."`
		Retry queueRetryCmd `cmd:"" help:"Try some again now."`
		Drop  queueDropCmd  `cmd:"" help:"Give some up; they are never sent."`
	} `cmd:"" help:"Outgoing mail that waits."`
	Quarantine struct {
		List    quarantineListCmd    `cmd:"" help:"List invitations that wait for their recipient, one a line."`
		Release quarantineReleaseCmd `cmd:"" help:"Let one into the calendar as any other."`
		Drop    quarantineDropCmd    `cmd:"" help:"Take one off the calendar; nobody is told."`
	} `cmd:"" help:"Invitations of senders whom nobody knows."`
	Config struct {
		Check configCheckCmd `cmd:"" help:"Read the configuration, say what is in force, and try the database and the mail servers."`
	} `cmd:"" help:"The configuration."`
	Migrate migrateCmd `cmd:"" help:"Bring the database's schema up to date (serve does so too)."`
	Version versionCmd `cmd:"" help:"Print the version."`

	VersionFlag versionFlag `name:"version" hidden:""`
}

type placeCmds struct {
	Add    placeAddCmd `cmd:"" help:"Add one."`
	List   listCmd     `cmd:"" help:"List them, one a line."`
	Show   showCmd     `cmd:"" help:"Show one and its policy."`
	Set    placeSetCmd `cmd:"" help:"Change one."`
	Rename renameCmd   `cmd:"" help:"Give one another address; the old one stays as an alias, and meetings follow."`
	Remove removeCmd   `cmd:"" help:"Remove one."`

	CheckIn   checkInCmd   `cmd:"" name:"check-in" help:"Note that somebody has come to what is booked now."`
	Conflicts conflictsCmd `cmd:"" help:"List where bookings of one overlap in the time to come."`
}

func (p *placeCmds) of(k db.Kind) {
	p.Add.kind, p.List.kind, p.Show.kind, p.Set.kind, p.Rename.kind, p.Remove.kind, p.Conflicts.kind, p.CheckIn.kind = k, k, k, k, k, k, k, k
}

func newCLI() *cli {
	c := &cli{}
	c.User.Add.kind, c.User.List.kind, c.User.Show.kind, c.User.Set.kind, c.User.Rename.kind, c.User.Remove.kind = db.Person, db.Person, db.Person, db.Person, db.Person, db.Person
	c.Room.of(db.Room)
	c.Resource.of(db.Resource)
	c.Group.Add.kind, c.Group.List.kind, c.Group.Show.kind, c.Group.Set.kind, c.Group.Rename.kind, c.Group.Remove.kind = db.Group, db.Group, db.Group, db.Group, db.Group, db.Group
	return c
}

// env is what a command works with.
type env struct {
	ctx            context.Context
	configFile     string
	stdin          io.Reader
	stdout, stderr io.Writer
	json           bool     // --json
	notes          []string // see note
}

// exitError is an error with an exit status of its own.
type exitError struct {
	status int
	err    error // nil: said already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(env{ctx: ctx, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}, os.Args[1:])
	stop()
	os.Exit(status)
}

// run does one command and returns its exit status.
func run(e env, args []string) int {
	c := newCLI()
	status, exited := 0, errors.New("exited")
	parser, err := kong.New(c, kong.Name("convene"),
		kong.Description("Convene schedules meetings for people with a calendar program and people with nothing but mail."),
		kong.Writers(e.stdout, e.stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Exit(func(code int) { status = code; panic(exited) })) // --help ends here
	if err != nil {
		panic(err) // the vocabulary above contradicts itself
	}
	withExamples(parser)
	kctx, err := func() (k *kong.Context, err error) {
		defer func() {
			if r := recover(); r != nil && r != any(exited) {
				panic(r)
			} else if r != nil {
				err = exited
			}
		}()
		return parser.Parse(args)
	}()
	if err == exited {
		return status
	}
	if err != nil {
		status := exitUsage
		if len(args) > 0 && args[0] == "mail" {
			status = exitMailLater // a recipe's mistake must not cost a mail
		}
		asJSON := slices.Contains(args, "--json")
		complain(e.stderr, asJSON, failure{Error: err.Error(), Status: status})
		if !asJSON {
			fmt.Fprintf(e.stderr, "convene %s--help tells what there is\n", commandOf(err))
		}
		return status
	}
	e.configFile, e.json = c.ConfigFile, c.JSON
	err = kctx.Run(&e)
	if err == nil {
		return exitDone
	}
	ee, special := errors.AsType[*exitError](err)
	status = exitFailed
	if special {
		status = ee.status
	}
	if !special || ee.err != nil {
		e.complain(failure{Error: explain(err), Status: status})
	}
	return status
}

// commandOf returns the words of the command in which the command line went
// wrong, with a space after them.
func commandOf(err error) string {
	pe, ok := errors.AsType[*kong.ParseError](err)
	if !ok || pe.Context == nil {
		return ""
	}
	words := ""
	for _, p := range pe.Context.Path {
		if p.Command != nil {
			words += p.Command.Name + " "
		}
	}
	return words
}

// explain puts errors of the rooms below into words for whoever runs the
// command.
func explain(err error) string {
	switch {
	case errors.Is(err, db.ErrNewer):
		return "the database was made by a newer release of Convene; run that one, or restore a backup"
	case errors.Is(err, db.ErrFull):
		return "no space left for the database; nothing was changed"
	}
	return err.Error()
}

// logger writes what a server tells to standard error, for the journal.
func logger(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	if l.UnmarshalText([]byte(level)) != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l}))
}

// versionFlag is the same for who looks for it among the flags.
type versionFlag bool

func (versionFlag) BeforeReset(k *kong.Kong) error {
	v, goVersion := versions()
	fmt.Fprintf(k.Stdout, "convene %s (%s)\n", v, goVersion)
	k.Exit(exitDone)
	return nil
}

type versionCmd struct{}

// version is set by the build of a release (-ldflags "-X main.version=...").
var version = ""

// versions returns that of the program and that of the Go that built it.
func versions() (v, goVersion string) {
	v = version
	if bi, ok := debug.ReadBuildInfo(); ok {
		goVersion = bi.GoVersion
		if v == "" {
			v = bi.Main.Version
		}
	}
	return v, goVersion
}

func (versionCmd) Run(e *env) error {
	v, goVersion := versions()
	if e.json {
		return e.object(map[string]string{"version": v, "go": goVersion})
	}
	fmt.Fprintf(e.stdout, "convene %s (%s)\n", v, goVersion)
	return nil
}

type migrateCmd struct{}

func (migrateCmd) Run(e *env) error {
	_, s, err := e.open()
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	return e.say(act{Done: "migrated"}, "the schema is up to date")
}
