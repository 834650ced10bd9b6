package caldav

import "github.com/convene-server/convene/caldav/dav"

// Address books are listed and synchronised like calendars; writing cards
// comes with their rules.
var errNoCards = &dav.Error{Status: 403, Detail: "cards cannot be written yet"}

func (x *exchange) putCard(coll *resource, name string) error    { return errNoCards }
func (x *exchange) deleteCard(coll *resource, name string) error { return errNoCards }
func (x *exchange) moveCard(t transfer) error                    { return errNoCards }
func (x *exchange) copyCard(t transfer) error                    { return errNoCards }
