package words

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// read reads a catalogue in gettext's text form (.po). Entries that are not
// translated, or marked fuzzy, are left out. The error begins with the line.
func read(data []byte) (*Language, error) {
	if len(data) > 4<<20 || !utf8.Valid(data) {
		return nil, errors.New("1: not UTF-8, or too large")
	}
	l := &Language{texts: map[key][]string{}}
	e := entry{}
	finish := func() error {
		defer func() { e = entry{} }()
		if !e.has["msgid"] {
			return nil
		}
		if e.id == "" && e.context == "" {
			return l.header(e.strs)
		}
		if e.fuzzy || strings.Join(e.strs, "") == "" {
			return nil
		}
		most := max(verbs(e.id), verbs(e.many))
		for _, s := range e.strs {
			if n := verbs(s); n > most {
				return fmt.Errorf("%d: %q has %d places to fill in, its English has %d", e.line, s, n, most)
			}
		}
		l.texts[key{e.context, e.id}] = e.strs
		return nil
	}
	to := (*string)(nil)
	for i, line := range strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		keyword, rest, _ := strings.Cut(line, " ")
		begins := line == "" || line[0] == '#' || keyword == "msgctxt" || keyword == "msgid" && !e.has["msgctxt"]
		if begins && len(e.strs) > 0 || begins && e.has["msgid"] && keyword != "msgid" {
			if err := finish(); err != nil {
				return nil, err
			}
			to = nil
		}
		switch {
		case line == "":
			continue
		case strings.HasPrefix(line, "#,"):
			e.fuzzy = strings.Contains(line, "fuzzy")
			continue
		case line[0] == '#':
			continue
		case line[0] == '"':
			rest = line
			if to == nil {
				return nil, fmt.Errorf("%d: a text that belongs to nothing", i+1)
			}
		case keyword == "msgctxt":
			to = &e.context
		case keyword == "msgid":
			to, e.line = &e.id, i+1
		case keyword == "msgid_plural":
			to = &e.many
		case keyword == "msgstr" || keyword == fmt.Sprintf("msgstr[%d]", len(e.strs)):
			if !e.has["msgid"] {
				return nil, fmt.Errorf("%d: a translation of nothing", i+1)
			}
			e.strs = append(e.strs, "")
			to = &e.strs[len(e.strs)-1]
		default:
			return nil, fmt.Errorf("%d: %q is no line of a catalogue", i+1, keyword)
		}
		if line[0] != '"' {
			if e.has == nil {
				e.has = map[string]bool{}
			}
			e.has[keyword] = true
		}
		s, err := unquote(strings.TrimSpace(rest))
		if err != nil {
			return nil, fmt.Errorf("%d: %w", i+1, err)
		}
		*to += s
	}
	if err := finish(); err != nil {
		return nil, err
	}
	return l, nil
}

// entry is one message of a catalogue while it is read.
type entry struct {
	context, id, many string
	strs              []string
	fuzzy             bool
	line              int
	has               map[string]bool
}

// header reads the entry of the empty id.
func (l *Language) header(strs []string) (err error) {
	for _, field := range strings.Split(strings.Join(strs, ""), "\n") {
		name, value, _ := strings.Cut(field, ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "language":
			l.Tag = strings.TrimSpace(value)
		case "plural-forms":
			_, expr, ok := strings.Cut(value, "plural=")
			if !ok {
				return errors.New("1: Plural-Forms without plural=")
			}
			expr, _, _ = strings.Cut(expr, ";")
			if l.plural, err = parsePlural(expr); err != nil {
				return fmt.Errorf("1: Plural-Forms: %w", err)
			}
		}
	}
	return nil
}

// unquote reads a string of a catalogue, with the escapes of C.
func unquote(s string) (string, error) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", errors.New("no text in double quotes")
	}
	s = s[1 : len(s)-1]
	if !strings.ContainsAny(s, `\"`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return "", errors.New(`a quote without a \ before it`)
		case s[i] != '\\':
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", errors.New(`a \ at the end`)
		}
		c := strings.IndexByte(`nt"\`, s[i])
		if c < 0 {
			return "", fmt.Errorf(`\%c is not known`, s[i])
		}
		b.WriteByte("\n\t\"\\"[c])
	}
	return b.String(), nil
}
