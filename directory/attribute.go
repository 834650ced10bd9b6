package directory

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/convene-server/convene/db"
)

// Names of attributes: what pickers show and find of rooms and resources.
const (
	Building = "building"
	Floor    = "floor"
	Feature  = "feature" // may have several
	Geo      = "geo"     // "LATITUDE,LONGITUDE" in degrees
)

// maxAttributes and maxAttribute bound how many there can be of one name, and
// how long each.
const (
	maxAttributes = 100
	maxAttribute  = 200
)

// SetAttribute stores the values of an attribute, none take it away. The error
// says what can be stored.
func SetAttribute(tx *db.Tx, principal int64, name string, values ...string) error {
	var kept []string
	for _, v := range values {
		v = strings.Join(strings.Fields(v), " ")
		switch {
		case v == "":
			continue
		case len(v) > maxAttribute:
			return fmt.Errorf("%s: longer than %d octets", name, maxAttribute)
		case name == Geo:
			var err error
			if v, err = position(v); err != nil {
				return err
			}
		}
		kept = append(kept, v)
	}
	if len(kept) > maxAttributes {
		return fmt.Errorf("%s: more than %d", name, maxAttributes)
	}
	return tx.SetAttribute(principal, name, kept...)
}

// position brings a place on earth into one form.
func position(v string) (string, error) {
	lat, lon, ok := strings.Cut(v, ",")
	a, err1 := strconv.ParseFloat(strings.TrimSpace(lat), 64)
	o, err2 := strconv.ParseFloat(strings.TrimSpace(lon), 64)
	if !ok || err1 != nil || err2 != nil || !(a >= -90 && a <= 90 && o >= -180 && o <= 180) {
		return "", fmt.Errorf("geo is LATITUDE,LONGITUDE in degrees, as 52.5163,13.3777, not %q", v)
	}
	f := func(x float64) string { return strconv.FormatFloat(x, 'f', 6, 64) }
	return f(a) + "," + f(o), nil
}
