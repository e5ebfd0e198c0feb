// Package embedded keeps the master's state in one SQLite file, so that nothing
// has to be installed. It owns the file, its lock, its schema and the order of
// writes; it must not decide anything about tasks.
//
// One goroutine writes. It puts all that waits into one transaction (group
// commit), so that concurrent callers share one flush to the disk. Reads go
// through a pool of connections of their own and never wait for the writer.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/dirlock"
	"cloudai/master/internal/db/groupcommit"
)

// fileName is the store's within its folder.
const fileName = "cloudai.db"

// Options of a store; the zero value is right for the master.
type Options struct {
	// Logger hears of a reopened file; nil: nobody does.
	Logger *slog.Logger
	// Filling opens also a store that was being filled from another one.
	Filling bool
}

// Store is a db.Store in one folder.
type Store struct {
	path   string // of the database file
	lock   *os.File
	log    *slog.Logger
	reads  atomic.Pointer[readPool] // nil while the file could not be reopened
	queue  *groupcommit.Queue[change]
	closed sync.Once

	// commit ends a transaction; tests put failures here.
	commit func(*session) error
}

var _ db.Portable = (*Store)(nil)

// Open takes the folder (made when absent, 0700), migrates its file to this
// program's schema and starts the writer. Errors: db.ErrLocked when another
// master has the folder, db.ErrTooNew, db.ErrDamaged, db.ErrFull.
func Open(ctx context.Context, dir string, opts Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("store folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store folder: %w", err)
	}
	lock, err := dirlock.Take(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path: filepath.Join(dir, fileName), lock: lock, log: opts.Logger,
		queue:  groupcommit.New[change](maxBatch),
		commit: (*session).commit,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	w := &writer{store: s}
	if err := s.prepare(ctx, w, opts.Filling); err != nil {
		return nil, errors.Join(err, w.close(), lock.Close())
	}
	go w.run()
	return s, nil
}

// prepare makes the file, opens it and brings its schema up to date.
func (s *Store) prepare(ctx context.Context, w *writer, filling bool) error {
	if err := createFile(s.path); err != nil {
		return err
	}
	if err := s.warnOfLog(); err != nil {
		return err
	}
	if err := w.open(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, w.session.conn); err != nil {
		return s.explain(err)
	}
	if !filling {
		if err := w.session.refuseHalfFilled(ctx, s.path); err != nil {
			return s.explain(err)
		}
	}
	return s.explain(s.check(ctx, w.session.conn))
}

// warnOfLog tells of a damaged write-ahead log before it is read, since what is
// behind the damage is gone then. The store opens at the last whole transaction.
func (s *Store) warnOfLog() error {
	wal, err := inspectWAL(s.path + "-wal")
	if err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	for _, f := range wal.findings(s.path + "-wal") {
		if !f.Leftover {
			s.log.Warn("the store's log is damaged", "file", f.File, "place", f.Place, "what", f.What)
		}
	}
	return nil
}

// Close implements db.Store. It may be called more than once.
func (s *Store) Close() error {
	var err error
	s.closed.Do(func() {
		s.queue.Close()
		err = s.lock.Close()
	})
	return err
}

// createFile makes the database file readable by its owner only (SQLite gives
// its companions the same mode) and puts its name on the disk.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("store folder: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
