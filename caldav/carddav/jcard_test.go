package carddav

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// RFC 7095 §3, with the forms that its examples show.
func TestJCard(t *testing.T) {
	c := mustParse(t, crlf(`BEGIN:VCARD
VERSION:4.0
FN:John Doe
N:Doe;John;;;Dr.,Prof.
GENDER:M
CATEGORIES:computers,cameras\, old
ADR;LABEL="x^ny":;;123 Main\, Street;Any Town;CA;91921;
contact.TEL;VALUE=uri;TYPE=work,voice;PREF=1:tel:+1-555
TEL;TYPE="home,cell":+1-556
BDAY:--0412
ANNIVERSARY:20090808T143000-0500
REV:20191231T235959Z
LANG;PREF=1:fr
NOTE:two\nlines
X-ODD;VALUE=integer:7
X-RAW:a\,b
ORG:ABC\, Inc.;North
ORG:one,two
TZ;VALUE=utc-offset:-0500
X-AT;VALUE=time:102200Z
X-N;VALUE=float:NaN
NOTE;VALUE=odd type:kept
END:VCARD
`))
	const want = `["vcard",[
["version",{},"text","4.0"],
["fn",{},"text","John Doe"],
["n",{},"text",["Doe","John","","",["Dr.","Prof."]]],
["gender",{},"text","M"],
["categories",{},"text","computers","cameras, old"],
["adr",{"label":"x\ny"},"text",["","","123 Main, Street","Any Town","CA","91921",""]],
["tel",{"group":"contact","pref":"1","type":["work","voice"]},"uri","tel:+1-555"],
["tel",{"type":["home","cell"]},"text","+1-556"],
["bday",{},"date-and-or-time","--04-12"],
["anniversary",{},"date-and-or-time","2009-08-08T14:30:00-05:00"],
["rev",{},"timestamp","2019-12-31T23:59:59Z"],
["lang",{"pref":"1"},"language-tag","fr"],
["note",{},"text","two\nlines"],
["x-odd",{},"integer",7],
["x-raw",{},"unknown","a\\,b"],
["org",{},"text",["ABC, Inc.","North"]],
["org",{},"text",[["one","two"]]],
["tz",{},"utc-offset","-05:00"],
["x-at",{},"time","10:22:00Z"],
["x-n",{},"float","NaN"],
["note",{},"text","kept"]
]]`
	got, err := c.JCard()
	if err != nil {
		t.Fatal(err)
	}
	var flat bytes.Buffer
	if err := json.Compact(&flat, []byte(want)); err != nil {
		t.Fatal(err)
	}
	if string(got) != flat.String() {
		t.Errorf("%s\nwant\n%s", got, flat.String())
	}
	if back, err := ParseJCard(got, Limits{}); err != nil {
		t.Error(err)
	} else if again, err := back.JCard(); err != nil || !bytes.Equal(got, again) {
		t.Errorf("%s\nbecame\n%s\nand\n%s %v", got, back.Bytes(), again, err)
	}
	// One of 3.0 is made of its 4.0.
	three := mustParse(t, crlf("BEGIN:VCARD\nVERSION:3.0\nN:x;;;;\nFN:x\nPHOTO;ENCODING=b;TYPE=PNG:AAAA\nEND:VCARD\n"))
	got, err = three.JCard()
	if err != nil || string(got) != `["vcard",[["version",{},"text","4.0"],["n",{},"text",["x","","","",""]],["fn",{},"text","x"],["photo",{},"uri","data:image/png;base64,AAAA"]]]` {
		t.Errorf("%s %v", got, err)
	}
}

