package imip

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// phrases are the texts of one language. A verb %s is the person who speaks, %q
// the title of the event; words says the rest.
type phrases struct {
	tag string

	invitation, update, cancellation, counter, declineCounter, refresh, publish string // headings
	busyTime, taken                                                             string // of a VFREEBUSY
	subjects                                                                    map[string]string
	answers                                                                     map[string]string // PARTSTAT: heading of a REPLY
	partstat                                                                    map[string]string // PARTSTAT: as a word

	what, when, due, repeats, where, organizer, attendees, comment, link, changed, moreDates string

	quotes, was, concerns, occurrence, allDay, added, removed, newText, andMore, untitled string
	accept, tentative, decline, answerHere, footer, via                                   string

	days, months   []string
	dateOf         func(t time.Time, weekday bool, p *phrases) string
	each           map[string][2]string // FREQ: singular, plural with the number
	onDays         func(days []string, p *phrases) string
	onNth          func(n int, day string) string
	onMonthDays    func(days []string, p *phrases) string
	until, nTimes  string
	and, exceptFor string
	onTheseDates   string
}

// catalogue holds the languages; the first is the one for everybody else.
var catalogue = []*phrases{&english, &german, &french}

var matcher = func() language.Matcher {
	var tags []language.Tag
	for _, p := range catalogue {
		tags = append(tags, language.Make(p.tag))
	}
	return language.NewMatcher(tags)
}()

// speak returns the texts for a language tag or an Accept-Language field.
func speak(want string) *phrases {
	tags, _, err := language.ParseAcceptLanguage(want)
	if err != nil || len(tags) == 0 {
		return catalogue[0]
	}
	_, i, confidence := matcher.Match(tags...)
	if confidence == language.No {
		return catalogue[0]
	}
	return catalogue[i]
}

func (p *phrases) date(t time.Time, weekday bool) string { return p.dateOf(t, weekday, p) }

// list joins with commas and "and".
func (p *phrases) list(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	return strings.Join(items[:len(items)-1], ", ") + " " + p.and + " " + items[len(items)-1]
}

var english = phrases{
	tag:          "en",
	invitation:   "%s invites you to %s",
	update:       "%s changed %s",
	cancellation: "%s cancelled %s",
	counter:      "%s proposes a change to %s", declineCounter: "%s declined your proposal for %s",
	refresh: "%s asks for the current state of %s", publish: "%s tells you of %s",
	busyTime: "Busy time of %s", taken: "Busy",
	subjects: map[string]string{
		"invitation": "Invitation: %s", "update": "Updated invitation: %s", "cancellation": "Cancelled: %s", "counter": "Proposal: %s",
		"declineCounter": "Proposal declined: %s", "refresh": "Current state asked for: %s", "publish": "%s",
		"ACCEPTED": "Accepted: %s", "TENTATIVE": "Tentatively accepted: %s", "DECLINED": "Declined: %s", "DELEGATED": "Delegated: %s", "IN-PROCESS": "In progress: %s", "COMPLETED": "Done: %s", "": "Answer: %s",
	},
	answers: map[string]string{
		"ACCEPTED": "%s accepted %s", "TENTATIVE": "%s tentatively accepted %s", "DECLINED": "%s declined %s",
		"DELEGATED": "%s delegated the invitation to %s", "IN-PROCESS": "%s is working on %s", "COMPLETED": "%s completed %s", "": "%s answered to %s",
	},
	partstat: map[string]string{"ACCEPTED": "accepted", "TENTATIVE": "tentative", "DECLINED": "declined", "NEEDS-ACTION": "not answered yet", "DELEGATED": "delegated", "IN-PROCESS": "in progress", "COMPLETED": "done"},
	what:     "What", when: "When", due: "Due", repeats: "Repeats", where: "Where", organizer: "Organizer", attendees: "Attendees", comment: "Comment", link: "Link",
	changed: "Changed", moreDates: "Single dates",
	quotes: "“%s”", was: "before", concerns: "Concerns", occurrence: "only the date on %s", allDay: "all day", added: "added", removed: "removed", newText: "new text", andMore: "and %d more", untitled: "(no title)",
	accept: "Accept", tentative: "Maybe", decline: "Decline",
	answerHere: "Answer here, without a calendar program:",
	footer:     "Your mail program can answer this invitation too. Nothing is answered by opening the page.",
	via:        "%s (via calendar)",
	days:       []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
	months:     []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
	dateOf: func(t time.Time, weekday bool, p *phrases) string {
		s := strconv.Itoa(t.Day()) + " " + p.months[t.Month()-1] + " " + strconv.Itoa(t.Year())
		if weekday {
			s = p.days[t.Weekday()] + ", " + s
		}
		return s
	},
	each:   map[string][2]string{"DAILY": {"every day", "every %d days"}, "WEEKLY": {"every week", "every %d weeks"}, "MONTHLY": {"every month", "every %d months"}, "YEARLY": {"every year", "every %d years"}},
	onDays: func(days []string, p *phrases) string { return "on " + p.list(days) },
	onNth: func(n int, day string) string {
		if n < 0 {
			return "on the last " + day
		}
		return "on the " + []string{"first", "second", "third", "fourth", "fifth"}[n-1] + " " + day
	},
	onMonthDays: func(days []string, p *phrases) string {
		if len(days) == 1 {
			return "on day " + days[0]
		}
		return "on the days " + p.list(days)
	},
	until: "until %s", nTimes: "%d times", and: "and", exceptFor: "except %s", onTheseDates: "on these dates: %s",
}

