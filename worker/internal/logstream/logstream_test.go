package logstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"cloudai/worker/internal/executor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine keeps a log as an engine would, possibly behind what was sent.
type engine struct {
	mu     sync.Mutex
	out    map[executor.Stream][]byte
	hidden int   // so many bytes of each stream are not stored yet
	err    error // instead of reading
	reads  int
}

func newEngine() *engine { return &engine{out: make(map[executor.Stream][]byte)} }

func (e *engine) write(s executor.Stream, data []byte) executor.LogChunk {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := executor.LogChunk{Stream: s, Offset: int64(len(e.out[s])), Data: data}
	e.out[s] = append(e.out[s], data...)
	return c
}

func (e *engine) logs(_ context.Context, from executor.Offsets, sink executor.LogSink) (executor.Offsets, error) {
	e.mu.Lock()
	e.reads++
	copies := map[executor.Stream][]byte{}
	for s, b := range e.out {
		copies[s] = bytes.Clone(b[:max(0, len(b)-e.hidden)])
	}
	err := e.err
	e.mu.Unlock()
	if err != nil {
		return from, err
	}
	for _, s := range []executor.Stream{executor.Stdout, executor.Stderr} {
		at := offset(&from, s)
		for *at < int64(len(copies[s])) {
			n := min(7, int64(len(copies[s]))-*at)
			if err := sink(executor.LogChunk{Stream: s, Offset: *at, Data: copies[s][*at : *at+n]}); err != nil {
				return from, fmt.Errorf("wrapped: %w", err)
			}
			*at += n
		}
	}
	return from, nil
}

// copyOf is a reader's copy; it fails on a hole or a repeat.
type copyOf struct {
	t       testing.TB
	from    executor.Offsets
	data    map[executor.Stream][]byte
	dropped map[executor.Stream]int64
}

func newCopy(t testing.TB, from executor.Offsets) *copyOf {
	return &copyOf{t: t, from: from, data: map[executor.Stream][]byte{}, dropped: map[executor.Stream]int64{}}
}

func (c *copyOf) take(in Chunk) error {
	at := *offset(&c.from, in.Stream) + int64(len(c.data[in.Stream])) + c.dropped[in.Stream]
	if in.Offset != at {
		c.t.Errorf("stream %d: chunk at %d, expected %d", in.Stream, in.Offset, at)
	}
	c.data[in.Stream] = append(c.data[in.Stream], in.Data...)
	c.dropped[in.Stream] += in.Dropped
	return nil
}

func randomLine(rng *rand.Rand) []byte {
	return bytes.Repeat([]byte{byte('a' + rng.IntN(26))}, 1+rng.IntN(40))
}

func randomStream(rng *rand.Rand) executor.Stream {
	if rng.IntN(3) == 0 {
		return executor.Stderr
	}
	return executor.Stdout
}

// TestF19ReadersMissNothing has many readers come and go at any offset while
// the log grows beyond its window.
func TestF19ReadersMissNothing(t *testing.T) {
	e := newEngine()
	l := New(Options{Window: 2000, Tail: 300})
	l.SetStored(e.logs)
	ctx := context.Background()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { followWithBreaks(t, l, e, uint64(i)) })
	}
	rng := rand.New(rand.NewPCG(99, 99))
	for range 2000 {
		if err := l.Append(e.write(randomStream(rng), randomLine(rng))); err != nil {
			t.Fatal(err)
		}
	}
	l.End()
	wg.Wait()
	// And one that comes late, and from the middle.
	from := executor.Offsets{Stdout: 11, Stderr: 5000}
	c := newCopy(t, from)
	if _, complete, err := l.Read(ctx, from, true, c.take); err != nil || !complete {
		t.Fatal(complete, err)
	}
	if !bytes.Equal(c.data[executor.Stdout], e.out[executor.Stdout][11:]) || !bytes.Equal(c.data[executor.Stderr], e.out[executor.Stderr][5000:]) {
		t.Error("the late copy differs")
	}
}

var errBroken = errors.New("connection broken")

func followWithBreaks(t *testing.T, l *Log, e *engine, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	c := newCopy(t, executor.Offsets{})
	var at executor.Offsets
	for {
		left := rng.IntN(200)
		reached, complete, err := l.Read(context.Background(), at, true, func(in Chunk) error {
			if left--; left < 0 {
				return errBroken
			}
			*offset(&at, in.Stream) = in.end()
			return c.take(in)
		})
		if complete {
			if reached != l.Head() {
				t.Errorf("complete at %v of %v", reached, l.Head())
			}
			break
		}
		if !errors.Is(err, errBroken) {
			t.Errorf("reader %d: %v", seed, err)
			return
		}
	}
	for s, want := range e.out {
		if !bytes.Equal(c.data[s], want) {
			t.Errorf("reader %d: stream %d differs", seed, s)
		}
	}
}

