package db

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// gramSize is how many characters a row of the table gram has.
const gramSize = 3

// gramEnd fills the last rows of a text up, so that one or two characters at
// its end begin a row as well.
const gramEnd = "\x1f"

// gramFold is at least as coarse as the collations that searches use: texts
// that one of them takes for equal are equal here.
func gramFold(s string) string {
	title := func(s string) string { return strings.Map(unicode.ToTitle, s) }
	return title(norm.NFKD.String(title(s)))
}

// grams returns the different rows of some texts.
func grams(texts []string) []string {
	var all []string
	for _, t := range texts {
		r := []rune(gramFold(t) + gramEnd + gramEnd)
		for i := 0; i+gramSize <= len(r); i++ {
			all = append(all, string(r[i:i+gramSize]))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// regram makes the rows of a principal anew.
func (tx *Tx) regram(id int64) error {
	var name string
	if err := tx.row(`SELECT name FROM principal WHERE id = $1`, []any{id}, &name); err != nil {
		return err
	}
	all, err := tx.Addresses(id)
	if err != nil {
		return err
	}
	known, err := texts(tx, `SELECT value FROM attribute WHERE principal = $1`, id)
	if err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM gram WHERE principal = $1`, id); err != nil {
		return err
	}
	var rows [][]any
	for _, g := range grams(append(append(all, known...), name)) {
		rows = append(rows, []any{g, id})
	}
	if err := tx.insertMany(`INSERT INTO gram (gram, principal)`, ``, rows, nil); err != nil {
		return err
	}
	_, err = tx.exec(`UPDATE principal SET grams = 1 WHERE id = $1 AND grams = 0`, id)
	return err
}

// PrincipalsLike returns those in whose name, addresses or attributes a text may
// stand, by id after a given one: at least all in which it does under any
// collation, from an index. The caller looks at each. An empty text is
// everybody. Kinds leave out who is of none of them.
func (tx *Tx) PrincipalsLike(text string, after int64, limit int, kinds ...Kind) ([]Principal, error) {
	r := []rune(gramFold(text))
	if slices.ContainsFunc(r, unicode.IsControl) || !key(string(r)) {
		return nil, nil // nobody is called so
	}
	q := `SELECT ` + principalColumns + ` FROM principal p WHERE p.id > $1`
	args := []any{after, limit}
	for i, k := range kinds {
		args = append(args, string(k))
		q += []string{` AND p.kind IN (`, `, `}[min(i, 1)] + `$` + strconv.Itoa(len(args))
	}
	if len(kinds) > 0 {
		q += `)`
	}
	if len(r) > 0 {
		n := len(args)
		// Rows that an older release made are looked at, too.
		q += ` AND (p.grams = 0 OR p.id IN (`
		if len(r) < gramSize {
			q += `SELECT principal FROM gram WHERE gram >= $` + strconv.Itoa(n+1) + ` AND gram < $` + strconv.Itoa(n+2)
			args = append(args, string(r), string(r)+"\U0010FFFF")
		} else {
			// A few rows are enough to leave few principals.
			at := []int{0, len(r) - gramSize, (len(r) - gramSize) / 2}
			for i, from := range slices.Compact(at) {
				if i > 0 {
					q += ` INTERSECT `
				}
				q += `SELECT principal FROM gram WHERE gram = $` + strconv.Itoa(n+1+i)
				args = append(args, string(r[from:from+gramSize]))
			}
		}
		q += `))`
	}
	return collect(tx, q+` ORDER BY p.id LIMIT $2`, args, (*Principal).fields)
}

// Gram makes the rows of principals that came from an older release. Nothing
// depends on it but the speed of searches.
func (s *Store) Gram(ctx context.Context) error {
	for {
		var ids []int64
		err := s.Write(ctx, nil, func(tx *Tx) (err error) {
			ids, err = collect(tx, `SELECT id FROM principal WHERE grams = 0 ORDER BY id LIMIT $1`, []any{sweepMost / 5}, func(id *int64) []any { return []any{id} })
			for _, id := range ids {
				if err == nil {
					err = tx.regram(id)
				}
			}
			return err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
	}
}
