package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
)

// interleaved writes a log of both streams and gives its merged text.
func interleaved(t *testing.T, k *Keeper, records int) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 7))
	var at cluster.LogOffsets
	var merged strings.Builder
	for i := range records {
		s := streamOf(rng.IntN(2))
		data := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", rng.IntN(60)))
		if rng.IntN(10) == 0 {
			data = data[:len(data)-1] // a line that the next record goes on with
		}
		if rng.IntN(50) == 0 {
			data = strings.Repeat("long ", 8000) + "\n"
		}
		mustAppend(t, k, anyRef, cluster.LogChunk{
			Stream: s, Offset: endOf(at, s), Time: noon.Add(time.Duration(i) * time.Second), Data: []byte(data),
		})
		at = advance(at, s, int64(len(data)))
		merged.WriteString(data)
	}
	return merged.String()
}

func TestReadFromAnyOffset(t *testing.T) {
	k := newKeeper(t, t.TempDir())
	all := interleaved(t, k, 1500)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		at := rng.IntN(len(all) + 1)
		if got := text(t, k, anyRef, ReadOptions{Offset: int64(at)}); got != all[at:] {
			t.Fatalf("from %d: differs at %d", at, at+differ(got, all[at:]))
		}
	}
	// A stream's bytes keep their offsets in the merged log.
	for _, s := range []cluster.Stream{cluster.StreamStdout, cluster.StreamStderr} {
		recs, err := records(t.Context(), k, anyRef, ReadOptions{Stream: s})
		if err != nil || len(recs) == 0 {
			t.Fatal(len(recs), err)
		}
		for _, r := range recs {
			if r.Stream != s || all[r.Offset:int(r.Offset)+len(r.Data)] != string(r.Data) {
				t.Fatalf("%s: record at %d is not there in the merged log", s, r.Offset)
			}
		}
	}
}

func TestTail(t *testing.T) {
	k := newKeeper(t, t.TempDir())
	all := interleaved(t, k, 1500)
	lines := strings.SplitAfter(all, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	for _, n := range []int{1, 2, 10, 200, len(lines) - 1, len(lines), len(lines) + 5} {
		want := strings.Join(lines[max(0, len(lines)-n):], "")
		if got := text(t, k, anyRef, ReadOptions{Tail: n}); got != want {
			t.Fatalf("tail %d: %d bytes, want %d", n, len(got), len(want))
		}
	}
	var err strings.Builder
	recs, _ := records(t.Context(), k, anyRef, ReadOptions{Stream: cluster.StreamStderr})
	for _, r := range recs {
		err.Write(r.Data)
	}
	lines = strings.SplitAfter(strings.TrimSuffix(err.String(), "\n"), "\n")
	want := strings.Join(lines[len(lines)-7:], "")
	if got := text(t, k, anyRef, ReadOptions{Tail: 7, Stream: cluster.StreamStderr}); strings.TrimSuffix(got, "\n") != want {
		t.Fatalf("tail of stderr: %q, want %q", got, want)
	}
	if got := text(t, k, cluster.AttemptRef{TaskID: "none"}, ReadOptions{Tail: 3, Final: true}); got != "" {
		t.Fatalf("tail of nothing: %q", got)
	}
}

func TestRange(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	mustAppend(t, k, anyRef, stdout(0, "0123\n"))
	open := func(opt ReadOptions) error {
		_, err := records(t.Context(), k, anyRef, opt)
		return err
	}
	if err := open(ReadOptions{Offset: 99}); err != nil {
		t.Fatalf("beyond what is there yet: %v", err)
	}
	if err := open(ReadOptions{Offset: 99, Final: true}); !errors.Is(err, ErrRange) {
		t.Fatalf("beyond the end of what is over: %v", err)
	}
	if err := open(ReadOptions{Offset: -1}); !errors.Is(err, cluster.ErrInvalid) {
		t.Fatalf("negative: %v", err)
	}
	mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 5}})
	if err := open(ReadOptions{Offset: 6}); !errors.Is(err, ErrRange) {
		t.Fatalf("beyond the end: %v", err)
	}
	if err := open(ReadOptions{Offset: 5, Follow: true}); err != nil {
		t.Fatalf("at the end: %v", err)
	}
}

func TestLines(t *testing.T) {
	r := Record{Offset: 10, Data: []byte("a\n\nbc"), Partial: true}
	var got []string
	for l := range r.Lines() {
		got = append(got, fmt.Sprintf("%d %q %v", l.Offset, l.Data, l.Partial))
	}
	if want := `10 "a\n" false|12 "\n" false|13 "bc" true`; strings.Join(got, "|") != want {
		t.Fatalf("got %s", strings.Join(got, "|"))
	}
}

func TestFollowerWakesAndEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(k *Keeper, cancel context.CancelFunc) error
		want error
	}{
		{"finished", func(k *Keeper, _ context.CancelFunc) error {
			_, err := k.Finish(context.Background(), anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 3}})
			return err
		}, io.EOF},
		{"removed", func(k *Keeper, _ context.CancelFunc) error { return k.Remove(context.Background(), "t1") }, cluster.ErrNotFound},
		{"cancelled", func(_ *Keeper, cancel context.CancelFunc) error { cancel(); return nil }, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKeeper(t, t.TempDir())
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r, err := k.Open(ctx, anyRef.TaskID, anyRef.Attempt, ReadOptions{Follow: true})
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				got := make(chan any, 2)
				go func() {
					for {
						rec, err := r.Next(ctx)
						if err != nil {
							got <- err
							return
						}
						got <- string(rec.Data)
					}
				}()
				synctest.Wait()
				mustAppend(t, k, anyRef, stdout(0, "hi\n"))
				if v := <-got; v != "hi\n" {
					t.Fatalf("got %v", v)
				}
				synctest.Wait()
				if r.files.data != nil {
					t.Fatal("files stay open while it waits")
				}
				if err := tt.end(k, cancel); err != nil {
					t.Fatal(err)
				}
				if err, _ := (<-got).(error); !errors.Is(err, tt.want) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}

// TestF19ReadersComeAndGo follows one log while it grows, by readers that
// break off at any byte and come back with their offset.
func TestF19ReadersComeAndGo(t *testing.T) {
	k := newKeeper(t, t.TempDir())
	const pieces = 400
	var all strings.Builder
	for i := range pieces {
		fmt.Fprintf(&all, "%d %s\n", i, strings.Repeat("y", i))
	}
	data := all.String()
	var wg sync.WaitGroup
	wg.Go(func() {
		for at := 0; at < len(data); {
			end := min(at+1+at%997, len(data))
			if err := k.Append(anyRef, []cluster.LogChunk{stdout(int64(at), data[at:end])}); err != nil {
				t.Error(err)
			}
			at = end
		}
		if _, err := k.Finish(t.Context(), anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: int64(len(data))}}); err != nil {
			t.Error(err)
		}
	})
	for i := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 0))
			var got []byte
			for ended := false; !ended; {
				r, err := k.Open(t.Context(), anyRef.TaskID, anyRef.Attempt, ReadOptions{Offset: int64(len(got)), Follow: true})
				if err != nil {
					t.Error(err)
					return
				}
				for range 1 + rng.IntN(5) {
					rec, err := r.Next(t.Context())
					if errors.Is(err, io.EOF) {
						ended = true
						break
					}
					if err != nil || rec.Offset != int64(len(got)) {
						t.Errorf("at %d: record at %d, %v", len(got), rec.Offset, err)
						ended = true
						break
					}
					n := len(rec.Data)
					if rng.IntN(3) == 0 {
						n = rng.IntN(n + 1) // broken off within a record
					}
					got = append(got, rec.Data[:n]...)
					if n < len(rec.Data) {
						break
					}
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
			if string(got) != data {
				t.Errorf("reader %d has %d bytes, want %d", i, len(got), len(data))
			}
		})
	}
	wg.Wait()
	if len(k.logs) != 0 {
		t.Fatalf("%d logs still known", len(k.logs))
	}
}

// TestF25DamagedCopyIsMadeAnew damages what had been flushed of a log that is
// not complete; the worker still has it.
func TestF25DamagedCopyIsMadeAnew(t *testing.T) {
	for name, spoil := range map[string]func(base string) error{
		"log lost":    func(base string) error { return os.Remove(base + ".log") },
		"seal broken": func(base string) error { return os.WriteFile(base+".pack", []byte("noise"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			k := newKeeper(t, dir)
			tail := []cluster.LogChunk{stdout(0, "one\ntwo\n")}
			end := cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 8}, Tail: tail}
			if name == "log lost" {
				mustAppend(t, k, anyRef, tail...)
			}
			mustFinish(t, k, anyRef, end)
			if err := spoil(filepath.Join(dir, "t1", "1")); err != nil {
				t.Fatal(err)
			}
			k = newKeeper(t, dir)
			var damage *DamageError
			if _, err := records(t.Context(), k, anyRef, ReadOptions{}); !errors.As(err, &damage) {
				t.Fatalf("reader: %v", err)
			}
			if got := k.Offsets(anyRef); got != (cluster.LogOffsets{}) {
				t.Fatalf("offsets %+v", got)
			}
			mustFinish(t, k, anyRef, end)
			want := "[cloudai] the copy of this log was damaged at byte 0; it begins anew\none\ntwo\n"
			if got := text(t, k, anyRef, ReadOptions{}); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		})
	}
}

func TestF25FlippedByteIsNamed(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	mustAppend(t, k, anyRef, stdout(0, "one\n"))
	mustAppend(t, k, anyRef, stdout(4, "two\n"))
	mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 8}})
	for _, name := range []string{"1.log", "1.idx"} {
		path := filepath.Join(dir, "t1", name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := append([]byte(nil), whole...)
		bad[5+len(bad)/2-len(bad)/2%8] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		recs, err := records(t.Context(), newKeeper(t, dir), anyRef, ReadOptions{Final: true})
		var damage *DamageError
		if !errors.As(err, &damage) || !strings.HasSuffix(damage.File, name) {
			t.Fatalf("%s: %d records, %v", name, len(recs), err)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := text(t, newKeeper(t, dir), anyRef, ReadOptions{}); got != "one\ntwo\n" {
		t.Fatalf("got %q", got)
	}
}
