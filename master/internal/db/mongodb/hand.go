package mongodb

import (
	"context"
	"fmt"

	"cloudai/master/internal/db"
)

// hand gives a request to the writer. An error means that it was not taken.
func (s *Store) hand(ctx context.Context, changes []change) (*request, error) {
	r := &request{changes: changes, answers: make([]error, len(changes)), done: make(chan struct{})}
	if ctx.Err() != nil {
		return nil, notTaken(ctx)
	}
	select {
	case <-s.stop:
		return nil, errClosed
	default:
	}
	select {
	case s.queue <- r:
		return r, nil
	case <-ctx.Done():
		return nil, notTaken(ctx)
	case <-s.stop:
		return nil, errClosed
	}
}

// wait gives the answers, or the same for all when the caller gave up.
func (r *request) wait(ctx context.Context) []error {
	select {
	case <-r.done:
		return r.answers
	case <-ctx.Done():
		select {
		case <-r.done:
			return r.answers
		default:
		}
	}
	errs := make([]error, len(r.changes))
	for i := range errs {
		errs[i] = fmt.Errorf("%w: gave up waiting: %w", db.ErrOutcomeUnknown, context.Cause(ctx))
	}
	return errs
}

// change has the writer do one thing.
func (s *Store) change(ctx context.Context, do func(context.Context, *writer) error) error {
	r, err := s.hand(ctx, []change{{do: do}})
	if err != nil {
		return err
	}
	return r.wait(ctx)[0]
}

// changeAll hands changes over in portions that leave room for other callers,
// in order, and waits for all of them.
func (s *Store) changeAll(ctx context.Context, changes []change) []error {
	const portion = maxBatch / 4
	errs := make([]error, 0, len(changes))
	var taken []*request
	var refusal error
	for rest := changes; len(rest) > 0; {
		n := min(portion, len(rest))
		var r *request
		if r, refusal = s.hand(ctx, rest[:n]); refusal != nil {
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
