package storage

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"cloudai/master/internal/cluster"
)

var two = tree{"a/b": "1234", "c": "5"}

// TestCrashPoints stops the master after each step on the way from an upload
// to a committed result, and lets the attempt go on, or end, afterwards.
func TestCrashPoints(t *testing.T) {
	half := func(t *testing.T, k *Keeper) {
		if err := k.WriteChunk(owner, ref, Chunk{Path: "a/b", Data: []byte("12")}); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		name string
		do   func(t *testing.T, k *Keeper, dir string)
	}{
		{"nothing staged", func(*testing.T, *Keeper, string) {}},
		{"half of a file staged", func(t *testing.T, k *Keeper, _ string) { half(t, k) }},
		{"all staged", func(t *testing.T, k *Keeper, _ string) { two.upload(t, k, ref, 3) }},
		{"pruned in part", func(t *testing.T, k *Keeper, dir string) {
			two.upload(t, k, ref, 3)
			tree{"left/over": "x"}.upload(t, k, ref, 3)
			if err := os.Remove(under(dir, ".staging/t1/1-l1/left/over")); err != nil {
				t.Fatal(err)
			}
		}},
		{"owner's folder made", func(t *testing.T, k *Keeper, dir string) {
			two.upload(t, k, ref, 3)
			if err := os.Mkdir(filepath.Join(dir, "ann"), 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{"renamed, the task's staging folder still there", func(t *testing.T, k *Keeper, dir string) {
			two.upload(t, k, ref, 3)
			mustPublish(t, k, ref, two)
			if err := os.Mkdir(under(dir, ".staging/t1"), 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{"published", func(t *testing.T, k *Keeper, _ string) {
			two.upload(t, k, ref, 3)
			mustPublish(t, k, ref, two)
		}},
		{"published, moved to the trash in part", func(t *testing.T, k *Keeper, dir string) {
			two.upload(t, k, ref, 3)
			mustPublish(t, k, ref, two)
			if err := os.Rename(under(dir, "ann/t1"), under(dir, ".trash/x")); err != nil {
				t.Fatal(err)
			}
		}},
		{"published and retracted", func(t *testing.T, k *Keeper, _ string) {
			two.upload(t, k, ref, 3)
			mustPublish(t, k, ref, two)
			for range 2 {
				if err := k.Retract(owner, ref); err != nil {
					t.Fatal(err)
				}
			}
		}},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			t.Run("the attempt goes on", func(t *testing.T) {
				dir := t.TempDir()
				s.do(t, newKeeper(t, dir), dir)
				k := newKeeper(t, dir)
				if err := k.Sweep(t.Context(), onlyLive(ref), committed()); err != nil {
					t.Fatal(err)
				}
				if _, _, err := k.OpenFile(owner, ref.TaskID, "c"); !errors.Is(err, cluster.ErrNotFound) {
					t.Fatalf("visible without a committed result: %v", err)
				}
				resume(t, k, ref, two)
				mustPublish(t, k, ref, two)
				mustPublish(t, k, ref, two) // the commit failed without a crash
				wantDisk(t, dir, "ann/", "ann/t1/", "ann/t1/a/", "ann/t1/a/b", "ann/t1/c")
			})
			t.Run("without a sweep", func(t *testing.T) {
				dir := t.TempDir()
				s.do(t, newKeeper(t, dir), dir)
				k := newKeeper(t, dir)
				if _, err := k.Publish(t.Context(), owner, ref, two.manifest()); err != nil {
					resume(t, k, ref, two)
				}
				mustPublish(t, k, ref, two)
			})
			t.Run("the attempt is over", func(t *testing.T) {
				dir := t.TempDir()
				s.do(t, newKeeper(t, dir), dir)
				k := newKeeper(t, dir)
				next := cluster.AttemptRef{TaskID: ref.TaskID, Attempt: 2, Lease: "l2"}
				if err := k.Sweep(t.Context(), onlyLive(next), committed()); err != nil {
					t.Fatal(err)
				}
				other := tree{"a/b": "4321"}
				resume(t, k, next, other)
				if _, err := k.Publish(t.Context(), owner, next, other.manifest()); err != nil {
					resume(t, k, next, other)
				}
				mustPublish(t, k, next, other)
				wantDisk(t, dir, "ann/", "ann/t1/", "ann/t1/a/", "ann/t1/a/b")
			})
			t.Run("the task is gone", func(t *testing.T) {
				dir := t.TempDir()
				s.do(t, newKeeper(t, dir), dir)
				if err := newKeeper(t, dir).Sweep(t.Context(), noneLive, committed()); err != nil {
					t.Fatal(err)
				}
				wantDisk(t, dir)
			})
		})
	}
}

// resume asks what is there and sends the rest, as a worker does.
func resume(t *testing.T, k *Keeper, ref cluster.AttemptRef, f tree) {
	t.Helper()
	staged, _, err := k.Staged(t.Context(), ref, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]int64{}
	for _, s := range staged {
		have[s.Path] = s.Received
	}
	for p, data := range f {
		at := min(have[p], int64(len(data)))
		if err := k.WriteChunk(owner, ref, Chunk{Path: p, Offset: at, Data: []byte(data[at:]), Last: true}); err != nil && !errors.Is(err, cluster.ErrConflict) {
			t.Fatal(err)
		}
	}
}

func TestSweepKeepsWhatIsCommitted(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	two.upload(t, k, ref, 3)
	mustPublish(t, k, ref, two)
	stale := cluster.AttemptRef{TaskID: "t1", Attempt: 2, Lease: "l2"}
	two.upload(t, k, stale, 3)
	write(t, filepath.Join(dir, "README"), "someone's own")
	if err := os.MkdirAll(under(dir, ".hidden/x"), 0o700); err != nil {
		t.Fatal(err)
	}
	k = newKeeper(t, dir)
	if err := k.Sweep(t.Context(), noneLive, committed("t1")); err != nil {
		t.Fatal(err)
	}
	wantDisk(t, dir, ".hidden/", ".hidden/x/", "README", "ann/", "ann/t1/", "ann/t1/a/", "ann/t1/a/b", "ann/t1/c")
}
