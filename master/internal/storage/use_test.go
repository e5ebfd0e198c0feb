package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cloudai/master/internal/cluster"
)

// bounded gives everyone the same quota.
func bounded(quota int64) func(*Config) {
	return func(c *Config) { c.Quota = func(cluster.UserID) int64 { return quota } }
}

// wantUse compares what a user's files are said to take.
func wantUse(t testing.TB, k *Keeper, user cluster.UserID, want int64) {
	t.Helper()
	if got := k.Use(user).Used; got != want {
		t.Fatalf("%s's files take %d bytes, want %d", user, got, want)
	}
}

// sizeBelow is what the regular files below a folder take.
func sizeBelow(t testing.TB, dir string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

func TestQuota(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir, bounded(10))
	write := func(user cluster.UserID, r cluster.AttemptRef, c Chunk) error {
		t.Helper()
		return k.WriteChunk(user, r, c)
	}
	refused := func(err error, words ...string) {
		t.Helper()
		if !errors.Is(err, cluster.ErrQuota) {
			t.Fatalf("got %v, want ErrQuota", err)
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q does not say %q", err, w)
			}
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// A file is refused before its first byte when the whole of it does not fit.
	must(write(owner, ref, Chunk{Path: "a", Data: []byte("123456"), Size: 6, Last: true}))
	refused(write(owner, ref, Chunk{Path: "b", Data: []byte("1"), Size: 5}), "6 B of a quota of 10 B", "5 B more")
	wantUse(t, k, owner, 6)
	// One whose size is not said, when the piece is too much; what came of it goes.
	must(write(owner, ref, Chunk{Path: "c", Data: []byte("123")}))
	wantUse(t, k, owner, 9)
	refused(write(owner, ref, Chunk{Path: "c", Offset: 3, Data: []byte("45")}))
	wantUse(t, k, owner, 6)
	// What fits is taken to the last byte, what has none always; others have
	// quotas of their own.
	must(write(owner, ref, Chunk{Path: "d", Data: []byte("1234"), Size: 4, Last: true}))
	must(write(owner, ref, Chunk{Path: "e", Last: true}))
	must(write("bob", cluster.AttemptRef{TaskID: "t2", Attempt: 1, Lease: "l"}, Chunk{Path: "f", Data: []byte("1234567890"), Last: true}))
	if use := k.Use(owner); !use.Full() || use.Room() != 0 {
		t.Fatalf("%+v", use)
	}
	// Publishing changes nothing; what is deleted gives room.
	mustPublish(t, k, ref, tree{"a": "123456", "d": "1234", "e": ""})
	wantUse(t, k, owner, 10)
	next := cluster.AttemptRef{TaskID: "t3", Attempt: 1, Lease: "l"}
	refused(write(owner, next, Chunk{Path: "g", Data: []byte("1")}))
	must(k.RemoveTask(owner, ref.TaskID))
	wantUse(t, k, owner, 0)
	must(write(owner, next, Chunk{Path: "g", Data: []byte("1")}))
	must(k.Discard(next))
	wantUse(t, k, owner, 0)
	if len(k.use.folders) != 1 || len(k.use.users) != 1 {
		t.Errorf("left: %v %v", k.use.folders, k.use.users)
	}
}

// Many uploads of one user at once do not go over together.
func TestQuotaHoldsForAllUploadsTogether(t *testing.T) {
	dir := t.TempDir()
	const quota, piece = 100_000, 700
	k := newKeeper(t, dir, bounded(quota))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r := cluster.AttemptRef{TaskID: cluster.TaskID(fmt.Sprintf("t%d", i)), Attempt: 1, Lease: "l"}
			for n := range 40 {
				c := Chunk{Path: fmt.Sprint(n), Data: make([]byte, piece), Size: piece, Last: true}
				if err := k.WriteChunk(owner, r, c); err != nil && !errors.Is(err, cluster.ErrQuota) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want := int64(quota / piece * piece)
	wantUse(t, k, owner, want)
	if got := sizeBelow(t, dir); got != want {
		t.Errorf("%d bytes are on the disk, want %d", got, want)
	}
}

// TestUseFollowsTheDisk does what comes to its mind, restarts too, and compares
// what the keeper says with what is there. The seed is in the output.
func TestUseFollowsTheDisk(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	k := newKeeper(t, dir, bounded(4000))
	const tasks = 4
	attempts := [tasks]int{1, 1, 1, 1}
	done := map[cluster.TaskID]int64{}
	of := func(n int) cluster.AttemptRef {
		return cluster.AttemptRef{TaskID: cluster.TaskID(fmt.Sprint("t", n)), Attempt: attempts[n], Lease: "l"}
	}
	for range 600 {
		n := rng.IntN(tasks)
		r := of(n)
		_, over := done[r.TaskID]
		switch op := rng.IntN(12); {
		case op < 7 && !over:
			name := fmt.Sprint(rng.IntN(3))
			at := int64(0)
			staged, _, err := k.Staged(t.Context(), r, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range staged {
				if f.Path == name {
					at = f.Received
				}
			}
			_ = k.WriteChunk(owner, r, Chunk{Path: name, Offset: at, Data: make([]byte, rng.IntN(500)), Last: rng.IntN(2) == 0})
		case op == 7 && !over: // the attempt is lost
			if err := k.Discard(r); err != nil {
				t.Fatal(err)
			}
			attempts[n]++
		case op == 8 && !over:
			if rows, err := k.Publish(t.Context(), owner, r, cluster.Manifest{AsUploaded: true}); err == nil {
				if rng.IntN(3) == 0 {
					if err := k.Retract(owner, r); err != nil {
						t.Fatal(err)
					}
				} else if len(rows) > 0 {
					done[r.TaskID] = totalOf(rows)
				}
			}
		case op == 9 && over:
			if err := k.RemoveUnread(owner, r.TaskID); err != nil {
				t.Fatal(err)
			}
			delete(done, r.TaskID)
			attempts[n]++
		case op == 10:
			k = newKeeper(t, dir, bounded(4000))
			live := func(id cluster.TaskID) (cluster.Placed, bool) {
				for n := range tasks {
					if _, over := done[id]; !over && of(n).TaskID == id {
						return cluster.Placed{Owner: owner, Ref: of(n)}, true
					}
				}
				return cluster.Placed{}, false
			}
			kept := func(_ context.Context, id cluster.TaskID) (int64, bool, error) {
				size, ok := done[id]
				return size, ok, nil
			}
			if err := k.Sweep(t.Context(), live, kept); err != nil {
				t.Fatal(err)
			}
		}
		wantUse(t, k, owner, sizeBelow(t, dir))
	}
}
