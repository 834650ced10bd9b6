package policy

import (
	"maps"
	"strings"
	"testing"

	"github.com/convene-server/convene/scheduling/ics"
)

func TestReadVerdict(t *testing.T) {
	test := func(out, whole, said string, single map[ics.RID]string) {
		t.Helper()
		v, err := ReadVerdict("desk", out)
		if err != nil || v.By != "desk" || v.Whole != whole || v.Said != said || !maps.Equal(v.Single, single) {
			t.Errorf("%q: %+v %v", out, v, err)
		}
	}
	test("ACCEPTED", "ACCEPTED", "", nil)
	test("ACCEPTED\r\n", "ACCEPTED", "", nil)
	test("DECLINED\nNo parties,\nplease\n", "DECLINED", "No parties,\nplease", nil)
	test("TENTATIVE\n\nNot yet", "TENTATIVE", "Not yet", nil)
	test("ACCEPTED\nDECLINED 20310210T100000Z\nTENTATIVE 20310217T100000Z\nPainted", "ACCEPTED", "Painted",
		map[ics.RID]string{"20310210T100000Z": "DECLINED", "20310217T100000Z": "TENTATIVE"})
	test("DECLINED\n"+strings.Repeat("ä", 3000), "DECLINED", strings.Repeat("ä", longestVerdict), nil)
	test("DECLINED\nsay \xff", "DECLINED", "say ?", nil)

	v, err := ReadVerdict("desk", "COUNTER 20310203T120000Z/20310203T130000Z\nThen it is warm")
	if err != nil || v.Whole != "DECLINED" || v.Counter == nil || v.Counter.End.Sub(v.Counter.Start).Hours() != 1 || v.Said != "Then it is warm" || v.Passes() {
		t.Errorf("%+v %v", v, err)
	}

	for _, bad := range []string{
		"", "\nACCEPTED", "yes", "accepted", "Perhaps\nACCEPTED", "ACCEPTED 20310210T100000Z", "ACCEPTED\nDECLINED", "COUNTER", "COUNTER tomorrow",
		"COUNTER 20310203T130000Z/20310203T120000Z", "ACCEPTED\nCOUNTER 20310203T120000Z/20310203T130000Z", "ACCEPTED\nDECLINED a b",
		"COUNTER 20310203T120000Z/20310203T130000Z\nACCEPTED 20310210T100000Z",
	} {
		if v, err := ReadVerdict("desk", bad); err == nil {
			t.Errorf("%q is taken for %+v", bad, v)
		}
	}
}

func TestProgramRule(t *testing.T) {
	p, err := Parse([]string{"ask_program desk --strict x", "ask_program other"})
	if err != nil || len(p.Programs()) != 2 || p.Programs()[0].Name != "desk" || len(p.Programs()[0].Args) != 2 {
		t.Errorf("%+v %v", p.Programs(), err)
	}
	for _, bad := range []string{"ask_program", "ask_program /bin/sh", "ask_program ../x", "ask_program -c"} {
		if _, err := Parse([]string{bad}); err == nil {
			t.Errorf("%q is a rule", bad)
		}
	}
}
