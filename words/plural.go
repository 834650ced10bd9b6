package words

import (
	"errors"
	"strconv"
	"strings"
)

// plural tells which of a language's forms a number takes.
type plural func(n int) int

func germanic(n int) int {
	if n == 1 {
		return 0
	}
	return 1
}

// parsePlural reads the expression of a Plural-Forms field: C, with n.
func parsePlural(s string) (plural, error) {
	if len(s) > 1000 {
		return nil, errors.New("too long")
	}
	p := pluralParser{rest: s}
	f := p.choice(0)
	if p.skip(); p.err == nil && p.rest != "" {
		p.fail()
	}
	if p.err != nil {
		return nil, p.err
	}
	return f, nil
}

type pluralParser struct {
	rest string
	err  error
}

func (p *pluralParser) fail() plural {
	if p.err == nil {
		p.err = errors.New("not understood at " + strconv.Quote(p.rest))
	}
	return func(int) int { return 0 }
}

func (p *pluralParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t") }

// take removes an operator, if it comes next.
func (p *pluralParser) take(op string) bool {
	p.skip()
	after, ok := strings.CutPrefix(p.rest, op)
	if ok {
		p.rest = after
	}
	return ok
}

// choice reads "a ? b : c". Depth is that of parentheses and choices.
func (p *pluralParser) choice(depth int) plural {
	if depth > 50 {
		return p.fail()
	}
	cond := p.binary(0, depth)
	if !p.take("?") {
		return cond
	}
	yes := p.choice(depth + 1)
	if !p.take(":") {
		return p.fail()
	}
	no := p.choice(depth + 1)
	return func(n int) int {
		if cond(n) != 0 {
			return yes(n)
		}
		return no(n)
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// binaries are the operators with two sides, those that bind least first.
var binaries = [][]struct {
	op string
	do func(a, b int) int
}{
	{{"||", func(a, b int) int { return truth(a != 0 || b != 0) }}},
	{{"&&", func(a, b int) int { return truth(a != 0 && b != 0) }}},
	{{"==", func(a, b int) int { return truth(a == b) }}, {"!=", func(a, b int) int { return truth(a != b) }}},
	{
		{"<=", func(a, b int) int { return truth(a <= b) }}, {">=", func(a, b int) int { return truth(a >= b) }},
		{"<", func(a, b int) int { return truth(a < b) }}, {">", func(a, b int) int { return truth(a > b) }},
	},
	{{"%", func(a, b int) int {
		if b == 0 {
			return 0
		}
		return a % b
	}}},
}

func (p *pluralParser) binary(level, depth int) plural {
	if level == len(binaries) {
		return p.operand(depth)
	}
	left := p.binary(level+1, depth)
next:
	for {
		for _, b := range binaries[level] {
			if p.take(b.op) {
				a, c, do := left, p.binary(level+1, depth), b.do
				left = func(n int) int { return do(a(n), c(n)) }
				continue next
			}
		}
		return left
	}
}

func (p *pluralParser) operand(depth int) plural {
	switch {
	case p.take("("):
		f := p.choice(depth + 1)
		if !p.take(")") {
			return p.fail()
		}
		return f
	case p.take("n"):
		return func(n int) int { return n }
	}
	digits := len(p.rest) - len(strings.TrimLeft(p.rest, "0123456789"))
	v, err := strconv.Atoi(p.rest[:digits])
	if err != nil || v > 1e6 {
		return p.fail()
	}
	p.rest = p.rest[digits:]
	return func(int) int { return v }
}
