package record

import (
	"fmt"
	"regexp"
	"strings"
)

func words(list string) map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.Fields(list) {
		all[w] = true
	}
	return all
}

var (
	// plainProps of iCalendar and vCard have values that say when and how, not
	// who, what and where.
	plainProps = words(`BEGIN END VERSION PRODID CALSCALE METHOD DTSTART DTEND DUE DURATION DTSTAMP CREATED LAST-MODIFIED COMPLETED SEQUENCE STATUS TRANSP CLASS
		PRIORITY PERCENT-COMPLETE RRULE RDATE EXDATE EXRULE RECURRENCE-ID TZID TZOFFSETFROM TZOFFSETTO TZNAME TZURL ACTION TRIGGER REPEAT ACKNOWLEDGED PROXIMITY FREEBUSY BUSYTYPE
		REFRESH-INTERVAL COLOR REQUEST-STATUS REV KIND X-ADDRESSBOOKSERVER-KIND X-WR-TIMEZONE X-LIC-LOCATION X-WR-ALARMUID`)
	// otherProps are those that have names to show, and values to hide.
	otherProps = words(`UID SUMMARY DESCRIPTION STYLED-DESCRIPTION COMMENT LOCATION GEO URL CONTACT ATTACH ATTENDEE ORGANIZER CATEGORIES RESOURCES RELATED-TO NAME IMAGE CONFERENCE
		SOURCE STRUCTURED-DATA PARTICIPANT-TYPE CALENDAR-ADDRESS LOCATION-TYPE RESOURCE-TYPE CONCEPT LINK REFID TZUNTIL TZID-ALIAS-OF
		FN N NICKNAME PHOTO BDAY ANNIVERSARY GENDER ADR LABEL TEL EMAIL IMPP LANG MAILER TZ TITLE ROLE LOGO AGENT ORG MEMBER RELATED NOTE SOUND KEY FBURL CALADRURI CALURI XML
		CLIENTPIDMAP SORT-STRING BIRTHPLACE DEATHDATE DEATHPLACE EXPERTISE HOBBY INTEREST ORG-DIRECTORY SOCIALPROFILE PRONOUNS CREATED`)
	// plainParams are parameters of which the same is true.
	plainParams = words(`VALUE TZID PARTSTAT ROLE RSVP CUTYPE RANGE RELATED RELTYPE FBTYPE TYPE PREF SCHEDULE-AGENT SCHEDULE-STATUS SCHEDULE-FORCE-SEND ENCODING LANGUAGE
		VERSION CHARSET FMTTYPE FEATURE DISPLAY DERIVED X-APPLE-OMIT-YEAR`)
	// partly are properties whose values have parts, at semicolons or commas.
	partly = words(`N ADR ORG CATEGORIES NICKNAME RESOURCES GEO`)
	// plainValue is what properties of a program's own may show: a time, a small
	// number, yes or no.
	plainValue = regexp.MustCompile(`^(?:\d{8}(?:T\d{6}Z?)?|-?\d{1,5}|(?i:true|false|yes|no))$`)
	lineName   = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}`)
)

// maxMark is the longest value whose length need not be told.
const maxMark = 200

// lines redacts iCalendar and vCard, line by line. The last line of a text that
// was cut is left out. false: it is neither.
func (r *Redactor) lines(text string, cut bool) (string, bool) {
	text = strings.TrimPrefix(text, "\ufeff")
	if !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(text)), "BEGIN:V") {
		return "", false
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.NewReplacer("\n ", "", "\n\t", "").Replace(text)
	all := strings.Split(text, "\n")
	if cut {
		all = all[:len(all)-1]
	}
	card := strings.HasPrefix(strings.ToUpper(strings.TrimSpace(text)), "BEGIN:VCARD")
	var b strings.Builder
	for _, line := range all {
		if strings.TrimSpace(line) == "" {
			continue
		}
		b.WriteString(r.line(line, card))
		b.WriteString("\n")
	}
	return b.String(), true
}

// line redacts a content line: name, parameters, value (RFC 5545 §3.1).
func (r *Redactor) line(line string, card bool) string {
	name := lineName.FindString(line)
	if name == "" {
		return notALine(line)
	}
	prop := strings.ToUpper(name)
	if card {
		if _, after, grouped := strings.Cut(prop, "."); grouped {
			prop = after
		}
	}
	out, rest := name, line[len(name):]
	if !plainProps[prop] && !otherProps[prop] && !strings.HasPrefix(prop, "X-") {
		out = r.mark(name) // somebody's text, which a program did not fold as it should
	}
	for strings.HasPrefix(rest, ";") {
		rest = rest[1:]
		n := strings.IndexAny(rest, "=;:")
		if n < 0 || rest[n] != '=' { // as version 2.1 of vCard has it
			if n < 0 {
				n = len(rest)
			}
			out, rest = out+";"+r.mark(rest[:n]), rest[n:]
			continue
		}
		par := rest[:n]
		if !lineName.MatchString(par) || lineName.FindString(par) != par {
			par = r.mark(par)
		}
		out, rest = out+";"+par, rest[n:]
		for sep := "="; ; sep = "," {
			rest = rest[1:]
			quote, v := "", ""
			if strings.HasPrefix(rest, `"`) {
				end := strings.IndexByte(rest[1:], '"')
				if end < 0 {
					return notALine(line)
				}
				quote, v, rest = `"`, rest[1:1+end], rest[end+2:]
			} else {
				end := strings.IndexAny(rest, ",;:")
				if end < 0 {
					end = len(rest)
				}
				v, rest = rest[:end], rest[end:]
			}
			if !plainParams[strings.ToUpper(par)] || len(v) > maxMark {
				v = r.Href(v)
			}
			v = oneLine(v)
			out += sep + quote + v + quote
			if !strings.HasPrefix(rest, ",") {
				break
			}
		}
	}
	if !strings.HasPrefix(rest, ":") {
		return notALine(line)
	}
	return out + ":" + r.value(prop, rest[1:], card)
}

func notALine(line string) string {
	return fmt.Sprintf("(a line of %d octets that is none of a name and a value)", len(line))
}

func (r *Redactor) value(prop, v string, card bool) string {
	switch {
	case plainProps[prop] && len(v) <= 10*maxMark,
		!card && strings.HasPrefix(prop, "X-") && plainValue.MatchString(v):
		return oneLine(v)
	case partly[prop]:
		var out []string
		for _, part := range strings.Split(v, ";") {
			var some []string
			for _, one := range strings.Split(part, ",") {
				some = append(some, r.text(one))
			}
			out = append(out, strings.Join(some, ","))
		}
		return strings.Join(out, ";")
	case len(v) > maxMark:
		return fmt.Sprintf("%s (%d octets)", r.mark(v), len(v))
	}
	return r.Href(v)
}
