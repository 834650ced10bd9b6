package caldav

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The five suites of litmus, as they are, against a plain collection in a
// calendar home.
func TestLitmus(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		cmd := exec.Command("litmus", "-k", h.http.URL+"/dav/calendars/"+ann+"/", ann, "secret")
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		done := regexp.MustCompile("summary for `(\\w+)': of (\\d+) tests run: (\\d+) passed, 0 failed").FindAllStringSubmatch(string(out), -1)
		var suites []string
		for _, m := range done {
			suites = append(suites, m[1])
			if m[2] != m[3] {
				t.Errorf("%s: %s of %s tests passed", m[1], m[3], m[2])
			}
		}
		if got := strings.Join(suites, " "); got != "basic copymove props locks http" {
			t.Errorf("suites that passed: %s\n%s", got, out)
		}
		if strings.Contains(string(out), "WARNING") {
			t.Errorf("warnings:\n%s", out)
		}
	})
}
