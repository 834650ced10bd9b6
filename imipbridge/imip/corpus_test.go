package imip

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// TestCorpus reads what mail and calendar programs send, in the shape of each:
// testdata/corpus/PROGRAM.txtar holds NAME.eml and beside it NAME.want, what must
// come of it, a line each:
//
//	from: ADDRESS            header From
//	senders: N               if they are not one
//	automatic                nobody wrote it
//	METHOD UID start=... [one] organizer=ADDRESS guests=N [summary=...]
//	METHOD UID start=... [one] ADDRESS=PARTSTAT
//	                         a message; one: of an occurrence
//	repaired: ...            what was mended
//	problem                  a calendar that cannot be read
//	failed: ADDRESS STATUS   a mail that was not delivered
//	worded: ACTION STATUS    what a mail server says in words alone of a mail of ours
//	none: handed on          no message in it
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/corpus/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	mails := 0
	for _, file := range files {
		program := strings.TrimSuffix(filepath.Base(file), ".txtar")
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(a.Files); i += 2 {
			mail, want := a.Files[i], a.Files[i+1]
			name := strings.TrimSuffix(mail.Name, ".eml")
			if mail.Name != name+".eml" || want.Name != name+".want" {
				t.Fatalf("%s: %s beside %s", file, mail.Name, want.Name)
			}
			mails++
			t.Run(program+"/"+name, func(t *testing.T) {
				lines := strings.Split(strings.TrimSpace(string(want.Data)), "\n")
				m, err := Parse(crlf(string(mail.Data)), received, Limits{})
				if err != nil {
					t.Fatal(err)
				}
				got := outcome(m, strings.Contains(string(want.Data), " summary="))
				slices.Sort(lines)
				slices.Sort(got)
				if !slices.Equal(got, lines) {
					t.Errorf("got\n\t%s\nwant\n\t%s\nproblems %q", strings.Join(got, "\n\t"), strings.Join(lines, "\n\t"), m.Problems)
				}
			})
		}
	}
	if mails < 200 || len(files) < 12 {
		t.Errorf("%d mails of %d programs", mails, len(files))
	}
}

// outcome words what was found in a mail as the corpus does.
func outcome(m *Mail, summaries bool) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	add("from: %s", strings.ToLower(m.From.Address.Mail()))
	if m.Froms != 1 {
		add("senders: %d", m.Froms)
	}
	if m.Automatic() {
		add("automatic")
	}
	if len(m.Problems) > 0 {
		add("problem")
	}
	for _, r := range m.Repairs {
		add("repaired: %s", r)
	}
	if m.Report != nil {
		for _, r := range m.Report.Recipients {
			if d := m.Report.Failed(r.Final); d != nil {
				add("failed: %s %s", d.Final.Mail(), d.Status)
			}
		}
	}
	if w := m.Worded(cuaddr.Address{}); w != nil {
		add("worded: %s %s", w.Recipients[0].Action, w.Recipients[0].Status)
	}
	if len(m.Objects) == 0 {
		add("none: handed on")
	}
	for _, o := range m.Objects {
		c := o.First()
		line := o.Method() + " " + o.UID()
		if p := c.Prop("DTSTART"); p != nil {
			switch at, err := o.PropTime(p); {
			case err != nil:
				line += " start=" + err.Error()
			case at.Form == ics.Date:
				line += at.Wall.Format(" start=2006-01-02")
			default:
				line += at.At(time.FixedZone("nowhere", 5*3600+1234)).Format(" start=2006-01-02T15:04Z")
			}
		}
		if c.Prop("RECURRENCE-ID") != nil {
			line += " one"
		}
		if fromOrganizer(o.Method()) {
			line += fmt.Sprintf(" organizer=%s guests=%d", ics.Organizer(c).Mail(), len(ics.Attendees(c)))
			if summaries {
				line += " summary=" + c.Text("SUMMARY")
			}
		} else {
			for _, a := range ics.Attendees(c) {
				line += " " + ics.CalAddress(a).Mail() + "=" + ics.PartStat(a)
			}
		}
		lines = append(lines, line)
	}
	return lines
}
