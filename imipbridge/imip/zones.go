package imip

import (
	"strings"

	"github.com/convene-server/convene/scheduling/ics"
)

// foreignZone guesses the IANA zone behind a name that is in no list: Windows
// names in the language of the machine, with a number where a program made one
// of its own, with a prefix of Microsoft's. "" for a name that tells nothing.
func foreignZone(tzid string) string {
	name := strings.TrimSpace(strings.Trim(strings.TrimSpace(tzid), `"'`))
	low := strings.ToLower(name)
	for _, prefix := range []string{"tzone://microsoft/", "microsoft/", "/microsoft/"} {
		if rest, ok := strings.CutPrefix(low, prefix); ok {
			low, name = rest, name[len(name)-len(rest):]
		}
	}
	if loc := ics.Location(name); loc != nil {
		return loc.String()
	}
	// "Eastern Standard Time 1", "W. Europe Standard Time (2)"
	if cut := strings.TrimRight(name, "0123456789() "); cut != name && cut != "" {
		if loc := ics.Location(cut); loc != nil {
			return loc.String()
		}
	}
	// "(GMT+01.00) Berlin/Stockholm" and "GMT +0100 (Standard) / GMT +0200 (Daylight)":
	// the first city of the list that is one of the tz database.
	if strings.HasPrefix(low, "(gmt") || strings.HasPrefix(low, "(utc") {
		_, cities, _ := strings.Cut(low, ")")
		for _, c := range strings.FieldsFunc(cities, func(r rune) bool { return r == ',' || r == '/' || r == ';' }) {
			if iana := cityZones[strings.TrimSpace(c)]; iana != "" {
				return iana
			}
		}
	}
	return translated[low]
}

// cityZones are the cities that display names of zones begin with.
var cityZones = map[string]string{
	"amsterdam": "Europe/Amsterdam", "berlin": "Europe/Berlin", "bern": "Europe/Zurich", "rome": "Europe/Rome", "stockholm": "Europe/Stockholm",
	"vienna": "Europe/Vienna", "brussels": "Europe/Brussels", "copenhagen": "Europe/Copenhagen", "madrid": "Europe/Madrid", "paris": "Europe/Paris",
	"belgrade": "Europe/Belgrade", "bratislava": "Europe/Bratislava", "budapest": "Europe/Budapest", "ljubljana": "Europe/Ljubljana", "prague": "Europe/Prague",
	"sarajevo": "Europe/Sarajevo", "skopje": "Europe/Skopje", "warsaw": "Europe/Warsaw", "zagreb": "Europe/Zagreb", "dublin": "Europe/Dublin",
	"edinburgh": "Europe/London", "lisbon": "Europe/Lisbon", "london": "Europe/London", "athens": "Europe/Athens", "bucharest": "Europe/Bucharest",
	"helsinki": "Europe/Helsinki", "kyiv": "Europe/Kiev", "kiev": "Europe/Kiev", "riga": "Europe/Riga", "sofia": "Europe/Sofia", "tallinn": "Europe/Tallinn",
	"vilnius": "Europe/Vilnius", "istanbul": "Europe/Istanbul", "moscow": "Europe/Moscow", "cairo": "Africa/Cairo", "jerusalem": "Asia/Jerusalem",
	"tokyo": "Asia/Tokyo", "osaka": "Asia/Tokyo", "seoul": "Asia/Seoul", "beijing": "Asia/Shanghai", "hong kong": "Asia/Hong_Kong", "singapore": "Asia/Singapore",
	"mumbai": "Asia/Kolkata", "new delhi": "Asia/Kolkata", "chennai": "Asia/Kolkata", "sydney": "Australia/Sydney", "melbourne": "Australia/Melbourne",
	"eastern time (us & canada)": "America/New_York", "central time (us & canada)": "America/Chicago", "mountain time (us & canada)": "America/Denver",
	"pacific time (us & canada)": "America/Los_Angeles", "brasilia": "America/Sao_Paulo", "buenos aires": "America/Argentina/Buenos_Aires", "auckland": "Pacific/Auckland",
}

// translated are Windows names in other languages than English, as Exchange
// writes them on machines of those languages.
var translated = map[string]string{
	"mitteleuropäische zeit": "Europe/Berlin", "westeuropäische normalzeit": "Europe/Berlin", "mitteleuropäische normalzeit": "Europe/Warsaw",
	"mitteleuropäische sommerzeit": "Europe/Berlin", "romanische normalzeit": "Europe/Paris", "zentraleuropäische zeit": "Europe/Budapest", "gmt normalzeit": "Europe/London",
	"europe de l’ouest": "Europe/Berlin", "paris, madrid": "Europe/Paris", "romance (heure standard)": "Europe/Paris", "heure d’europe centrale": "Europe/Paris",
	"heure normale d’europe centrale": "Europe/Paris", "heure d'europe centrale": "Europe/Paris", "est (amérique du nord)": "America/New_York",
	"hora estándar romance": "Europe/Paris", "hora estándar de europa occidental": "Europe/Berlin", "hora est. pacífico": "America/Los_Angeles", "hora de verano romance": "Europe/Paris",
	"ora solare europa occidentale": "Europe/Berlin", "west-europa (standaardtijd)": "Europe/Berlin", "w. europe standaardtijd": "Europe/Berlin",
	"środkowoeuropejski czas stand.": "Europe/Warsaw", "västeuropa, normaltid": "Europe/Berlin", "vest-europa (normaltid)": "Europe/Berlin",
	"rtz 2 (зима)": "Europe/Moscow", "московское время (зима)": "Europe/Moscow", "中国标准时间": "Asia/Shanghai", "東京 (標準時)": "Asia/Tokyo", "대한민국 표준시": "Asia/Seoul",
	"hora oficial do brasil": "America/Sao_Paulo", "hora padrão gmt": "Europe/London", "e. south america (hora padrão)": "America/Sao_Paulo",
}
