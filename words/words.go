// Package words holds the texts that people read, each in the reader's
// language: gettext catalogues, of which some are built in and others come
// from files. English is the language of the message ids and needs none.
//
// A text is a format with %s and %d, or %2$s where a translation needs another
// order. Formats are filled in here and not by fmt: what a translator leaves
// out or writes wrong never shows as an error in somebody's mail.
package words

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

//go:embed po/*.po
var builtIn embed.FS

// Book is a set of languages. It does not change and may be shared.
type Book struct {
	speech  []*Language // the first is English
	matcher language.Matcher
}

// Language is one of them.
type Language struct {
	// Tag is its name in BCP 47, as for HTML's lang.
	Tag    string
	texts  map[key][]string
	plural plural
}

type key struct{ context, id string }

var base = sync.OnceValue(func() *Book {
	b := &Book{speech: []*Language{{Tag: "en", plural: germanic}}}
	dir, err := fs.Sub(builtIn, "po")
	if err == nil {
		b, err = b.With(dir)
	}
	if err != nil {
		panic(err) // a test loads them
	}
	return b
})

// Default returns the languages that are built in.
func Default() *Book { return base() }

// With returns the book with the catalogues *.po of a folder: a text that
// stands in one of them replaces the built-in one, a language that is not there
// is added. The error names file and line.
func (b *Book) With(files fs.FS) (*Book, error) {
	names, err := fs.Glob(files, "*.po")
	if err != nil {
		return nil, err
	}
	out := &Book{speech: append([]*Language(nil), b.speech...)}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		l, err := read(data)
		if err != nil {
			return nil, fmt.Errorf("%s:%w", name, err)
		}
		if l.Tag == "" {
			l.Tag = strings.TrimSuffix(path.Base(name), ".po")
		}
		tag, err := language.Parse(strings.ReplaceAll(l.Tag, "_", "-"))
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no language", name, l.Tag)
		}
		l.Tag = tag.String()
		out.put(l)
	}
	var tags []language.Tag
	for _, l := range out.speech {
		tags = append(tags, language.Make(l.Tag))
	}
	out.matcher = language.NewMatcher(tags)
	return out, nil
}

// put adds a language, or its texts to those that are there.
func (b *Book) put(l *Language) {
	for i, have := range b.speech {
		if have.Tag != l.Tag {
			continue
		}
		both := &Language{Tag: l.Tag, plural: have.plural, texts: map[key][]string{}}
		if l.plural != nil {
			both.plural = l.plural
		}
		for _, from := range []*Language{have, l} {
			for k, v := range from.texts {
				both.texts[k] = v
			}
		}
		b.speech[i] = both
		return
	}
	if l.plural == nil {
		l.plural = germanic
	}
	b.speech = append(b.speech, l)
}

// For returns the language for a tag or an Accept-Language field: the best
// that there is, English where there is none.
func (b *Book) For(want string) *Language {
	if len(want) > 1000 {
		return b.speech[0]
	}
	tags, _, err := language.ParseAcceptLanguage(want)
	if err != nil || len(tags) == 0 {
		return b.speech[0]
	}
	_, i, confidence := b.matcher.Match(tags...)
	if confidence == language.No {
		return b.speech[0]
	}
	return b.speech[i]
}

// Tags lists the languages.
func (b *Book) Tags() []string {
	var out []string
	for _, l := range b.speech {
		out = append(out, l.Tag)
	}
	return out
}

// Say returns a text, its %s and %d filled in.
func (l *Language) Say(id string, args ...any) string { return l.In("", id, args...) }

// In returns a text that means different things in different places; context
// tells which (gettext's msgctxt).
func (l *Language) In(context, id string, args ...any) string {
	if t := l.texts[key{context, id}]; len(t) > 0 && t[0] != "" {
		return fill(t[0], args)
	}
	return fill(id, args)
}

// Count returns the text for a number: one and many are the English ids, args
// fill it in.
func (l *Language) Count(n int, one, many string, args ...any) string {
	if n < 0 {
		n = -n
	}
	if t := l.texts[key{"", one}]; len(t) > 0 {
		if i := l.plural(n); i >= 0 && i < len(t) && t[i] != "" {
			return fill(t[i], args)
		}
	}
	if n == 1 {
		return fill(one, args)
	}
	return fill(many, args)
}

// fill writes args into a format. What is no verb stays as it is, an argument
// that is missing is left out.
func fill(format string, args []any) string {
	if !strings.Contains(format, "%") {
		return format
	}
	var b strings.Builder
	next := 0
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 || i+1 == len(format) {
			b.WriteString(format)
			return b.String()
		}
		b.WriteString(format[:i])
		format = format[i+1:]
		n, rest := verb(format)
		switch {
		case format[0] == '%':
			b.WriteByte('%')
			format = format[1:]
			continue
		case rest == format:
			b.WriteByte('%')
			continue
		case n == 0:
			next++
			n = next
		}
		if n <= len(args) {
			fmt.Fprint(&b, args[n-1])
		}
		format = rest
	}
}

// verb reads "s", "d" or "2$s" and returns the argument's number, 0 for the
// next; rest is s where that is no verb.
func verb(s string) (n int, rest string) {
	if s == "" {
		return 0, s
	}
	if s[0] == 's' || s[0] == 'd' {
		return 0, s[1:]
	}
	num, after, ok := strings.Cut(s, "$")
	if i, err := strconv.Atoi(num); ok && err == nil && i > 0 && i < 10 && after != "" && (after[0] == 's' || after[0] == 'd') {
		return i, after[1:]
	}
	return 0, s
}

// verbs counts the arguments that a format can have.
func verbs(format string) int {
	most, next := 0, 0
	for i := 0; i+1 < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		i++
		n, rest := verb(format[i:])
		switch {
		case format[i] == '%' || rest == format[i:]:
			continue
		case n == 0:
			next++
			n = next
		}
		most = max(most, n)
	}
	return most
}
