package policy

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/convene-server/convene/words"
)

// Every rule stands in the operators' page, so that nobody has to guess one.
func TestRulesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../deploy/docs/rooms.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range Forms() {
		if !strings.Contains(string(text), "`"+f.Name) {
			t.Errorf("%s (%s: %s) is not in rooms.md", f.Name, f.Arguments, f.Meaning)
		}
	}
}

// Every reason is said in the languages that are built in.
func TestReasonsAreTranslated(t *testing.T) {
	text := regexp.MustCompile(`Reason\{Text: "([^"]+)"`)
	n := 0
	for _, file := range []string{"action.go", "decide.go", "free.go", "keep.go", "pool.go", "program.go", "quota.go", "when.go", "who.go", "../agent.go", "../checkin.go", "../owner.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range text.FindAllStringSubmatch(string(source), -1) {
			n++
			for _, tag := range []string{"de", "ja"} {
				if l := words.Default().For(tag); l.Say(m[1]) == l.Say("%s", m[1]) || strings.HasPrefix(l.Say(m[1]), m[1]) {
					t.Errorf("%s: %q is not said in %s", file, m[1], tag)
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d reasons were found", n)
	}
	r := Reason{Text: "not free at that time", Some: 2, All: 5}
	if got := r.In(words.Default().For("de")); got != "zu dieser Zeit nicht frei (2 von 5 Terminen)" {
		t.Error(got)
	}
	if got := r.In(words.Default().For("ja")); !strings.HasSuffix(got, "(5 回中 2 回)") {
		t.Error(got)
	}
}
