package caldav

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// What was asked before means the same as when it is read anew; what cannot be
// read is refused each time; and only so much is kept.
func TestAsked(t *testing.T) {
	var a asked
	parse := func(body string) (string, error) {
		root, err := a.parse(strings.NewReader(body), len(body))
		if root == nil {
			return "", err
		}
		return root.Name.Space + " " + root.Name.Local, err
	}
	for range 2 {
		if got, err := parse(`<propfind xmlns="DAV:"><allprop/></propfind>`); got != "DAV: propfind" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if got, err := parse(`<propfind xmlns="DAV:"><propname/></propfind>`); got != "DAV: propfind" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if got, err := parse(" \n"); got != "" || err != nil {
			t.Errorf("an empty body: got %q, %v", got, err)
		}
		if _, err := parse(`<propfind xmlns="DAV:">`); err == nil {
			t.Error("half of a body was taken")
		}
	}
	all, _ := a.parse(strings.NewReader(`<propfind xmlns="DAV:"><allprop/></propfind>`), 44)
	again, _ := a.parse(strings.NewReader(`<propfind xmlns="DAV:"><allprop/></propfind>`), 44)
	if all == nil || all != again {
		t.Error("what was asked before was read anew")
	}
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader(`<propfind xmlns="DAV:"><allprop/>`), iotest.ErrReader(broken))
	if root, err := a.parse(r, 44); err == nil {
		t.Errorf("a body that broke off: %v", root)
	}
	for i := range 3 * mostAsked {
		parse(fmt.Sprintf(`<a%d/>`, i))
	}
	if len(a.parsed) > mostAsked {
		t.Errorf("%d bodies are kept", len(a.parsed))
	}
}
