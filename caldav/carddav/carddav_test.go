package carddav

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-vcard"
)

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

const ann = `BEGIN:VCARD
VERSION:3.0
PRODID:-//t//EN
UID:ann-1
N:Doe\;Jr;Ann;;;
FN:Ann Doe
item1.EMAIL;TYPE=INTERNET,WORK;type=pref:ann@example.org
EMAIL;HOME:ann@home.example
item1.X-ABLabel:_$!<Work>!$_
ADR;LABEL="x;y:z";X-Q=^'hi^':;;12 Main St\, left;Köln;;50667;DE
CATEGORIES:friends,A\,B
NOTE:a long note that a program folded somewhere in the mid
 dle\Nof a word
END:VCARD
`

func TestParse(t *testing.T) {
	in := crlf(ann)
	c, err := Parse(in, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if string(c.Bytes()) != string(in) {
		t.Error("bytes changed")
	}
	test := func(name, want string) {
		t.Helper()
		if got := c.Value(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	test("UID", "ann-1")
	test("N", "Doe;Jr;Ann;;;")
	test("NOTE", "a long note that a program folded somewhere in the middle\nof a word")
	test("CATEGORIES", "friends,A,B")
	test("NICKNAME", "")
	e := c.Props[5]
	if e.Group != "ITEM1" || e.Name != "EMAIL" || len(e.Params) != 3 || e.Params[1] != (Param{"TYPE", "WORK"}) || e.Params[2] != (Param{"TYPE", "pref"}) {
		t.Errorf("EMAIL: %+v", e)
	}
	if e := c.Props[6]; e.Params[0] != (Param{"TYPE", "HOME"}) {
		t.Errorf("EMAIL as in 2.1: %+v", e)
	}
	if a := c.Props[8]; a.Params[0] != (Param{"LABEL", "x;y:z"}) || a.Params[1] != (Param{"X-Q", `"hi"`}) {
		t.Errorf("ADR: %+v", a)
	}
}

func TestParseRefusals(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		_, err := Parse([]byte(in), Limits{Bytes: 1000, Properties: 5, Params: 3})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", in, err, want)
		}
	}
	const begin, end = "BEGIN:VCARD\nVERSION:3.0\n", "END:VCARD\n"
	test("", "no vCard")
	test("hello", "no colon")
	test(":x", "no property")
	test("FN:x", "outside of the card")
	test(begin, "does not end")
	test(begin+end+begin+end, "line 4: a second card") // RFC 6352 §5.1
	test(begin+"BEGIN:VCARD\n"+end, "line 3: VCARD begins")
	test("BEGIN:VCALENDAR\nEND:VCALENDAR\n", "VCALENDAR begins")
	test(begin+"END:VCALENDAR\n", "END of VCALENDAR")
	test(begin+end+"FN:x\n", "outside of the card")
	test(begin+"FN;A=\"b:c\n"+end, "quote of A does not end")
	test(begin+"FN;=b:c\n"+end, "parameter without a name")
	test(begin+"FN;A=b\n"+end, "FN: no colon")
	test(begin+"FN;A=\"b\"c:1\n"+end, "FN: no colon")
	test(begin+"FN:a\xffb\n"+end, "not in UTF-8")
	test(begin+"FN:a\x00b\n"+end, "control character 0x00")
	test("BEGIN:VCARD\nVERSION:2.1\nEND:VCARD\n", `"2.1"`)
	test("BEGIN:VCARD\nFN:x\nEND:VCARD\n", "version")
	test(begin+strings.Repeat("X:1\n", 5)+end, "more than 5 properties")
	test(begin+"X;A=1,2,3,4:1\n"+end, "more than 3 parameters")
	test(begin+"X;A;B;C;D:1\n"+end, "more than 3 parameters")
	test(strings.Repeat("x", 1001), "more than 1000 octets")
	var v *VersionError
	if _, err := Parse([]byte("BEGIN:VCARD\nVERSION:2.1\nEND:VCARD\n"), Limits{}); !errors.As(err, &v) {
		t.Errorf("version 2.1: %v", err)
	}
	if _, err := Parse([]byte("\xef\xbb\xbf\n"+begin+"FN;;A=1;:x\n\n"+end+"\n"), Limits{}); err != nil {
		t.Errorf("byte order mark, blank lines, empty parameters: %v", err)
	}
}

func TestCheck(t *testing.T) {
	test := func(lines, want string) {
		t.Helper()
		c, err := Parse([]byte("BEGIN:VCARD\nVERSION:4.0\n"+lines+"END:VCARD\n"), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		err = c.Check()
		if got := ""; err != nil {
			got = err.Error()
			if want == "" || !strings.Contains(got, want) {
				t.Errorf("%q: %v, want %q", lines, err, want)
			}
		} else if want != "" {
			t.Errorf("%q: no error, want %q", lines, want)
		}
	}
	test("UID:1\nFN:Ann\n", "")
	test("FN:\n", "")
	test("N:Doe;Ann;;;\n", "")
	test("ORG:Example\n", "")
	test("N:;;;;\n", "neither FN")
	test("UID:1\n", "neither FN")
	test("FN:x\nUID:1\nUID:2\n", "more than one UID")
	test("FN:x\nVERSION:4.0\n", "more than one VERSION")
	test("FN:x\nUID:"+strings.Repeat("1", maxUID+1)+"\n", "UID is too long")
}

func TestWithUID(t *testing.T) {
	test := func(in, want string) {
		t.Helper()
		c, err := Parse([]byte(in), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got := c.WithUID("u-1\r\nX:1")
		if string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
		if again, err := Parse(got, Limits{}); err != nil || again.UID() != "u-1X:1" {
			t.Errorf("%q: %v", got, err)
		}
	}
	test("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nEND:VCARD\r\n", "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nUID:u-1X:1\r\nEND:VCARD\r\n")
	test("BEGIN:VCARD\nVERSION:3.0\nX-UID:\nUID:\nFN:x\nEND:VCARD", "BEGIN:VCARD\nVERSION:3.0\nX-UID:\nFN:x\nUID:u-1X:1\nEND:VCARD")
}

// Where go-vcard reads a card without loss, we read the same.
func TestAgreesWithGoVCard(t *testing.T) {
	in := string(crlf(`BEGIN:VCARD
VERSION:4.0
UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1
FN;PID=1.1:J. Doe
N:Doe;J.;;;
item1.EMAIL;TYPE=work;PREF=1:jdoe@example.com
NOTE:two\nlines\, and more
END:VCARD
`))
	theirs, err := vcard.NewDecoder(strings.NewReader(in)).Decode()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse([]byte(in), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.Props {
		f := theirs[p.Name]
		if len(f) != 1 || f[0].Value != p.Text() || !strings.EqualFold(f[0].Group, p.Group) {
			t.Errorf("%s: %q in %q, they have %+v", p.Name, p.Text(), p.Group, f)
			continue
		}
		for _, par := range p.Params {
			if f[0].Params.Get(par.Name) != par.Value {
				t.Errorf("%s;%s = %q, they have %q", p.Name, par.Name, par.Value, f[0].Params.Get(par.Name))
			}
		}
	}
	if len(theirs) != len(c.Props) {
		t.Errorf("%d properties, they have %d", len(c.Props), len(theirs))
	}
}

// go-vcard takes half a minute for this one: three megabytes in short lines.
func TestFoldedPhotoIsReadInTime(t *testing.T) {
	in := "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nPHOTO;ENCODING=b:" + strings.Repeat("QUJD\r\n ", 700_000) + "\r\nEND:VCARD\r\n"
	start := time.Now()
	c, err := Parse([]byte(in), Limits{})
	if err != nil || len(c.Value("PHOTO")) != 4*700_000 {
		t.Fatalf("%d octets, %v", len(c.Value("PHOTO")), err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(ann))
	f.Add(crlf(ann))
	f.Add([]byte("BEGIN:VCARD\nVERSION:4.0\n \n:x\nEND:VCARD"))
	f.Add([]byte("BEGIN:VCARD\r\nVERSION:3.0\r\nA.B;C=\"d\",e;F:g\r\n h\r\nUID:\r\n \r\nEND:VCARD"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		for i := range c.Props {
			if len(c.Props[i].head()) > len(c.Props[i].raw) {
				t.Error("head is longer than its line")
			}
		}
		// What every property gives back is read as the same properties.
		d := Data{}
		for i := range c.Props {
			d.Props = append(d.Props, PickProp{Name: c.Props[i].Name})
		}
		out, err := d.Of(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(out, Limits{})
		if err != nil || len(again.Props) != len(c.Props) {
			t.Fatalf("%q: %v", out, err)
		}
		for i := range c.Props {
			if c.Props[i].Name != again.Props[i].Name || c.Props[i].Value != again.Props[i].Value {
				t.Errorf("%+v became %+v", c.Props[i], again.Props[i])
			}
		}
		with, err := Parse(c.WithUID("u"), Limits{})
		if err != nil || with.UID() != "u" {
			t.Errorf("WithUID: %q, %v", c.WithUID("u"), err)
		}
	})
}
