package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/policy"
)

// A program gets what it is to decide about and nothing else, and is bounded in
// all that it does.
func TestRunProgram(t *testing.T) {
	dir := t.TempDir()
	run := func(ctx context.Context, script string, args ...string) (string, error) {
		t.Helper()
		path := filepath.Join(dir, "program")
		if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		var c Config
		c.Rooms.Programs = []string{"desk /bin/sh " + path + " fixed"}
		return c.runProgram(ctx, scheduling.Consulted{
			Phase: scheduling.Schedule, Program: policy.Program{Name: "desk", Args: args}, Room: "blue@example.org", Organizer: "ann@example.org\x00", Answer: "ACCEPTED", Body: []byte("BEGIN:VCALENDAR\r\n"),
		}, slog.New(slog.DiscardHandler))
	}
	t.Setenv("SECRET", "of this process")
	out, err := run(t.Context(), `cat; echo "$@"; pwd; env | sort`, "a;b", "$(id)")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"BEGIN:VCALENDAR\r\n", "fixed a;b $(id)\n", "\n/\n", "CONVENE_PHASE=schedule\n", "CONVENE_ROOM=blue@example.org\n", "CONVENE_ORGANIZER=ann@example.org\n", "CONVENE_ANSWER=ACCEPTED\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %q", want, out)
		}
	}
	if strings.Contains(out, "SECRET") {
		t.Error("it sees the server's environment")
	}
	if _, err := run(t.Context(), "exit 75"); !errors.Is(err, scheduling.ErrLater) {
		t.Error(err)
	}
	if _, err := run(t.Context(), "echo ACCEPTED; exit 1"); err == nil || errors.Is(err, scheduling.ErrLater) {
		t.Error(err)
	}
	if _, err := run(t.Context(), "echo ACCEPTED; head -c 70000 /dev/zero"); err == nil || !strings.Contains(err.Error(), "wrote more than") {
		t.Error(err)
	}
	if _, err := run(t.Context(), "exec 0<&-; echo ACCEPTED"); err != nil { // it need not read
		t.Error(err)
	}
	// One that leaves something behind has decided; what it left is ended.
	out, err = run(t.Context(), "sleep 1000 & echo $!")
	if err != nil {
		t.Error(err)
	}
	stat := "/proc/" + strings.TrimSpace(out) + "/stat"
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if b, err := os.ReadFile(stat); err != nil || strings.Contains(string(b), ") Z ") {
			break
		}
		if time.Now().After(end) {
			t.Error("what it left behind still runs")
			break
		}
	}
	// One that does not end is ended, with what it has started.
	ctx, cancel := context.WithCancel(t.Context())
	fifo := filepath.Join(dir, "started")
	go func() {
		for {
			if _, err := os.Stat(fifo); err == nil {
				cancel()
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if _, err := run(ctx, "sleep 1000 & touch "+fifo+"; wait"); err == nil {
		t.Error("it ended")
	}
	var none Config
	if _, err := none.runProgram(t.Context(), scheduling.Consulted{Program: policy.Program{Name: "desk"}}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a program that the configuration does not name ran")
	}
}

func TestProgramsOfConfiguration(t *testing.T) {
	test := func(keys, want string) {
		t.Helper()
		_, err := parseConfig("test", "domains = [\"example.org\"]\n"+keys)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", keys, err, want)
		}
	}
	test("[rooms]\nprograms = [\"desk /bin/sh -c true\", \"other /bin/cat\"]\npolicy = [\"ask_program desk\"]", "")
	test("[rooms]\nprograms = [\"desk sh\"]", "absolute path")
	test("[rooms]\nprograms = [\"/bin/sh\"]", "absolute path")
	test("[rooms]\nprograms = [\"desk /etc/passwd\"]", "no program that can be run")
	test("[rooms]\nprograms = [\"desk /bin\"]", "no program that can be run")
	test("[rooms]\nprograms = [\"desk /bin/sh\", \"desk /bin/cat\"]", "there twice")
	test("[rooms]\npolicy = [\"ask_program desk\"]", "names no such program")
	test("[rooms]\nprograms = [\"desk /bin/sh\"]\n[people]\npolicy = [\"ask_program desk\"]", "for rooms and resources")
}
