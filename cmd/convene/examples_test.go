package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Every command's help has an example, which the command understands.
func TestExamples(t *testing.T) {
	parser, err := kong.New(newCLI(), kong.Name("convene"), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	withExamples(parser)
	word := regexp.MustCompile(`"[^"]*"|\S+`)
	for _, command := range parser.Model.Leaves(false) {
		_, example, ok := strings.Cut(command.Detail, "\n\n    convene ")
		if !ok {
			t.Errorf("%s has no example", command.FullPath())
			continue
		}
		example, _, _ = strings.Cut(example, " <")
		example, _, _ = strings.Cut(example, " >")
		var args []string
		for _, w := range word.FindAllString(example, -1) {
			args = append(args, strings.Trim(w, `"`))
		}
		fresh, err := kong.New(newCLI(), kong.Name("convene"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := fresh.Parse(args); err != nil {
			t.Errorf("%q: %v", args, err)
		} else if "convene "+strings.Join(args[:len(strings.Fields(command.FullPath()))-1], " ") != command.FullPath() || !strings.HasPrefix(got.Command(), args[0]) {
			t.Errorf("%q is shown for %s", args, command.FullPath())
		}
	}
	var out bytes.Buffer
	if status := run(env{stdout: &out, stderr: &out}, []string{"why", "--help"}); status != 0 || !strings.Contains(out.String(), "\n    convene why \"<20260301.1@example.net>\"\n") {
		t.Errorf("%d %s", status, out.String())
	}
	for words := range examples {
		if !strings.HasPrefix(examples[words]+" ", "convene "+words+" ") {
			t.Errorf("%s: %s", words, examples[words])
		}
	}
}
