package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/convene-server/convene/db/migrations"
)

// Migrate brings the schema up to date; nodes that start together wait for
// each other. ErrNewer if a newer release was here.
func (s *Store) Migrate(ctx context.Context) error {
	all, err := migrations.All()
	if err != nil {
		return err
	}
	return s.migrateTo(ctx, all)
}

func (s *Store) migrateTo(ctx context.Context, all []migrations.Migration) error {
	return s.Write(ctx, nil, func(tx *Tx) error {
		if tx.c.d != sqliteDialect {
			// 0x636f6e76: any number that nobody else locks in this database.
			if _, err := tx.exec(`SELECT pg_advisory_xact_lock(1668247158)`); err != nil {
				return err
			}
		}
		if err := tx.script(`CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)`); err != nil {
			return err
		}
		var have int64
		switch err := tx.row(`SELECT version FROM schema_version`, nil, &have); {
		case errors.Is(err, ErrNotFound):
			if _, err := tx.exec(`INSERT INTO schema_version (version) VALUES (0)`); err != nil {
				return err
			}
		case err != nil:
			return err
		}
		if have > int64(len(all)) {
			return fmt.Errorf("%w: version %d, this program knows %d", ErrNewer, have, len(all))
		}
		if have == int64(len(all)) {
			return nil
		}
		for _, m := range all[have:] {
			if err := tx.script(m.SQL); err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
		}
		if _, err := tx.exec(`UPDATE schema_version SET version = $1`, len(all)); err != nil {
			return err
		}
		// The epoch tells sync tokens of this database from those of another
		// one that stood in its place (STORAGE 10).
		_, err := tx.SetMetaOnce("epoch", []byte(randomText()))
		return err
	})
}

// script runs statements that are not prepared.
func (tx *Tx) script(text string) error {
	if err := tx.ready(); err != nil {
		return err
	}
	text = tx.c.d.words.Replace(text)
	if err := tx.c.command(tx.ctx, text); err != nil {
		return tx.fail(failed(tx.c.d.classify(err), err, text))
	}
	return nil
}