// TestF18LimitKeepsHeadAndTail: beyond the limit only the tail is kept, and
// the dropped bytes are counted.
func TestF18LimitKeepsHeadAndTail(t *testing.T) {
	for _, readEarly := range []bool{true, false} {
		e := newEngine()
		l := New(Options{Window: 500, Tail: 100, Limit: 1000})
		l.SetStored(e.logs)
		c := newCopy(t, executor.Offsets{})
		read := make(chan error, 1)
		if readEarly {
			go func() {
				_, _, err := l.Read(context.Background(), executor.Offsets{}, true, c.take)
				read <- err
			}()
		}
		rng := rand.New(rand.NewPCG(1, 1))
		for range 500 {
			if err := l.Append(e.write(randomStream(rng), randomLine(rng))); err != nil {
				t.Fatal(err)
			}
		}
		l.End()
		if !readEarly {
			_, _, err := l.Read(context.Background(), executor.Offsets{}, true, c.take)
			read <- err
		}
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		kept := 0
		for s, want := range e.out {
			got := c.data[s]
			if int64(len(got))+c.dropped[s] != int64(len(want)) || c.dropped[s] == 0 {
				t.Errorf("stream %d: %d kept and %d dropped of %d", s, len(got), c.dropped[s], len(want))
			}
			kept += len(got)
		}
		if kept < 1000 || kept > 1100 {
			t.Errorf("kept %d bytes", kept)
		}
		if head := l.Head(); head.Stdout != int64(len(e.out[executor.Stdout])) {
			t.Errorf("head %v", head)
		}
	}
}

// The engine may have a line before the log gets it, and with it reaches its limit.
func TestF18ReaderIsNotAheadOfTheLimit(t *testing.T) {
	e := newEngine()
	l := New(Options{Window: 100, Tail: 10, Limit: 100})
	l.SetStored(e.logs)
	for _, s := range []executor.Stream{executor.Stderr, executor.Stdout, executor.Stdout} {
		if err := l.Append(e.write(s, []byte("123456789012345678901234567\n"))); err != nil {
			t.Fatal(err)
		}
	}
	late := e.write(executor.Stdout, bytes.Repeat([]byte("x"), 50))
	c := newCopy(t, executor.Offsets{})
	reached, _, err := l.Read(t.Context(), executor.Offsets{}, false, c.take)
	if err != nil || reached != l.Head() {
		t.Fatalf("reached %v of %v, %v", reached, l.Head(), err)
	}
	if err := l.Append(late); err != nil {
		t.Fatal(err)
	}
	l.End()
	if _, complete, err := l.Read(t.Context(), reached, true, c.take); err != nil || !complete {
		t.Fatal(complete, err)
	}
	if kept := len(c.data[executor.Stdout]) + len(c.data[executor.Stderr]); kept != 110 || c.dropped[executor.Stdout] != 24 {
		t.Errorf("kept %d bytes, dropped %d", kept, c.dropped[executor.Stdout])
	}
}

func TestTailIsTheWholeOfASmallLog(t *testing.T) {
	l := New(Options{Tail: 20})
	e := newEngine()
	for _, line := range []string{"one\n", "two\n", "three\n"} {
		if err := l.Append(e.write(executor.Stdout, []byte(line))); err != nil {
			t.Fatal(err)
		}
	}
	l.End()
	l.End()
	if tail := l.Tail(); len(tail) != 3 || tail[0].Offset != 0 {
		t.Errorf("tail %v", tail)
	}
}

