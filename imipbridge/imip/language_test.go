package imip

import (
	"mime"
	"strings"
	"testing"

	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/words"
)

// What a series is called in every language, its date too.
func TestLanguages(t *testing.T) {
	o := object(t, vevent("REQUEST", "DTSTART;TZID=Europe/Berlin:20260201T100000\nDTEND;TZID=Europe/Berlin:20260201T110000\nRRULE:FREQ=MONTHLY;INTERVAL=2;BYDAY=-1WE;COUNT=3\nSUMMARY:x\n"))
	weekly := object(t, vevent("REQUEST", "DTSTART:20260209T100000Z\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU\n"))
	test := func(lang, when, repeats, week string) {
		t.Helper()
		l := words.Default().For(lang)
		d := describer{speak(l), o, nil, nil, ics.Bound{}}
		for got, want := range map[string]string{d.span(o, o.Master()): when + ", 10:00 – 11:00 (Europe/Berlin)", d.recurrence(o, o.Master()): repeats, d.recurrence(weekly, weekly.Master()): week} {
			if l.Tag != lang || got != want {
				t.Errorf("%s: %q, want %q", lang, got, want)
			}
		}
	}
	test("en", "Sunday, 1 February 2026", "every 2 months on the last Wednesday, 3 times", "every week on Monday and Tuesday")
	test("de", "Sonntag, 1. Februar 2026", "alle 2 Monate am letzten Mittwoch, 3-mal", "jede Woche am Montag und Dienstag")
	test("fr", "dimanche 1er février 2026", "tous les 2 mois le dernier mercredi, 3 fois", "toutes les semaines le lundi et le mardi")
	test("es", "domingo, 1 de febrero de 2026", "cada 2 meses el último miércoles, 3 veces", "cada semana el lunes y el martes")
	test("it", "domenica 1º febbraio 2026", "ogni 2 mesi l’ultimo mercoledì, 3 volte", "ogni settimana il lunedì e il martedì")
	test("pt", "domingo, 1º de fevereiro de 2026", "a cada 2 meses na última quarta-feira, 3 vezes", "todas as semanas na segunda-feira e na terça-feira")
	test("nl", "zondag 1 februari 2026", "elke 2 maanden op de laatste woensdag, 3 keer", "elke week op maandag en dinsdag")
	test("sv", "söndag 1 februari 2026", "var 2:e månad den sista onsdagen, 3 gånger", "varje vecka på måndag och tisdag")
	test("da", "søndag 1. februar 2026", "hver 2. måned den sidste onsdag, 3 gange", "hver uge om mandagen og tirsdagen")
	test("pl", "niedziela, 1 lutego 2026", "co 2 miesiące w ostatnią środę miesiąca, 3 razy", "co tydzień w poniedziałek i we wtorek")
	test("cs", "neděle 1. února 2026", "každé 2 měsíce poslední středu v měsíci, 3×", "každý týden v pondělí a v úterý")
	test("ru", "воскресенье, 1 февраля 2026 г.", "каждые 2 месяца в последнюю среду месяца, 3 раза", "каждую неделю в понедельник и во вторник")
	test("ja", "2026年2月1日 日曜日", "2か月ごと 最終水曜日, 全3回", "毎週 月曜日と火曜日")
}

