package logs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

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
	exists := func(_ context.Context, id cluster.TaskID) (bool, error) { return id == "kept", nil }
	if err := newKeeper(t, dir).Sweep(t.Context(), exists); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); got != "kept/1.pack" {
		t.Fatalf("left: %s", got)
	}
	away := errors.New("store away")
	err := k.Sweep(t.Context(), func(context.Context, cluster.TaskID) (bool, error) { return false, away })
	if !errors.Is(err, away) || files(t, dir) != "kept/1.pack" {
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