func TestTailIsCutToItsSize(t *testing.T) {
	l := New(Options{Tail: 20})
	e := newEngine()
	for range 10 {
		if err := l.Append(e.write(executor.Stdout, []byte("123456789\n"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Append(e.write(executor.Stderr, bytes.Repeat([]byte("x"), 15))); err != nil {
		t.Fatal(err)
	}
	l.End()
	tail := l.Tail()
	if len(tail) != 2 || tail[0].Offset != 95 || string(tail[0].Data) != "6789\n"[0:5] || len(tail[1].Data) != 15 {
		t.Errorf("tail %v", tail)
	}
}

func TestRepeatsAreIgnoredAndHolesRefused(t *testing.T) {
	l := New(Options{})
	for _, c := range []executor.LogChunk{
		{Stream: executor.Stdout, Offset: 0, Data: []byte("abc")},
		{Stream: executor.Stdout, Offset: 0, Data: []byte("abc")},
		{Stream: executor.Stdout, Offset: 1, Data: []byte("bcde")},
	} {
		if err := l.Append(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Append(executor.LogChunk{Stream: executor.Stdout, Offset: 9, Data: []byte("x")}); err == nil {
		t.Error("a hole was taken")
	}
	if err := l.Append(executor.LogChunk{Stream: 9, Data: []byte("x")}); err == nil {
		t.Error("an unknown stream was taken")
	}
	c := newCopy(t, executor.Offsets{})
	if _, _, err := l.Read(context.Background(), executor.Offsets{}, false, c.take); err != nil {
		t.Fatal(err)
	}
	if got := string(c.data[executor.Stdout]); got != "abcde" {
		t.Errorf("log %q", got)
	}
}

func TestLostBytesBecomeAMarker(t *testing.T) {
	e := newEngine()
	l := New(Options{Window: 100, Tail: 50})
	l.SetStored(e.logs)
	for range 10 {
		if err := l.Append(e.write(executor.Stdout, []byte("123456789\n"))); err != nil {
			t.Fatal(err)
		}
	}
	l.End()
	e.err = executor.ErrNotFound
	c := newCopy(t, executor.Offsets{})
	if _, complete, err := l.Read(context.Background(), executor.Offsets{}, true, c.take); err != nil || !complete {
		t.Fatal(complete, err)
	}
	if c.dropped[executor.Stdout] == 0 || c.dropped[executor.Stdout]+int64(len(c.data[executor.Stdout])) != 100 {
		t.Errorf("%d dropped, %d kept", c.dropped[executor.Stdout], len(c.data[executor.Stdout]))
	}
	e.err = executor.ErrEngine
	if _, _, err := l.Read(context.Background(), executor.Offsets{}, true, c.take); !errors.Is(err, executor.ErrEngine) {
		t.Errorf("with the engine away: %v", err)
	}
}

// TestStoredLogMayLagBehind: what has left the window is waited for.
func TestStoredLogMayLagBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		e.hidden = 1 << 20
		l := New(Options{Window: 100})
		l.SetStored(e.logs)
		for range 20 {
			if err := l.Append(e.write(executor.Stdout, []byte("123456789\n"))); err != nil {
				t.Fatal(err)
			}
		}
		c := newCopy(t, executor.Offsets{})
		read := make(chan error, 1)
		go func() {
			_, _, err := l.Read(t.Context(), executor.Offsets{}, true, c.take)
			read <- err
		}()
		time.Sleep(time.Second)
		e.mu.Lock()
		e.hidden = 0
		e.mu.Unlock()
		time.Sleep(time.Second)
		l.End()
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.data[executor.Stdout], e.out[executor.Stdout]) || c.dropped[executor.Stdout] != 0 {
			t.Errorf("%d of %d bytes", len(c.data[executor.Stdout]), len(e.out[executor.Stdout]))
		}
		if e.reads > 20 {
			t.Errorf("read the stored log %d times", e.reads)
		}
	})
}

func TestSlowReaderDoesNotHoldTheLogUp(t *testing.T) {
	e := newEngine()
	l := New(Options{Window: 1000})
	l.SetStored(e.logs)
	ctx, cancel := context.WithCancel(context.Background())
	if err := l.Append(e.write(executor.Stdout, []byte("first\n"))); err != nil {
		t.Fatal(err)
	}
	blocked, read := make(chan struct{}), make(chan error, 1)
	go func() {
		_, _, err := l.Read(ctx, executor.Offsets{}, true, func(Chunk) error {
			close(blocked)
			<-ctx.Done()
			return ctx.Err()
		})
		read <- err
	}()
	<-blocked
	for range 1000 {
		if err := l.Append(e.write(executor.Stdout, []byte("123456789\n"))); err != nil {
			t.Fatal(err)
		}
	}
	if w := l.window.weight; w > 1000 {
		t.Errorf("the window weighs %d", w)
	}
	cancel()
	if err := <-read; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestFollowingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, complete, err := l.Read(ctx, executor.Offsets{}, true, nil); complete || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("complete %v, %v", complete, err)
		}
	})
}
