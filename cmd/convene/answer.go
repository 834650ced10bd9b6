package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// act is what an administrative command did, as --json tells it: one object for
// each thing that was changed.
type act struct {
	Done    string     `json:"done"`              // added, changed, renamed, removed, ...
	Kind    string     `json:"kind,omitempty"`    // user, room, resource, group, domain
	Address string     `json:"address,omitempty"` // of whom, or the domain, as it is now
	Was     string     `json:"was,omitempty"`     // before a rename
	ID      int64      `json:"id,omitempty"`      // in a list that has ids
	File    string     `json:"file,omitempty"`    // of an import
	Objects *int       `json:"objects,omitempty"` // or principals: how many were touched
	Of      *int       `json:"of,omitempty"`      // of so many
	Until   *time.Time `json:"until,omitempty"`   // of a recording
	Notes   []string   `json:"notes,omitempty"`   // what else there is to know
}

// failure is what --json tells on standard error.
type failure struct {
	Error  string `json:"error"`
	Status int    `json:"status"` // with which the command exits
	File   string `json:"file,omitempty"`
	UID    string `json:"uid,omitempty"`
}

// note keeps what else there is to know for the next thing that is said.
func (e *env) note(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

// say tells what was done: in words, or with --json as an object.
func (e *env) say(a act, format string, args ...any) error {
	notes := e.notes
	e.notes = nil
	if e.json {
		a.Notes = notes
		return e.object(a)
	}
	fmt.Fprintln(e.stdout, fmt.Sprintf(format, args...))
	for _, n := range notes {
		fmt.Fprintf(e.stderr, "note: %s\n", n)
	}
	return nil
}

// object writes one line of JSON.
func (e *env) object(v any) error { return json.NewEncoder(e.stdout).Encode(v) }

// complain tells what went wrong.
func (e *env) complain(f failure) { complain(e.stderr, e.json, f) }

func complain(w io.Writer, asJSON bool, f failure) {
	if asJSON {
		_ = json.NewEncoder(w).Encode(f) // nobody is left to be told that this failed
		return
	}
	about := ""
	if f.File != "" {
		about = f.File + ": "
	}
	if f.UID != "" {
		about += "UID " + f.UID + ": "
	}
	for line := range strings.Lines(f.Error) {
		fmt.Fprintf(w, "convene: %s%s\n", about, strings.TrimRight(line, "\n"))
	}
}
