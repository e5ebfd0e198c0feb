package logs

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"cloudai/master/internal/cluster"
)

// Waits between two tries to reach a worker double from the first to the last
// and vary by half, so that a worker's return is not met by all at once.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// follower copies one running attempt's log from its worker.
type follower struct {
	ref    cluster.AttemptRef
	log    *attemptLog
	moved  chan struct{}      // of capacity 1: the target changed
	target cluster.Target     // under Keeper.mu
	cancel context.CancelFunc // nil until Run has started it; under Keeper.mu
}

// Follow begins (or goes on) to copy the log of a running attempt from its
// worker, as soon as Run runs; it does not block. A second call for the same
// attempt replaces the target. It ends with Finish, Abandon, Remove or a log
// that is complete.
func (k *Keeper) Follow(ref cluster.AttemptRef, from cluster.Target) {
	at := key{ref.TaskID, ref.Attempt}
	l, err := k.acquire(at)
	if err != nil {
		k.logger(at).Error("log cannot be followed", "error", err)
		return
	}
	if l.state(false).pos.sealed {
		k.release(l)
		return
	}
	k.mu.Lock()
	if f := k.followers[at]; f != nil && f.ref == ref {
		if f.target != from {
			f.target = from
			signal(f.moved)
		}
		k.mu.Unlock()
		k.release(l)
		return
	}
	old := k.followers[at]
	k.followers[at] = &follower{ref: ref, log: l, moved: make(chan struct{}, 1), target: from}
	k.mu.Unlock()
	if old != nil {
		k.stop(old)
	}
	signal(k.kick)
}

// Run owns the followers until the context ends; it returns nil when all of
// them have stopped.
func (k *Keeper) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		for _, f := range k.startable(ctx) {
			wg.Go(func() { k.follow(f.ctx, f.follower) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-k.kick:
		}
	}
}

type started struct {
	*follower
	ctx context.Context
}

// startable takes the followers that nobody runs yet.
func (k *Keeper) startable(ctx context.Context) []started {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []started
	for _, f := range k.followers {
		if f.cancel == nil {
			var s started
			s.ctx, f.cancel = context.WithCancel(ctx)
			s.follower = f
			out = append(out, s)
		}
	}
	return out
}

// unfollow ends the follower of a key, if there is one.
func (k *Keeper) unfollow(at key) {
	k.mu.Lock()
	f := k.followers[at]
	delete(k.followers, at)
	k.mu.Unlock()
	if f != nil {
		k.stop(f)
	}
}

// stop ends a follower that is not in the map any more.
func (k *Keeper) stop(f *follower) {
	k.mu.Lock()
	cancel := f.cancel
	k.mu.Unlock()
	if cancel == nil {
		k.release(f.log) // never started
		return
	}
	cancel()
}

// follow copies until the log is complete or the context ends.
func (k *Keeper) follow(ctx context.Context, f *follower) {
	defer k.release(f.log)
	defer k.leave(f)
	wait := firstRetry
	if !pause(ctx, k.cfg.FollowDelay, nil) {
		return
	}
	for {
		copied, done, err := k.copy(ctx, f)
		if done || ctx.Err() != nil {
			return
		}
		if copied {
			wait = firstRetry
		}
		if err != nil {
			k.logger(f.log.key).Debug("log stream broke off, will be resumed", "error", err)
		}
		if !pause(ctx, wait/2+rand.N(wait), f.moved) { //nolint:gosec // spreads the tries, keeps no secret
			return
		}
		wait = min(2*wait, lastRetry)
	}
}

// copy runs one stream. It is cut off when the target changes.
func (k *Keeper) copy(ctx context.Context, f *follower) (copied, done bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	select {
	case <-f.moved: // the target read next is the new one already
	default:
	}
	k.mu.Lock()
	target := f.target
	k.mu.Unlock()
	wg.Go(func() {
		select {
		case <-f.moved:
			signal(f.moved) // for the pause after this
			cancel()
		case <-ctx.Done():
		}
	})
	if err := f.log.lockToWrite(ctx, k.cfg.Now()); err != nil {
		return false, errors.Is(err, cluster.ErrNotFound), err
	}
	from, sealed := f.log.w.reach, f.log.w.disk.pos.sealed
	f.log.unlock()
	if sealed {
		return false, true, nil
	}
	end, err := k.cfg.Source.StreamLogs(ctx, target, f.ref, from, func(chunks []cluster.LogChunk) error {
		copied = true
		err := k.appendTo(ctx, f.log, chunks)
		if err != nil && !errors.Is(err, cluster.ErrConflict) && ctx.Err() == nil {
			k.logger(f.log.key).Warn("log chunk cannot be kept, will be asked for again", "error", err)
		}
		return err
	})
	if err != nil || end == nil {
		return copied, false, err
	}
	reach := f.log.state(false).reach
	return copied, reach.Stdout >= end.Stdout && reach.Stderr >= end.Stderr, nil
}

// leave takes a follower that has ended by itself off the list.
func (k *Keeper) leave(f *follower) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.followers[f.log.key] == f {
		delete(k.followers, f.log.key)
	}
	f.cancel()
}

// awaitFollower waits for a change of the log by its follower; false when
// there is no follower or nothing came in time.
func (k *Keeper) awaitFollower(ctx context.Context, at key, wake <-chan struct{}) bool {
	k.mu.Lock()
	f := k.followers[at]
	running := f != nil && f.cancel != nil
	k.mu.Unlock()
	if !running {
		return false
	}
	timer := time.NewTimer(k.cfg.FinishWait)
	defer timer.Stop()
	select {
	case <-wake:
		return true
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
	}
}

// pause waits; false when the context ended. early may cut it short.
func pause(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-early:
		return true
	case <-ctx.Done():
		return false
	}
}

// signal wakes whoever waits on a channel of capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
