package dialogue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// object makes an iCalendar object of the lines of a put or a mail.
func (r *run) object(lines []string, method string) []byte {
	var b strings.Builder
	product := "PRODID:-//dialogue//EN"
	lines = slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		if v, ok := strings.CutPrefix(l, "METHOD:"); ok {
			method = v
			return true
		}
		if !strings.HasPrefix(l, "PRODID:") {
			return false
		}
		product = l
		return true
	})
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + product + "\r\n")
	if method != "" {
		b.WriteString("METHOD:" + method + "\r\n")
	}
	kind := "VEVENT"
	if len(lines) > 0 && slices.Contains([]string{"VTODO", "VFREEBUSY", "VJOURNAL"}, lines[0]) {
		kind, lines = lines[0], lines[1:]
	}
	var event []string
	uid := r.uid
	for _, l := range lines {
		if v, ok := strings.CutPrefix(l, "UID:"); ok {
			uid = v
		}
	}
	flush := func() {
		have := func(name string) bool {
			for _, l := range event {
				if strings.HasPrefix(l, name+":") || strings.HasPrefix(l, name+";") {
					return true
				}
			}
			return false
		}
		b.WriteString("BEGIN:" + kind + "\r\n")
		if !have("UID") {
			b.WriteString("UID:" + uid + "\r\n")
		}
		if !have("DTSTAMP") {
			b.WriteString("DTSTAMP:" + r.now.UTC().Format(utcForm) + "\r\n")
		}
		for _, l := range event {
			b.WriteString(r.expand(l) + "\r\n")
		}
		b.WriteString("END:" + kind + "\r\n")
		event = nil
	}
	for _, l := range lines {
		if l == "--" {
			flush()
			continue
		}
		event = append(event, many(l)...)
	}
	flush()
	b.WriteString("END:VCALENDAR\r\n")
	r.uid = uid
	return []byte(b.String())
}

// many writes out a line with "{1..50}" in it, once or several times.
func many(l string) []string {
	_, rest, _ := strings.Cut(l, "{1..")
	count, _, ok := strings.Cut(rest, "}")
	n, err := strconv.Atoi(count)
	if !ok || err != nil {
		return []string{l}
	}
	var out []string
	for i := range n {
		out = append(out, strings.ReplaceAll(l, "{1.."+count+"}", strconv.Itoa(i+1)))
	}
	return out
}

// expand lets a script write "ORGANIZER:ann" and "ATTENDEE;PARTSTAT=X:bob": a
// value that is a person's name stands for the address.
func (r *run) expand(l string) string {
	if !strings.HasPrefix(l, "ATTENDEE") && !strings.HasPrefix(l, "ORGANIZER") {
		return l
	}
	i := strings.LastIndexByte(l, ':')
	for _, p := range r.s.People {
		if i >= 0 && l[i+1:] == p.Name {
			return l[:i+1] + "mailto:" + p.Address
		}
	}
	return l
}

// edit changes the unfolded lines of an object.
func edit(text string, changes []string) (string, error) {
	lines := strings.Split(strings.TrimRight(strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\r\n", "\n").Replace(text), "\n"), "\n")
	kind := "VEVENT"
	if slices.Contains(lines, "BEGIN:VTODO") {
		kind = "VTODO"
	}
	fresh := false // lines that are added belong to a new component
	for _, c := range changes {
		if strings.HasSuffix(c, " =>") {
			c += " " // nothing in its place
		}
		if c == "+ --" {
			n := len(lines) - 1
			lines = append(lines[:n:n], "BEGIN:"+kind, "END:"+kind, lines[n])
			fresh = true
			continue
		}
		if add, ok := strings.CutPrefix(c, "+ "); ok {
			rid := ""
			if strings.HasPrefix(add, "@") {
				rid, add, _ = strings.Cut(add, " ")
			}
			i := endOf(lines, kind, rid, fresh)
			if i < 0 {
				return "", fmt.Errorf("the copy has no component for %q:\n%s", c, text)
			}
			lines = append(lines[:i:i], append([]string{add}, lines[i:]...)...)
			continue
		}
		fresh = false
		if rid, ok := strings.CutPrefix(c, "- @"); ok {
			end := endOf(lines, kind, "@"+rid, false)
			if end < 0 {
				return "", fmt.Errorf("the copy has no component for %q:\n%s", c, text)
			}
			begin := end
			for lines[begin] != "BEGIN:"+kind {
				begin--
			}
			lines = append(lines[:begin:begin], lines[end+1:]...)
			continue
		}
		old, now, replace := strings.Cut(c, " => ")
		if strings.Contains(old, unanswered) && !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, old) }) {
			writeOut(lines)
		}
		gone, remove := strings.CutPrefix(c, "- ")
		hit := false
		out := lines[:0:0]
		for _, l := range lines {
			switch {
			case replace && strings.Contains(l, old):
				l, hit = strings.ReplaceAll(l, old, now), true
			case !replace && remove && strings.Contains(l, gone):
				hit = true
				continue
			}
			out = append(out, l)
		}
		if !hit {
			return "", fmt.Errorf("no line of the copy holds what %q speaks of:\n%s", c, text)
		}
		lines = out
	}
	return strings.Join(lines, "\r\n") + "\r\n", nil
}

const unanswered = "PARTSTAT=NEEDS-ACTION"

// writeOut writes out what ATTENDEE lines without PARTSTAT say (RFC 5545
// §3.2.12), as a program does that edits them.
func writeOut(lines []string) {
	for i, l := range lines {
		if at := strings.Index(l, ":mailto:"); strings.HasPrefix(l, "ATTENDEE") && !strings.Contains(l, "PARTSTAT=") && at > 0 {
			lines[i] = l[:at] + ";" + unanswered + l[at:]
		}
	}
}

// endOf returns the line that ends the first component of a kind, the last one,
// or the override that "@" and a RECURRENCE-ID as written name; -1 if there is
// none.
func endOf(lines []string, kind, rid string, last bool) int {
	found, in := -1, ""
	for i, l := range lines {
		switch {
		case l == "BEGIN:"+kind:
			in = ""
		case strings.HasPrefix(l, "RECURRENCE-ID"):
			in = "@" + l[strings.LastIndexByte(l, ':')+1:]
		case l == "END:"+kind && last:
			found = i
		case l == "END:"+kind && (rid == "" || rid == in):
			return i
		}
	}
	return found
}
