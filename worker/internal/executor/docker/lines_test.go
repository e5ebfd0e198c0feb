package docker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/worker/internal/executor"
)

// collect is a sink that keeps the streams and checks the chunks.
type collect struct {
	t       *testing.T
	from    executor.Offsets
	streams [3]bytes.Buffer
	chunks  []executor.LogChunk
}

func (c *collect) sink(chunk executor.LogChunk) error {
	base := c.from.Stdout
	if chunk.Stream == executor.Stderr {
		base = c.from.Stderr
	}
	if want := base + int64(c.streams[chunk.Stream].Len()); chunk.Offset != want {
		c.t.Errorf("stream %d: offset %d, want %d", chunk.Stream, chunk.Offset, want)
	}
	if len(chunk.Data) == 0 || len(chunk.Data) > maxChunk {
		c.t.Errorf("a chunk of %d bytes", len(chunk.Data))
	}
	c.streams[chunk.Stream].Write(chunk.Data)
	c.chunks = append(c.chunks, chunk)
	return nil
}

// source yields pieces as read does.
func source(pieces []piece) func(func(piece) error) error {
	return func(yield func(piece) error) error {
		for _, p := range pieces {
			if err := yield(p); err != nil {
				return err
			}
		}
		return io.EOF
	}
}

func TestChunksEndAtLines(t *testing.T) {
	now := time.Now()
	for name, tc := range map[string]struct {
		pieces []piece
		want   []string
	}{
		"one line":   {[]piece{{1, now, []byte("a\n")}}, []string{"a\n"}},
		"joined":     {[]piece{{1, now, []byte("a\nb")}, {1, now, []byte("c\nd\n")}}, []string{"a\nbc\nd\n"}},
		"unfinished": {[]piece{{1, now, []byte("a\nb")}}, []string{"a\n", "b"}},
		"order":      {[]piece{{1, now, []byte("a\n")}, {2, now, []byte("b\n")}, {1, now, []byte("c\n")}}, []string{"a\n", "b\n", "c\n"}},
		"apart":      {[]piece{{1, now, []byte("a\n")}, {1, now.Add(time.Second), []byte("b\n")}}, []string{"a\n", "b\n"}},
		"empty":      {nil, nil},
	} {
		c := &collect{t: t}
		synctest.Test(t, func(t *testing.T) { // in no time, as far as the assembler sees
			if err := newAssembler(executor.Offsets{}, c.sink).pump(t.Context(), source(tc.pieces), func() {}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		var got []string
		for _, chunk := range c.chunks {
			got = append(got, string(chunk.Data))
		}
		// Whether lines at hand are joined depends on the goroutines' pace.
		if strings.Join(got, "") != strings.Join(tc.want, "") || name != "joined" && fmt.Sprint(got) != fmt.Sprint(tc.want) && name != "unfinished" {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
		for i, chunk := range got[:max(0, len(got)-1)] {
			if !strings.HasSuffix(chunk, "\n") {
				t.Errorf("%s: chunk %d is %q", name, i, chunk)
			}
		}
	}
}

func TestLongLinesAreCut(t *testing.T) {
	c := &collect{t: t}
	data := append(bytes.Repeat([]byte("x"), 3*maxChunk+7), '\n')
	err := newAssembler(executor.Offsets{}, c.sink).pump(t.Context(), source([]piece{{1, time.Now(), data}, {1, time.Now(), []byte("y\n")}}), func() {})
	if err != nil || !bytes.Equal(c.streams[1].Bytes(), append(data, "y\n"...)) {
		t.Errorf("%v, %d bytes", err, c.streams[1].Len())
	}
}

func TestUnfinishedLineIsSentAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &collect{t: t}
		begin := time.Now()
		var at time.Duration
		sink := func(chunk executor.LogChunk) error {
			if string(chunk.Data) == "name? " {
				at = time.Since(begin)
			}
			return c.sink(chunk)
		}
		read := func(yield func(piece) error) error {
			if err := yield(piece{1, time.Now(), []byte("hello\nname? ")}); err != nil {
				return err
			}
			time.Sleep(time.Second)
			if err := yield(piece{1, time.Now(), []byte("me\n")}); err != nil {
				return err
			}
			return io.EOF
		}
		if err := newAssembler(executor.Offsets{}, sink).pump(t.Context(), read, func() {}); err != nil {
			t.Error(err)
		}
		if at != flushAfter {
			t.Errorf("sent after %s", at)
		}
		if got := c.streams[1].String(); got != "hello\nname? me\n" {
			t.Errorf("%q", got)
		}
	})
}

func TestPumpEnds(t *testing.T) {
	enough := errors.New("enough")
	stopped := 0
	endless := func(yield func(piece) error) error {
		for {
			if err := yield(piece{1, time.Now(), []byte("x\n")}); err != nil {
				return err
			}
		}
	}
	err := newAssembler(executor.Offsets{}, func(executor.LogChunk) error { return enough }).pump(t.Context(), endless, func() { stopped++ })
	if !errors.Is(err, enough) {
		t.Errorf("%v, want the sink's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = newAssembler(executor.Offsets{}, func(executor.LogChunk) error { cancel(); return nil }).pump(ctx, endless, func() { stopped++ })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	broken := func(func(piece) error) error { return io.ErrUnexpectedEOF }
	err = newAssembler(executor.Offsets{}, nil).pump(t.Context(), broken, func() { stopped++ })
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, want the reader's error", err)
	}
	if stopped != 3 {
		t.Errorf("stop was called %d times", stopped)
	}
}

// frame is one of the engine's frames.
func frame(stream byte, payload string) []byte {
	header := []byte{stream, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(header[4:], uint32(len(payload)))
	return append(header, payload...)
}

func stamped(stream byte, second int, text string) []byte {
	return frame(stream, fmt.Sprintf("2026-01-02T03:04:%02d.000000000Z %s", second, text))
}

func TestStoredIsRepaired(t *testing.T) {
	long := strings.Repeat("x", 16384)
	for name, tc := range map[string]struct {
		frames [][]byte
		want   [3]string
	}{
		"lines":         {[][]byte{stamped(1, 1, "a\n"), stamped(2, 1, "e\n"), stamped(1, 2, "b\n")}, [3]string{1: "a\nb\n", 2: "e\n"}},
		"a long one":    {[][]byte{stamped(1, 1, long), stamped(1, 1, "rest"), stamped(1, 2, "next\n")}, [3]string{1: long + "rest\nnext\n"}},
		"exactly full":  {[][]byte{stamped(1, 1, long), stamped(1, 1, ""), stamped(1, 2, "next\n")}, [3]string{1: long + "\nnext\n"}},
		"then the end":  {[][]byte{stamped(1, 1, long)}, [3]string{1: long}},
		"streams apart": {[][]byte{stamped(1, 1, long), stamped(2, 2, "e\n"), stamped(1, 1, "rest"), stamped(1, 3, "\n")}, [3]string{1: long + "rest\n\n", 2: "e\n"}},
	} {
		c := &collect{t: t}
		read := func(yield func(piece) error) error { return stored(bytes.NewReader(bytes.Join(tc.frames, nil)), yield) }
		if err := newAssembler(executor.Offsets{}, c.sink).pump(t.Context(), read, func() {}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for s := 1; s <= 2; s++ {
			if got := c.streams[s].String(); got != tc.want[s] {
				t.Errorf("%s: stream %d: %.40q, want %.40q", name, s, got, tc.want[s])
			}
		}
	}
}

func TestBadFrames(t *testing.T) {
	for name, data := range map[string][]byte{
		"kind":         frame(9, "x"),
		"no stamp":     frame(1, "x"),
		"bad stamp":    frame(1, "yesterday x"),
		"cut header":   frame(1, "x")[:5],
		"cut payload":  stamped(1, 1, "hello")[:40],
		"engine error": frame(3, "the disk is gone"),
	} {
		err := stored(bytes.NewReader(data), func(piece) error { return nil })
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v, want an error", name, err)
		}
	}
}

// From whatever offsets, the rest must come whole.
func TestFromEveryOffset(t *testing.T) {
	var pieces []piece
	var want [3]string
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		s := executor.Stream(1 + random.IntN(2))
		data := make([]byte, 1+random.IntN(6))
		for i := range data {
			data[i] = "ab\n"[random.IntN(3)]
		}
		pieces = append(pieces, piece{s, time.Now(), data})
		want[s] += string(data)
	}
	for out := range len(want[1]) + 2 {
		from := executor.Offsets{Stdout: int64(out), Stderr: int64(out / 2)}
		c := &collect{t: t, from: from}
		a := newAssembler(from, c.sink)
		if err := a.pump(t.Context(), source(pieces), func() {}); err != nil {
			t.Fatal(err)
		}
		if got, rest := c.streams[1].String(), want[1][min(out, len(want[1])):]; got != rest {
			t.Errorf("from %d: %q, want %q", out, got, rest)
		}
		if got, rest := c.streams[2].String(), want[2][min(out/2, len(want[2])):]; got != rest {
			t.Errorf("from %d: %q, want %q", out/2, got, rest)
		}
		end := executor.Offsets{Stdout: max(int64(out), int64(len(want[1]))), Stderr: max(int64(out/2), int64(len(want[2])))}
		if a.reached() != end {
			t.Errorf("reached %+v, want %+v", a.reached(), end)
		}
	}
}

func FuzzStored(f *testing.F) {
	f.Add(stamped(1, 1, "a\n"))
	f.Add(append(stamped(1, 1, strings.Repeat("x", 100)), stamped(1, 2, "b")...))
	f.Add(frame(3, "words"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := stored(bytes.NewReader(data), func(p piece) error {
			if len(p.data) == 0 || len(p.data) > pieceSize || p.time.IsZero() && p.stream == 0 {
				t.Errorf("%+v", p)
			}
			return nil
		}); err == nil {
			t.Error("no end")
		}
	})
}
