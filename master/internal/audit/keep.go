package audit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// How entries that have come to their age go: in steps that other writes pass
// between. Each look that finds some leaves an entry, so there are few looks.
const (
	keepStep  = 500 // entries
	keepPause = 5 * time.Millisecond
	keepEvery = 24 * time.Hour
	keepLeast = time.Second
	keepAgain = time.Minute // after a failure

	// A clock that is set forward makes everything old. Whoever did so by mistake
	// has clockPause to notice, or as long as entries are kept if that is shorter,
	// unless it was by no more than clockDoubt.
	clockDoubt = time.Minute
	clockPause = time.Hour
)

// Run removes entries that are older than what is kept until the context ends.
func (l *Log) Run(ctx context.Context) error {
	if l.keep == 0 {
		return nil
	}
	clock := l.now()
	doubt := l.allAged(ctx)
	for {
		pause := min(max(l.keep/10, keepLeast), keepEvery)
		began := l.now()
		by := began.Round(0).Sub(clock.Round(0)) - began.Sub(clock)
		clock = began
		if doubt || by > clockDoubt {
			doubt, pause = false, min(clockPause, l.keep)
			l.log.Warn("the clock seems to be set forward; no entry of the audit log is removed for a while, in case that was a mistake", "for", pause)
		} else if err := l.removeAged(ctx); err != nil && ctx.Err() == nil {
			l.log.Warn("old entries of the audit log could not all be removed; it is tried again", "error", err)
			pause = min(pause, keepAgain)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// allAged reports whether even the last entry has come to its age: either nobody
// has used the master for so long, or its machine's clock is wrong.
func (l *Log) allAged(ctx context.Context) bool {
	list, err := l.store.ListAudit(ctx, cluster.AuditFilter{}, 0, 1)
	return err == nil && len(list) > 0 && list[0].Time.Before(l.now().Add(-l.keep))
}

// removeAged removes what is older than what is kept. First an entry says so, then
// they go: what is cut off in between goes with the next look, and no second entry
// counts it.
func (l *Log) removeAged(ctx context.Context) error {
	if err := l.Close(ctx); err != nil { // that may say so, too
		return err
	}
	said, err := l.lastSaid(ctx)
	if err != nil {
		return err
	}
	first, last, err := l.store.AgedAudit(ctx, l.now().Add(-l.keep))
	if err != nil {
		return err
	}
	if n := last - max(first-1, said); n > 0 {
		err := l.Did(ctx, cluster.AuditEntry{
			Via: "retention", Action: db.AuditPruned, Target: strconv.FormatInt(last, 10), Outcome: cluster.AuditOK,
			Detail: fmt.Sprintf("first=%d, older_than=%s, removed=%d", last-n+1, l.keep, n),
		})
		if err != nil {
			return err
		}
		l.log.Info("removed old entries of the audit log", "first", last-n+1, "last", last, "older_than", l.keep)
		said = last
	}
	return l.remove(ctx, said)
}

// lastSaid is up to where an entry says that they go; 0: there is none.
func (l *Log) lastSaid(ctx context.Context) (int64, error) {
	list, err := l.store.ListAudit(ctx, cluster.AuditFilter{Action: db.AuditPruned}, 0, 1)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	last, err := strconv.ParseInt(list[0].Target, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("entry %d of the audit log: %w", list[0].Seq, err)
	}
	return last, nil
}

// remove removes all entries up to a Seq.
func (l *Log) remove(ctx context.Context, last int64) error {
	if last == 0 {
		return nil
	}
	for {
		n, err := l.store.RemoveAudit(ctx, last, keepStep)
		again := errors.Is(err, db.ErrOutcomeUnknown) // what is gone is not counted twice
		if !again && (err != nil || n < keepStep) {
			return err
		}
		timer := time.NewTimer(keepPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
