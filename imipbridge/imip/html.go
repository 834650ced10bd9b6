package imip

import (
	"html/template"
	"strings"
)

// html renders the page as HTML that mail programs show: tables, styles at
// the elements, no pictures, no scripts. Everything from outside is escaped.
func (p *page) html() string {
	var b strings.Builder
	accept, tentative, decline := p.accept, p.tentative, p.decline
	err := htmlPage.Execute(&b, map[string]any{
		"Lang": p.language, "Subject": p.subject, "Heading": p.heading, "Rows": p.rows, "Was": p.was,
		"Notes": strings.Split(p.notes, "\n"), "HasNotes": p.notes != "",
		"Answer": p.answer, "Here": p.answerHere, "Footer": p.footer,
		"Buttons": []map[string]string{
			{"Word": accept, "PartStat": "ACCEPTED", "Color": "#1a7f37"},
			{"Word": tentative, "PartStat": "TENTATIVE", "Color": "#9a6700"},
			{"Word": decline, "PartStat": "DECLINED", "Color": "#cf222e"},
		},
	})
	if err != nil {
		// The template and its values are ours; a test renders every branch.
		return ""
	}
	return b.String()
}

var htmlPage = template.Must(template.New("mail").Parse(`<!DOCTYPE html>
<html lang="{{.Lang}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Subject}}</title>
</head>
<body style="margin:0;padding:16px;background:#f6f8fa;color:#1f2328;font-family:-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:15px;line-height:1.5">
<table role="presentation" cellpadding="0" cellspacing="0" width="100%" style="max-width:560px;margin:0 auto;background:#ffffff;border:1px solid #d1d9e0;border-radius:8px">
<tr><td style="padding:20px 24px 8px 24px;font-size:18px;font-weight:600">{{.Heading}}</td></tr>
<tr><td style="padding:8px 24px">
<table role="presentation" cellpadding="0" cellspacing="0" width="100%">
{{- range .Rows}}
<tr>
<td valign="top" style="padding:4px 16px 4px 0;color:#59636e;white-space:nowrap">{{.Label}}</td>
<td valign="top" width="100%" style="padding:4px 0;overflow-wrap:anywhere;word-break:break-word">{{.Value}}{{if .Was}}<br><span style="color:#59636e">{{$.Was}}: <s>{{.Was}}</s></span>{{end}}</td>
</tr>
{{- end}}
</table>
</td></tr>
{{- if .HasNotes}}
<tr><td style="padding:12px 24px;border-top:1px solid #d1d9e0;overflow-wrap:anywhere;word-break:break-word">{{range $i, $l := .Notes}}{{if $i}}<br>{{end}}{{$l}}{{end}}</td></tr>
{{- end}}
{{- if .Answer}}
<tr><td style="padding:12px 24px 20px 24px;border-top:1px solid #d1d9e0">
<p style="margin:0 0 12px 0;color:#59636e">{{.Here}}</p>
{{- range .Buttons}}
<a href="{{$.Answer}}?answer={{.PartStat}}" style="display:inline-block;margin:0 8px 8px 0;padding:8px 16px;background:{{.Color}};color:#ffffff;text-decoration:none;border-radius:6px;font-weight:600">{{.Word}}</a>
{{- end}}
<p style="margin:8px 0 0 0;color:#59636e;font-size:13px">{{.Footer}}</p>
</td></tr>
{{- end}}
</table>
</body>
</html>
`))
