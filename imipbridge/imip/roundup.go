package imip

import "strconv"

// RoundUp is a mail about several messages, of which their reader wants to be
// told together.
type RoundUp struct {
	Message           // ID, Date, From, To, Words, Look
	Told    []Message // Speaker, Body, Zone, Words
}

// Render writes it as text and HTML.
func (u *RoundUp) Render() ([]byte, error) {
	s := speak(u.Words)
	page := Page{Lang: s.Tag, Was: s.Say("before"), Subject: s.Say("What happened in your calendar"), Heading: s.Say("What happened in your calendar")}
	for i := range u.Told {
		one := u.Told[i].page(u.Told[i].Body)
		page.Rows = append(page.Rows, Row{Label: strconv.Itoa(i + 1), Value: one.Heading})
		for _, r := range one.Rows {
			if r.Label != s.Say("What") { // the line above says it
				page.Rows = append(page.Rows, r)
			}
		}
	}
	return u.alternative(&page)
}