var german = phrases{
	tag:          "de",
	invitation:   "%s lädt Sie ein: %s",
	update:       "%s hat geändert: %s",
	cancellation: "%s hat abgesagt: %s",
	counter:      "%s schlägt eine Änderung vor: %s", declineCounter: "%s hat Ihren Vorschlag abgelehnt: %s",
	refresh: "%s bittet um den neuesten Stand: %s", publish: "%s teilt Ihnen mit: %s",
	busyTime: "Belegte Zeiten von %s", taken: "Belegt",
	subjects: map[string]string{
		"invitation": "Einladung: %s", "update": "Geänderte Einladung: %s", "cancellation": "Abgesagt: %s", "counter": "Vorschlag: %s",
		"declineCounter": "Vorschlag abgelehnt: %s", "refresh": "Bitte um den neuesten Stand: %s", "publish": "%s",
		"ACCEPTED": "Zugesagt: %s", "TENTATIVE": "Unter Vorbehalt zugesagt: %s", "DECLINED": "Abgelehnt: %s", "DELEGATED": "Weitergegeben: %s", "IN-PROCESS": "In Arbeit: %s", "COMPLETED": "Erledigt: %s", "": "Antwort: %s",
	},
	answers: map[string]string{
		"ACCEPTED": "%s hat zugesagt: %s", "TENTATIVE": "%s hat unter Vorbehalt zugesagt: %s", "DECLINED": "%s hat abgelehnt: %s",
		"DELEGATED": "%s hat die Einladung weitergegeben: %s", "IN-PROCESS": "%s arbeitet daran: %s", "COMPLETED": "%s hat erledigt: %s", "": "%s hat geantwortet: %s",
	},
	partstat: map[string]string{"ACCEPTED": "zugesagt", "TENTATIVE": "unter Vorbehalt", "DECLINED": "abgelehnt", "NEEDS-ACTION": "noch keine Antwort", "DELEGATED": "weitergegeben", "IN-PROCESS": "in Arbeit", "COMPLETED": "erledigt"},
	what:     "Was", when: "Wann", due: "Fällig", repeats: "Wiederholung", where: "Wo", organizer: "Einladende Person", attendees: "Eingeladen", comment: "Bemerkung", link: "Link",
	changed: "Geändert", moreDates: "Einzelne Termine",
	quotes: "„%s“", was: "vorher", concerns: "Betrifft", occurrence: "nur der Termin am %s", allDay: "ganztägig", added: "neu dabei", removed: "nicht mehr dabei", newText: "neuer Text", andMore: "und %d weitere", untitled: "(ohne Titel)",
	accept: "Zusagen", tentative: "Vielleicht", decline: "Ablehnen",
	answerHere: "Hier antworten, ohne Kalenderprogramm:",
	footer:     "Auch Ihr Mailprogramm kann auf diese Einladung antworten. Das Öffnen der Seite beantwortet noch nichts.",
	via:        "%s (über den Kalender)",
	days:       []string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"},
	months:     []string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"},
	dateOf: func(t time.Time, weekday bool, p *phrases) string {
		s := strconv.Itoa(t.Day()) + ". " + p.months[t.Month()-1] + " " + strconv.Itoa(t.Year())
		if weekday {
			s = p.days[t.Weekday()] + ", " + s
		}
		return s
	},
	each:   map[string][2]string{"DAILY": {"jeden Tag", "alle %d Tage"}, "WEEKLY": {"jede Woche", "alle %d Wochen"}, "MONTHLY": {"jeden Monat", "alle %d Monate"}, "YEARLY": {"jedes Jahr", "alle %d Jahre"}},
	onDays: func(days []string, p *phrases) string { return "am " + p.list(days) },
	onNth: func(n int, day string) string {
		if n < 0 {
			return "am letzten " + day
		}
		return "am " + []string{"ersten", "zweiten", "dritten", "vierten", "fünften"}[n-1] + " " + day
	},
	onMonthDays: func(days []string, p *phrases) string {
		each := make([]string, len(days))
		for i, day := range days {
			each[i] = day + "."
		}
		return "am " + p.list(each)
	},
	until: "bis %s", nTimes: "%d-mal", and: "und", exceptFor: "außer %s", onTheseDates: "an diesen Tagen: %s",
}

