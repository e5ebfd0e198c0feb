package rig

import (
	"context"
	"fmt"
	"time"
)

// askAgain is the pause between two looks at a condition that nobody
// announces.
const askAgain = 20 * time.Millisecond

// Await looks again and again until met returns nil. When that takes longer
// than the limit, the error is the last thing that met said.
func Await(ctx context.Context, limit time.Duration, met func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	last := fmt.Errorf("it was never looked at")
	for {
		err := met(bounded)
		if err == nil {
			return nil
		}
		if bounded.Err() == nil {
			last = err // not merely cut short
		}
		select {
		case <-bounded.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("%w; last: %w", context.Cause(ctx), last)
			}
			return fmt.Errorf("not within %s: %w", limit, last)
		case <-tick.C:
		}
	}
}
