package imip

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// maxDocuments bounds the VCALENDARs of one part.
const maxDocuments = 50

// document is one VCALENDAR of a part, and what was done to make it readable.
type document struct {
	object  *ics.Object
	repairs []string
}

// documents reads the VCALENDARs of a part: exporters write several behind one
// another, list servers write below it, gateways break its lines. What needs no
// repair keeps its bytes.
func documents(b []byte, label string, lim ics.Limits) (docs []document, err error) {
	text, repair := toUTF8(plainText(b), label)
	var common []string
	if repair != "" {
		common = append(common, repair)
	}
	if clean := withoutControls(text); len(clean) != len(text) {
		text, common = clean, append(common, "control characters taken out")
	}
	if !bytes.ContainsRune(text, '\n') && bytes.ContainsRune(text, '\r') || loneCR(text) {
		text, common = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n")), append(common, "line ends")
	}
	cut := cutCalendars(text)
	if len(cut) > maxDocuments {
		return nil, &ics.TooLargeError{What: "VCALENDARs in one part", Limit: maxDocuments}
	}
	for _, one := range cut {
		d := document{repairs: common}
		if len(one) != len(text) && len(bytes.TrimSpace(text)) != len(bytes.TrimSpace(one)) && len(cut) == 1 {
			d.repairs = append(d.repairs[:len(d.repairs):len(d.repairs)], "text around the calendar")
		}
		o, perr := ics.Parse(one, lim)
		var large *ics.TooLargeError
		if len(one) <= maxMended && !errors.As(perr, &large) && (perr != nil || quaint(one)) {
			fixed, what := mendLines(one)
			again, ferr := ics.Parse(fixed, lim)
			if ferr == nil && len(what) > 0 {
				d.repairs = append(d.repairs[:len(d.repairs):len(d.repairs)], what...)
				o, perr = refolded(again), nil
			}
		}
		if perr != nil {
			if err == nil {
				err = perr
			}
			continue
		}
		d.object = o
		docs = append(docs, d)
	}
	return docs, err
}

// refolded writes every line anew: those of a calendar that was mended may be
// of any length.
func refolded(o *ics.Object) *ics.Object {
	root := o.Root().Clone()
	var each func(c *ics.Component)
	each = func(c *ics.Component) {
		for i := range c.Props {
			c.Props[i] = c.Props[i].WithValue(c.Props[i].Value)
		}
		for _, ch := range c.Children {
			each(ch)
		}
	}
	each(root)
	return ics.New(root)
}

// plainText sees through a transfer encoding that the header does not tell.
func plainText(b []byte) []byte {
	trimmed := bytes.TrimSpace(b)
	switch {
	case bytes.HasPrefix(trimmed, []byte("QkVHSU46VkNBTEVOREFS")): // "BEGIN:VCALENDAR"
		return decodeBase64(trimmed)
	case bytes.Contains(b, []byte("=0D=0A=\r\n")) || bytes.Contains(b, []byte("=0D=0A=\n")), bytes.Contains(b, []byte("BEGIN=3AVCALENDAR")):
		if bytes.Contains(b, []byte("ENCODING")) || bytes.Contains(b, []byte("encoding")) {
			return b // a vCalendar encodes its values by itself
		}
		return decodeQP(b)
	}
	return b
}

// withoutControls drops what no line may hold (RFC 5545 §3.1). The text itself
// is returned where there is nothing to drop.
func withoutControls(b []byte) []byte {
	bad := func(c byte) bool { return c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0x7f }
	if bytes.IndexFunc(b, func(r rune) bool { return r < 0x80 && bad(byte(r)) }) < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if !bad(c) {
			out = append(out, c)
		}
	}
	return out
}

// loneCR reports whether a carriage return ends a line by itself.
func loneCR(b []byte) bool {
	for i, c := range b {
		if c == '\r' && i+1 < len(b) && b[i+1] != '\n' && b[i+1] != '\r' {
			return true
		}
	}
	return false
}

