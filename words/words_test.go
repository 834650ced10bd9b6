package words

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// Every language says every text, with the same things to fill in, and in as
// many forms as its numbers have.
func TestBuiltIn(t *testing.T) {
	b := Default()
	if len(b.speech) < 12 {
		t.Errorf("only %v", b.Tags())
	}
	template, err := builtInTemplate()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range b.speech[1:] {
		for k, ids := range template {
			forms, ok := l.texts[k]
			if !ok {
				t.Errorf("%s does not say %q (%s)", l.Tag, k.id, k.context)
				continue
			}
			want := 1
			if len(ids) > 1 {
				for n := range 200 {
					want = max(want, l.plural(n)+1)
				}
			}
			if len(forms) != want {
				t.Errorf("%s: %q has %d forms, want %d", l.Tag, k.id, len(forms), want)
			}
			for _, f := range forms {
				if n := verbs(f); len(ids) == 1 && n != verbs(k.id) {
					t.Errorf("%s: %q", l.Tag, f)
				}
			}
		}
		if len(l.texts) != len(template) {
			t.Errorf("%s says %d texts, the template has %d", l.Tag, len(l.texts), len(template))
		}
	}
}

// builtInTemplate reads convene.pot: the ids, with the plural where one has it.
func builtInTemplate() (map[key][]string, error) {
	data, err := fs.ReadFile(pot, "po/convene.pot")
	if err != nil {
		return nil, err
	}
	out := map[key][]string{}
	var k key
	for _, line := range strings.Split(string(data), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		s, err := unquote(rest)
		if err != nil {
			continue
		}
		switch word {
		case "msgctxt":
			k.context = s
		case "msgid":
			k.id = s
			if s != "" {
				out[k] = []string{s}
			}
		case "msgid_plural":
			out[k] = append(out[k], s)
		case "msgstr", "msgstr[0]":
			k = key{}
		}
	}
	return out, nil
}

func TestFor(t *testing.T) {
	test := func(want, tag string) {
		t.Helper()
		if got := Default().For(want).Tag; got != tag {
			t.Errorf("%q: %s, want %s", want, got, tag)
		}
	}
	test("", "en")
	test("de", "de")
	test("de-AT, en;q=0.5", "de")
	test("pt-BR", "pt")
	test("eo", "en")
	test("fr;q=0.3, pl;q=0.9", "pl")
	test("garbage;;;", "en")
	test(strings.Repeat("de,", 400), "en") // no browser says so
}

func TestCount(t *testing.T) {
	test := func(lang string, n int, want string) {
		t.Helper()
		if got := Default().For(lang).Count(n, "%d time", "%d times", n); got != want {
			t.Errorf("%s %d: %q, want %q", lang, n, got, want)
		}
	}
	test("en", 1, "1 time")
	test("en", 0, "0 times")
	test("fr", 0, "0 fois")
	test("es", 1, "1 vez")
	test("es", 2, "2 veces")
	test("pl", 1, "1 raz")
	test("pl", 3, "3 razy")
	test("ru", 21, "21 раз")
	test("ru", 22, "22 раза")
	test("ru", 11, "11 раз")
	test("ja", 5, "全5回")
}

func TestPlural(t *testing.T) {
	test := func(expr, want string) {
		t.Helper()
		f, err := parsePlural(expr)
		if err != nil {
			if want != "error" {
				t.Errorf("%q: %v", expr, err)
			}
			return
		}
		got := ""
		for n := range 13 {
			got += string(rune('0' + f(n)))
		}
		if got != want {
			t.Errorf("%q: %s, want %s", expr, got, want)
		}
	}
	test("0", "0000000000000")
	test("n!=1", "1011111111111")
	test("(n > 1)", "0011111111111")
	test("n==1 ? 0 : n==2 ? 1 : 2", "2012222222222")
	test("n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2", "2011122222222")
	test("n % 0", "0000000000000")
	test("", "error")
	test("n ==", "error")
	test("n; system()", "error")
	test("m", "error")
	test(strings.Repeat("(", 400)+"n"+strings.Repeat(")", 400), "error")
}

func TestFill(t *testing.T) {
	test := func(format, want string, args ...any) {
		t.Helper()
		if got := fill(format, args); got != want {
			t.Errorf("%q: %q, want %q", format, got, want)
		}
	}
	test("%s and %s", "a and b", "a", "b")
	test("%2$s and %1$s", "b and a", "a", "b")
	test("100 %", "100 %")
	test("100 %% of %d", "100 % of 3", 3)
	test("%x %s", "%x a", "a")
	test("%s %s", "a ", "a")
	test("no verb", "no verb", "a")
	test("%s", "%s", "%s")
	test("%9$s%0$s%", "%0$s%", "a")
}

// What translators add in files comes over what is built in.
func TestFiles(t *testing.T) {
	test := func(file, wrong string) *Book {
		t.Helper()
		b, err := Default().With(fstest.MapFS{"xx.po": {Data: []byte(file)}})
		if (err == nil) != (wrong == "") || err != nil && err.Error() != wrong {
			t.Errorf("%q: %v, want %q", file, err, wrong)
		}
		return b
	}
	head := "msgid \"\"\nmsgstr \"Language: eo\\n\"\n\"Plural-Forms: nplurals=2; plural=n!=1;\\n\"\n\n"
	b := test(head+"msgid \"What\"\nmsgstr \"Kio\"\n\nmsgid \"%d time\"\nmsgid_plural \"%d times\"\nmsgstr[0] \"%d foje\"\nmsgstr[1] \"%d fojojn\"\n\n#, fuzzy\nmsgid \"When\"\nmsgstr \"Kiam\"\n#~ msgid \"old\"\n", "")
	eo := b.For("eo")
	for got, want := range map[string]string{eo.Tag: "eo", eo.Say("What"): "Kio", eo.Say("When"): "When", eo.Count(2, "%d time", "%d times", 2): "2 fojojn"} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	b = test("msgid \"\"\nmsgstr \"Language: de\\n\"\nmsgid \"What\"\nmsgstr \"\"\n\"Wor\"\n\"um\"\n", "")
	if de := b.For("de"); de.Say("What") != "Worum" || de.Say("When") != "Wann" {
		t.Errorf("%q %q", de.Say("What"), de.Say("When"))
	}
	if got := Default().For("de").Say("What"); got != "Was" {
		t.Errorf("the built-in one changed: %q", got)
	}
	test(head+"msgid \"%s and %s\"\nmsgstr \"%s, %s, %s\"\n", "xx.po:5: \"%s, %s, %s\" has 3 places to fill in, its English has 2")
	test(head+"nonsense\n", "xx.po:5: \"nonsense\" is no line of a catalogue")
	test(head+"msgid \"x\nmsgstr \"y\"\n", "xx.po:5: no text in double quotes")
	test(head+"\"x\"\n", "xx.po:5: a text that belongs to nothing")
	test("msgid \"\"\nmsgstr \"Plural-Forms: plural=x;\"\n", "xx.po:1: Plural-Forms: not understood at \"x\"")
	test("msgid \"\"\nmsgstr \"Language: no language\\n\"\n", "xx.po: \"no language\" is no language")
	test("\xff", "xx.po:1: not UTF-8, or too large")
}
