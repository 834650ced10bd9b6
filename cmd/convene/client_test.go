package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
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

// evolution-data-server, which stands behind Evolution and GNOME's programs,
// driven over D-Bus.
func TestEvolution(t *testing.T) {
	const python = "/usr/bin/python3"
	needs(t, exec.Command(python, "-c", "import gi; gi.require_version('ECal', '2.0'); gi.require_version('EBook', '1.2')").Run() == nil, "no gir1.2-ecal-2.0 and gir1.2-ebook-1.2")
	_, err := exec.LookPath("dbus-run-session")
	needs(t, err == nil, "no dbus-run-session")
	onBoth(t, func(t *testing.T, dsn string) {
		_, relay := startSink(t, false)
		h := startHouse(t, dsn, "127.0.0.1:0", "", relay)
		// Not t.TempDir: what a service writes while it ends is no failure.
		home, err := os.MkdirTemp("", "convene-evolution-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(home) })
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "dbus-run-session", "--", python, "-B", "testdata/evolution.py", h.Config.HTTP.PublicURL+"/")
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "LC_ALL=C.UTF-8", "TZ=UTC",
			"GIO_USE_NETWORK_MONITOR=base", // which takes the loopback for a network
			"GIO_USE_VFS=local", "GSETTINGS_BACKEND=memory",
		}
		// The services that the session's bus has started end with it, but for
		// those that are at work: they must not hold up the test.
		cmd.WaitDelay = 5 * time.Second
		out, err := cmd.CombinedOutput()
		if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}

// Thunderbird without a window, driven over Marionette.
func TestThunderbird(t *testing.T) {
	_, err := exec.LookPath("thunderbird")
	needs(t, err == nil, "no thunderbird")
	onBoth(t, func(t *testing.T, dsn string) {
		_, relay := startSink(t, false)
		h := startHouse(t, dsn, "127.0.0.1:0", "", relay)
		profile, err := os.MkdirTemp("", "convene-thunderbird-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(profile) })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "/usr/bin/python3", "-B", "testdata/thunderbird.py", h.Config.HTTP.PublicURL+"/", profile)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = 5 * time.Second
		out, err := cmd.CombinedOutput()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // Thunderbird, if the script failed
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}
