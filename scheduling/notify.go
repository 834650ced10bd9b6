package scheduling

import (
	"slices"
	"strings"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/scheduling/itip"
	"github.com/convene-server/convene/scheduling/policy"
)

// notify mails those who are to be told what an agent did (ACT_..._AND_NOTIFY):
// the owners of a room or a resource, a person himself. No calendar program
// would show it to them, so somebody here gets it unless he wants no mail copies
// at all.
func (s *sitting) notify(p db.Principal, rules policy.Policy, msg itip.Message) {
	owners := rules.Owners()
	if p.Kind == db.Person {
		owners = []cuaddr.Address{cuaddr.Mailto(p.Address)}
	}
	l := &letter{Message: msg, from: p, door: "agent", rule: "told as the rules say"}
	told := map[string]bool{}
	tell := func(a cuaddr.Address) {
		pr := s.find(a)
		if pr != nil && (pr.Kind != db.Person || pr.MailCopies == "never") {
			return
		}
		if pr != nil {
			a = cuaddr.Mailto(pr.Address)
		}
		if !told[a.Fold()] {
			told[a.Fold()] = true
			s.mail(l, a, nil, true)
		}
	}
	for _, o := range owners {
		tell(o)
		for _, m := range s.inGroup(o) {
			tell(m.Address)
		}
	}
}

// heeds obeys what the rules of a person say of a message that asks for no
// answer: whether what was called off goes out of his calendar
// (ACT_CANCEL_DELETE), and whether he is told of it by mail.
func (s *sitting) heeds(p db.Principal, method itip.Method, from cuaddr.Address, out *itip.Outcome) (tell bool) {
	if p.Kind != db.Person || !agent(p) || out.Object == nil {
		return false
	}
	kind := out.Object.Kind()
	switch method {
	case itip.Reply:
		tell = s.rules(p).Answered(kind, from).Notify
	case itip.Cancel:
		do := s.rules(p).CalledOff(kind, from)
		tell = do.Notify
		stands := func(c *ics.Component) bool { return !strings.EqualFold(c.Value("STATUS"), "CANCELLED") }
		if do.Forget && !slices.ContainsFunc(out.Object.Main(), stands) {
			out.Object, out.Remove = nil, true
		}
	}
	return tell && p.MailCopies != "never"
}

// published makes of a copy what tells of it and asks for nothing (RFC 5546
// §3.2.1: without attendees).
func published(o *ics.Object) *ics.Object {
	root := o.Root().Clone()
	root.Set(ics.NewProp("METHOD", string(itip.Publish)))
	for _, c := range root.Children {
		c.Remove("ATTENDEE")
	}
	return ics.New(root)
}
