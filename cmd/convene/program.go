package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/policy"
)

// Bounds of a program that rules of rooms ask.
const (
	programTime   = 20 * time.Second
	programOutput = 64 << 10 // octets
	// exitLater is the status by which it wants to be asked again (EX_TEMPFAIL of
	// sysexits.h).
	exitLater = 75
)

// checkProgram takes "NAME /path/to/program argument ...".
func checkProgram(s string) (string, error) {
	words := strings.Fields(s)
	if len(words) < 2 || !policy.ProgramName(words[0]) || !filepath.IsAbs(words[1]) {
		return "", errors.New(`is no program; write a name and an absolute path, as "visitors /usr/local/lib/convene/visitors"`)
	}
	if fi, err := os.Stat(words[1]); err != nil || fi.IsDir() || fi.Mode()&0o111 == 0 {
		return "", fmt.Errorf("names %s, which is no program that can be run", words[1])
	}
	return strings.Join(words, " "), nil
}

// programNames are what rules of rooms may call programs.
func (c *Config) programNames() (names []string) {
	for _, s := range c.Rooms.Programs {
		names = append(names, strings.Fields(s)[0])
	}
	return names
}

// knowsPrograms refuses rules that ask programs which the configuration does not
// name.
func (c *Config) knowsPrograms(rules string) error {
	p, err := policy.Parse(strings.Split(rules, "\n"))
	if err != nil {
		return err
	}
	for _, x := range p.Programs() {
		if !slices.Contains(c.programNames(), x.Name) {
			return fmt.Errorf("ask_program %s: [rooms] programs of the configuration names no such program", x.Name)
		}
	}
	return nil
}

// runProgram asks a program of the configuration. It gets the message on
// standard input, words of the configuration and of the rule as its arguments,
// and nothing of this process beside: what strangers wrote is in the message
// only, and in an address.
func (c *Config) runProgram(ctx context.Context, q scheduling.Consulted, log *slog.Logger) (string, error) {
	at := slices.IndexFunc(c.Rooms.Programs, func(s string) bool { return strings.HasPrefix(s, q.Program.Name+" ") })
	if at < 0 {
		return "", errors.New("the configuration does not name it")
	}
	words := strings.Fields(c.Rooms.Programs[at])
	ctx, cancel := context.WithTimeout(ctx, programTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[1], slices.Concat(words[2:], q.Program.Args)...)
	cmd.Dir = "/"
	cmd.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "CONVENE_PHASE=" + q.Phase, "CONVENE_ROOM=" + q.Room,
		"CONVENE_ORGANIZER=" + strings.ReplaceAll(q.Organizer, "\x00", ""), "CONVENE_ANSWER=" + q.Answer,
	}
	cmd.Stdin = bytes.NewReader(q.Body)
	out, said := &bounded{most: programOutput}, &bounded{most: 2000}
	cmd.Stdout, cmd.Stderr = out, said
	// What it has started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if cmd.Process != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	if errors.Is(err, exec.ErrWaitDelay) { // it ended well; what it left behind held its output open
		err = nil
	}
	if said.kept.Len() > 0 {
		log.Warn("a program says", "program", q.Program.Name, "room", q.Room, "text", strings.TrimSpace(said.kept.String()))
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("did not end within %s", programTime)
	case errors.As(err, &exit) && exit.ExitCode() == exitLater:
		return "", fmt.Errorf("%w: exit status %d", scheduling.ErrLater, exitLater)
	case err != nil:
		return "", err
	case out.over:
		return "", fmt.Errorf("wrote more than %d octets", programOutput)
	}
	return out.kept.String(), nil
}

// bounded keeps the beginning of what is written.
type bounded struct {
	kept bytes.Buffer
	most int
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.most - b.kept.Len()
	b.over = b.over || len(p) > room
	b.kept.Write(p[:min(room, len(p))])
	return len(p), nil
}
