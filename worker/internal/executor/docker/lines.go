package docker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"cloudai/worker/internal/executor"
)

const (
	// maxChunk is the most that a chunk holds, in bytes.
	maxChunk = 64 << 10
	// flushAfter is how long an unfinished line is kept back, and how far
	// apart lines of one chunk may be.
	flushAfter = 100 * time.Millisecond
	// piecesAhead bounds what is read before the sink has taken it.
	piecesAhead = 16
)

// assembler makes chunks of pieces, per stream from an offset on. It has no
// clock and no goroutine; pump gives it both.
type assembler struct {
	sink    executor.LogSink
	bulk    bool // nobody waits for single lines: chunks may fill up
	streams [executor.Stderr + 1]lineBuffer
	last    executor.Stream // of the piece added last
}

// lineBuffer is one stream's part of an assembler.
type lineBuffer struct {
	pos   int64     // offset of the next byte that the engine gives
	from  int64     // what lies before it is left out
	data  []byte    // not yet handed over; ends at pos
	lines int       // bytes of data up to its last newline
	time  time.Time // of data's first byte
	late  time.Time // of data's last byte
}

func newAssembler(from executor.Offsets, sink executor.LogSink) *assembler {
	a := &assembler{sink: sink}
	a.streams[executor.Stdout].from = from.Stdout
	a.streams[executor.Stderr].from = from.Stderr
	return a
}

// reached is where the next reading goes on; never before the first offsets.
func (a *assembler) reached() executor.Offsets {
	at := func(b lineBuffer) int64 { return max(b.from, b.pos-int64(len(b.data))) }
	return executor.Offsets{
		Stdout: at(a.streams[executor.Stdout]),
		Stderr: at(a.streams[executor.Stderr]),
	}
}

// add takes a piece and hands over what must not wait for it.
func (a *assembler) add(p piece) error {
	if p.stream != a.last && a.last != 0 {
		// Whole lines of the other stream came first.
		if err := a.flush(a.last, false); err != nil {
			return err
		}
	}
	a.last = p.stream
	b := &a.streams[p.stream]
	data := p.data
	if skip := min(b.from-b.pos, int64(len(data))); skip > 0 {
		b.pos += skip
		data = data[skip:]
	}
	if len(data) == 0 {
		return nil
	}
	if b.lines > 0 && p.time.Sub(b.time) > flushAfter {
		if err := a.flush(p.stream, false); err != nil {
			return err
		}
	}
	if len(b.data) == 0 {
		b.time = p.time
	}
	if i := bytes.LastIndexByte(data, '\n'); i >= 0 {
		b.lines = len(b.data) + i + 1
	}
	b.data = append(b.data, data...)
	b.pos += int64(len(data))
	b.late = p.time
	return a.shrink(p.stream)
}

// shrink hands over full chunks until less than one is left.
func (a *assembler) shrink(s executor.Stream) error {
	b := &a.streams[s]
	for len(b.data) >= maxChunk {
		n := bytes.LastIndexByte(b.data[:maxChunk], '\n') + 1
		if n == 0 {
			n = maxChunk
		}
		if err := a.emit(s, n); err != nil {
			return err
		}
	}
	return nil
}

// flush hands over a stream's whole lines, or with rest also what follows
// them.
func (a *assembler) flush(s executor.Stream, rest bool) error {
	b := &a.streams[s]
	n := b.lines
	if rest {
		n = len(b.data)
	}
	if n == 0 {
		return nil
	}
	return a.emit(s, n)
}

// flushAll flushes both streams.
func (a *assembler) flushAll(rest bool) error {
	for _, s := range []executor.Stream{executor.Stdout, executor.Stderr} {
		if err := a.flush(s, rest); err != nil {
			return err
		}
	}
	return nil
}

// unfinished says whether part of a line is held back.
func (a *assembler) unfinished() bool {
	return len(a.streams[executor.Stdout].data)+len(a.streams[executor.Stderr].data) > 0
}

// emit hands over the first n bytes of a stream's data.
func (a *assembler) emit(s executor.Stream, n int) error {
	b := &a.streams[s]
	chunk := executor.LogChunk{
		Stream: s,
		Offset: b.pos - int64(len(b.data)),
		Time:   b.time,
		Data:   b.data[:n:n],
	}
	// The chunk keeps the memory; the rest moves out of it.
	b.data = append([]byte(nil), b.data[n:]...)
	b.time = b.late
	b.lines = max(0, b.lines-n)
	if err := a.sink(chunk); err != nil {
		return sinkError{err}
	}
	return nil
}

// pump reads pieces by read in a goroutine of its own and hands them over
// until read ends. A proper end (io.EOF) is nil. stop must make read return
// soon; pump calls it before it returns, and has joined the goroutine then.
func (a *assembler) pump(ctx context.Context, read func(yield func(piece) error) error, stop func()) error {
	ctx, cancel := context.WithCancel(ctx)
	pieces, end := make(chan piece, piecesAhead), make(chan error, 1)
	go func() {
		defer close(pieces)
		end <- read(func(p piece) error {
			select {
			case pieces <- p:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	err := a.take(ctx, pieces)
	if err == nil {
		// The channel is closed, so the goroutine has ended.
		if err = <-end; errors.Is(err, io.EOF) {
			err = nil
		}
		cancel()
		stop()
		return err
	}
	cancel()
	stop()
	for range pieces { // dropped: the reading has ended
	}
	return err
}

// take hands pieces over until their channel is closed, then all that is
// left.
func (a *assembler) take(ctx context.Context, pieces <-chan piece) error {
	timer := time.NewTimer(flushAfter)
	defer timer.Stop()
	for {
		p, ok, err := a.await(ctx, pieces, timer)
		if err != nil {
			return err
		}
		if !ok {
			return a.flushAll(true)
		}
		if err := a.add(p); err != nil {
			return err
		}
	}
}

// await returns the next piece. Before it has to wait it hands over whole
// lines, and what is unfinished when the wait gets long.
func (a *assembler) await(ctx context.Context, pieces <-chan piece, timer *time.Timer) (piece, bool, error) {
	select {
	case p, ok := <-pieces:
		return p, ok, nil
	default:
	}
	var late <-chan time.Time
	if !a.bulk {
		if err := a.flushAll(false); err != nil {
			return piece{}, false, err
		}
		if a.unfinished() {
			timer.Reset(flushAfter)
			late = timer.C
		}
	}
	for {
		select {
		case p, ok := <-pieces:
			return p, ok, nil
		case <-late:
			late = nil
			if err := a.flushAll(true); err != nil {
				return piece{}, false, err
			}
		case <-ctx.Done():
			return piece{}, false, ctx.Err()
		}
	}
}
