package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// patience waits between attempts to reach a master that does not answer, for
// as long as the client is willing to since the last sign of life.
type patience struct {
	limit time.Duration
	since time.Time // of the first failure; zero: none
	pause time.Duration
}

func (c *Client) newPatience() *patience { return &patience{limit: c.patience} }

// alive forgets earlier failures.
func (p *patience) alive() { p.since, p.pause = time.Time{}, 0 }

// again waits and reports nil when the call may be repeated; else it gives the
// error that ends the matter.
func (p *patience) again(ctx context.Context, err error) error {
	if !passing(err) {
		return err
	}
	return p.wait(ctx, err)
}

// wait is again for an error that passes. It waits as long as the master asks
// for, and a random while more, so that many who were refused at once do not
// come again at once.
func (p *patience) wait(ctx context.Context, err error) error {
	if p.since.IsZero() {
		p.since, p.pause = time.Now(), firstRetry
	}
	if time.Since(p.since) > p.limit {
		return err
	}
	pause := p.pause
	var refused *Error
	if errors.As(err, &refused) && refused.RetryAfter > 0 {
		pause = min(refused.RetryAfter, p.limit)
		pause += rand.N(pause/2 + 1) //nolint:gosec // spreads callers, keeps no secret
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	p.pause = min(2*p.pause, lastRetry)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// passing reports whether the same call may well succeed a little later.
func passing(err error) bool {
	var unreachable *UnreachableError
	if errors.As(err, &unreachable) {
		return true
	}
	var e *Error
	if errors.As(err, &e) {
		switch e.Status {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
	}
	return false
}
