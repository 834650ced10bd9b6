package convene

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tables are the documents whose rows name proofs, and how many rows each has
// at least.
var tables = map[string]int{"STANDARDS.md": 20, "deploy/docs/clients-table.md": 114, "deploy/docs/rooms-table.md": 110}

// TestStandards checks that STANDARDS.md, and the table of what programs need,
// tell the truth about their proofs: every row says yes, partial or no, and
// every test or scenario script that it names exists. A "yes" without a proof
// is an error.
func TestStandards(t *testing.T) {
	tests, scripts := proofs(t)
	name := regexp.MustCompile("`([^`]+)`")
	for file, least := range tables {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for i, line := range strings.Split(string(text), "\n") {
			cells := strings.Split(line, "|")
			if len(cells) != 6 || strings.HasPrefix(cells[1], "-") || strings.TrimSpace(cells[3]) == "state" {
				continue
			}
			rows++
			state := strings.TrimSpace(cells[3])
			named := name.FindAllStringSubmatch(cells[4], -1)
			switch state {
			case "yes", "partial":
				if len(named) == 0 {
					t.Errorf("%s:%d: %q without a test that shows it", file, i+1, state)
				}
			case "no":
			default:
				t.Errorf("%s:%d: the state is %q, not yes, partial or no", file, i+1, state)
			}
			for _, n := range named {
				if !tests[n[1]] && !scripts[n[1]] {
					t.Errorf("%s:%d: no test or script is called %q", file, i+1, n[1])
				}
			}
		}
		if rows < least {
			t.Errorf("%s: only %d rows were found", file, rows)
		}
	}
}

// proofs lists the test functions and the scenario scripts of the repository.
func proofs(t *testing.T) (tests, scripts map[string]bool) {
	t.Helper()
	tests, scripts = map[string]bool{}, map[string]bool{}
	fn := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch {
		case strings.HasSuffix(path, "_test.go"):
			src, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range fn.FindAllSubmatch(src, -1) {
				tests[string(m[1])] = true
			}
		case strings.Contains(path, "testdata"):
			scripts[filepath.Base(path)] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests, scripts
}
