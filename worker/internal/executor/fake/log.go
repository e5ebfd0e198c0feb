package fake

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"cloudai/worker/internal/executor"
)

// maxChunk is the most that a chunk holds, in bytes.
const maxChunk = 64 << 10

// stderrEvery: each so-many-th line goes to stderr, the others to stdout.
const stderrEvery = 10

// tick is the shortest wait between two batches of lines.
const tick = 10 * time.Millisecond

// A log is a function of the plan: line i, counted from 0, is "line i+1"
// filled up with dots to the plan's width, or cut to it. Every offset can be
// computed, so nothing of it is stored.

// lineLen is the length of line i with its newline.
func (p plan) lineLen(i int64) int64 {
	if i == p.Lines-1 {
		return p.Width + p.Tail
	}
	return p.Width
}

func streamOf(i int64) executor.Stream {
	if i%stderrEvery == stderrEvery-1 {
		return executor.Stderr
	}
	return executor.Stdout
}

// lineStart is the offset of line i in its stream.
func (p plan) lineStart(i int64) int64 {
	if streamOf(i) == executor.Stderr {
		return i / stderrEvery * p.Width
	}
	return (i - i/stderrEvery) * p.Width
}

// firstUnread is a line that starts at or before both offsets' next byte;
// every line before it has been read.
func (p plan) firstUnread(off executor.Offsets) int64 {
	if p.Width == 0 {
		return 0
	}
	out, errs := off.Stdout/p.Width, off.Stderr/p.Width
	line := min(out/(stderrEvery-1)*stderrEvery+out%(stderrEvery-1), errs*stderrEvery+stderrEvery-1)
	return max(0, min(line, p.Lines-1)) // the last line may be longer than the width
}

// due is how many lines have been written when the container has run for d.
func (p plan) due(d time.Duration) int64 {
	if d < 0 || p.Lines == 0 {
		return 0
	}
	if p.Sleep == 0 || d >= p.Sleep {
		return p.Lines
	}
	return min(p.Lines, int64(float64(d)/float64(p.Sleep)*float64(p.Lines))+1)
}

// dueAfter is how long after the start line i is written.
func (p plan) dueAfter(i int64) time.Duration {
	if p.Lines == 0 {
		return 0
	}
	return time.Duration(float64(i) / float64(p.Lines) * float64(p.Sleep))
}

// dots fill lines up.
var dots = bytes.Repeat([]byte{'.'}, maxChunk)

// line appends bytes from to end of line i to buf; at most maxChunk of them.
func (p plan) line(buf []byte, i, from, end int64) []byte {
	var room [32]byte
	text := strconv.AppendInt(append(room[:0], "line "...), i+1, 10)
	last := p.lineLen(i) - 1
	if stop := min(int64(len(text)), end, last); from < stop {
		buf = append(buf, text[from:stop]...)
		from = stop
	}
	if stop := min(end, last); from < stop {
		buf = append(buf, dots[:stop-from]...)
		from = stop
	}
	if from < end {
		buf = append(buf, '\n')
	}
	return buf
}

// reader hands a container's log to a sink.
type reader struct {
	plan    plan
	started time.Time
	off     executor.Offsets
	sink    executor.LogSink

	chunk executor.LogChunk
}

// send hands over all of the first n lines that lies beyond the offsets.
func (r *reader) send(ctx context.Context, n int64) error {
	if n == 0 {
		return nil
	}
	for i := r.plan.firstUnread(r.off); i < n; i++ {
		if err := r.sendLine(ctx, i); err != nil {
			return err
		}
	}
	return r.flush(ctx)
}

func (r *reader) sendLine(ctx context.Context, i int64) error {
	stream, start, length := streamOf(i), r.plan.lineStart(i), r.plan.lineLen(i)
	off := &r.off.Stdout
	if stream == executor.Stderr {
		off = &r.off.Stderr
	}
	for *off < start+length {
		whole := int64(len(r.chunk.Data))+start+length-*off <= maxChunk
		if r.chunk.Stream != stream || (!whole && len(r.chunk.Data) > 0) {
			if err := r.flush(ctx); err != nil {
				return err
			}
			r.chunk = executor.LogChunk{Stream: stream, Offset: *off, Time: r.started.Add(r.plan.dueAfter(i))}
		}
		from := *off - start
		end := min(length, from+maxChunk)
		r.chunk.Data = r.plan.line(r.chunk.Data, i, from, end)
		*off = start + end
	}
	return nil
}

// flush hands over the chunk in the making.
func (r *reader) flush(ctx context.Context) error {
	chunk := r.chunk
	r.chunk = executor.LogChunk{}
	if len(chunk.Data) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.sink(chunk)
}

// Logs sends what the container has written by now.
func (e *Executor) Logs(ctx context.Context, id string, from executor.Offsets, sink executor.LogSink) (executor.Offsets, error) {
	if err := ctx.Err(); err != nil {
		return from, err
	}
	rec, err := e.journal.read(id)
	if err != nil || rec.started.IsZero() {
		return from, err
	}
	r := reader{plan: rec.plan, started: rec.started, off: from, sink: sink}
	err = r.send(ctx, rec.written(time.Now()))
	return r.off, err
}

// written is how many lines a started container has written by the time now.
func (r record) written(now time.Time) int64 {
	if end := r.end().at; now.After(end) {
		now = end
	}
	return r.plan.due(now.Sub(r.started))
}
