package imip

import (
	"fmt"
	html "html/template"
	"strings"
	"text/template"
)

// Look is how a mail's texts are laid out. The zero value is ours; a template
// gets a *Page.
type Look struct {
	HTML *html.Template
	Text *template.Template
}

// ParseHTML reads a template that replaces ours for HTML and tries it. What comes
// from outside is escaped, whatever a template says.
func (l *Look) ParseHTML(source string) error {
	t, err := html.New("mail.html").Parse(source)
	if err != nil {
		return err
	}
	if _, _, err := (Look{HTML: t}).words(&trial); err != nil {
		return err
	}
	l.HTML = t
	return nil
}

// ParseText reads a template that replaces ours for plain text and tries it.
func (l *Look) ParseText(source string) error {
	t, err := template.New("mail.txt").Parse(source)
	if err != nil {
		return err
	}
	if _, _, err := (Look{Text: t}).words(&trial); err != nil {
		return err
	}
	l.Text = t
	return nil
}

// trial is what a template is tried with.
var trial = Page{
	Lang: "en", Subject: "x", Heading: "x", Rows: []Row{{"x", "x", "x"}}, Was: "x", Notes: []string{"x"}, Answer: "https://x", Query: "x", Here: "x", Footer: "x",
	Buttons: []Button{{"x", "x", "x"}},
}

// words renders a page as text and as HTML that mail programs show: tables,
// styles at the elements, no pictures, no scripts. In the head stands only what
// phones may do without: labels of two words on two lines.
func (l Look) words(p *Page) (plain, rich string, err error) {
	plain = p.plain()
	var b strings.Builder
	if l.Text != nil {
		if err := l.Text.Execute(&b, p); err != nil {
			return "", "", fmt.Errorf("imip: %w", err)
		}
		plain = b.String()
		b.Reset()
	}
	t := htmlPage
	if l.HTML != nil {
		t = l.HTML
	}
	if err := t.Execute(&b, p); err != nil {
		return "", "", fmt.Errorf("imip: %w", err)
	}
	return plain, b.String(), nil
}

var htmlPage = html.Must(html.New("mail").Parse(`<!DOCTYPE html>
<html lang="{{.Lang}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Subject}}</title>
<style>@media (max-width:480px){.label{white-space:normal!important;word-break:keep-all}}</style>
</head>
<body style="margin:0;padding:16px;background:#f6f8fa;color:#1f2328;font-family:-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:15px;line-height:1.5">
<table role="presentation" cellpadding="0" cellspacing="0" width="100%" style="max-width:560px;margin:0 auto;background:#ffffff;border:1px solid #d1d9e0;border-radius:8px">
<tr><td style="padding:20px 24px 8px 24px;font-size:18px;font-weight:600">{{.Heading}}</td></tr>
<tr><td style="padding:8px 24px 12px 24px">
<table role="presentation" cellpadding="0" cellspacing="0" width="100%">
{{- range .Rows}}
<tr>
<td class="label" valign="top" style="padding:4px 16px 4px 0;color:#59636e;white-space:nowrap">{{.Label}}</td>
<td valign="top" width="100%" style="padding:4px 0;overflow-wrap:anywhere;word-break:break-word">{{.Value}}{{if .Was}}<br><span style="color:#59636e">{{$.Was}}: <s>{{.Was}}</s></span>{{end}}</td>
</tr>
{{- end}}
</table>
</td></tr>
{{- if .Notes}}
<tr><td style="padding:12px 24px;border-top:1px solid #d1d9e0;overflow-wrap:anywhere;word-break:break-word">{{range $i, $l := .Notes}}{{if $i}}<br>{{end}}{{$l}}{{end}}</td></tr>
{{- end}}
{{- if .Answer}}
<tr><td style="padding:12px 24px 20px 24px;border-top:1px solid #d1d9e0">
<p style="margin:0 0 12px 0;color:#59636e">{{.Here}}</p>
{{- range .Buttons}}
<a href="{{$.Answer}}?{{$.Query}}={{.Value}}" style="display:inline-block;margin:0 8px 8px 0;padding:8px 16px;background:{{.Color}};color:#ffffff;text-decoration:none;border-radius:6px;font-weight:600">{{.Word}}</a>
{{- end}}
<p style="margin:8px 0 0 0;color:#59636e;font-size:13px">{{.Footer}}</p>
</td></tr>
{{- end}}
</table>
</body>
</html>
`))
