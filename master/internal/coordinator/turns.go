package coordinator

import (
	"context"
	"fmt"

	"cloudai/master/internal/cluster"
)

// turns are what only one call does at a time.
type turns struct {
	saving     turn // one worker's value, so that an older one never comes last
	batching   turn // a batch's tasks, whose steps take room from all new tasks
	cancelling turn // many tasks: it keeps the store busy, and the ids of all that it means
	pruning    turn // guards what of pruned tasks remains
}

func newTurns() turns {
	return turns{saving: make(turn, 1), batching: make(turn, 1), cancelling: make(turn, 1), pruning: make(turn, 1)}
}

// turn is taken by one at a time.
type turn chan struct{}

// take waits for the turn; done gives it to the next.
func (t turn) take(ctx context.Context) (done func(), err error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", cluster.ErrUnavailable, ctx.Err())
	}
}
