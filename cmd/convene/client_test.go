package main

import (
	"os/exec"
	"testing"
)

// python-caldav as Debian has it, against a server on either database.
func TestPythonCalDAV(t *testing.T) {
	const python = "/usr/bin/python3" // the one that sees Debian's packages
	needs(t, exec.Command(python, "-c", "import caldav").Run() == nil, "no python3-caldav")
	onBoth(t, func(t *testing.T, dsn string) {
		_, relay := startSink(t, false)
		h := startHouse(t, dsn, "127.0.0.1:0", "", relay)
		cmd := exec.CommandContext(t.Context(), python, "testdata/python_caldav.py", h.Config.HTTP.PublicURL+"/")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}