// A jCard is stored as the vCard 4.0 that says the same.
func TestParseJCard(t *testing.T) {
	c, err := ParseJCard([]byte(`["vcard",[
["version",{},"text","4.0"],
["uid",{},"uri","urn:uuid:a"],
["fn",{},"text","Ann; \"Q\", \\ and\nmore"],
["n",{},"text",["Doe, J.",["a","b"],"","",""]],
["nickname",{},"text","x","y, z"],
["tel",{"type":["home","voice"],"pref":"1","group":"item1","x-note":"a^\nb:c"},"uri","tel:+1-555"],
["bday",{},"date-and-or-time","1980-04-12"],
["anniversary",{},"date-time","2009-08-08T14:30:00-05:00"],
["tz",{},"utc-offset","-05:00"],
["x-flag",{},"boolean",true],
["x-count",{},"integer",7,8],
["x-raw",{},"unknown","a\\,b"]]]`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := crlf(`BEGIN:VCARD
VERSION:4.0
UID:urn:uuid:a
FN:Ann\; "Q"\, \\ and\nmore
N:Doe\, J.;a,b;;;
NICKNAME:x,y\, z
ITEM1.TEL;PREF=1;TYPE=home,voice;X-NOTE="a^^^nb:c";VALUE=uri:tel:+1-555
BDAY:19800412
ANNIVERSARY;VALUE=date-time:20090808T143000-0500
TZ;VALUE=utc-offset:-0500
X-FLAG;VALUE=boolean:TRUE
X-COUNT;VALUE=integer:7,8
X-RAW:a\,b
END:VCARD
`)
	if !bytes.Equal(c.Bytes(), want) {
		t.Errorf("%s", c.Bytes())
	}
	if p := c.Props[5]; p.param("X-NOTE") != "a^\nb:c" || p.Group != "ITEM1" {
		t.Errorf("%+v", p)
	}
}

// What is no jCard is refused, and nothing in it begins a line of its own.
func TestParseJCardRefused(t *testing.T) {
	test := func(text string) {
		t.Helper()
		if c, err := ParseJCard([]byte(text), Limits{Properties: 9}); err == nil {
			t.Errorf("%s was read as\n%s", text, c.Bytes())
		}
	}
	with := func(prop string) {
		t.Helper()
		test(`["vcard",[["version",{},"text","4.0"],["fn",{},"text","x"],` + prop + `]]`)
	}
	for _, s := range []string{``, `{}`, `null`, `"vcard"`, `["vcard"]`, `["vcalendar",[["version",{},"text","4.0"]]]`, `["vcard",[],[]]`, `["vcard",[]]`, `["vcard",null]`,
		`["vcard",[["fn",{},"text","x"],["version",{},"text","4.0"]]]`, `["vcard",[["version",{},"text","3.0"]]]`, `["vcard",[["version",{},"text","4.0"]]] x`,
		`["vcard",[["version",{},"text","4.0"]` + strings.Repeat(`,["fn",{},"text","x"]`, 9) + `]]`, strings.Repeat("[", 100_000)} {
		test(s)
	}
	for _, s := range []string{`[]`, `["fn",{},"text"]`, `["fn",null,"text","x"]`, `["fn",[],"text","x"]`, `["fn",{},"text",null]`, `["fn",{},"text",{}]`, `["fn",{},"text",[[["x"]]]]`,
		`["fn",{},"text",[]]`, `["f\nn",{},"text","x"]`, `["",{},"text","x"]`, `["begin",{},"text","VCARD"]`, `["end",{},"text","VCARD"]`, `["fn",{},"te\nxt","x"]`, `["fn",{},"","x"]`,
		`["fn",{"a\nb":"c"},"text","x"]`, `["fn",{"a":"b\rc"},"text","x"]`, `["fn",{"a":[]},"text","x"]`, `["fn",{"a":1},"text","x"]`, `["fn",{"value":"uri"},"text","x"]`,
		`["fn",{"group":["a","b"]},"text","x"]`, `["fn",{"group":"a.b"},"text","x"]`, `["url",{},"uri","http://a\nUID:b"]`, `["x-a",{},"unknown","a\r\nUID:b"]`, `["note",{},"text","a\u0000b"]`} {
		with(s)
	}
}

// FuzzJCard: what Parse reads goes to jCard and back, and says the same then.
func FuzzJCard(f *testing.F) {
	for _, s := range []string{
		"FN:a\\, b\nN:a;b,c;;;\nORG:a,b\nitem1.TEL;TYPE=\"a,b\",c;GROUP=x;PREF=1:1\nNOTE;X-A=^n^^^':\\;\\x\\",
		"BDAY:19800412\nREV:20200101T000000+0100\nANNIVERSARY:T102200Z\nTZ:-0500\nTZ;VALUE=utc-offset:-0500\nX;VALUE=boolean:true\nX;VALUE=INTEGER:007\nX;VALUE=float:1.50",
		"ADR;VALUE=uri:a;b\nNICKNAME;VALUE=x y:a,b\nNOTE;VALUE=unknown:a\nGENDER:\nCLIENTPIDMAP:1;urn:uuid:a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		c, err := Parse([]byte("BEGIN:VCARD\nVERSION:4.0\n"+body+"\nEND:VCARD\n"), Limits{Bytes: 1 << 16})
		if err != nil || c.Version() != "4.0" {
			return
		}
		first, err := c.JCard()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseJCard(first, Limits{})
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		if again, err := back.JCard(); err != nil || !bytes.Equal(first, again) {
			t.Fatalf("%s\nbecame\n%s\nand\n%s", first, back.Bytes(), again)
		}
	})
}
