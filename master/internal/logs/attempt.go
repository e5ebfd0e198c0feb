package logs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cloudai/master/internal/cluster"
)

// key names one attempt's log.
type key struct {
	task    cluster.TaskID
	attempt int
}

// attemptLog is the copy of one attempt's log. Whoever holds turn may write;
// what readers may see is published under mu, so that they never wait for a
// write.
type attemptLog struct {
	key   key
	base  string // path of the files without their extension
	limit int64
	turn  chan struct{} // of capacity 1; a value in it is held by the writer
	got   *atomic.Int64 // counts the bytes that are taken, of all logs
	w     writer        // belongs to the holder of turn

	mu  sync.Mutex
	pub published

	refs   int  // users at this moment; under Keeper.mu
	pinned bool // stays known without users; under Keeper.mu
}

// writer is the writing side's state.
type writer struct {
	disk      disk
	loaded    bool
	removed   bool
	tail      tail               // what came after the limit
	reach     cluster.LogOffsets // how much came of each stream, tail included
	ended     bool               // the marker of abandon is written
	uncounted int64              // bytes taken since they were last counted
}

// published is what others may see.
type published struct {
	loaded  bool
	removed bool
	layout  layout
	pos     position
	reach   cluster.LogOffsets
	wake    chan struct{} // closed at the next change; nil while nobody waits
}

// lock takes the turn and makes sure that the files have been looked at.
func (l *attemptLog) lock(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.w.removed {
		l.unlock()
		return fmt.Errorf("%w: the log was removed", cluster.ErrNotFound)
	}
	if l.w.loaded {
		return nil
	}
	if err := l.w.disk.load(); err != nil {
		l.unlock()
		return fmt.Errorf("load log: %w", err)
	}
	l.ready()
	return nil
}

// ready says that the disk's state is known; the turn must be held.
func (l *attemptLog) ready() {
	l.w.loaded = true
	l.w.reach = l.w.disk.pos.ends
	l.publish()
}

// lockToWrite is lock for those who add to a log. A copy that is damaged would
// hold its task up for ever: it is set aside and made again from what the
// worker has.
func (l *attemptLog) lockToWrite(ctx context.Context, now time.Time) error {
	err := l.lock(ctx)
	var damage *DamageError
	if !errors.As(err, &damage) {
		return err
	}
	l.turn <- struct{}{}
	if l.w.loaded || l.w.removed { // by another, meanwhile
		l.unlock()
		return l.lock(ctx)
	}
	err = l.w.disk.setAside()
	if err == nil {
		b := l.w.disk.begin()
		b.mark(now.UnixNano(), fmt.Sprintf("[cloudai] the copy of this log was damaged at byte %d; it begins anew\n",
			damage.Offset), cluster.LogOffsets{})
		err = l.w.disk.write(b)
	}
	if err != nil {
		l.unlock()
		return fmt.Errorf("begin damaged log anew: %w", err)
	}
	l.ready()
	return nil
}

func (l *attemptLog) unlock() { <-l.turn }

// publish shows the writer's state to readers and wakes them.
func (l *attemptLog) publish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	wake := l.pub.wake
	l.pub = published{
		loaded: l.w.loaded, removed: l.w.removed,
		layout: l.w.disk.layout, pos: l.w.disk.pos, reach: l.w.reach,
	}
	if wake != nil {
		close(wake)
	}
}

// state is what is published now. With wait the channel in it is closed at
// the next change.
func (l *attemptLog) state(wait bool) published {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait && l.pub.wake == nil {
		l.pub.wake = make(chan struct{})
	}
	return l.pub
}

// append writes chunks at their places; the turn must be held. What came
// before a refused chunk is kept.
func (l *attemptLog) append(now time.Time, chunks []cluster.LogChunk) error {
	fresh := l.w.tail.empty()
	b := l.w.disk.begin()
	var err error
	for _, c := range chunks {
		if err = l.take(b, now, c); err != nil {
			break
		}
		if b.full() {
			if werr := l.flush(b, fresh); werr != nil {
				return werr
			}
			b = l.w.disk.begin()
		}
	}
	if werr := l.flush(b, fresh); werr != nil {
		return werr
	}
	return err
}

