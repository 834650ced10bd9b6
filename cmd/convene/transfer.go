package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
)

// importLimit bounds one file of an import: years of a person's calendar.
const importLimit = 256 << 20

type importCmd struct {
	Target string   `arg:"" name:"address[/calendar]" help:"Whose calendar; without a name the default one."`
	Files  []string `arg:"" name:"file" help:"iCalendar files; - is standard input."`
}

func (c *importCmd) Run(e *env) error {
	cfg, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	owner, cols, err := target(e, s, c.Target)
	if err != nil {
		return err
	}
	desk := newDesk(s, cfg, logger(e.stderr, "warn"))
	refused := 0
	for _, file := range c.Files {
		objects, err := readObjects(e, file)
		if err != nil {
			e.complain(failure{Error: err.Error(), Status: exitFailed, File: file})
			refused++
			continue
		}
		stored := 0
		for _, o := range objects {
			err := importOne(e, s, desk, owner, cols, o)
			if err == nil {
				stored++
				continue
			}
			if errors.Is(err, db.ErrAway) || errors.Is(err, db.ErrFull) || e.ctx.Err() != nil {
				return fmt.Errorf("%s: stopped after %d objects: %w", file, stored, err)
			}
			e.complain(failure{Error: err.Error(), Status: exitFailed, File: file, UID: o.UID()})
			refused++
		}
		n := len(objects)
		if err := e.say(act{Done: "imported", Address: owner.Address, File: file, Objects: &stored, Of: &n}, "%s: %d of %d objects stored", file, stored, n); err != nil {
			return err
		}
	}
	if refused > 0 {
		return &exitError{status: exitFailed}
	}
	return nil
}

// target reads ADDRESS[/CALENDAR]: its owner and the calendars that it names,
// all of the owner's without a name, the default one first.
func target(e *env, s *db.Store, arg string) (owner db.Principal, cols []db.Collection, err error) {
	address, calendar, named := strings.Cut(arg, "/")
	err = s.View(e.ctx, func(tx *db.Tx) error {
		if owner, err = find(tx, address, ""); err != nil {
			return err
		}
		cols, err = tx.Collections(owner.ID, db.Calendar)
		return err
	})
	if err != nil {
		return owner, nil, err
	}
	if named {
		var names []string
		for _, col := range cols {
			names = append(names, col.Name)
		}
		cols = slices.DeleteFunc(cols, func(c db.Collection) bool { return c.Name != calendar })
		if len(cols) == 0 {
			return owner, nil, fmt.Errorf("%s has no calendar %q; there are: %s", owner.Address, calendar, strings.Join(names, ", "))
		}
	}
	if len(cols) == 0 {
		return owner, nil, fmt.Errorf("%s has no calendar", owner.Address)
	}
	return owner, cols, nil
}

func importOne(e *env, s *db.Store, desk *scheduling.Desk, owner db.Principal, cols []db.Collection, o *ics.Object) error {
	i := slices.IndexFunc(cols, func(c db.Collection) bool {
		return c.Components == "" || slices.Contains(strings.Split(c.Components, ","), o.Kind())
	})
	if i < 0 {
		return fmt.Errorf("%s takes no %s", cols[0].Name, o.Kind())
	}
	col, name := cols[i].ID, objectName(o.UID())
	// An object that is there keeps its place and is replaced.
	err := s.View(e.ctx, func(tx *db.Tx) error {
		have, err := tx.ObjectsByUID(o.UID(), owner.ID)
		if err == nil && len(have) > 0 {
			col, name = have[0].Collection, have[0].Name
		}
		return err
	})
	if err != nil {
		return err
	}
	_, err = desk.Put(e.ctx, scheduling.Put{Actor: owner, Collection: col, Name: name, Body: o.Bytes(), Door: "import", Silent: true})
	if refusal, ok := errors.AsType[*itip.Refusal](err); ok {
		return fmt.Errorf("refused: %w", refusal)
	}
	return err
}

// objectName makes the name of a resource of a UID, in characters that need no
// escaping in a URL; UIDs that would look the same stay apart by their hash.
func objectName(uid string) string {
	plain := len(uid) <= 128
	for i := range len(uid) {
		b := uid[i]
		plain = plain && (b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '-' || b == '_' || b == '.' && i > 0)
	}
	if plain && uid != "" {
		return uid + ".ics"
	}
	sum := sha256.Sum256([]byte(uid))
	return hex.EncodeToString(sum[:16]) + ".ics"
}

// readObjects reads a file and splits it into one object for each UID.
func readObjects(e *env, file string) ([]*ics.Object, error) {
	in := e.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, importLimit+1))
	if err != nil {
		return nil, err
	}
	if len(data) > importLimit {
		return nil, fmt.Errorf("a file of more than %d MB; split it", importLimit>>20)
	}
	whole := &ics.Component{Name: "VCALENDAR"}
	line := 0
	for _, part := range streams(data) {
		o, err := ics.Parse(part, ics.Limits{Bytes: importLimit, Components: 2_000_000, Properties: 40_000_000})
		if err != nil {
			if line > 0 {
				err = fmt.Errorf("in the VCALENDAR that begins at line %d: %w", line+1, err)
			}
			return nil, err
		}
		line += bytes.Count(part, []byte("\n"))
		if len(whole.Props) == 0 {
			whole.Props = o.Root().Props
		}
		whole.Children = append(whole.Children, o.Root().Children...)
	}
	return split(ics.New(whole)), nil
}

