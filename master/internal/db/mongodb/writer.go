package mongodb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/groupcommit"
)

const (
	// maxBatch bounds the changes that are written together, and with it how
	// long the first of them waits for the last.
	maxBatch = 512
	// recoverPause is between two tries to come back after an outage.
	recoverPause = 250 * time.Millisecond
)

// change is one thing to write: a task with what belongs to it, or else
// something to do.
type change struct {
	task *taskWrite
	do   func(ctx context.Context, w *writer) error
}

// request is what one caller hands over at once.
type request = groupcommit.Request[change]

// item is one change with the place of its answer.
type item struct {
	change
	answer *error
	// replacesKey: there is a key of the same name that has run out.
	replacesKey bool
}

// rowState is what the writer has to know of a task's row to write the next.
type rowState struct {
	ID      string        `bson:"_id"`
	Version int64         `bson:"version"`
	Epoch   int64         `bson:"epoch"`
	Write   bson.ObjectID `bson:"write"`
	Rows    []rowRef      `bson:"rows"`
	Gone    bool          `bson:"gone"`
}

// writer is the one goroutine that writes. Only it uses its fields, once run
// has begun.
type writer struct {
	s        *Store
	instance string // names this process's life
	epoch    int64
	beat     int64
	until    time.Time // the lease's end, on the steady clock
	lost     error     // another master has it, for good
	down     error     // the server is away, or rows are in doubt
	tryAt    time.Time // when to try again while down
	rows     map[string]rowState
	portions portions

	auditLast  int64     // Seq of the last audit entry
	auditKnown bool      // that it is
	notes      []noteRow // of tasks that are written, on their way into the audit log

	rescanAt    time.Time // zero: no more
	rescanUntil time.Time
}

func newWriter(s *Store) *writer {
	return &writer{s: s, instance: rand.Text(), rows: map[string]rowState{}, portions: newPortions()}
}

// run serves requests and keeps the lease until the store is closed.
func (w *writer) run() {
	defer w.s.queue.End()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case r := <-w.s.queue.Handed():
			w.serve(w.s.queue.Gather(r))
		case <-timer.C:
			w.duties()
		case <-w.s.queue.Closing():
			if w.lost == nil {
				w.release()
			}
			return
		}
		timer.Reset(time.Until(w.nextDuty()))
	}
}

// renewAt is when a third of the lease is used up.
func (w *writer) renewAt() time.Time { return w.until.Add(-w.s.opts.Lease * 2 / 3) }

func (w *writer) nextDuty() time.Time {
	switch {
	case w.lost != nil:
		return time.Now().Add(w.s.opts.Lease)
	case w.down != nil:
		return w.tryAt
	case !w.rescanAt.IsZero() && w.rescanAt.Before(w.renewAt()):
		return w.rescanAt
	}
	return w.renewAt()
}

// duties does what is due: come back after an outage, show life, look for late
// inserts.
func (w *writer) duties() {
	if w.lost != nil {
		return
	}
	if w.down != nil {
		w.recover()
		return
	}
	now := time.Now()
	var err error
	if !now.Before(w.renewAt()) {
		err = w.bounded(w.renew)
	}
	if err == nil && !w.rescanAt.IsZero() && !now.Before(w.rescanAt) {
		err = w.bounded(w.rescan)
	}
	if err != nil {
		w.fall(err)
	}
}

func (w *writer) bounded(do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.s.opts.Timeout)
	defer cancel()
	return do(ctx)
}

// fall notes that the server is away, or that rows are in doubt: until recover
// has settled that nothing is written.
func (w *writer) fall(cause error) {
	if w.lost != nil {
		return
	}
	if w.down == nil {
		w.s.log.Warn("the database does not answer; nothing is written until it does", "error", cause)
	}
	w.down, w.tryAt = cause, time.Now().Add(recoverPause)
}

// recover comes back with a new epoch. A takeover by another master shows here.
func (w *writer) recover() {
	err := w.bounded(w.claimAgain)
	if err == nil {
		err = w.bounded(w.settle)
	}
	if err == nil {
		w.down = nil
		err = w.bounded(w.findNotes)
	}
	if w.lost != nil {
		w.s.log.Warn("another master has taken over; this one writes nothing any more", "error", w.lost)
		return
	}
	if err != nil {
		w.down, w.tryAt = err, time.Now().Add(recoverPause)
		return
	}
	w.s.log.Info("the database answers again", "epoch", w.epoch)
	w.down = nil
	if !w.rescanAt.IsZero() { // what was under way may have waited as well
		w.rescanUntil = time.Now().Add(2 * w.s.opts.Lease)
	}
}

// ready reports whether a call may be sent now: the lease outlives its timeout.
func (w *writer) ready() error {
	if w.lost != nil {
		return w.lost
	}
	if w.down == nil && time.Until(w.until) <= w.s.opts.Timeout {
		if err := w.bounded(w.renew); err != nil {
			w.fall(err)
		}
	}
	switch {
	case w.lost != nil:
		return w.lost
	case w.down != nil:
		return fmt.Errorf("%w: nothing was written: %w", db.ErrUnavailable, w.down)
	case time.Until(w.until) <= w.s.opts.Timeout:
		return fmt.Errorf("%w: nothing was written: the lease runs out", db.ErrUnavailable)
	}
	return nil
}

// send makes one writing call on rows. Of an unknown outcome the rows are in
// doubt before the caller hears of it.
func (w *writer) send(do func(context.Context) error, rows ...place) error {
	if err := w.ready(); err != nil {
		return err
	}
	if w.s.beforeSend != nil {
		if err := w.s.beforeSend(); err != nil {
			return err
		}
	}
	err := w.bounded(do)
	if err == nil || answered(err) {
		return writeError(err)
	}
	err = writeError(err)
	if errors.Is(err, db.ErrOutcomeUnknown) {
		w.s.doubt.add(rows...)
		w.fall(err)
	}
	if errors.Is(err, db.ErrUnavailable) {
		w.fall(err)
	}
	return err
}

// serve carries a batch out in the order given: tasks that follow each other
// together, all else alone.
func (w *writer) serve(batch []*request) {
	var tasks []*item
	for _, r := range batch {
		for i := range r.Changes {
			it := &item{change: r.Changes[i], answer: &r.Answers[i]}
			if it.task != nil {
				tasks = append(tasks, it)
				continue
			}
			w.commit(tasks)
			tasks = nil
			*it.answer = it.do(context.Background(), w)
		}
	}
	w.commit(tasks)
	for _, r := range batch {
		r.Done()
	}
}

// change has the writer do one thing.
func (s *Store) change(ctx context.Context, do func(context.Context, *writer) error) error {
	return s.queue.Change(ctx, change{do: do})
}
