package logs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
)

func small(limit int64) func(*Config) { return func(c *Config) { c.Limit = limit } }

func TestF18LimitKeepsHeadAndTailAndNamesTheRest(t *testing.T) {
	const limit, total = 9_999, 500_000
	var all strings.Builder
	for i := 0; all.Len() < total; i++ {
		fmt.Fprintf(&all, "line %d\n", i)
	}
	data := all.String()
	end := cluster.LogEnd{Length: cluster.LogOffsets{Stdout: int64(len(data))}}
	dropped := len(data) - limit - tailBytes
	want := data[:limit] + fmt.Sprintf("\n[cloudai] %d bytes of stdout were dropped at the log's limit\n", dropped) + data[len(data)-tailBytes:]
	if data[limit-1] == '\n' {
		t.Fatal("the cut was to be within a line")
	}
	for _, piece := range []int{1000, 7, 70_000, len(data)} {
		k := newKeeper(t, t.TempDir(), small(limit))
		for at := 0; at < len(data); at += piece {
			mustAppend(t, k, anyRef, stdout(int64(at), data[at:min(at+piece, len(data))]))
		}
		if got := k.Offsets(anyRef).Stdout; got != int64(len(data)) {
			t.Fatalf("pieces of %d: offset %d", piece, got)
		}
		if got := k.Size(anyRef); got != limit {
			t.Fatalf("pieces of %d: size %d before the end", piece, got)
		}
		mustFinish(t, k, anyRef, end)
		if got := text(t, k, anyRef, ReadOptions{}); got != want {
			t.Fatalf("pieces of %d: %d bytes, want %d; they differ at %d", piece, len(got), len(want), differ(got, want))
		}
	}
}

func differ(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestLimitReachedButNothingToDrop(t *testing.T) {
	k := newKeeper(t, t.TempDir(), small(10))
	mustAppend(t, k, anyRef, stdout(0, "0123456789abc\n"), stderr(0, "err\n"))
	mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 14, Stderr: 4}})
	if got, want := text(t, k, anyRef, ReadOptions{}), "0123456789abc\nerr\n"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// TestCrashBeyondTheLimit loses the tail in memory; the offsets go back, and
// the worker sends it again.
func TestCrashBeyondTheLimit(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir, small(10))
	mustAppend(t, k, anyRef, stdout(0, "0123456789\nabc\n"))
	k = newKeeper(t, dir, small(10))
	if got := k.Offsets(anyRef).Stdout; got != 10 {
		t.Fatalf("offset %d after the crash, want 10", got)
	}
	mustAppend(t, k, anyRef, stdout(5, "56789\nabc\nx\n"))
	mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 17}})
	if got, want := text(t, k, anyRef, ReadOptions{}), "0123456789\nabc\nx\n"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestDroppedBytesAreNamed(t *testing.T) {
	gap := func(s cluster.Stream, at, n int64) cluster.LogChunk {
		return cluster.LogChunk{Stream: s, Offset: at, Time: noon, Dropped: n}
	}
	k := newKeeper(t, t.TempDir())
	mustAppend(t, k, anyRef, stdout(0, "a\nb"), gap(cluster.StreamStdout, 3, 100), stdout(103, "c\n"))
	mustAppend(t, k, anyRef, gap(cluster.StreamStdout, 3, 100), gap(cluster.StreamStdout, 100, 15)) // known; 10 more
	mustFinish(t, k, anyRef, cluster.LogEnd{
		Length: cluster.LogOffsets{Stdout: 130, Stderr: 7},
		Tail:   []cluster.LogChunk{stdout(120, "the end\n")},
		Lost:   true,
	})
	want := "a\nb\n[cloudai] 100 bytes of stdout were dropped\nc\n" +
		"[cloudai] 10 bytes of stdout were dropped\n[cloudai] 5 bytes of stdout were dropped\nthe end\n" +
		"[cloudai] 2 bytes of stdout were dropped\n[cloudai] 7 bytes of stderr were dropped\n"
	if got := text(t, k, anyRef, ReadOptions{}); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	if got := k.Received(); got != 13 { // what was dropped never came
		t.Fatalf("%d bytes counted", got)
	}
}

