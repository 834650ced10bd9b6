package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The unit for systemd is one that systemd understands as it is, whole.
func TestUnit(t *testing.T) {
	_, err := exec.LookPath("systemd-analyze")
	needs(t, err == nil, "no systemd-analyze")
	text, err := os.ReadFile("../../deploy/systemd/convene.service")
	if err != nil {
		t.Fatal(err)
	}
	// The program need not be installed where the tests run.
	const program = "/usr/local/bin/convene"
	if strings.Count(string(text), "ExecStart="+program+" ") != 1 {
		t.Fatal("the unit starts something else")
	}
	unit := filepath.Join(t.TempDir(), "convene.service")
	if err := os.WriteFile(unit, []byte(strings.Replace(string(text), "="+program+" ", "=/bin/true ", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
