package embedded

import (
	"context"
	"errors"
	"fmt"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/groupcommit"
)

// maxBatch bounds the changes of one transaction, and with it how long the
// first of them waits for the last.
const maxBatch = 512

// change is one thing to write, with all that belongs to it. It is applied
// inside a transaction: answer is what its caller hears when the transaction is
// committed (an answer other than nil has changed nothing); failure spoils the
// transaction, which is rolled back.
type change interface {
	apply(s *session) (answer, failure error)
}

// request is what one caller hands over at once.
type request = groupcommit.Request[change]

// writer is the one goroutine that writes. Only it uses its fields.
type writer struct {
	store   *Store
	session *session // nil: the file could not be reopened
}

// run serves requests until the store is closed.
func (w *writer) run() {
	defer w.store.queue.End()
	for {
		select {
		case r := <-w.store.queue.Handed():
			w.serve(w.store.queue.Gather(r))
		case <-w.store.queue.Closing():
			if err := w.close(); err != nil {
				w.store.log.Warn("closing the store", "err", err)
			}
			return
		}
	}
}

// serve answers a batch.
func (w *writer) serve(batch []*request) {
	defer func() {
		for _, r := range batch {
			r.Done()
		}
	}()
	if w.session == nil {
		if err := w.reopen(); err != nil {
			w.answerAll(batch, err)
			return
		}
	}
	err := w.transact(batch)
	if err == nil {
		return
	}
	if countChanges(batch) == 1 {
		w.answerAll(batch, err)
		return
	}
	w.oneByOne(batch)
}

// oneByOne carries out each change of a failed batch on its own, so that what
// is wrong with one does not spoil the others.
func (w *writer) oneByOne(batch []*request) {
	for _, r := range batch {
		for i := range r.Changes {
			alone := &request{Changes: r.Changes[i : i+1], Answers: r.Answers[i : i+1]}
			if w.session == nil {
				if err := w.reopen(); err != nil {
					alone.Answers[0] = err
					continue
				}
			}
			if err := w.transact([]*request{alone}); err != nil {
				alone.Answers[0] = err
			}
		}
	}
}

// transact carries a batch out in one transaction and fills in the answers. An
// error means that nothing of it happened. When the commit itself fails, the
// answers say that the outcome is unknown.
func (w *writer) transact(batch []*request) error {
	if countChanges(batch) == 0 {
		return nil
	}
	if err := w.session.begin(); err != nil {
		return w.abandon(err)
	}
	for _, r := range batch {
		for i, c := range r.Changes {
			answer, failure := c.apply(w.session)
			if failure != nil {
				return w.abandon(failure)
			}
			r.Answers[i] = answer
		}
	}
	err := w.store.commit(w.session)
	if err == nil {
		return nil
	}
	if errors.Is(w.store.explain(err), db.ErrFull) {
		// The log had no room for the whole of the transaction: its last frame,
		// which would make it count, is not there.
		return w.abandon(err)
	}
	w.answerAll(batch, fmt.Errorf("%w: commit: %w", db.ErrOutcomeUnknown, err))
	w.store.log.Error("commit failed, reopening the store", "err", err)
	if err := w.reopen(); err != nil {
		w.store.log.Error("reopening the store failed", "err", err)
	}
	return nil
}

// abandon rolls a transaction back after a definite failure.
func (w *writer) abandon(cause error) error {
	err := w.session.rollback()
	// SQLite rolls back by itself on some errors; then there is no transaction
	// left, which only the file's own state can tell from a failed rollback.
	if breaksFile(cause) || breaksFile(err) {
		if err := w.reopen(); err != nil {
			w.store.log.Error("reopening the store failed", "err", err)
		}
	}
	return w.store.explain(cause)
}

func (w *writer) answerAll(batch []*request, err error) {
	for _, r := range batch {
		for i := range r.Answers {
			r.Answers[i] = err
		}
	}
}

func countChanges(batch []*request) int {
	n := 0
	for _, r := range batch {
		n += len(r.Changes)
	}
	return n
}

// open connects the writer and the readers.
func (w *writer) open(ctx context.Context) error {
	session, err := openSession(ctx, w.store.path)
	if err != nil {
		return w.store.explain(err)
	}
	pool, err := openReadPool(w.store.path)
	if err != nil {
		return errors.Join(w.store.explain(err), session.close())
	}
	w.session = session
	w.store.reads.Store(pool)
	return nil
}

// close ends all connections; the last one moves the log into the file.
func (w *writer) close() error {
	var errs []error
	if pool := w.store.reads.Swap(nil); pool != nil {
		errs = append(errs, pool.close())
	}
	if w.session != nil {
		errs = append(errs, w.session.close())
		w.session = nil
	}
	return errors.Join(errs...)
}

// reopen starts over with the file as the disk has it. After a failed flush the
// log may hold a transaction that this process does not count but a later one
// would: emptying the log settles it before anyone reads.
func (w *writer) reopen() error {
	if err := w.close(); err != nil {
		w.store.log.Warn("closing the broken store", "err", err)
	}
	ctx := context.Background()
	if err := w.open(ctx); err != nil {
		return err
	}
	var busy, frames, moved int
	err := w.session.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err == nil && busy != 0 {
		err = errors.New("a reader still holds the log")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%w: reopening: %w", db.ErrUnavailable, err), w.close())
	}
	return nil
}
