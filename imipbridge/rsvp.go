package imipbridge

import (
	"context"
	"errors"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/words"
)

// RSVP serves the pages /rsvp/TOKEN on which somebody answers who has no
// calendar program. GET shows the meeting and never answers: mail scanners
// open every address that they find. POST answers.
func (b *Bridge) RSVP() http.Handler { return http.HandlerFunc(b.rsvp) }

// answerPage is what the template shows.
type answerPage struct {
	Lang     string
	Title    string
	Rows     []imip.Row
	Message  string // instead of, or above, the meeting
	Good     bool   // Message tells of a success
	Ask      bool   // show the form
	Words    pageLabels
	Attendee string
	Current  string
	Buttons  []answerButton
}

type pageLabels struct{ Question, Yours, Comment, Invited string }

type answerButton struct {
	PartStat, Word string
	Chosen         bool
}

func (b *Bridge) rsvp(w http.ResponseWriter, r *http.Request) {
	words := b.words.For(r.Header.Get("Accept-Language"))
	show := func(status int, p answerPage) {
		p.Lang = words.Tag
		p.Words = pageLabels{words.Say("Will you come?"), words.Say("Your answer so far"), words.Say("Comment for the organizer (if you like)"), words.Say("You are invited as")}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer") // the address is the key
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Robots-Tag", "noindex")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			if err := b.answer.Execute(w, p); err != nil {
				b.log.Debug("answer page not written", "error", err) // the reader went away
			}
		}
	}
	say := func(status int, text string) { show(status, answerPage{Title: "Convene", Message: text}) }
	away := func(err error) {
		b.log.Warn("answer page", "error", err)
		w.Header().Set("Retry-After", "60")
		say(http.StatusServiceUnavailable, words.Say("We cannot look it up at the moment. Please try again in a minute."))
	}

	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, HEAD, POST")
		say(http.StatusMethodNotAllowed, words.Say("This address is not valid. Please use the link from the invitation as it is."))
		return
	}
	k, err := b.keys(r.Context())
	if err != nil {
		away(err)
		return
	}
	inv, ok := k.readPage(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
	switch {
	case !ok:
		say(http.StatusNotFound, words.Say("This address is not valid. Please use the link from the invitation as it is."))
		return
	case b.now().After(inv.Expires):
		say(http.StatusGone, words.Say("This link has expired."))
		return
	}
	chosen := strings.ToUpper(r.URL.Query().Get("answer"))
	var verdict scheduling.Verdict
	answered := ""
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		if err := r.ParseForm(); err != nil {
			say(http.StatusBadRequest, words.Say("This address is not valid. Please use the link from the invitation as it is."))
			return
		}
		if answered = formAnswer(r); answered == "" {
			say(http.StatusBadRequest, words.Say("This address is not valid. Please use the link from the invitation as it is."))
			return
		}
		comment := []rune(strings.TrimSpace(r.PostForm.Get("comment")))
		verdict, err = b.desk.Answer(r.Context(), scheduling.Answer{
			UID: inv.UID, Attendee: inv.Attendee, Organizer: scheduling.Organizer{Principal: inv.Organizer},
			PartStat: answered, Comment: string(comment[:min(len(comment), 1000)]), Door: "rsvp",
		})
		if err != nil {
			away(err)
			return
		}
		chosen = answered
	}
	p, current, err := b.meeting(r.Context(), inv, words)
	switch {
	case errors.Is(err, db.ErrNotFound):
		say(http.StatusGone, words.Say("This meeting does not exist any more, or you are no longer invited."))
		return
	case err != nil:
		away(err)
		return
	}
	p.Current = imip.AnswerWord(words, current)
	if current == "NEEDS-ACTION" || p.Current == "" {
		p.Current = words.Say("none yet")
	}
	for _, x := range imip.AnswerButtons(words) {
		p.Buttons = append(p.Buttons, answerButton{x.Value, x.Word, x.Value == chosen})
	}
	status := http.StatusOK
	switch {
	case answered != "" && current == answered:
		p.Message, p.Good = words.Say("Your answer is noted")+": "+imip.AnswerWord(words, answered), true
	case answered != "":
		status = http.StatusConflict
		p.Message = words.Say("The answer was not taken") + ": " + verdict.Rule
	}
	show(status, p)
}

// formAnswer returns the PARTSTAT of the button that was pressed.
func formAnswer(r *http.Request) string {
	for _, name := range []string{"ACCEPTED", "TENTATIVE", "DECLINED"} {
		if r.PostForm.Has(name) || strings.EqualFold(r.PostForm.Get("partstat"), name) {
			return name
		}
	}
	return ""
}