// marks returns where lines begin that say BEGIN:VCALENDAR, and where those end
// that say END:VCALENDAR, with blanks wherever and in any case.
func marks(text []byte, most int) (begins, ends []int) {
	for pos := 0; pos < len(text) && len(begins) < most; {
		line, rest := cutLine(text[pos:])
		next := len(text) - len(rest)
		if len(line) <= 100 {
			key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
			if bytes.EqualFold(bytes.TrimSpace(value), []byte("VCALENDAR")) {
				switch key = bytes.TrimSpace(key); {
				case bytes.EqualFold(key, []byte("BEGIN")):
					begins = append(begins, pos)
				case bytes.EqualFold(key, []byte("END")):
					ends = append(ends, pos+len(line))
				}
			}
		}
		pos = next
	}
	return begins, ends
}

// cutCalendars cuts a text into its VCALENDARs; the text itself where it is one
// and nothing else.
func cutCalendars(text []byte) [][]byte {
	begins, ends := marks(text, maxDocuments+1)
	if len(begins) == 0 {
		return [][]byte{text}
	}
	var out [][]byte
	for i, at := range begins {
		end := len(text)
		if i+1 < len(begins) {
			end = begins[i+1]
		}
		stop := end
		for _, e := range ends {
			if e > at && e <= end && len(bytes.TrimSpace(text[e:end])) > 0 {
				stop = e
				break
			}
		}
		one := text[at:stop]
		if len(begins) == 1 && len(bytes.TrimSpace(text[:at])) == 0 && stop == end {
			one = text
		}
		out = append(out, one)
	}
	return out
}

// maxMended bounds what is mended: an object beyond it is no person's.
const maxMended = 1 << 20

// quaint reports whether a calendar that parses may still say something else
// than was meant: vCalendar 1.0, or parameters that should be quoted.
func quaint(b []byte) bool {
	return bytes.Contains(b, []byte("VERSION:1.0")) || unquoted.Match(b) || sendBy.Match(b)
}

var (
	unquoted = regexp.MustCompile(`(?i)[;:][A-Z-]+=mailto:`)
	sendBy   = regexp.MustCompile(`(?i);SEND-BY=`)
	// addressParam is a parameter of addresses, up to where the value or the next
	// parameter begins.
	addressParam = regexp.MustCompile(`(?i);(SENT-BY|SEND-BY|DELEGATED-TO|DELEGATED-FROM|MEMBER|EMAIL|DIR)=(mailto:[^;:",]+(?:,mailto:[^;:",]+)*)`)
	// property begins a content line: a name, then parameters or the value.
	property = regexp.MustCompile(`^[A-Za-z0-9-]+[ \t]*(?:;|:)`)
)

// mendLines repairs lines that are no content lines: values in
// quoted-printable (vCalendar 1.0), blanks in the head of a line, addresses that
// are not quoted, values that run on without a fold, quotes that do not end.
func mendLines(b []byte) (fixed []byte, what []string) {
	did := func(s string) {
		if !slices.Contains(what, s) {
			what = append(what, s)
		}
	}
	var out []string
	lines := strings.Split(string(unfold(b)), "\n")
	for i := 0; i < len(lines); i++ {
		l := strings.TrimRight(lines[i], "\r")
		switch {
		case strings.TrimSpace(l) == "":
			continue
		case !property.MatchString(l) || !strings.Contains(l, ":"):
			// Part of the value above: its line end was never escaped.
			if n := len(out); n > 0 && !strings.HasPrefix(out[n-1], "BEGIN:") && !strings.HasPrefix(out[n-1], "END:") {
				out[n-1] += `\n` + strings.TrimSpace(l)
				did("lines without a fold joined")
			} else {
				did("a line that is none left out")
			}
			continue
		}
		head, value := cutHead(l)
		if head = tidyHead(head); !strings.HasPrefix(l, head+":") {
			did("parameters")
		}
		if upper := strings.ToUpper(head); strings.Contains(upper, "QUOTED-PRINTABLE") {
			for strings.HasSuffix(value, "=") && i+1 < len(lines) { // a soft line break is no fold
				i++
				value = strings.TrimSuffix(value, "=") + strings.TrimRight(lines[i], "\r")
			}
			label := ""
			head, label = withoutEncoding(head)
			decoded, _ := toUTF8(decodeQP([]byte(value)), label)
			value = ics.Escape(string(withoutControls(decoded)))
			did("vCalendar 1.0 read as iCalendar")
		}
		out = append(out, head+":"+value)
	}
	for i, l := range out {
		if strings.EqualFold(l, "VERSION:1.0") {
			out[i] = "VERSION:2.0"
			did("vCalendar 1.0 read as iCalendar")
		}
	}
	return []byte(strings.Join(out, "\r\n") + "\r\n"), what
}

