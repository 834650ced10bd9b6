package policy

import (
	"os"
	"strings"
	"testing"
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