// flush writes the batch and publishes.
func (l *attemptLog) flush(b *batch, fresh bool) error {
	err := l.w.disk.write(b)
	if err != nil {
		l.forget(fresh)
	}
	l.count()
	l.publish()
	return err
}

// count counts the bytes that were taken, whichever way they came. Those that
// were lost with their batch come again, and count then.
func (l *attemptLog) count() {
	l.got.Add(l.w.uncounted)
	l.w.uncounted = 0
}

// forget goes back to what is on the disk after a batch was lost, so that the
// worker sends it again. A tail that was there before the batch means that the
// batch had no data, hence nothing was lost.
func (l *attemptLog) forget(fresh bool) {
	if fresh {
		l.w.tail = tail{}
		l.w.reach = l.w.disk.pos.ends
		l.w.uncounted = 0
	}
}

// take puts one chunk where it belongs: into the batch, or beyond the limit
// into the tail. What is there already is skipped.
func (l *attemptLog) take(b *batch, now time.Time, c cluster.LogChunk) error {
	n, err := checkChunk(c)
	if err != nil {
		return err
	}
	have := endOf(l.w.reach, c.Stream)
	if c.Offset+n <= have {
		return nil
	}
	if c.Offset > have {
		return fmt.Errorf("%w: %s has %d bytes, the chunk begins at %d", cluster.ErrConflict, c.Stream, have, c.Offset)
	}
	if l.w.disk.pos.sealed {
		return fmt.Errorf("%w: the log is complete", cluster.ErrConflict)
	}
	skip := have - c.Offset
	at := stamp(c.Time, now)
	if c.Dropped > 0 {
		l.drop(b, c.Stream, at, c.Dropped-skip)
		return nil
	}
	data := c.Data[skip:]
	l.w.reach = advance(l.w.reach, c.Stream, int64(len(data)))
	l.w.uncounted += int64(len(data))
	head := int64(0)
	if l.w.tail.empty() && b.pos.entries*entrySize < 2*l.limit+indexSlack {
		head = min(max(0, l.limit-b.pos.size), int64(len(data)))
	}
	if head > 0 {
		b.text(c.Stream, at, data[:head])
	}
	if rest := data[head:]; len(rest) > 0 {
		l.w.tail.add(c.Stream, at, rest)
	}
	return nil
}

// indexSlack is what an index may take beyond twice the log's limit before
// lines so short count as beyond the limit too.
const indexSlack = 16 << 20

// drop notes n bytes that cannot be had.
func (l *attemptLog) drop(b *batch, s cluster.Stream, at, n int64) {
	l.w.reach = advance(l.w.reach, s, n)
	if l.w.tail.empty() && b.pos.size < l.limit {
		b.drop(s, at, n)
		return
	}
	l.w.tail.gap(s, at, n)
}

// checkChunk refuses what a well-behaved worker does not send, and gives the
// bytes of the stream that the chunk stands for.
func checkChunk(c cluster.LogChunk) (int64, error) {
	n := int64(len(c.Data))
	switch {
	case c.Stream != cluster.StreamStdout && c.Stream != cluster.StreamStderr:
		return 0, fmt.Errorf("%w: log stream %d", cluster.ErrInvalid, c.Stream)
	case c.Dropped < 0 || c.Dropped > 0 && n > 0:
		return 0, fmt.Errorf("%w: log chunk with %d dropped and %d bytes", cluster.ErrInvalid, c.Dropped, n)
	case c.Offset < 0 || c.Offset > math.MaxInt64/2 || c.Dropped > math.MaxInt64/4:
		return 0, fmt.Errorf("%w: log offset %d", cluster.ErrInvalid, c.Offset)
	}
	return n + c.Dropped, nil
}

