package carddav

// Match reports whether a card passes the filter (RFC 6352 §10.5).
func (f *Filter) Match(c *Card) bool {
	if len(f.Props) == 0 {
		return true
	}
	for i := range f.Props {
		if f.Props[i].match(c) != f.All {
			return !f.All
		}
	}
	return f.All
}

// match is the condition of §10.5.1: some one property of that name meets the
// conditions, any or all of them.
func (f *PropFilter) match(c *Card) bool {
	there := false
	for i := range c.Props {
		p := &c.Props[i]
		if p.Name != f.Name || f.Group != "" && p.Group != f.Group {
			continue
		}
		there = true
		if f.meets(p) {
			return true
		}
	}
	return f.NotDefined && !there
}

func (f *PropFilter) meets(p *Prop) bool {
	if len(f.Texts) == 0 && len(f.Params) == 0 {
		return !f.NotDefined
	}
	if len(f.Texts) > 0 {
		value := p.Text()
		for i := range f.Texts {
			if f.Texts[i].match(value) != f.All {
				return !f.All
			}
		}
	}
	for i := range f.Params {
		if f.Params[i].match(p) != f.All {
			return !f.All
		}
	}
	return f.All
}

// match is the condition of §10.5.2. A parameter with several values matches a
// text if one of them does, and its negation if none does.
func (f *ParamFilter) match(p *Prop) bool {
	there := false
	for _, par := range p.Params {
		if par.Name != f.Name {
			continue
		}
		there = true
		if f.Text != nil && f.Text.finds(par.Value) {
			return !f.Text.Negate
		}
	}
	switch {
	case f.NotDefined || !there:
		return f.NotDefined && !there
	case f.Text == nil:
		return true
	}
	return f.Text.Negate
}

// match is the condition of §10.5.4.
func (t *TextMatch) match(value string) bool { return t.finds(value) != t.Negate }

func (t *TextMatch) finds(value string) bool {
	return t.Type.Found(t.Collation.Fold(value), t.folded)
}
