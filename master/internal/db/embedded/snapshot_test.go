package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudai/master/internal/db"
)

// A snapshot beside a writer is of one moment: of each writer's tasks it has
// all up to some write and nothing after it.
func TestSnapshotWhileWriting(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	stop, ended := make(chan struct{}), make(chan error, 1)
	wrote := make(chan int, 1)
	go func() {
		n := 0
		defer func() { wrote <- n }()
		for ; ; n++ {
			if err := s.Commit(t.Context(), []db.Write{killLife(0, n)})[0]; err != nil {
				ended <- err
				return
			}
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
		}
	}()
	for range 5 {
		into := t.TempDir()
		if err := Snapshot(t.Context(), dir, into); err != nil {
			t.Fatal(err)
		}
		copied := open(t, into)
		n := 0
		for ; ; n++ {
			if task, err := copied.Task(t.Context(), killLife(0, n).Task.ID); err != nil || int(task.Version) <= n%3 {
				break
			}
		}
		checkWriter(t, copied, "snapshot", 0, n)
		if beyond := count(t, copied, "tasks"); beyond != (n+2)/3 {
			t.Errorf("%d tasks are there, of %d writes in a row", beyond, n)
		}
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d writes went on beside 5 snapshots", <-wrote)
}

func count(t *testing.T, s *Store, table string) (n int) {
	t.Helper()
	if err := s.reads.Load().db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSnapshotRefuses(t *testing.T) {
	if err := Snapshot(t.Context(), t.TempDir(), t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of no store: %v", err)
	}
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, "PRAGMA user_version = 1000")
	if err := Snapshot(t.Context(), dir, t.TempDir()); !errors.Is(err, db.ErrTooNew) {
		t.Errorf("of a newer store: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, fileName), []byte(strings.Repeat("x", 8192)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Snapshot(t.Context(), dir, t.TempDir()); !errors.Is(err, db.ErrDamaged) {
		t.Errorf("of something else: %v", fmt.Sprint(err))
	}
}
