package imipbridge

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/imipbridge/imip"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
	"github.com/convene-server/convene/words"
)

// RSVP serves the pages /rsvp/TOKEN on which somebody answers who has no
// calendar program, on which an organizer decides about a proposal, and on
// which somebody here takes an invitation out of quarantine. GET
// shows the meeting and never answers: mail scanners open every address that
// they find. POST answers.
func (b *Bridge) RSVP() http.Handler { return http.HandlerFunc(b.rsvp) }

// visit is one request for a page.
type visit struct {
	*Bridge
	w     http.ResponseWriter
	r     *http.Request
	words *words.Language
	inv   invitation
}

func (b *Bridge) rsvp(w http.ResponseWriter, r *http.Request) {
	v := &visit{Bridge: b, w: w, r: r, words: b.words.For(r.Header.Get("Accept-Language"))}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, HEAD, POST")
		v.say(http.StatusMethodNotAllowed, badAddress)
		return
	}
	k, err := b.keys(r.Context())
	if err != nil {
		v.away(err)
		return
	}
	inv, ok := k.readPage(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
	if !ok {
		v.say(http.StatusNotFound, badAddress)
		return
	}
	v.inv = inv
	if inv.Language != "" { // the mail's, where somebody had said which
		v.words = b.words.For(inv.Language)
	}
	if b.now().After(inv.Expires) {
		v.say(http.StatusGone, "This link has expired.")
		return
	}
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		if err := r.ParseForm(); err != nil {
			v.say(http.StatusBadRequest, badAddress)
			return
		}
	}
	switch {
	case inv.Decide:
		v.decide()
	case inv.Waits:
		v.waiting()
	default:
		v.answer()
	}
}

const (
	badAddress  = "This address is not valid. Please use the link from the invitation as it is."
	goneMeeting = "This meeting does not exist any more, or you are no longer invited."
)

// show writes a page.
func (v *visit) show(status int, p answerPage) {
	p.Language = v.words
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.words.Tag)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address is the key
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		if err := v.pages.Execute(v.w, p); err != nil {
			v.log.Debug("answer page not written", "error", err) // the reader went away
		}
	}
}

// say shows one sentence.
func (v *visit) say(status int, text string) {
	v.show(status, answerPage{Title: "Convene", Message: v.words.Say(text)})
}

func (v *visit) away(err error) {
	v.log.Warn("answer page", "error", err)
	v.w.Header().Set("Retry-After", "60")
	v.say(http.StatusServiceUnavailable, "We cannot look it up at the moment. Please try again in a minute.")
}

// comment is what somebody wrote beside his answer.
func (v *visit) comment() string {
	c := []rune(strings.TrimSpace(v.r.PostForm.Get("comment")))
	return string(c[:min(len(c), 1000)])
}

// answer shows a meeting to an attendee and takes his answer.
func (v *visit) answer() {
	ctx, posted := v.r.Context(), v.r.Method == http.MethodPost
	m, err := v.meeting(ctx)
	if errors.Is(err, db.ErrNotFound) {
		v.say(http.StatusGone, goneMeeting)
		return
	}
	if err != nil {
		v.away(err)
		return
	}
	if !posted {
		p := m.page(v)
		p.choose(strings.ToUpper(v.r.URL.Query().Get("answer")))
		v.show(http.StatusOK, p)
		return
	}
	said := formAnswer(v.r)
	rid := ics.RID(v.r.PostForm.Get("date"))
	if rid == "" && !m.whole {
		rid = m.first()
	}
	start, end, timed := time.Time{}, time.Time{}, false
	switch {
	case said == "" || rid != "" && m.occurrence(rid) == nil:
		v.say(http.StatusBadRequest, badAddress)
		return
	case said == "propose":
		if start, end, timed = m.times(v.r.PostForm); !timed {
			p := m.page(v)
			p.Message = v.words.Say("The proposal needs a day and two times, the later one last.")
			p.Proposal.Open = true
			v.show(http.StatusBadRequest, p)
			return
		}
	}
	organizer := scheduling.Organizer{Principal: v.inv.Organizer}
	var verdict scheduling.Verdict
	if said == "propose" {
		verdict, err = v.desk.Propose(ctx, scheduling.Proposal{
			UID: v.inv.UID, Attendee: v.inv.Attendee, Organizer: organizer, RID: rid, Start: start, End: end, Comment: v.comment(), Door: "rsvp",
		})
	} else {
		verdict, err = v.desk.Answer(ctx, scheduling.Answer{
			UID: v.inv.UID, Attendee: v.inv.Attendee, Organizer: organizer, RID: rid, PartStat: said, Comment: v.comment(), Door: "rsvp",
		})
	}
	if err == nil {
		m, err = v.meeting(ctx)
	}
	if errors.Is(err, db.ErrNotFound) {
		v.say(http.StatusGone, goneMeeting)
		return
	}
	if err != nil {
		v.away(err)
		return
	}
	p := m.page(v)
	status := http.StatusOK
	switch {
	case said == "propose" && verdict.Applied:
		p.Message, p.Good = v.words.Say("Your proposal is sent. The meeting stays as it is until the organizer decides."), true
	case said != "propose" && m.partstat(rid) == said:
		p.Message, p.Good = v.words.Say("Your answer is noted")+": "+imip.AnswerWord(v.words, said), true
		if one := m.occurrence(rid); rid != "" && len(p.Dates) > 0 && one != nil {
			p.Message += " – " + imip.When(v.words, m.o, one, m.zone)
			p.chooseDate(rid)
		}
		p.choose(said)
	default:
		status = http.StatusConflict
		p.Message = v.words.Say("The answer was not taken") + ": " + verdict.Rule
	}
	v.show(status, p)
}

// decision gives a page that asks to accept or decline its buttons, and returns the
// one that was pressed, or that the mail's link names; "" for none.
func (v *visit) decision(p *answerPage, buttons []imip.Button) string {
	said := v.r.URL.Query().Get("decide")
	if v.r.Method == http.MethodPost {
		said = ""
		for _, b := range buttons {
			if v.r.PostForm.Has(b.Value) {
				said = b.Value
			}
		}
	}
	for _, b := range buttons {
		p.Buttons = append(p.Buttons, answerButton{b, b.Value == said})
	}
	return said
}

// formAnswer returns the PARTSTAT of the button that was pressed, or
// "propose"; "" for none.
func formAnswer(r *http.Request) string {
	for _, name := range []string{"propose", "ACCEPTED", "TENTATIVE", "DECLINED"} {
		if r.PostForm.Has(name) || strings.EqualFold(r.PostForm.Get("partstat"), name) {
			return name
		}
	}
	return ""
}
