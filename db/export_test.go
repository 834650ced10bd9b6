package db

// Scalar reads one number, for tests that look behind the methods.
func (tx *Tx) Scalar(text string) (n int64, err error) {
	err = tx.row(text, nil, &n)
	return n, err
}

// Run runs any statement.
func (tx *Tx) Run(text string, args ...any) error {
	_, err := tx.exec(text, args...)
	return err
}

// Script runs statements with words in braces.
func (tx *Tx) Script(text string) error { return tx.script(text) }
