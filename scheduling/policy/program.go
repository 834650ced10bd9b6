package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/convene-server/convene/scheduling/ics"
)

// Program is a program of the site that decides about what the other rules let
// pass, as imip-agent's scheduling functions of further modules do. It is asked
// outside of the transaction, by whoever keeps the answer; here only its name is
// known.
type Program struct {
	Name string
	Args []string
}

var programName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// ProgramName reports whether a program may be called so.
func ProgramName(s string) bool { return programName.MatchString(s) }

func readProgram(p *Policy, args []string) error {
	if len(args) == 0 || !ProgramName(args[0]) {
		return errors.New("takes the name of a program of the configuration")
	}
	p.programs = append(p.programs, Program{args[0], args[1:]})
	return nil
}

// Programs are asked about whatever the other rules let pass, one after the other.
func (p Policy) Programs() []Program { return p.programs }

// Verdict is what programs say.
type Verdict struct {
	By      string // the program that decided
	Whole   string // ACCEPTED, DECLINED or TENTATIVE
	Single  map[ics.RID]string
	Counter *Counter // another time, where there is only one occurrence
	Said    string   // beside it, for people
}

// longestVerdict bounds what of a program's words goes to people, in characters.
const longestVerdict = 1000

// ReadVerdict reads what a program writes: ACCEPTED, DECLINED, TENTATIVE or
// "COUNTER START/END" in UTC, in a line of its own; lines such as
//
//	DECLINED 20310210T100000Z
//
// below it about occurrences that are to be answered otherwise; then words for
// people, if there are any. Whatever else it writes is an error.
func ReadVerdict(by, out string) (Verdict, error) {
	v := Verdict{By: by}
	lines := strings.Split(strings.ReplaceAll(out, "\r\n", "\n"), "\n")
	for at, line := range lines {
		words := strings.Fields(line)
		known := len(words) > 0 && slices.Contains([]string{accepted, declined, tentatively, "COUNTER"}, words[0])
		switch {
		case !known && v.Whole == "":
			return v, fmt.Errorf("the first line is no verdict: %.80q", line)
		case !known:
			said := []rune(strings.TrimSpace(strings.ToValidUTF8(strings.Join(lines[at:], "\n"), "?")))
			v.Said = string(said[:min(len(said), longestVerdict)])
			return v, nil
		case len(words) == 1 && v.Whole == "" && words[0] != "COUNTER":
			v.Whole = words[0]
		case len(words) == 2 && v.Whole == "" && words[0] == "COUNTER":
			from, to, _ := strings.Cut(words[1], "/")
			start, err := time.Parse("20060102T150405Z", from)
			end, err2 := time.Parse("20060102T150405Z", to)
			if err != nil || err2 != nil || !end.After(start) {
				return v, fmt.Errorf("%q is no period", words[1])
			}
			v.Whole, v.Counter = declined, &Counter{Start: start, End: end}
		case len(words) == 2 && v.Whole != "" && v.Counter == nil && words[0] != "COUNTER":
			if v.Single == nil {
				v.Single = map[ics.RID]string{}
			}
			v.Single[ics.RID(words[1])] = words[0]
		default:
			return v, fmt.Errorf("%.80q is no verdict here", line)
		}
	}
	return v, nil
}

// Passes reports whether nothing stands against what was asked.
func (v Verdict) Passes() bool { return v.Whole == accepted && len(v.Single) == 0 }

// of is what it says about one occurrence.
func (v *Verdict) of(r ics.RID) string {
	if s, ok := v.Single[r]; ok {
		return s
	}
	return v.Whole
}

// ErrVerdict is wrapped by what is wrong with a verdict in the light of what was
// asked.
var ErrVerdict = errors.New("policy: the verdict does not fit")

// elsewhere lets the programs decide what all other rules let pass. While they
// are not asked yet it waits, and nobody else gets the time.
func (in *inquiry) elsewhere() error {
	if len(in.policy.programs) == 0 || !in.Unattended {
		return nil
	}
	v := in.Verdict
	if v != nil {
		for r := range v.Single {
			if !slices.ContainsFunc(in.occ, func(o occasion) bool { return o.RID == r }) {
				return fmt.Errorf("%w: there is no occurrence %.40q", ErrVerdict, r)
			}
		}
	}
	for _, o := range in.asked {
		if o.left || o.answer != accepted && o.answer != tentatively {
			continue
		}
		if v == nil {
			if in.waits == "" || o.answer == tentatively {
				in.waits = o.answer
			}
			o.answer, o.why, in.ask = tentatively, Reason{Text: "waits for a decision"}, false
			continue
		}
		why := Reason{Text: "decided by %s", Args: []any{v.By}, Said: v.Said}
		switch v.of(o.RID) {
		case accepted:
			if o.answer == accepted {
				o.why = why
			}
		case tentatively:
			o.answer, o.why = tentatively, why
		default:
			o.answer, o.why = declined, why
		}
	}
	if v == nil || v.Counter == nil {
		return nil
	}
	return in.another(*v.Counter)
}

// another takes the time that a program proposes, if it is free and the other
// rules allow it.
func (in *inquiry) another(c Counter) error {
	o := in.single()
	if o == nil || o.AllDay {
		return fmt.Errorf("%w: another time can be proposed for one timed occurrence only", ErrVerdict)
	}
	limit := 0
	for _, f := range in.conditions {
		if f, ok := f.(inFreeBusy); ok {
			limit = f.limit
		}
	}
	busy, err := in.Busy(ics.WantedIn(c.Start, c.End))
	if err != nil {
		return err
	}
	why, err := in.fits(c.Start, c.End)
	if err != nil {
		return err
	}
	if !c.Start.After(in.Now) || why.Text != "" || limit > 0 && newCalendar(busy).clash(c.Start, c.End, limit) {
		return nil // declined then, with its reason
	}
	c.RID, c.Hold = o.RID, in.policy.keep()
	in.other = &c
	return nil
}
