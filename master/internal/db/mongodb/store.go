// Package mongodb keeps the master's state in a MongoDB, for those who want it
// outside of the master's machine. It owns the collections, their indexes, the
// lease that makes this master the only writer, and the order of writes; it must
// not decide anything about tasks.
//
// One goroutine writes. It relies on nothing that MongoDB 6 does not promise of
// a single document: no transactions, no change streams, no clocks in common.
// See docs/design/storage.md for what makes a write whole and what fences a late
// one.
package mongodb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/dirlock"
	"cloudai/master/internal/db/groupcommit"
)

// What Options leave open.
const (
	defaultLease   = 15 * time.Second
	defaultTimeout = 5 * time.Second
)

// Options of a store.
type Options struct {
	URI      string // mongodb://...
	Database string
	// Dir is the master's folder. It is held while the store is open, so that
	// who finds an older lease of this very folder knows its holder to be dead.
	Dir string
	// Logger hears of outages; nil: nobody does.
	Logger *slog.Logger
	// Lease is after how long without a sign of life another master may take
	// over; zero: 15 s.
	Lease time.Duration
	// Timeout bounds each call to the server; zero: 5 s. At most a third of the
	// lease.
	Timeout time.Duration
	// Filling opens also a store that was being filled from another one.
	Filling bool

	monitor *event.CommandMonitor // hears all calls; tests listen here
}

// Store is a db.Store in one database.
type Store struct {
	opts   Options
	log    *slog.Logger
	client *mongo.Client
	in     collections
	folder *os.File // its lock
	owner  string   // names the folder for good

	base  int64 // epoch of the opening; active rows of an older one do not count
	doubt doubt

	queue  *groupcommit.Queue[change]
	lost   chan error // gets one error when another master has taken over
	closed sync.Once

	beforeSend func() error // of the writer; tests put failures here
}

var _ db.Portable = (*Store)(nil)

// Open takes the folder and the database's lease, brings its collections up to
// date and starts the writer. Errors: db.ErrLocked when another master has the
// folder or the database, db.ErrTooNew, db.ErrUnavailable.
func Open(ctx context.Context, opts Options) (*Store, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, err
	}
	folder, err := dirlock.Take(opts.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		opts: opts, log: opts.Logger, folder: folder,
		queue: groupcommit.New[change](maxBatch), lost: make(chan error, 1),
	}
	w, err := s.prepare(ctx)
	if err != nil {
		return nil, errors.Join(err, s.disconnect(), folder.Close())
	}
	go w.run()
	return s, nil
}

func (o Options) complete() (Options, error) {
	if o.Lease == 0 {
		o.Lease = defaultLease
	}
	if o.Timeout == 0 {
		o.Timeout = min(defaultTimeout, o.Lease/3)
	}
	if o.Timeout > o.Lease/3 {
		return o, fmt.Errorf("store: a timeout of %s is too long for a lease of %s", o.Timeout, o.Lease)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(o.Dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return o, fmt.Errorf("store folder: %w", err)
	}
	o.Dir = dir
	return o, nil
}

// prepare connects, becomes the only writer and gets the collections ready.
func (s *Store) prepare(ctx context.Context) (*writer, error) {
	var err error
	if s.owner, err = ownerOf(s.opts.Dir, s.folder); err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	if err := s.checkSchema(ctx); err != nil {
		return nil, err
	}
	w := newWriter(s)
	if err := w.claimFirst(ctx); err != nil {
		return nil, err
	}
	if !s.opts.Filling {
		if err := s.refuseHalfFilled(ctx); err != nil {
			w.release()
			return nil, err
		}
	}
	if err := s.makeSchema(ctx); err != nil {
		return nil, err
	}
	// Indexes may have taken longer than the lease.
	if err := w.bounded(w.renew); err != nil {
		return nil, err
	}
	if err := w.takeOver(ctx); err != nil {
		return nil, err
	}
	return w, w.findNotes(ctx)
}

// Lost gets an error when another master has taken over; this one writes
// nothing any more.
func (s *Store) Lost() <-chan error { return s.lost }

// Close implements db.Store. It may be called more than once.
func (s *Store) Close() error {
	var err error
	s.closed.Do(func() {
		s.queue.Close()
		err = errors.Join(s.disconnect(), s.folder.Close())
	})
	return err
}

func (s *Store) disconnect() error {
	if s.client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.Timeout)
	defer cancel()
	return s.client.Disconnect(ctx)
}
