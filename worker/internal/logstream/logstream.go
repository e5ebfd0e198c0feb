// Package logstream keeps the log of one running attempt within reach of many
// readers. It owns a bounded window of the newest bytes in memory; what is
// older is read from what the engine stored, and both are joined per stream
// without hole or repeat. It never makes the container's output wait for a
// reader, and it decides nothing about the attempt.
//
// Positions count the bytes of each stream alone: attaching and the engine's
// stored log interleave the two differently.
package logstream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"cloudai/worker/internal/executor"
)

// Sizes in bytes.
const (
	// DefaultWindow is how much of a running log is kept in memory.
	DefaultWindow = 4 << 20
	// DefaultTail is how much of it stays after the end, and how much is kept
	// beyond the limit.
	DefaultTail = 64 << 10
	// chunkOverhead is what a chunk weighs in the window beside its bytes.
	chunkOverhead = 64
	// maxTailChunks keeps the end of a log of tiny pieces small on the wire.
	maxTailChunks = 4096
)

// Chunk is a piece of one stream. With Dropped set it stands for so many bytes
// that are lost, and has no data.
type Chunk struct {
	Stream  executor.Stream
	Offset  int64
	Time    time.Time
	Data    []byte
	Dropped int64
}

func (c Chunk) end() int64 { return c.Offset + int64(len(c.Data)) + c.Dropped }

func (c Chunk) weight() int { return len(c.Data) + chunkOverhead }

// from is the part of the chunk that begins at offset at, which lies in it.
func (c Chunk) from(at int64) Chunk {
	skip := at - c.Offset
	if skip <= 0 {
		return c
	}
	c.Offset = at
	if c.Dropped > 0 {
		c.Dropped -= skip
		return c
	}
	c.Data = c.Data[skip:]
	return c
}

// Stored reads what the engine keeps of the log, see executor.Executor.Logs.
type Stored func(ctx context.Context, from executor.Offsets, sink executor.LogSink) (executor.Offsets, error)

// Options of a log; zero values stand for the defaults.
type Options struct {
	Window int   // bytes in memory while it grows
	Tail   int   // bytes in memory after the end
	Limit  int64 // bytes of both streams after which only the tail is kept; 0: none
}

// Log is one attempt's log. Its methods are safe for concurrent use.
type Log struct {
	opts Options

	mu      sync.Mutex
	stored  Stored
	window  window
	head    executor.Offsets // bytes received
	limited *overflow        // set once the limit is reached
	ended   bool
	changed chan struct{} // closed at the next change; nil while nobody waits
}

// New returns an empty log.
func New(opts Options) *Log {
	if opts.Window <= 0 {
		opts.Window = DefaultWindow
	}
	if opts.Tail <= 0 {
		opts.Tail = DefaultTail
	}
	return &Log{opts: opts}
}

// SetStored tells where older bytes are to be had, once there is a container.
func (l *Log) SetStored(stored Stored) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stored = stored
}

// Append takes the next chunk of a stream; it is an executor.LogSink. What was
// received before is ignored; a hole is an error.
func (l *Log) Append(in executor.LogChunk) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	head := offset(&l.head, in.Stream)
	if head == nil {
		return fmt.Errorf("log chunk of stream %d", in.Stream)
	}
	if in.Offset > *head {
		return fmt.Errorf("log chunk of stream %d at %d leaves a hole from %d on", in.Stream, in.Offset, *head)
	}
	c := Chunk{Stream: in.Stream, Offset: in.Offset, Time: in.Time, Data: in.Data}
	if c.end() <= *head {
		return nil
	}
	l.takeLocked(c.from(*head))
	l.wakeLocked()
	return nil
}

// takeLocked stores what fits below the limit in the window, the rest in the
// overflow's tail.
func (l *Log) takeLocked(c Chunk) {
	if l.limited == nil && l.opts.Limit > 0 {
		room := l.opts.Limit - l.head.Stdout - l.head.Stderr
		if int64(len(c.Data)) > room {
			head := c
			head.Data = c.Data[:room:room]
			if room > 0 {
				l.keepLocked(head)
			}
			l.limited = &overflow{cut: l.head, next: l.head, keep: l.opts.Tail}
			c = c.from(head.end())
		}
	}
	if l.limited == nil {
		l.keepLocked(c)
		return
	}
	*offset(&l.head, c.Stream) = c.end()
	l.limited.add(c)
}

func (l *Log) keepLocked(c Chunk) {
	*offset(&l.head, c.Stream) = c.end()
	l.window.push(c)
	l.window.trim(l.opts.Window)
}

// Head is how much has been received per stream: where reading the container
// goes on after an interruption.
func (l *Log) Head() executor.Offsets {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// End says that the log is complete. Of the window the tail stays.
func (l *Log) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	if l.limited != nil {
		l.window.restart(l.limited.cut)
		for _, c := range l.limited.chunks() {
			l.window.push(c)
		}
		l.limited.tail = nil
	} else {
		l.window.trimTail(l.opts.Tail)
	}
	l.wakeLocked()
}

// Tail is the end of a complete log: the whole of it when it is small.
func (l *Log) Tail() []Chunk {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.window.all()
}

func (l *Log) wakeLocked() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// waitLocked is a channel that is closed at the next change.
func (l *Log) waitLocked() <-chan struct{} {
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// offset is the stream's field of o, nil for a stream that does not exist.
func offset(o *executor.Offsets, s executor.Stream) *int64 {
	switch s {
	case executor.Stdout:
		return &o.Stdout
	case executor.Stderr:
		return &o.Stderr
	}
	return nil
}
