package db

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/convene-server/convene/db/migrations"
)

// Migrate brings the schema up to date; nodes that start together wait for
// each other. ErrNewer if a newer release was here. A database that is a copy
// of another one gets an epoch of its own.
func (s *Store) Migrate(ctx context.Context) error {
	all, err := migrations.All()
	if err != nil {
		return err
	}
	if err := s.migrateTo(ctx, all); err != nil {
		return err
	}
	return s.settleEpoch(ctx)
}

// Schema says at which version the schema is (0: there is none yet) and which
// one this program knows.
func (s *Store) Schema(ctx context.Context) (have, known int, err error) {
	all, err := migrations.All()
	if err != nil {
		return 0, 0, err
	}
	err = s.View(ctx, func(tx *Tx) error {
		catalogue := `SELECT count(*) FROM pg_tables WHERE tablename = 'schema_version' AND schemaname = ANY (current_schemas(false))`
		if tx.s.d == sqliteDialect {
			catalogue = `SELECT count(*) FROM sqlite_master WHERE name = 'schema_version'`
		}
		var tables, version int64
		if err := tx.row(catalogue, nil, &tables); err != nil || tables == 0 {
			return err
		}
		err := tx.row(`SELECT version FROM schema_version`, nil, &version)
		have = int(version)
		if errors.Is(err, ErrNotFound) { // a server is making it
			return nil
		}
		return err
	})
	return have, len(all), err
}

// settleEpoch changes the epoch, which every sync token carries, if this
// database is not where it was: restored from a backup, or on a server that
// took over and may have lost the last changes (STORAGE 10). Modseqs would then
// be given a second time, and clients miss what they name. What it cannot see
// is a backup copied over the same file, or loaded into the same database.
func (s *Store) settleEpoch(ctx context.Context) error {
	return s.Write(ctx, nil, func(tx *Tx) error {
		place, err := tx.place()
		if err != nil || place == "" {
			return err
		}
		had, err := tx.Meta("place")
		if err != nil || string(had) == place {
			return err
		}
		older, _, _ := strings.Cut(place, "@") // as it was written before the file's birth was looked at
		if had != nil && string(had) != older {
			if err := tx.SetMeta("epoch", []byte(randomText())); err != nil {
				return err
			}
		}
		return tx.SetMeta("place", []byte(place))
	})
}

// place tells this database from its copies; "" where that cannot be known. A
// file that takes the place of one just removed often gets its number, too:
// when it was made tells them apart, on file systems that know.
func (tx *Tx) place() (place string, err error) {
	if tx.s.d == sqliteDialect {
		var stat unix.Statx_t
		if err := unix.Statx(unix.AT_FDCWD, tx.s.path, 0, unix.STATX_INO|unix.STATX_BTIME, &stat); err != nil {
			return "", nil
		}
		place := fmt.Sprintf("%d:%d", unix.Mkdev(stat.Dev_major, stat.Dev_minor), stat.Ino)
		if stat.Mask&unix.STATX_BTIME != 0 {
			place += fmt.Sprintf("@%d.%09d", stat.Btime.Sec, stat.Btime.Nsec)
		}
		return place, nil
	}
	var may bool
	if err := tx.row(`SELECT has_function_privilege('pg_control_system()', 'execute') AND has_function_privilege('pg_control_checkpoint()', 'execute')`, nil, &may); err != nil || !may {
		return "", err
	}
	err = tx.row(`SELECT concat_ws(':', s.system_identifier, c.timeline_id, d.oid)
		FROM pg_control_system() s, pg_control_checkpoint() c, pg_database d WHERE d.datname = current_database()`, nil, &place)
	return place, err
}

func (s *Store) migrateTo(ctx context.Context, all []migrations.Migration) error {
	return s.Write(ctx, nil, func(tx *Tx) error {
		if tx.s.d != sqliteDialect {
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
	if err := tx.open(); err != nil {
		return err
	}
	text = tx.s.d.words.Replace(text)
	if err := tx.c.command(tx.ctx, text); err != nil {
		return tx.fail(failed(tx.s.d.classify(err), err, text))
	}
	return nil
}
