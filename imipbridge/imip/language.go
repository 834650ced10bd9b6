package imip

import (
	"strconv"
	"strings"
	"time"

	"github.com/convene-server/convene/words"
)

// speech words dates, lists and rules in one language.
type speech struct{ *words.Language }

// speak returns the words of a language, nil being English.
func speak(l *words.Language) speech {
	if l == nil {
		l = words.Default().For("")
	}
	return speech{l}
}

var (
	weekdays   = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	ordinals   = []string{"first", "second", "third", "fourth", "fifth"}
	weekdayNos = map[string]int{"SU": 0, "MO": 1, "TU": 2, "WE": 3, "TH": 4, "FR": 5, "SA": 6}
)

// date words a day, with its day of the week if that is wanted.
func (s speech) date(t time.Time, weekday bool) string {
	context := "date"
	if t.Day() == 1 { // "1er février"
		context = "first of a month"
	}
	date := s.In(context, "%d %s %d", t.Day(), s.In("month", t.Month().String()), t.Year())
	if !weekday {
		return date
	}
	return s.In("weekday and date", "%s, %s", s.In("weekday", weekdays[t.Weekday()]), date)
}

// list joins with commas and "and".
func (s speech) list(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	return s.Say("%s and %s", strings.Join(items[:len(items)-1], ", "), items[len(items)-1])
}

// every words how often a rule recurs, "" for what has no words.
func (s speech) every(freq string, n int) string {
	unit := map[string]string{"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}[freq]
	switch {
	case unit == "":
		return ""
	case n == 1:
		return s.In("once", "every "+unit)
	}
	return s.Count(n, "every "+unit, "every %d "+unit+"s", n)
}

// onDays words the days of a week.
func (s speech) onDays(days []int) string {
	var names []string
	for _, d := range days {
		names = append(names, s.In("recurs", weekdays[d]))
	}
	return s.In("recurs", "on %s", s.list(names))
}

// onNth words a day of a month: the nth of its name, the last for -1.
func (s speech) onNth(n, day int) string {
	nth := "last"
	if n > 0 {
		nth = ordinals[n-1]
	}
	return s.Say("on the " + nth + " " + weekdays[day])
}

// onMonthDays words days of a month by their numbers.
func (s speech) onMonthDays(days []int) string {
	var list []string
	for _, d := range days {
		list = append(list, s.In("day of month", "%d", strconv.Itoa(d)))
	}
	return s.Count(len(days), "on day %s", "on the days %s", s.list(list))
}

// quote puts a title into quotes.
func (s speech) quote(title string) string { return s.Say("“%s”", title) }

// partstats are the words for what somebody answered.
var partstats = map[string]string{
	"ACCEPTED": "accepted", "TENTATIVE": "tentative", "DECLINED": "declined", "NEEDS-ACTION": "not answered yet",
	"DELEGATED": "delegated", "IN-PROCESS": "in progress", "COMPLETED": "done",
}

// AnswerWord is the word for a PARTSTAT, "" for one that has none.
func AnswerWord(l *words.Language, partstat string) string {
	if w := partstats[partstat]; w != "" {
		return speak(l).Say(w)
	}
	return ""
}

// Button is a choice as it stands on a button.
type Button struct {
	Value string // what it says to the page: "ACCEPTED", ...
	Word  string
	Color string // CSS, of its background
}

// AnswerButtons are the answers to an invitation.
func AnswerButtons(l *words.Language) []Button {
	s := speak(l)
	return []Button{
		{"ACCEPTED", s.Say("Accept"), "#1a7f37"}, {"TENTATIVE", s.Say("Maybe"), "#9a6700"}, {"DECLINED", s.Say("Decline"), "#cf222e"},
	}
}

// ProposalButtons are the answers to a proposal.
func ProposalButtons(l *words.Language) []Button {
	s := speak(l)
	return []Button{{"accept", s.Say("Accept the proposal"), "#1a7f37"}, {"decline", s.Say("Decline the proposal"), "#cf222e"}}
}

// QuarantineButtons are what can be done with an invitation that waits.
func QuarantineButtons(l *words.Language) []Button {
	s := speak(l)
	return []Button{{"accept", s.Say("Take it into my calendar"), "#1a7f37"}, {"decline", s.Say("Drop it"), "#cf222e"}}
}

// Via is the name under which a mail goes out that cannot come from its
// speaker's own address.
func Via(l *words.Language, name string) string { return speak(l).Say("%s (via calendar)", name) }