// Whatever field a stranger fills in, it begins neither a header field, nor a
// content line, nor an element, in no language and with no template.
func TestInjection(t *testing.T) {
	const header, line, element = "\r\nBcc: evil@example.com\r\n\r\nevil", "\\nATTENDEE:mailto:evil@example.com", `"'><script>alert(1)</script><img src=x>`
	fields := map[string]func(m *Message, lines *string, evil string){
		"SUMMARY":     func(_ *Message, lines *string, evil string) { *lines += "SUMMARY:" + evil + "\n" },
		"LOCATION":    func(_ *Message, lines *string, evil string) { *lines += "LOCATION:" + evil + "\n" },
		"DESCRIPTION": func(_ *Message, lines *string, evil string) { *lines += "DESCRIPTION:" + evil + "\n" },
		"COMMENT":     func(_ *Message, lines *string, evil string) { *lines += "COMMENT:" + evil + "\n" },
		"URL":         func(_ *Message, lines *string, evil string) { *lines += "URL:https://x" + evil + "\n" },
		"TZID": func(_ *Message, lines *string, evil string) {
			*lines += "DUE;TZID=" + strings.NewReplacer(`"`, "", ":", "").Replace(evil) + ":20260209T100000\n"
		},
		"RRULE": func(_ *Message, lines *string, evil string) { *lines += "RRULE:FREQ=DAILY;COUNT=" + evil + "\n" },
		"CN": func(_ *Message, lines *string, evil string) {
			*lines += "ATTENDEE;CN=\"" + strings.ReplaceAll(evil, `"`, "^'") + "\":mailto:ben@example.org\n"
		},
		"PARTSTAT": func(_ *Message, lines *string, evil string) {
			*lines += "ATTENDEE;PARTSTAT=\"" + strings.ReplaceAll(evil, `"`, "^'") + "\":mailto:ben@example.org\n"
		},
		"name of From":   func(m *Message, _ *string, evil string) { m.From.Name = evil },
		"name of To":     func(m *Message, _ *string, evil string) { m.To.Name = evil },
		"name, Reply-To": func(m *Message, _ *string, evil string) { m.ReplyTo = Mailbox{evil, cuaddr.Mailto("x@example.org")} },
		"name, Sender":   func(m *Message, _ *string, evil string) { m.Sender = Mailbox{evil, cuaddr.Mailto("x@example.org")} },
		"name, speaker":  func(m *Message, _ *string, evil string) { m.Speaker.Name = evil },
		"Message-ID":     func(m *Message, _ *string, evil string) { m.ID = evil },
		"References":     func(m *Message, _ *string, evil string) { m.Conversation = evil },
		"answer":         func(m *Message, _ *string, evil string) { m.Answer = "https://cal.example.org/rsvp/" + evil },
	}
	var own Look
	if err := own.ParseHTML(`<p title="{{.Heading}}">{{.Subject}}{{range .Rows}}{{.Label}}{{.Value}}{{.Was}}{{end}}{{.Notes}}<a href="{{.Answer}}">x</a></p>`); err != nil {
		t.Fatal(err)
	}
	for name, put := range fields {
		for _, method := range []string{"REQUEST", "REPLY", "CANCEL", "COUNTER"} {
			for _, evil := range []string{header, line, element, "^n" + line, "\u2028\u0085\v" + element} {
				for _, look := range []Look{{}, own} {
					lines := ""
					m := message(t, vevent(method, "DTSTART:20260209T100000Z\n"))
					put(&m, &lines, evil)
					if strings.ContainsAny(lines, "\r") { // it cannot stand in an object
						lines = strings.ReplaceAll(strings.TrimSuffix(lines, "\n"), "\r\n", "\\n") + "\n"
					}
					o, err := ics.Parse(crlf(vevent(method, "DTSTART:20260209T100000Z\nORGANIZER:mailto:ann@example.org\nATTENDEE:mailto:cleo@example.net\n"+lines)), ics.Limits{})
					if err != nil {
						continue // refused at the door
					}
					m.Body, m.Look = o, look
					if name == "RRULE" || name == "URL" {
						m.Prior = o
					}
					data, err := m.Render()
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					h, _, html, calendar, _ := shape(t, data)
					if h.Get("Bcc") != "" || len(h["To"]) != 1 || len(h["Subject"]) != 1 {
						t.Errorf("%s %s: a header field was injected", method, name)
					}
					if _, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject")); err != nil {
						t.Errorf("%s %s: %v", method, name, err)
					}
					for _, tag := range []string{"<script", "<img", "javascript:", `"'>`} {
						if strings.Contains(html, tag) {
							t.Errorf("%s %s: %s in the HTML", method, name, tag)
						}
					}
					after := object(t, calendar)
					for _, p := range after.First().Props {
						if strings.Contains(p.Value, "evil@example.com") && (p.Name == "ATTENDEE" || p.Name == "BCC") {
							t.Errorf("%s %s: a content line was injected", method, name)
						}
					}
				}
			}
		}
	}
}

func TestLook(t *testing.T) {
	var l Look
	for _, wrong := range []string{"{{", "{{.Nonsense}}", "{{range .Rows}}{{.Nonsense}}{{end}}"} {
		if l.ParseHTML(wrong) == nil || l.ParseText(wrong) == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
	if err := l.ParseText("{{.Heading}}!"); err != nil {
		t.Fatal(err)
	}
	if err := l.ParseHTML("<b>{{.Subject}}</b>"); err != nil {
		t.Fatal(err)
	}
	m := message(t, vevent("REQUEST", strings.Replace(budget, "Budget für März", "A & B", 1)))
	m.Look = l
	_, plain, html, _, _ := shape(t, render(t, m))
	if plain != "Ann Example invites you to “A & B”!" || html != "<b>Invitation: A &amp; B</b>" {
		t.Errorf("%q %q", plain, html)
	}
}