// cutHead parts a line at the colon before its value. Addresses without quotes
// hold colons too: they get their quotes first.
func cutHead(l string) (head, value string) {
	l = sendBy.ReplaceAllString(l, ";SENT-BY=")
	l = addressParam.ReplaceAllStringFunc(l, func(s string) string {
		m := addressParam.FindStringSubmatch(s)
		list := strings.Split(m[2], ",")
		for i, a := range list {
			list[i] = `"` + a + `"`
		}
		return ";" + m[1] + "=" + strings.Join(list, ",")
	})
	if i := outside(l, ':'); i >= 0 {
		return l[:i], l[i+1:]
	}
	// A quote that never ends.
	if i := strings.LastIndexByte(l, '"'); i >= 0 {
		l = l[:i] + l[i+1:]
	}
	if i := outside(l, ':'); i >= 0 {
		return l[:i], l[i+1:]
	}
	head, value, _ = strings.Cut(l, ":")
	return head, value
}

// outside returns where c stands outside of quotes, -1 for nowhere.
func outside(l string, c byte) int {
	quoted := false
	for i := 0; i < len(l); i++ {
		switch {
		case l[i] == '"':
			quoted = !quoted
		case l[i] == c && !quoted:
			return i
		}
	}
	return -1
}

// tidyHead writes name and parameters without blanks between them, and gives
// bare values of vCalendar 1.0 their names.
func tidyHead(head string) string {
	var fields []string
	quoted, start := false, 0
	for i := 0; i <= len(head); i++ {
		if i < len(head) && head[i] == '"' {
			quoted = !quoted
		}
		if i == len(head) || head[i] == ';' && !quoted {
			fields = append(fields, strings.TrimSpace(head[start:i]))
			start = i + 1
		}
	}
	out := fields[:1]
	for _, f := range fields[1:] {
		name, v, ok := strings.Cut(f, "=")
		switch {
		case f == "":
		case !ok && (strings.EqualFold(f, "QUOTED-PRINTABLE") || strings.EqualFold(f, "BASE64") || strings.EqualFold(f, "8BIT")):
			out = append(out, "ENCODING="+f)
		case !ok:
		default:
			name = strings.TrimSpace(name)
			if name != "" && !strings.ContainsFunc(name, func(r rune) bool {
				return r != '-' && r != '_' && (r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z')
			}) {
				out = append(out, name+"="+strings.TrimSpace(v))
			}
		}
	}
	return strings.Join(out, ";")
}

// withoutEncoding takes ENCODING and CHARSET off a head, for a value that was
// decoded.
func withoutEncoding(head string) (without, label string) {
	fields := strings.Split(head, ";")
	out := fields[:1]
	for _, f := range fields[1:] {
		name, v, _ := strings.Cut(f, "=")
		switch strings.ToUpper(name) {
		case "CHARSET":
			label = v
		case "ENCODING":
		default:
			out = append(out, f)
		}
	}
	return strings.Join(out, ";"), label
}

// decoded undoes the transfer encoding, but of a part whose
// Content-Transfer-Encoding is not true: there the text stands as it is.
func (p *part) decoded() []byte {
	c := p.content()
	if !holdsCalendar(c) && holdsCalendar(p.body) {
		return p.body
	}
	return c
}

func holdsCalendar(b []byte) bool {
	begins, _ := marks(b, 1)
	return len(begins) > 0
}
