package carddav

import (
	"bytes"
	"encoding/json"
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
BDAY:--0412
ANNIVERSARY:20090808T143000-0500
REV:20191231T235959Z
LANG;PREF=1:fr
NOTE:two\nlines
X-ODD;VALUE=integer:7
X-RAW:a\,b
ORG:ABC\, Inc.;North
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
["bday",{},"date-and-or-time","--04-12"],
["anniversary",{},"date-and-or-time","2009-08-08T14:30:00-0500"],
["rev",{},"timestamp","2019-12-31T23:59:59Z"],
["lang",{"pref":"1"},"language-tag","fr"],
["note",{},"text","two\nlines"],
["x-odd",{},"integer",7],
["x-raw",{},"unknown","a\\,b"],
["org",{},"text",["ABC, Inc.","North"]]
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
	// One of 3.0 is made of its 4.0.
	three := mustParse(t, crlf("BEGIN:VCARD\nVERSION:3.0\nN:x;;;;\nFN:x\nPHOTO;ENCODING=b;TYPE=PNG:AAAA\nEND:VCARD\n"))
	got, err = three.JCard()
	if err != nil || string(got) != `["vcard",[["version",{},"text","4.0"],["n",{},"text",["x","","","",""]],["fn",{},"text","x"],["photo",{},"uri","data:image/png;base64,AAAA"]]]` {
		t.Errorf("%s %v", got, err)
	}
}
