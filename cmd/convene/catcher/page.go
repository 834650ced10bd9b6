package catcher

import (
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed page.html
var pageFile embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{"links": links, "clock": clock, "words": words}).ParseFS(pageFile, "page.html"))

// view is what the page shows.
type view struct {
	Title  string
	Mails  []*Mail // newest first
	Mail   *Mail   // the one that is read, or nil
	Answer string
	Can    bool // mails can be answered
	Notice string
}

// ServeHTTP shows the list (/), a mail (/mail/N), its HTML part (/mail/N/html),
// its source (/mail/N/raw), and takes an answer (POST /mail/N).
func (c *Catcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	if r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		c.render(w, http.StatusOK, view{})
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/mail/")
	number, part, _ := strings.Cut(rest, "/")
	id, err := strconv.Atoi(number)
	m := c.Mail(id)
	if !ok || err != nil || m == nil {
		c.render(w, http.StatusNotFound, view{Notice: "There is no such mail."})
		return
	}
	switch {
	case r.Method == http.MethodPost && part == "":
		c.answer(w, r, m)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "only GET and POST", http.StatusMethodNotAllowed)
	case part == "":
		notice := ""
		if r.URL.Query().Get("sent") != "" {
			notice = "Your answer is on its way to the organizer."
		}
		c.render(w, http.StatusOK, view{Mail: m, Notice: notice})
	case part == "raw":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write(m.Raw)
	case part == "html":
		// What strangers wrote runs nothing, loads nothing, and is a place of
		// its own.
		w.Header().Set("Content-Security-Policy", "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write([]byte(`<base target="_blank">` + m.HTML))
	default:
		c.render(w, http.StatusNotFound, view{Notice: "There is no such page."})
	}
}

// answers of the buttons.
var answers = []string{"ACCEPTED", "TENTATIVE", "DECLINED"}

func (c *Catcher) answer(w http.ResponseWriter, r *http.Request, m *Mail) {
	// A page elsewhere may not answer for the visitor.
	if origin := r.Header.Get("Origin"); origin != "" && origin != "null" && origin != "http://"+r.Host {
		http.Error(w, "answered from another page", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	partstat := r.PostFormValue("partstat")
	if !slices.Contains(answers, partstat) || c.Send == nil || !m.Answerable() {
		c.render(w, http.StatusBadRequest, view{Mail: m, Notice: "This cannot be answered so."})
		return
	}
	from, to, reply, err := m.Reply(partstat, time.Now())
	if err == nil {
		err = c.Send(from, []string{to}, reply)
	}
	if err != nil {
		c.render(w, http.StatusBadGateway, view{Mail: m, Notice: "The answer could not be sent: " + err.Error()})
		return
	}
	c.answered(m, partstat)
	http.Redirect(w, r, "/mail/"+strconv.Itoa(m.ID)+"?sent=1", http.StatusSeeOther)
}

func (c *Catcher) render(w http.ResponseWriter, status int, v view) {
	v.Title, v.Mails = c.Title, c.Mails()
	slices.Reverse(v.Mails)
	if v.Mail != nil {
		v.Can = c.Send != nil && v.Mail.Answerable()
		c.mu.Lock()
		v.Answer = v.Mail.answer
		c.mu.Unlock()
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'")
	w.WriteHeader(status)
	if err := page.Execute(w, v); err != nil {
		slog.Debug("the page was not written", "err", err)
	}
}

var address = regexp.MustCompile(`https?://[^\s<>"]+[^\s<>".,;:!?)\]]`)

// links makes web addresses in a text clickable; everything else is text.
func links(text string) template.HTML {
	var b strings.Builder
	at := 0
	for _, i := range address.FindAllStringIndex(text, -1) {
		url := template.HTMLEscapeString(text[i[0]:i[1]])
		b.WriteString(template.HTMLEscapeString(text[at:i[0]]))
		b.WriteString(`<a href="` + url + `" target="_blank" rel="noreferrer">` + url + `</a>`)
		at = i[1]
	}
	b.WriteString(template.HTMLEscapeString(text[at:]))
	return template.HTML(b.String())
}

func clock(t time.Time) string { return t.Format("15:04:05") }

// words says what a method or an answer is called among people.
func words(s string) string {
	switch s {
	case "REQUEST":
		return "Invitation"
	case "CANCEL":
		return "Cancelled"
	case "REPLY":
		return "Answer"
	case "COUNTER":
		return "Counter-proposal"
	case "ACCEPTED":
		return "Accept"
	case "TENTATIVE":
		return "Maybe"
	case "DECLINED":
		return "Decline"
	}
	return s
}
