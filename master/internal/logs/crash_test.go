package logs

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

var (
	seed = flag.Uint64("seed", 0, "seed of the random tests; 0: a new one")
	runs = flag.Int("runs", 30, "how many random histories are tried")
)

// model is what the worker has written: the truth for each stream.
type model struct {
	rng    *rand.Rand
	out    [2][]byte
	clock  time.Time
	binary bool
}

func streamOf(i int) cluster.Stream { return cluster.Stream(i + 1) }

// grow lets the container write something.
func (m *model) grow() {
	i := m.rng.IntN(2)
	n := m.rng.IntN(200)
	switch m.rng.IntN(20) {
	case 0:
		n = m.rng.IntN(100 << 10)
	case 1:
		n = m.rng.IntN(3 * maxRecord)
	}
	for range n {
		c := byte('a' + m.rng.IntN(26))
		switch {
		case m.rng.IntN(30) == 0:
			c = '\n'
		case m.binary:
			c = byte(m.rng.Uint32())
		}
		m.out[i] = append(m.out[i], c)
	}
}

// chunks is what the worker sends for what the master lacks: in pieces, now
// and then with an overlap.
func (m *model) chunks(have cluster.LogOffsets) []cluster.LogChunk {
	var out []cluster.LogChunk
	at := [2]int{int(have.Stdout), int(have.Stderr)}
	for range 1 + m.rng.IntN(5) {
		i := m.rng.IntN(2)
		from := max(0, at[i]-m.rng.IntN(1+m.rng.IntN(50)))
		to := min(at[i]+m.rng.IntN(1+m.rng.IntN(40<<10)), len(m.out[i]))
		m.clock = m.clock.Add(time.Duration(m.rng.IntN(3_000_000)))
		if from < to {
			out = append(out, cluster.LogChunk{Stream: streamOf(i), Offset: int64(from), Time: m.clock, Data: m.out[i][from:to]})
			at[i] = max(at[i], to)
		}
	}
	return out
}

func (m *model) length() cluster.LogOffsets {
	return cluster.LogOffsets{Stdout: int64(len(m.out[0])), Stderr: int64(len(m.out[1]))}
}

// TestRandomHistories appends, crashes with a torn or garbled end, and opens
// again, in an order that the seed decides. After each step every stream that
// readers see is a prefix of what the worker wrote, the merged copy has only
// grown since it was last flushed, and at the end nothing is missing.
func TestRandomHistories(t *testing.T) {
	first := *seed
	n := *runs
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	} else {
		n = 1
	}
	if testing.Short() {
		n = min(n, 10)
	}
	for i := range n {
		s := first + uint64(i)
		t.Run(fmt.Sprint(s), func(t *testing.T) { randomHistory(t, s) })
	}
}