// streams cuts a file into its iCalendar streams: a file may hold several
// (RFC 5545 §3.4), as when an export joins one for each event.
func streams(data []byte) (all [][]byte) {
	begin := regexp.MustCompile(`(?mi)^BEGIN:VCALENDAR[ \t]*\r?$`)
	at := begin.FindAllIndex(data, -1)
	from := 0
	for i := 1; i < len(at); i++ {
		all = append(all, data[from:at[i][0]])
		from = at[i][0]
	}
	return append(all, data[from:])
}

// split makes one object for each UID of a file, with the time zones that it
// names. An event without a UID gets one from its content, so that the same
// file imported twice makes no second event. METHOD falls away: a stored object
// has none (RFC 4791 §4.1).
func split(o *ics.Object) []*ics.Object {
	zones := map[string]*ics.Component{}
	for _, c := range o.Root().Children {
		if c.Name == "VTIMEZONE" {
			zones[c.Value("TZID")] = c
		}
	}
	byUID := map[string][]*ics.Component{}
	var order []string
	for _, c := range o.Main() {
		uid := strings.TrimSpace(c.Value("UID"))
		if uid == "" {
			c = c.Clone()
			uid = contentUID(c)
			c.Props = append(c.Props, ics.NewProp("UID", uid))
		}
		if byUID[uid] == nil {
			order = append(order, uid)
		}
		byUID[uid] = append(byUID[uid], c)
	}
	var all []*ics.Object
	for _, uid := range order {
		root := &ics.Component{Name: "VCALENDAR"}
		for _, p := range o.Root().Props {
			if p.Name == "VERSION" || p.Name == "PRODID" || p.Name == "CALSCALE" {
				root.Props = append(root.Props, p)
			}
		}
		for _, need := range []struct{ name, value string }{{"PRODID", productID}, {"VERSION", "2.0"}} {
			if root.Prop(need.name) == nil {
				root.Props = append(root.Props, ics.NewProp(need.name, need.value))
			}
		}
		used := map[string]bool{}
		for _, c := range byUID[uid] {
			tzids(c, used)
		}
		for _, c := range o.Root().Children {
			if c.Name == "VTIMEZONE" && used[c.Value("TZID")] && zones[c.Value("TZID")] == c {
				root.Children = append(root.Children, c)
			}
		}
		root.Children = append(root.Children, byUID[uid]...)
		all = append(all, ics.New(root))
	}
	return all
}

const productID = "-//Convene//Convene//EN"

// contentUID names an event by what it says, without when it was written.
func contentUID(c *ics.Component) string {
	h := sha256.New()
	for i := range c.Props {
		if p := &c.Props[i]; p.Name != "DTSTAMP" && p.Name != "CREATED" && p.Name != "LAST-MODIFIED" {
			fmt.Fprintf(h, "%s:%s\n", p.Name, p.Value)
		}
	}
	return "imported-" + hex.EncodeToString(h.Sum(nil)[:16])
}

// tzids collects the zones that a component and those in it name.
func tzids(c *ics.Component, into map[string]bool) {
	for i := range c.Props {
		if id := c.Props[i].Param("TZID"); id != "" {
			into[id] = true
		}
	}
	for _, ch := range c.Children {
		tzids(ch, into)
	}
}

type exportCmd struct {
	Target string `arg:"" name:"address[/calendar]" help:"Whose calendar; without a name all of them."`
}

// Run writes one VCALENDAR, object by object: what a person has need not fit
// into memory.
func (c *exportCmd) Run(e *env) error {
	_, s, err := e.open()
	if err != nil {
		return err
	}
	defer s.Close()
	owner, cols, err := target(e, s, c.Target)
	if err != nil {
		return err
	}
	calendar := ""
	if strings.Contains(c.Target, "/") {
		calendar = cols[0].Name
	}
	w := bufio.NewWriter(e.stdout)
	fmt.Fprintf(w, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:%s\r\nCALSCALE:GREGORIAN\r\n", productID)
	zones := map[string]bool{}
	err = eachObject(e.ctx, s, owner.ID, calendar, func(_ db.Collection, o db.Object) error {
		obj, err := ics.Parse(itip.Shown(o.Body), ics.Limits{})
		if err != nil {
			return fmt.Errorf("%s: %w", o.Name, err)
		}
		for _, ch := range obj.Root().Children {
			if ch.Name == "VTIMEZONE" {
				if id := ch.Value("TZID"); zones[id] {
					continue
				} else {
					zones[id] = true
				}
			}
			w.Write(componentBytes(ch))
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprint(w, "END:VCALENDAR\r\n")
	return w.Flush()
}

// componentBytes returns one component as it stands in its stream, every line
// as it was stored.
func componentBytes(c *ics.Component) []byte {
	b := ics.New(&ics.Component{Name: "VCALENDAR", Children: []*ics.Component{c}}).Bytes()
	b = b[len("BEGIN:VCALENDAR\r\n"):]
	return b[:len(b)-len("END:VCALENDAR\r\n")]
}
