package embedded

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"cloudai/master/internal/db"
)

// primary is SQLite's result code of an error without its extension, 0 when it
// is not one of SQLite's.
func primary(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// explain gives an error of SQLite the contract's name for it. Errors that have
// one already stay as they are.
func (s *Store) explain(err error) error { return explainAt(s.path, err) }

func explainAt(path string, err error) error {
	if err == nil {
		return nil
	}
	switch primary(err) {
	case lib.SQLITE_FULL:
		return fmt.Errorf("%w: %s: %w", db.ErrFull, path, err)
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return fmt.Errorf("%w: %s: %w", db.ErrDamaged, path, err)
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY, lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return fmt.Errorf("%w: %s: %w", db.ErrUnavailable, path, err)
	}
	return err
}

// breaksFile reports whether the connection may no longer be trusted after this
// error, so that the file is to be opened anew.
func breaksFile(err error) bool {
	switch primary(err) {
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return true
	}
	return false
}

// isUnique reports whether a statement was refused, and undone, because its key
// is taken.
func isUnique(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == lib.SQLITE_CONSTRAINT_UNIQUE || e.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY)
}
