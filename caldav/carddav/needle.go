package carddav

import "strings"

// Needles tells which texts a filter looks for in cards that have nothing but
// some properties, named in upper case, of which those that are true are
// indexed: a card that passes holds one of the texts in these, whatever the
// case. No text: no such card passes. ok is false if there is no telling, so
// that every card must be looked at.
func (f *Filter) Needles(has map[string]bool) (texts []string, ok bool) {
	if len(f.Props) == 0 {
		return nil, false
	}
	for i := range f.Props {
		t, known := f.Props[i].needles(has)
		if f.All {
			if known { // all must hold, so this one
				return t, true
			}
			continue
		}
		if !known {
			return nil, false
		}
		texts = append(texts, t...)
	}
	return texts, !f.All
}

func (f *PropFilter) needles(has map[string]bool) ([]string, bool) {
	if f.NotDefined {
		return nil, false
	}
	indexed, there := has[f.Name]
	if !there {
		return nil, true
	}
	var texts []string
	if !indexed || len(f.Texts) == 0 || !f.All && len(f.Params) > 0 {
		return nil, false
	}
	for i := range f.Texts {
		t := &f.Texts[i]
		n := ""
		if !t.Negate {
			n = longest(t.folded)
		}
		switch {
		case f.All && n != "":
			return []string{n}, true
		case f.All:
		case n == "":
			return nil, false
		default:
			texts = append(texts, n)
		}
	}
	return texts, !f.All
}

// longest is the longest piece of a text that no punctuation of a structured
// value parts.
func longest(s string) (best string) {
	for _, piece := range strings.FieldsFunc(s, func(r rune) bool { return r < 0x20 || strings.ContainsRune(`;,\`, r) }) {
		if len(piece) > len(best) {
			best = piece
		}
	}
	return best
}
