package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// everything is all that a store says of tasks and workers, read by every way
// that leads to them.
func everything(s *Store) (out []any, err error) {
	ctx := context.Background()
	keep := func(v any, failed error) {
		out = append(out, v)
		err = errors.Join(err, failed)
	}
	page := cluster.Page{Limit: 100}
	for _, filter := range []cluster.TaskFilter{
		{},
		{UserID: benchLife(0)[0].Task.UserID},
		{Statuses: []cluster.Status{cluster.StatusQueued}},
		{WorkerID: "worker-1"},
	} {
		tasks, _, failed := s.ListTasks(ctx, filter, page)
		keep(tasks, failed)
		counts, failed := s.CountTasks(ctx, filter)
		keep(counts, failed)
		for _, task := range tasks {
			one, failed := s.Task(ctx, task.ID)
			keep(one, failed)
			results, failed := s.TaskResults(ctx, task.ID)
			keep(results, failed)
			files, failed := s.TaskFiles(ctx, task.ID)
			keep(files, failed)
		}
	}
	workers, failed := s.ListWorkers(ctx)
	keep(workers, failed)
	return out, err
}

// F25: whatever byte of the file is flipped, the store refuses to open, or to
// read what is damaged, and names the file or the row; or nothing of what it
// holds of tasks and workers is different.
func TestF25EveryFlippedByte(t *testing.T) {
	const seed = 20261125
	r := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	s := open(t, dir)
	for n := range 20 {
		life := benchLife(n)
		last := &life[2]
		last.Task.Files = cluster.FilesSummary{Attempt: 1, Count: 1}
		last.Files = []cluster.File{{Path: "out.txt", Size: 5, SHA256: "abc"}}
		if err := errors.Join(s.Commit(t.Context(), life[:1+n%3])...); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutWorker(t.Context(), cluster.Worker{ID: "w1", Address: "host:1"}); err != nil {
		t.Fatal(err)
	}
	want, err := everything(s)
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	refused, named, harmless := 0, 0, 0
	for range flips {
		at, bit := r.IntN(len(whole)), byte(1)<<r.IntN(8)
		what := fmt.Sprintf("seed %d, byte %d, bit %d", seed, at, bit)
		bad := append([]byte(nil), whole...)
		bad[at] ^= bit
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, fileName), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		s, err := Open(t.Context(), folder, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			refused++
			if !errors.Is(err, db.ErrDamaged) && !errors.Is(err, db.ErrTooNew) || !strings.Contains(err.Error(), filepath.Join(folder, fileName)) {
				t.Errorf("%s: refused without file and reason: %v", what, err)
			}
			continue
		}
		got, err := everything(s)
		switch {
		case err != nil:
			named++
			if !errors.Is(err, db.ErrDamaged) || !strings.Contains(err.Error(), fileName) && !strings.Contains(err.Error(), "table") {
				t.Errorf("%s: not told where: %v", what, err)
			}
		case reflect.DeepEqual(got, want):
			harmless++
		case strings.Contains(log.String(), "a row of the store is damaged") && strings.Contains(log.String(), "table"):
			named++ // its key is: nobody finds it
		default:
			t.Errorf("%s: something else is read, and nothing said", what)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: close: %v", what, err)
		}
	}
	t.Logf("of %d flipped bytes in %d: %d kept the store from opening, %d were named when read, %d made no difference",
		flips, len(whole), refused, named, harmless)
}