var french = phrases{
	tag:          "fr",
	invitation:   "%s vous invite : %s",
	update:       "%s a modifié : %s",
	cancellation: "%s a annulé : %s",
	counter:      "%s propose une modification : %s", declineCounter: "%s a refusé votre proposition : %s",
	refresh: "%s demande l’état actuel : %s", publish: "%s vous informe : %s",
	busyTime: "Disponibilité de %s", taken: "Occupé",
	subjects: map[string]string{
		"invitation": "Invitation : %s", "update": "Invitation modifiée : %s", "cancellation": "Annulé : %s", "counter": "Proposition : %s",
		"declineCounter": "Proposition refusée : %s", "refresh": "Demande de l’état actuel : %s", "publish": "%s",
		"ACCEPTED": "Accepté : %s", "TENTATIVE": "Accepté provisoirement : %s", "DECLINED": "Refusé : %s", "DELEGATED": "Délégué : %s", "IN-PROCESS": "En cours : %s", "COMPLETED": "Terminé : %s", "": "Réponse : %s",
	},
	answers: map[string]string{
		"ACCEPTED": "%s a accepté : %s", "TENTATIVE": "%s a accepté provisoirement : %s", "DECLINED": "%s a refusé : %s",
		"DELEGATED": "%s a délégué l’invitation : %s", "IN-PROCESS": "%s y travaille : %s", "COMPLETED": "%s a terminé : %s", "": "%s a répondu : %s",
	},
	partstat: map[string]string{"ACCEPTED": "accepté", "TENTATIVE": "provisoire", "DECLINED": "refusé", "NEEDS-ACTION": "pas encore de réponse", "DELEGATED": "délégué", "IN-PROCESS": "en cours", "COMPLETED": "terminé"},
	what:     "Quoi", when: "Quand", due: "Échéance", repeats: "Répétition", where: "Où", organizer: "Organisation", attendees: "Personnes invitées", comment: "Commentaire", link: "Lien",
	changed: "Modifié", moreDates: "Dates particulières",
	quotes: "« %s »", was: "avant", concerns: "Concerne", occurrence: "seulement la date du %s", allDay: "toute la journée", added: "en plus", removed: "en moins", newText: "nouveau texte", andMore: "et %d autres", untitled: "(sans titre)",
	accept: "Accepter", tentative: "Peut-être", decline: "Refuser",
	answerHere: "Répondre ici, sans programme de calendrier :",
	footer:     "Votre programme de messagerie peut aussi répondre à cette invitation. Ouvrir la page ne répond à rien.",
	via:        "%s (par l’agenda)",
	days:       []string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"},
	months:     []string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
	dateOf: func(t time.Time, weekday bool, p *phrases) string {
		day := strconv.Itoa(t.Day())
		if t.Day() == 1 {
			day = "1er"
		}
		s := day + " " + p.months[t.Month()-1] + " " + strconv.Itoa(t.Year())
		if weekday {
			s = p.days[t.Weekday()] + " " + s
		}
		return s
	},
	each: map[string][2]string{"DAILY": {"tous les jours", "tous les %d jours"}, "WEEKLY": {"toutes les semaines", "toutes les %d semaines"}, "MONTHLY": {"tous les mois", "tous les %d mois"}, "YEARLY": {"tous les ans", "tous les %d ans"}},
	onDays: func(days []string, p *phrases) string {
		each := make([]string, len(days))
		for i, day := range days {
			each[i] = "le " + day
		}
		return p.list(each)
	},
	onNth: func(n int, day string) string {
		if n < 0 {
			return "le dernier " + day
		}
		return "le " + []string{"premier", "deuxième", "troisième", "quatrième", "cinquième"}[n-1] + " " + day
	},
	onMonthDays: func(days []string, p *phrases) string { return "le " + p.list(days) },
	until:       "jusqu’au %s", nTimes: "%d fois", and: "et", exceptFor: "sauf %s", onTheseDates: "à ces dates : %s",
}
