package convene

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestStandards checks that STANDARDS.md tells the truth about its proofs:
// every row says yes, partial or no, and every test or scenario script that it
// names exists. A "yes" without a proof is an error.
func TestStandards(t *testing.T) {
	text, err := os.ReadFile("STANDARDS.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, scripts := proofs(t)
	name := regexp.MustCompile("`([^`]+)`")
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
				t.Errorf("STANDARDS.md:%d: %q without a test that shows it", i+1, state)
			}
		case "no":
		default:
			t.Errorf("STANDARDS.md:%d: the state is %q, not yes, partial or no", i+1, state)
		}
		for _, n := range named {
			if !tests[n[1]] && !scripts[n[1]] {
				t.Errorf("STANDARDS.md:%d: no test or script is called %q", i+1, n[1])
			}
		}
	}
	if rows < 20 {
		t.Errorf("only %d rows were found", rows)
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
