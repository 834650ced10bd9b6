package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db/dbtest"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"convene": main})
}

// TestScripts runs the command line as its users do, on both databases:
// testdata/*.txtar. A script finds a configuration over a fresh database in
// convene.toml of its folder.
func TestScripts(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir:                 "testdata",
				RequireExplicitExec: true,
				Setup: func(e *testscript.Env) error {
					tb := e.T().(testing.TB)
					e.Setenv("DSN", dbtest.Empty(tb, kind))
					e.Setenv("HTTP", freeAddr(tb))
					e.Setenv("LMTP", freeAddr(tb))
					e.Setenv("RELAY", freeAddr(tb)) // nobody answers there
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"exits":   exits,
					"expand":  expandFile,
					"healthy": healthy,
					"dav":     dav,
					"get":     get,
				},
			})
		})
	}
}

// exits runs a command and demands its exit status: exits 2 convene user add.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ee, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = ee.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// expandFile replaces $DSN and the like in files: expand convene.toml.
func expandFile(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range args {
		text := ts.ReadFile(file)
		for _, name := range []string{"DSN", "HTTP", "LMTP", "RELAY"} {
			text = strings.ReplaceAll(text, "$"+name, ts.Getenv(name))
		}
		writeFile(ts, file, text)
	}
}

// healthy waits until the server at an address answers.
func healthy(ts *testscript.TestScript, neg bool, args []string) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get("http://" + args[0] + "/healthz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			ts.Fatalf("%s does not answer: %v", args[0], err)
		}
	}
}

func writeFile(ts *testscript.TestScript, file, text string) {
	ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
}

// dav makes one request to the server: dav STATUS USER PASSWORD METHOD PATH.
func dav(ts *testscript.TestScript, neg bool, args []string) {
	request(ts, args[0], davClient{"http://" + ts.Getenv("HTTP"), args[1], args[2]}, args[3], args[4])
}

// get makes one without a log-in: get STATUS PATH. The answer is the script's
// standard output.
func get(ts *testscript.TestScript, neg bool, args []string) {
	request(ts, args[0], davClient{base: "http://" + ts.Getenv("HTTP")}, "GET", args[1])
}

func request(ts *testscript.TestScript, want string, c davClient, method, path string) {
	status, _, body, err := c.do(context.Background(), method, path, "", "Depth", "0")
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), body)
	if strconv.Itoa(status) != want {
		ts.Fatalf("%s %s: %d, want %s\n%s", method, path, status, want, body)
	}
}
