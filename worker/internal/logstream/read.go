package logstream

import (
	"context"
	"errors"
	"time"

	"cloudai/worker/internal/executor"
)

// lag is how long a reader waits before it looks again when the engine has not
// yet stored what has left the window.
const lag = 200 * time.Millisecond

// errJoined ends the reading of the stored log where the window takes over.
var errJoined = errors.New("joined")

// Read sends the log from the offsets on: with follow until it is complete,
// otherwise to its present end. It returns the offsets reached and whether the
// log is complete there. Bytes that cannot be produced any more come as one
// chunk with Dropped. Errors are those of send, of the context, and of the
// engine when older bytes are out of reach for now.
func (l *Log) Read(ctx context.Context, from executor.Offsets, follow bool, send func(Chunk) error) (executor.Offsets, bool, error) {
	r := reader{log: l, pos: from, send: send}
	for {
		if err := ctx.Err(); err != nil {
			return r.pos, false, err
		}
		l.mu.Lock()
		covered := l.window.covers(r.pos)
		var batch []Chunk
		if covered {
			batch, r.next, r.pos = l.window.read(r.next, r.pos)
		}
		ended := l.ended
		var changed <-chan struct{}
		if covered && len(batch) == 0 && !ended && follow {
			changed = l.waitLocked()
		}
		l.mu.Unlock()

		switch {
		case !covered:
			if err := r.catchUp(ctx, ended); err != nil {
				return r.pos, false, err
			}
		case len(batch) > 0:
			for _, c := range batch {
				if err := send(c); err != nil {
					return r.pos, false, err
				}
			}
		case ended || !follow:
			return r.pos, ended, nil
		default:
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}

// reader is one reader's place in the log.
type reader struct {
	log  *Log
	pos  executor.Offsets
	next uint64 // number of the chunk to look at next
	send func(Chunk) error
	// failed is the error of send: the executor may have wrapped it.
	failed error
}

// catchUp reads from the stored log until the window covers the rest. When the
// engine no longer has it, a complete log goes on behind a marker; a growing
// one is given time.
func (r *reader) catchUp(ctx context.Context, ended bool) error {
	r.log.mu.Lock()
	stored := r.log.stored
	r.log.mu.Unlock()

	before := r.pos
	var err error
	if stored == nil {
		err = executor.ErrNotFound
	} else {
		_, err = stored(ctx, r.pos, r.takeStored)
	}
	switch {
	case errors.Is(err, errJoined):
		return nil
	case r.failed != nil:
		return r.failed
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, executor.ErrNotFound), err == nil && ended && r.pos == before:
		return r.skipLost()
	case err != nil:
		return err
	case r.pos == before:
		return sleep(ctx, lag)
	}
	return nil
}

// takeStored passes one stored chunk on, less what the reader has and what
// lies beyond the limit.
func (r *reader) takeStored(in executor.LogChunk) error {
	c := Chunk{Stream: in.Stream, Offset: in.Offset, Time: in.Time, Data: in.Data}
	at := offset(&r.pos, c.Stream)
	r.log.mu.Lock()
	// What the engine has and the log has not got may turn out to lie there, too.
	end := *offset(&r.log.head, c.Stream)
	if limited := r.log.limited; limited != nil {
		end = *offset(&limited.cut, c.Stream)
	}
	if c.end() > end {
		c.Data = c.Data[:max(0, end-c.Offset)]
	}
	covered := r.log.window.covers(r.pos)
	r.log.mu.Unlock()
	if covered {
		return errJoined
	}
	// A chunk behind a hole cannot be placed; the caller finds no progress.
	if len(c.Data) == 0 || c.end() <= *at || c.Offset > *at {
		return nil
	}
	c = c.from(*at)
	*at = c.end()
	r.next = 0
	r.failed = r.send(c)
	return r.failed
}

// skipLost sends markers in the place of what nobody has any more.
func (r *reader) skipLost() error {
	r.log.mu.Lock()
	base := r.log.window.base
	r.log.mu.Unlock()
	for _, s := range []executor.Stream{executor.Stdout, executor.Stderr} {
		at, to := offset(&r.pos, s), *offset(&base, s)
		if *at >= to {
			continue
		}
		marker := Chunk{Stream: s, Offset: *at, Dropped: to - *at}
		*at = to
		if err := r.send(marker); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
