package db

import "time"

// Delivery is one mail on its way to one recipient.
type Delivery struct {
	ID        int64
	UID       string // of the conversation
	Principal int64  // local person in whose name it goes out
	From      string // calendar user address in whose name it speaks, "mailto:..."
	Rcpt      string // recipient's calendar user address
	Method    string
	Sequence  int64
	Body      []byte // the iTIP object
	Prior     []byte // what the recipient knew before, nil if nothing
	Scope     string // recurrence ids that it speaks of; equal scopes replace one another
	LocalCopy bool   // to somebody here who has no calendar program (decision 5)
	Created   time.Time
	Due       time.Time
	Attempts  int
	Answer    string // last answer of the relay
	Token     string // of the claim
}

// InsertDelivery queues one; it may replace or drop unattempted ones for the
// same conversation and recipient (STORAGE 28) and sets d.ID.
func (tx *Tx) InsertDelivery(d *Delivery) error { panic("db: not built yet") }

// ClaimDeliveries takes up to limit due ones, oldest of each conversation and
// recipient first, for the time of lease (STORAGE 27).
func (tx *Tx) ClaimDeliveries(limit int, lease time.Duration) ([]Delivery, error) {
	panic("db: not built yet")
}

// FinishDelivery removes a claimed row; false if the claim was lost.
func (tx *Tx) FinishDelivery(id int64, token string) (bool, error) { panic("db: not built yet") }

// PostponeDelivery gives a claimed row back for later.
func (tx *Tx) PostponeDelivery(id int64, token string, due time.Time, answer string) (bool, error) {
	panic("db: not built yet")
}

// Deliveries lists the queue by id.
func (tx *Tx) Deliveries(after int64, limit int) ([]Delivery, error) { panic("db: not built yet") }

// RetryDelivery makes a row due now; ErrNotFound without it.
func (tx *Tx) RetryDelivery(id int64) error { panic("db: not built yet") }

// DropDelivery removes a row that nobody has claimed; ErrNotFound without it.
func (tx *Tx) DropDelivery(id int64) error { panic("db: not built yet") }

// NextDelivery returns when the next row is due, false for an empty queue.
func (tx *Tx) NextDelivery() (time.Time, bool, error) { panic("db: not built yet") }
