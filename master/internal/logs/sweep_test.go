package logs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	for _, id := range []cluster.TaskID{"kept", "gone"} {
		mustFinish(t, k, cluster.AttemptRef{TaskID: id, Attempt: 1},
			cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 2}, Tail: []cluster.LogChunk{stdout(0, "x\n")}})
	}
	if err := os.WriteFile(filepath.Join(dir, "kept", "2.tmp"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	young := filepath.Join(dir, "kept", "3.tmp") // as one that is being written
	if err := os.WriteFile(young, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(young, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	exists := func(_ context.Context, id cluster.TaskID) (bool, error) { return id == "kept", nil }
	if err := newKeeper(t, dir).SweepLogs(t.Context(), exists); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); got != "kept/1.pack kept/3.tmp" {
		t.Fatalf("left: %s", got)
	}
	away := errors.New("store away")
	err := k.SweepLogs(t.Context(), func(context.Context, cluster.TaskID) (bool, error) { return false, away })
	if !errors.Is(err, away) || files(t, dir) != "kept/1.pack kept/3.tmp" {
		t.Fatalf("%v; left: %s", err, files(t, dir))
	}
}

func TestRemoveWhileItIsUsed(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	mustAppend(t, k, anyRef, stdout(0, "old\n"))
	r, err := k.Open(t.Context(), anyRef.TaskID, anyRef.Attempt, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := k.Remove(t.Context(), anyRef.TaskID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(t.Context()); !errors.Is(err, cluster.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
	if got := files(t, dir); got != "" {
		t.Fatalf("left: %s", got)
	}
	mustAppend(t, k, anyRef, stdout(0, "new\n"))
	if got := text(t, k, anyRef, ReadOptions{}); got != "new\n" {
		t.Fatalf("got %q", got)
	}
}

// What is read stays; who comes while it goes hears that it was removed.
func TestRemoveLogsThatAreRead(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	for attempt := 1; attempt <= 2; attempt++ {
		mustFinish(t, k, cluster.AttemptRef{TaskID: "t1", Attempt: attempt},
			cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 2}, Tail: []cluster.LogChunk{stdout(0, "x\n")}})
	}
	size, err := k.LogsSize("t1")
	if err != nil || size < 4 || k.LogsRead("t1") {
		t.Fatalf("%d bytes, %v, read: %v", size, err, k.LogsRead("t1"))
	}
	r, err := k.Open(t.Context(), "t1", 2, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.RemoveLogs(t.Context(), "t1"); !errors.Is(err, cluster.ErrConflict) || !k.LogsRead("t1") {
		t.Fatalf("a log that is read: %v", err)
	}
	if rec, err := r.Next(t.Context()); err != nil || string(rec.Data) != "x\n" {
		t.Fatalf("%q, %v", rec.Data, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	k.going["t1"]++ // as while it goes
	if _, err := k.Open(t.Context(), "t1", 1, ReadOptions{}); !errors.Is(err, cluster.ErrNotFound) {
		t.Errorf("opening what goes: %v", err)
	}
	k.going["t1"]--
	for range 2 {
		if err := k.RemoveLogs(t.Context(), "t1"); err != nil {
			t.Fatal(err)
		}
	}
	if size, err := k.LogsSize("t1"); err != nil || size != 0 || files(t, dir) != "" {
		t.Errorf("left %d bytes, %v: %s", size, err, files(t, dir))
	}
	if len(k.going) != 0 {
		t.Errorf("%v are said to go", k.going)
	}
}