// meeting describes the organizer's copy as it stands, and how the attendee
// answered. ErrNotFound: there is none, or he is not invited any more.
func (b *Bridge) meeting(ctx context.Context, inv invitation, l *words.Language) (p answerPage, current string, err error) {
	var have []db.OwnedObject
	var zone *time.Location
	host := "" // the organizer's zone, for times in UTC and readers whose zone is not known
	who := func(a cuaddr.Address) bool { return imip.Same(a, inv.Attendee) }
	err = b.store.Read(ctx, func(tx *db.Tx) error {
		if have, err = tx.ObjectsByUID(inv.UID, inv.Organizer); err != nil {
			return err
		}
		reader, err := directory.Lookup(tx, inv.Attendee)
		if errors.Is(err, directory.ErrUnknown) {
			organizer, err := tx.Principal(inv.Organizer)
			if err == nil {
				host = organizer.TZ
			}
			return err
		}
		if err != nil {
			return err
		}
		if reader.TZ != "" {
			zone, _ = time.LoadLocation(reader.TZ)
		}
		who, err = directory.Self(tx, reader, false)
		return err
	})
	if err != nil {
		return p, "", err
	}
	for _, x := range have {
		o, err := ics.Parse(x.Body, ics.Limits{})
		if err != nil {
			continue
		}
		for _, c := range o.Main() {
			line := ics.Attendee(c, who)
			if line == nil || strings.EqualFold(c.Value("STATUS"), "CANCELLED") {
				continue
			}
			if zone == nil {
				zone = zoneOfUTC(c, host)
			}
			p.Title, p.Rows = imip.Describe(l, o, c, zone)
			p.Attendee = inv.Attendee.Mail()
			p.Ask = true
			return p, ics.PartStat(line), nil
		}
	}
	return p, "", db.ErrNotFound
}

// parseAnswer reads a template that replaces ours and tries it.
func (b *Bridge) parseAnswer(source string) error {
	t, err := template.New("answer.html").Parse(source)
	if err == nil {
		err = t.Execute(io.Discard, answerPage{Message: "x", Ask: true, Rows: []imip.Row{{Label: "x", Value: "x"}}, Buttons: []answerButton{{}}})
	}
	if err == nil {
		b.answer = t
	}
	return err
}

var answerTemplate = template.Must(template.New("answer").Parse(`<!DOCTYPE html>
<html lang="{{.Lang}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
:root { color-scheme: light dark }
body { margin: 0; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; background: #f6f8fa; color: #1f2328 }
main { max-width: 34rem; margin: 0 auto; padding: 1.25rem 1.5rem; background: #fff; border: 1px solid #d1d9e0; border-radius: .6rem }
h1 { margin: 0 0 .75rem; font-size: 1.3rem }
h2 { margin: 1.25rem 0 .5rem; font-size: 1.05rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; margin: 0 }
dt { color: #59636e }
dd { margin: 0; overflow-wrap: anywhere }
.message { padding: .6rem .8rem; border-radius: .4rem; background: #fff1e5 }
.message.good { background: #dafbe1 }
textarea { width: 100%; box-sizing: border-box; font: inherit; padding: .4rem }
label { display: block; margin: .75rem 0 .25rem; color: #59636e }
.buttons { display: flex; flex-wrap: wrap; gap: .6rem; margin-top: 1rem }
button { flex: 1 1 6rem; min-height: 3rem; font: inherit; font-weight: 600; color: #fff; border: 3px solid transparent; border-radius: .5rem; cursor: pointer }
button.ACCEPTED { background: #1a7f37 } button.TENTATIVE { background: #9a6700 } button.DECLINED { background: #cf222e }
button.chosen { border-color: #0969da }
@media (max-width: 30rem) { dl { display: block } dd { margin: 0 0 .6rem } }
@media (prefers-color-scheme: dark) {
 body { background: #0d1117; color: #e6edf3 } main { background: #151b23; border-color: #3d444d }
 dt, label { color: #9198a1 } .message { background: #4d2d00 } .message.good { background: #033a16 }
}
</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
{{- if .Message}}
<p class="message{{if .Good}} good{{end}}" role="status">{{.Message}}</p>
{{- end}}
{{- if .Rows}}
<dl>
{{- range .Rows}}
<dt>{{.Label}}</dt><dd>{{.Value}}</dd>
{{- end}}
<dt>{{.Words.Invited}}</dt><dd>{{.Attendee}}</dd>
<dt>{{.Words.Yours}}</dt><dd>{{.Current}}</dd>
</dl>
{{- end}}
{{- if .Ask}}
<h2>{{.Words.Question}}</h2>
<form method="post">
<label for="comment">{{.Words.Comment}}</label>
<textarea id="comment" name="comment" rows="2" maxlength="1000"></textarea>
<div class="buttons">
{{- range .Buttons}}
<button type="submit" name="{{.PartStat}}" value="1" class="{{.PartStat}}{{if .Chosen}} chosen{{end}}">{{.Word}}</button>
{{- end}}
</div>
</form>
{{- end}}
</main>
</body>
</html>
`))