func TestWorkerDroppedAtItsOwnLimit(t *testing.T) {
	k := newKeeper(t, t.TempDir(), small(4))
	mustAppend(t, k, anyRef, stdout(0, "abc\n"),
		cluster.LogChunk{Stream: cluster.StreamStdout, Offset: 4, Time: noon, Dropped: 1000}, stdout(1004, "end\n"))
	mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 1008}})
	if got, want := text(t, k, anyRef, ReadOptions{}), "abc\n[cloudai] 1000 bytes of stdout were dropped at the log's limit\nend\n"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestBadChunks(t *testing.T) {
	k := newKeeper(t, t.TempDir())
	for name, c := range map[string]cluster.LogChunk{
		"marker":   {Stream: cluster.StreamMarker, Data: []byte("x")},
		"stream":   {Data: []byte("x")},
		"negative": {Stream: cluster.StreamStdout, Offset: -1},
		"both":     {Stream: cluster.StreamStdout, Data: []byte("x"), Dropped: 1},
		"dropped":  {Stream: cluster.StreamStdout, Dropped: -1},
		"huge":     {Stream: cluster.StreamStdout, Dropped: 1 << 62},
	} {
		if err := k.Append(anyRef, []cluster.LogChunk{c}); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	for _, id := range []cluster.TaskID{"", "..", "a/b", ".x"} {
		if err := k.Append(cluster.AttemptRef{TaskID: id}, nil); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("task %q: got %v, want ErrInvalid", id, err)
		}
	}
}

func TestAbandonNamesAttemptByteAndReason(t *testing.T) {
	for name, limit := range map[string]int64{"short": 1000, "beyond the limit": 3} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			k := newKeeper(t, dir, small(limit))
			ref := cluster.AttemptRef{TaskID: "t1", Attempt: 3}
			mustAppend(t, k, ref, stdout(0, "cut of"))
			for range 2 {
				if err := k.Abandon(t.Context(), ref, "worker w1\nis lost"); err != nil {
					t.Fatal(err)
				}
				k = newKeeper(t, dir)
			}
			if !k.Abandoned(ref) || k.Abandoned(cluster.AttemptRef{TaskID: "t1", Attempt: 2}) {
				t.Fatal("it is not known after a start which log was given up")
			}
			want := "cut of\n[cloudai] attempt 3 was lost (worker w1 is lost); its log ends here, after byte 6\n"
			if got := text(t, k, ref, ReadOptions{Follow: true}); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			// The worker comes back.
			if err := k.Append(ref, []cluster.LogChunk{stdout(6, "f\n")}); !errors.Is(err, cluster.ErrConflict) {
				t.Fatalf("append: %v", err)
			}
			mustFinish(t, k, ref, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 8}})
		})
	}
}

// TestWriteErrorLosesNothing lets the disk refuse and then take the same.
func TestWriteErrorLosesNothing(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir, small(4))
	inTheWay := filepath.Join(dir, "t1")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tail := []cluster.LogChunk{stdout(0, "one\ntwo\n")}
	end := cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 8}, Tail: tail}
	if err := k.Append(anyRef, tail); err == nil {
		t.Fatal("written into nothing")
	}
	if _, err := k.Finish(t.Context(), anyRef, end); err == nil {
		t.Fatal("finished into nothing")
	}
	if err := k.Abandon(t.Context(), anyRef, "x"); err == nil {
		t.Fatal("abandoned into nothing")
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	if got := k.Offsets(anyRef); got != (cluster.LogOffsets{}) {
		t.Fatalf("offsets %+v of what was never written", got)
	}
	mustFinish(t, k, anyRef, end)
	if got := text(t, k, anyRef, ReadOptions{}); got != "one\ntwo\n" {
		t.Fatalf("got %q", got)
	}
	if got := k.Received(); got != 8 {
		t.Fatalf("%d bytes counted", got)
	}
}

