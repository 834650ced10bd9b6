package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// defaultFiles is where the configuration is looked for without --config.
var defaultFiles = []string{"convene.toml", "/etc/convene/convene.toml"}

// configError is a mistake in a configuration file. Its text names the file,
// the line and the key, and says what to do.
type configError struct {
	File string
	Line int    // 0: the file as a whole
	Key  string // dotted; "" for a syntax error
	What string
}

func (e *configError) Error() string {
	s := e.File
	if e.Line > 0 {
		s += ":" + strconv.Itoa(e.Line)
	}
	if e.Key != "" {
		s += ": " + e.Key
	}
	return s + ": " + e.What
}

// loadConfig reads the file, or the first of defaultFiles that there is. All
// mistakes of a file are returned together.
func loadConfig(file string) (Config, error) {
	files := defaultFiles
	if file != "" {
		files = []string{file}
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) && file == "" {
			continue
		}
		if err != nil {
			return Config{}, fmt.Errorf("configuration: %w", err)
		}
		return parseConfig(f, string(data))
	}
	return Config{}, fmt.Errorf("no configuration: there is neither ./%s nor %s; write one of them (deploy/convene.toml is an example) or name yours with --config FILE", files[0], files[1])
}

// parseConfig reads the text of a configuration; file is its name in errors.
func parseConfig(file, text string) (Config, error) {
	var root map[string]any
	if _, err := toml.Decode(text, &root); err != nil {
		if pe, ok := errors.AsType[toml.ParseError](err); ok {
			// Position.Line is that of the next line where a line ends too early, and
			// LastKey may stand on an earlier one.
			before := text[:min(pe.Position.Start, len(text))]
			written, _, _ := strings.Cut(text[strings.LastIndex(before, "\n")+1:], "\n")
			if !strings.Contains(written, pe.LastKey[strings.LastIndex(pe.LastKey, ".")+1:]) {
				pe.LastKey = ""
			}
			return Config{}, &configError{file, 1 + strings.Count(before, "\n"), pe.LastKey, "not TOML: " + pe.Message}
		}
		return Config{}, &configError{file, 0, "", err.Error()}
	}
	c := Config{File: file}
	var mistakes []*configError
	given := map[string]bool{}
	walkTOML(root, nil, func(path []string, v any) {
		name := strings.Join(path, ".")
		given[name] = true
		i := slices.IndexFunc(configKeys, func(k configKey) bool { return k.name == name })
		if i < 0 {
			mistakes = append(mistakes, &configError{file, lineOf(text, path), name, unknownKey(name)})
			return
		}
		if err := configKeys[i].set(&c, v); err != nil {
			mistakes = append(mistakes, &configError{file, lineOf(text, path), name, err.Error()})
		}
	})
	// What only several keys together tell is looked at once each is right by
	// itself.
	if len(mistakes) == 0 {
		mistakes = c.complete(given, func(name string) int { return lineOf(text, strings.Split(name, ".")) })
	}
	if len(mistakes) > 0 {
		slices.SortStableFunc(mistakes, func(a, b *configError) int { return cmp.Compare(a.Line, b.Line) })
		var all []error
		for _, m := range mistakes {
			all = append(all, m)
		}
		return Config{}, errors.Join(all...)
	}
	return c, nil
}

// unknownKey says what may have been meant.
func unknownKey(name string) string {
	best, far := "", 4
	for _, k := range configKeys {
		d := distance(name, k.name)
		if strings.HasSuffix(k.name, "."+name) { // right key, wrong table
			d = 0
		}
		if d < far {
			best, far = k.name, d
		}
	}
	if best != "" {
		return "unknown key; did you mean " + best + "?"
	}
	var names []string
	for _, k := range configKeys {
		names = append(names, k.name)
	}
	return "unknown key; there are " + strings.Join(names, ", ")
}

// distance is the edit distance of two short words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// walkTOML calls fn for every value that is not a table, and for empty tables
// of unknown names, so that [htpp] alone is noticed too.
func walkTOML(table map[string]any, path []string, fn func([]string, any)) {
	for k, v := range table {
		p := append(slices.Clip(path), k)
		if sub, ok := v.(map[string]any); ok {
			prefix := strings.Join(p, ".") + "."
			known := slices.ContainsFunc(configKeys, func(c configKey) bool { return strings.HasPrefix(c.name, prefix) })
			if known || len(sub) > 0 {
				walkTOML(sub, p, fn)
				continue
			}
		}
		fn(p, v)
	}
}

// trap is a value whose decoding always fails: the TOML decoder then tells on
// which line the key stands, which it keeps to itself otherwise.
type trap struct{}

var errTrap = errors.New("here")

func (*trap) UnmarshalTOML(any) error { return errTrap }

// lineOf returns the line of a key, 0 if it cannot be told.
func lineOf(text string, path []string) int {
	t := reflect.TypeFor[trap]()
	for _, k := range slices.Backward(path) {
		t = reflect.StructOf([]reflect.StructField{{
			Name: "Field", Type: t, Tag: reflect.StructTag("toml:" + strconv.Quote(k)),
		}})
	}
	_, err := toml.Decode(text, reflect.New(t).Interface())
	if pe, ok := errors.AsType[toml.ParseError](err); ok {
		return pe.Position.Line
	}
	return 0
}
