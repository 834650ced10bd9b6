// Package convene holds the test that keeps the floors of the house.
package convene

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/convene-server/convene/"

// floors gives every room its floor (ARCHITECTURE.md): a room imports only
// from floors below its own, and the two doors never import each other.
var floors = map[string]int{
	"cmd/convene":          6,
	"caldav":               5,
	"published":            5,
	"imipbridge":           5,
	"scheduling":           4,
	"imipbridge/imip":      4,
	"scheduling/itip":      3,
	"scheduling/policy":    3,
	"caldav/filter":        3,
	"scheduling/ics":       2,
	"directory":            2,
	"caldav/carddav":       2,
	"scheduling/ics/scale": 1,
	"directory/cuaddr":     1,
	"db":                   1,
	"words":                0,
	"db/migrations":        0,
	"db/sqlite":            0,
	"caldav/dav":           1,
	"caldav/record":        1,
	"db/dbtest":            2, // for tests only
	"scheduling/dialogue":  5, // for tests only
}

var pure = []string{"scheduling/itip", "scheduling/policy", "scheduling/ics", "scheduling/ics/scale", "caldav/dav", "caldav/record", "caldav/filter", "caldav/carddav", "imipbridge/imip", "directory/cuaddr", "words"}

// impure is what a pure room never imports.
var impure = []string{"context", "database/sql", "net/http", "os", "log", "log/slog"}

func TestFloors(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); path != "." && (strings.HasPrefix(n, ".") || n == "testdata" || n == "deploy") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		room := filepath.ToSlash(filepath.Dir(path))
		if room == "." {
			return nil
		}
		floor, ok := floors[room]
		if !ok {
			// A part of a room that only the room itself uses stands on its floor.
			for up := filepath.Dir(room); up != "."; up = filepath.Dir(up) {
				if f, in := floors[up]; in && strings.HasPrefix(room, "cmd/convene/") {
					floor, ok = f, true
				}
			}
		}
		if !ok {
			t.Errorf("%s: the room %s has no floor in ARCHITECTURE.md", path, room)
			return nil
		}
		seen++
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			to, _ := strconv.Unquote(imp.Path.Value)
			if below, ours := strings.CutPrefix(to, module); ours {
				if fl, known := floors[below]; known && fl >= floor && !strings.HasPrefix(room, "cmd/convene") {
					t.Errorf("%s imports %s: arrows only go down", path, below)
				}
				if below == "db/dbtest" || below == "scheduling/dialogue" {
					t.Errorf("%s imports %s, which is for tests", path, below)
				}
				continue
			}
			for _, p := range pure {
				for _, no := range impure {
					if room == p && to == no {
						t.Errorf("%s imports %s: the room is pure", path, to)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("no source file was looked at")
	}
}
