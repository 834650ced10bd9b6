// Package migrations holds the schema as numbered SQL files, one list for
// SQLite and PostgreSQL. A released file is never changed: what comes later
// goes into a file with the next number. Words in braces stand for what the
// two databases spell differently; db fills them in.
package migrations

import (
	"embed"
	"fmt"
	"io/fs"
	"sort"
	"strconv"
	"strings"
)

//go:embed *.sql
var files embed.FS

// Migration is one step of the schema.
type Migration struct {
	Version int64
	Name    string
	SQL     string
}

// All returns the steps in order. They are numbered from 1 without a gap.
func All() ([]Migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	var all []Migration
	for i, name := range names {
		number, _, _ := strings.Cut(name, "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil || v != int64(i+1) {
			return nil, fmt.Errorf("migrations: %s is not number %d", name, i+1)
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, Migration{Version: v, Name: name, SQL: string(text)})
	}
	return all, nil
}
