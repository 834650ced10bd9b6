package convene

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What comments call "decision 7" or "STORAGE 5" stands in these documents.
func TestReferences(t *testing.T) {
	numbers := func(file string) map[string]bool {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^(\d+)\. `).FindAllStringSubmatch(string(text), -1) {
			all[m[1]] = true
		}
		return all
	}
	for _, doc := range []struct{ file, name string }{{"DECISIONS.md", `decisions?`}, {"db/STORAGE.md", `STORAGE`}} {
		have := numbers(doc.file)
		named := regexp.MustCompile(doc.name + `\s(?://\s)?(\d+)((?:, \d+)*)\b`)
		seen := 0
		err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if ext := filepath.Ext(path); ext != ".go" && ext != ".sql" && ext != ".md" {
				return nil
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range named.FindAllStringSubmatch(string(text), -1) {
				for _, n := range append([]string{m[1]}, strings.Split(strings.TrimPrefix(m[2], ", "), ", ")...) {
					if seen++; n != "" && !have[n] {
						t.Errorf("%s: %s: there is no %s in %s", path, m[0], n, doc.file)
					}
				}
			}
			return nil
		})
		if err != nil || seen < 50 {
			t.Errorf("%s: %d references, %v", doc.file, seen, err)
		}
	}
}
