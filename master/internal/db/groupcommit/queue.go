// Package groupcommit owns the line in front of a store's one writing goroutine:
// callers hand changes over and wait for their answers, the goroutine takes all
// that has queued up while it was busy, so that it shares one flush. It must not
// know what a change is, nor how it is written.
//
// Every acknowledgement of a store passes here, by three rules. What the writer
// has not taken is refused (db.ErrUnavailable) and never written. What it has
// taken is answered, also while the store closes. Who gives up waiting for what
// was taken hears that the outcome is unknown (db.ErrOutcomeUnknown), and it
// happens all the same.
package groupcommit

import (
	"context"
	"fmt"

	"cloudai/master/internal/db"
)

// ErrClosed refuses what comes after Close.
var ErrClosed = fmt.Errorf("%w: store is closed", db.ErrUnavailable)

// Queue is the line. Change, ChangeAll and Pass are for callers, on any
// goroutine; Handed, Gather, Closing and End for the writer. It has no room of
// its own: a request is either with its caller or with the writer.
type Queue[C any] struct {
	maxBatch int
	handed   chan *Request[C]
	closing  chan struct{}
	ended    chan struct{}
}

// New makes a line whose batches are about maxBatch changes long (a few more
// when the last request that is taken is longer than what is left). That bounds
// how long the first of a batch waits for the last.
func New[C any](maxBatch int) *Queue[C] {
	return &Queue[C]{
		maxBatch: maxBatch, handed: make(chan *Request[C]), closing: make(chan struct{}), ended: make(chan struct{}),
	}
}

// Request is what one caller hands over at once. From then until Done it is the
// writer's alone.
type Request[C any] struct {
	Changes []C
	Answers []error // one per change, for the writer to fill in
	done    chan struct{}
}

// Done tells the caller that the answers are there.
func (r *Request[C]) Done() { close(r.done) }

// Change has one change written.
func (q *Queue[C]) Change(ctx context.Context, c C) error {
	r, err := q.hand(ctx, []C{c})
	if err != nil {
		return err
	}
	return r.wait(ctx)[0]
}

// ChangeAll has changes written in their order, in portions that leave room for
// other callers, and waits for all of them. There is one answer per change.
func (q *Queue[C]) ChangeAll(ctx context.Context, changes []C) []error {
	portion := max(1, q.maxBatch/4)
	errs := make([]error, 0, len(changes))
	var taken []*Request[C]
	var refusal error
	for rest := changes; len(rest) > 0; {
		n := min(portion, len(rest))
		var r *Request[C]
		if r, refusal = q.hand(ctx, rest[:n]); refusal != nil {
			break
		}
		taken, rest = append(taken, r), rest[n:]
	}
	for _, r := range taken {
		errs = append(errs, r.wait(ctx)...)
	}
	for len(errs) < len(changes) {
		errs = append(errs, refusal)
	}
	return errs
}

// Pass gives the writer a turn without a change and waits until it is over.
func (q *Queue[C]) Pass(ctx context.Context) error {
	r, err := q.hand(ctx, nil)
	if err != nil {
		return err
	}
	r.wait(ctx)
	return nil
}

// hand gives a request to the writer. An error means that it was not taken.
func (q *Queue[C]) hand(ctx context.Context, changes []C) (*Request[C], error) {
	r := &Request[C]{Changes: changes, Answers: make([]error, len(changes)), done: make(chan struct{})}
	// Looked at first: of several that can go on, select takes any.
	if ctx.Err() != nil {
		return nil, notTaken(ctx)
	}
	select {
	case <-q.closing:
		return nil, ErrClosed
	default:
	}
	select {
	case q.handed <- r:
		return r, nil
	case <-ctx.Done():
		return nil, notTaken(ctx)
	case <-q.closing:
		return nil, ErrClosed
	}
}

// wait gives the answers, or the same for all when the caller gave up.
func (r *Request[C]) wait(ctx context.Context) []error {
	select {
	case <-r.done:
		return r.Answers
	case <-ctx.Done():
		select {
		case <-r.done:
			return r.Answers
		default:
		}
	}
	errs := make([]error, len(r.Changes))
	for i := range errs {
		errs[i] = fmt.Errorf("%w: gave up waiting: %w", db.ErrOutcomeUnknown, context.Cause(ctx))
	}
	return errs
}

// notTaken refuses a write that never began.
func notTaken(ctx context.Context) error {
	return fmt.Errorf("%w: nothing was written: %w", db.ErrUnavailable, context.Cause(ctx))
}

// Handed has the requests that callers want to hand over. Who receives one has
// taken it, and must answer it.
func (q *Queue[C]) Handed() <-chan *Request[C] { return q.handed }

// Gather adds to a request what waits already; it does not wait for more.
func (q *Queue[C]) Gather(first *Request[C]) []*Request[C] {
	batch, n := []*Request[C]{first}, len(first.Changes)
	for n < q.maxBatch {
		select {
		case r := <-q.handed:
			batch, n = append(batch, r), n+len(r.Changes)
		default:
			return batch
		}
	}
	return batch
}

// Closing is closed when no more is to be taken.
func (q *Queue[C]) Closing() <-chan struct{} { return q.closing }

// End says that the writer has returned, with all answered that it took.
func (q *Queue[C]) End() { close(q.ended) }

// Close refuses what has not been taken and waits for the writer's End. It may
// be called once.
func (q *Queue[C]) Close() {
	close(q.closing)
	<-q.ended
}