// stamp is a time as the index keeps it; now for none, or one that no clock
// can mean.
func stamp(t, now time.Time) int64 {
	if y := t.Year(); y < 1970 || y > 2200 {
		t = now
	}
	return t.UnixNano()
}

// grown reports whether a complete log has to go on: what completed it was a
// result that was not recorded, and another process of the worker, which has
// gone on with the container, reports a longer log. One that ended as lost
// stays so.
func (l *attemptLog) grown(end cluster.LogEnd) bool {
	return !l.w.disk.pos.lost && (end.Length.Stdout > l.w.reach.Stdout || end.Length.Stderr > l.w.reach.Stderr)
}

// finish takes the end of the log, and seals it when nothing is missing any
// more; the turn must be held. With lost, what is missing is marked instead.
func (l *attemptLog) finish(now time.Time, end cluster.LogEnd, lost bool) (sealed bool, err error) {
	if l.w.disk.pos.sealed {
		if !l.grown(end) {
			return true, nil
		}
		if err := l.w.disk.reopen(); err != nil {
			return false, fmt.Errorf("reopen log: %w", err)
		}
		l.publish()
	}
	fresh := l.w.tail.empty()
	b := l.w.disk.begin()
	for _, c := range end.Tail {
		if have := endOf(l.w.reach, c.Stream); lost && c.Offset > have && c.Offset <= math.MaxInt64/4 {
			l.drop(b, c.Stream, stamp(c.Time, now), c.Offset-have)
		}
		if err := l.take(b, now, c); err != nil {
			break // a hole: the rest is asked for
		}
	}
	for _, s := range []cluster.Stream{cluster.StreamStdout, cluster.StreamStderr} {
		if gap := endOf(end.Length, s) - endOf(l.w.reach, s); lost && gap > 0 && gap <= math.MaxInt64/4 {
			l.drop(b, s, stamp(now, now), gap)
		}
	}
	if l.w.reach.Stdout < end.Length.Stdout || l.w.reach.Stderr < end.Length.Stderr {
		return false, l.flush(b, fresh)
	}
	return true, l.seal(b, now, fresh)
}

// seal writes the batch, what the tail holds, and the end of the log.
func (l *attemptLog) seal(b *batch, now time.Time, fresh bool) error {
	l.w.tail.writeTo(b, now.UnixNano())
	err := l.w.disk.seal(b, now.UnixNano())
	switch {
	case err == nil:
		l.w.tail = tail{}
		l.w.reach = l.w.disk.pos.ends
	case l.w.disk.pos.size > b.from.size:
		// Written, but perhaps not flushed; the tail with it.
		l.w.tail = tail{}
		l.w.reach = l.w.disk.pos.ends
	default:
		l.forget(fresh)
	}
	l.count()
	l.publish()
	return err
}

// abandon ends the log of a lost attempt with a marker; the turn must be held.
func (l *attemptLog) abandon(now time.Time, reason string) error {
	if l.w.disk.pos.sealed {
		return nil
	}
	fresh := l.w.tail.empty()
	b := l.w.disk.begin()
	b.lost = true
	if !l.w.ended && !b.pos.lost {
		l.w.tail.writeTo(b, now.UnixNano())
		reason = strings.Join(strings.Fields(strings.ToValidUTF8(reason, "?")), " ")
		b.mark(now.UnixNano(), fmt.Sprintf("[cloudai] attempt %d was lost (%s); its log ends here, after byte %d\n",
			l.key.attempt, reason, b.pos.size), cluster.LogOffsets{})
		b.lose()
	}
	had := l.w.tail
	l.w.tail = tail{}
	err := l.seal(b, now, fresh)
	switch {
	case err == nil || l.w.disk.pos.size > b.from.size:
		l.w.ended = true
	case !fresh:
		l.w.tail = had
	}
	return err
}