func randomHistory(t *testing.T, s uint64) {
	rng := rand.New(rand.NewPCG(s, 0))
	dir := t.TempDir()
	m := &model{rng: rng, clock: noon, binary: rng.IntN(2) == 0}
	open := func() *Keeper { return newKeeper(t, dir) }
	k := open()
	var flushed string // what was merged when it was last flushed
	for range 5 + rng.IntN(40) {
		m.grow()
		switch rng.IntN(8) {
		case 0:
			l, _ := k.acquire(key{anyRef.TaskID, anyRef.Attempt})
			if err := l.lock(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := l.w.disk.sync(); err != nil {
				t.Fatal(err)
			}
			l.unlock()
			k.release(l)
			flushed = text(t, k, anyRef, ReadOptions{})
		case 1:
			tear(t, rng, dir, int64(len(flushed)))
			k = open()
		default:
			if err := k.Append(anyRef, m.chunks(k.Offsets(anyRef))); err != nil {
				t.Fatal(err)
			}
		}
		flushed = m.check(t, k, flushed)
	}
	tail := m.chunks(k.Offsets(anyRef))
	need, err := k.Finish(t.Context(), anyRef, cluster.LogEnd{Length: m.length(), Tail: tail})
	for ; need != nil && err == nil; need, err = k.Finish(t.Context(), anyRef, cluster.LogEnd{Length: m.length()}) {
		if rng.IntN(10) == 0 {
			tear(t, rng, dir, int64(len(flushed)))
			k = open()
			need = new(k.Offsets(anyRef))
		}
		if err := k.Append(anyRef, m.chunks(*need)); err != nil {
			t.Fatal(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	k = open() // a crash after Finish loses nothing
	m.check(t, k, flushed)
	recs, err := records(t.Context(), k, anyRef, ReadOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	var got [2][]byte
	for _, r := range recs {
		got[r.Stream-1] = append(got[r.Stream-1], r.Data...)
	}
	if !bytes.Equal(got[0], m.out[0]) || !bytes.Equal(got[1], m.out[1]) {
		t.Fatalf("complete log differs: %d and %d bytes, want %d and %d", len(got[0]), len(got[1]), len(m.out[0]), len(m.out[1]))
	}
}

// check reads all and compares it with the truth; it gives the flushed part.
func (m *model) check(t *testing.T, k *Keeper, flushed string) string {
	t.Helper()
	recs, err := records(t.Context(), k, anyRef, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var merged []byte
	var got [2][]byte
	for _, r := range recs {
		if r.Offset != int64(len(merged)) || len(r.Data) == 0 || len(r.Data) > maxRecord {
			t.Fatalf("record of %d bytes at %d, expected at %d", len(r.Data), r.Offset, len(merged))
		}
		if r.Partial != (r.Data[len(r.Data)-1] != '\n') {
			t.Fatalf("record at %d: partial is %v", r.Offset, r.Partial)
		}
		merged = append(merged, r.Data...)
		got[r.Stream-1] = append(got[r.Stream-1], r.Data...)
	}
	for i := range got {
		if !bytes.HasPrefix(m.out[i], got[i]) {
			t.Fatalf("%s is not a prefix of what was written", streamOf(i))
		}
	}
	if !strings.HasPrefix(string(merged), flushed) {
		t.Fatal("flushed bytes have changed")
	}
	want := cluster.LogOffsets{Stdout: int64(len(got[0])), Stderr: int64(len(got[1]))}
	if have := k.Offsets(anyRef); have != want {
		t.Fatalf("offsets %+v, readers see %+v", have, want)
	}
	return flushed
}

// tear does to the files what a power cut may do to what was not flushed: cut
// them anywhere, or put zeros or noise into them.
func tear(t *testing.T, rng *rand.Rand, dir string, flushed int64) {
	t.Helper()
	base := filepath.Join(dir, string(anyRef.TaskID), "1")
	idx, err := os.ReadFile(base + ".idx")
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	kept := 0 // bytes of the index that describe what was flushed
	for kept+entrySize <= len(idx) {
		if e, ok := decodeEntry(idx[kept : kept+entrySize]); !ok || e.end() > flushed {
			break
		}
		kept += entrySize
	}
	spoil(t, rng, base+".idx", int64(kept))
	spoil(t, rng, base+".log", flushed)
}

// spoil damages a file from byte from on.
func spoil(t *testing.T, rng *rand.Rand, path string, from int64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	free := len(data) - int(from)
	if free <= 0 {
		return
	}
	at := int(from) + rng.IntN(free)
	switch rng.IntN(4) {
	case 0:
		return
	case 1:
		data = data[:at]
	case 2:
		clear(data[at:min(at+1+rng.IntN(8192), len(data))])
	case 3:
		data[at] ^= 1 << rng.IntN(8)
		data = append(data, make([]byte, rng.IntN(200))...)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzEntry(f *testing.F) {
	f.Add(entry{offset: 3, length: 2, stream: cluster.StreamStdout, ends: cluster.LogOffsets{Stdout: 5}}.appendTo(nil))
	f.Add(entry{stream: cluster.StreamMarker, flags: flagSealed | flagDurable}.appendTo(nil))
	f.Add(bytes.Repeat([]byte{0}, entrySize))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := decodeEntry(b)
		if !ok {
			return
		}
		if e.length < 0 || e.length > maxRecord || e.end() < 0 || e.ends.Stdout < 0 || e.ends.Stderr < 0 {
			t.Fatalf("accepted %+v", e)
		}
		if again := e.appendTo(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
		if p := (position{size: e.offset}); p.leads(e) && p.after(e).size < p.size {
			t.Fatalf("%+v goes backwards", e)
		}
	})
}

// FuzzIndex puts any bytes in place of an index; opening must cut, refuse or
// accept, and what it accepts must be readable or named as damaged.
func FuzzIndex(f *testing.F) {
	data := []byte("one\ntwo\n")
	b := batch{}
	b.text(cluster.StreamStdout, 1, data[:4])
	b.text(cluster.StreamStderr, 2, data[4:])
	whole := b.index()
	f.Add(whole, data)
	f.Add(whole[:60], data)
	f.Add([]byte{}, data)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, idx, log []byte) {
		base := filepath.Join(dir, "t1", "1")
		if err := os.MkdirAll(filepath.Dir(base), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(base+".idx", idx, 0o600), os.WriteFile(base+".log", log, 0o600)); err != nil {
			t.Fatal(err)
		}
		k := newKeeper(t, dir)
		var damage *DamageError
		if _, err := records(t.Context(), k, anyRef, ReadOptions{}); err != nil && !errors.As(err, &damage) {
			t.Fatal(err)
		}
	})
}