// What a write leaves that found no room hides nothing of the log that is
// written in one go later, also from the next process.
func TestF14LeftoversHideNoLog(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	inTheWay := filepath.Join(dir, "t1", "1.log")
	if err := os.MkdirAll(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	tail := []cluster.LogChunk{stdout(0, "one\ntwo\n")}
	if err := k.Append(anyRef, tail); err == nil {
		t.Fatal("written into nothing")
	}
	if _, err := os.Stat(filepath.Join(dir, "t1", "1.idx")); err != nil {
		t.Fatalf("nothing is left of the write: %v", err)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 8}, Tail: tail})
	for _, k := range []*Keeper{k, newKeeper(t, dir)} {
		if got := text(t, k, anyRef, ReadOptions{}); got != "one\ntwo\n" {
			t.Errorf("got %q", got)
		}
	}
}

// TestF18BoundedMemory appends and reads 256 MiB, among them a line of 100 MB
// and bytes that are not text.
func TestF18BoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("256 MiB")
	}
	k := newKeeper(t, t.TempDir())
	line := bytes.Repeat([]byte("x"), 256<<10)
	noise := make([]byte, 256<<10)
	for i := range noise {
		noise[i] = byte(i * i >> 3)
	}
	base := heap()
	var at int64
	for i := range 1024 {
		piece := noise
		if i >= 200 && i < 600 { // 100 MiB without a newline
			piece = line
		}
		mustAppend(t, k, anyRef, cluster.LogChunk{Stream: cluster.StreamStdout, Offset: at, Time: noon, Data: piece})
		at += int64(len(piece))
		if i%256 == 255 {
			if n := heap() - base; n > 8<<20 {
				t.Fatalf("%d bytes of heap in use while appending", n)
			}
		}
	}
	mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: at}})
	r, err := k.Open(t.Context(), anyRef.TaskID, anyRef.Attempt, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for n := 0; r.Offset() < at; n++ {
		rec, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		piece := noise
		if b := rec.Offset >> 18; b >= 200 && b < 600 {
			piece = line
		}
		if begin := rec.Offset & (256<<10 - 1); begin+int64(len(rec.Data)) <= int64(len(piece)) &&
			!bytes.Equal(rec.Data, piece[begin:begin+int64(len(rec.Data))]) {
			t.Fatalf("record at %d differs", rec.Offset)
		}
		if n%8192 == 8191 {
			if n := heap() - base; n > 8<<20 {
				t.Fatalf("%d bytes of heap in use while reading", n)
			}
		}
	}
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The marker of a lost attempt is on the disk and the end of its log is not: the
// next process knows the loss, and ends the log without another marker.
func TestAbandonedWithoutItsEnd(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	mustAppend(t, k, anyRef, stdout(0, "begin\n"))
	if err := k.Abandon(t.Context(), anyRef, "x"); err != nil {
		t.Fatal(err)
	}
	whole := text(t, k, anyRef, ReadOptions{})
	index := filepath.Join(dir, string(anyRef.TaskID), fmt.Sprint(anyRef.Attempt)+".idx")
	info, err := os.Stat(index)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(index, info.Size()-entrySize); err != nil {
		t.Fatal(err)
	}
	k = newKeeper(t, dir)
	if !k.Abandoned(anyRef) {
		t.Fatal("the loss is not known any more")
	}
	if err := k.Abandon(t.Context(), anyRef, "another reason"); err != nil {
		t.Fatal(err)
	}
	if got := text(t, k, anyRef, ReadOptions{Follow: true}); got != whole {
		t.Fatalf("got %q, want %q", got, whole)
	}
}

// While the disk has little left, what workers send is refused so that they keep
// it; the end of a log, which a result brings, is taken.
func TestNoRoomForMoreOfALog(t *testing.T) {
	full := false
	k := newKeeper(t, t.TempDir(), func(c *Config) {
		c.Room = func() error {
			if full {
				return errors.New("the disk is nearly full")
			}
			return nil
		}
	})
	mustAppend(t, k, anyRef, stdout(0, "one\n"))
	full = true
	if err := k.Append(anyRef, []cluster.LogChunk{stdout(4, "two\n")}); !errors.Is(err, cluster.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	full = false
	mustAppend(t, k, anyRef, stdout(4, "two\n"))
	full = true
	mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 12}, Tail: []cluster.LogChunk{stdout(8, "end\n")}})
	if got := text(t, k, anyRef, ReadOptions{}); got != "one\ntwo\nend\n" {
		t.Fatalf("got %q", got)
	}
}
