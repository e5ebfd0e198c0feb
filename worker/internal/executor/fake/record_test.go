package fake

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

func testSpec(task string, env map[string]string) executor.Spec {
	return executor.Spec{
		Key:      executor.Key{ClusterID: "c", TaskID: task, Attempt: 1, Lease: "l"},
		WorkerID: "w", Image: "busybox", CPU: 1, Memory: 64, Env: env,
	}
}

// What a process killed while it wrote leaves must not confuse the next one.
func TestTornWrites(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	c, err := e.Create(t.Context(), testSpec("torn", map[string]string{"FAKE_SLEEP": "1h"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.start(record{id: c.ID}); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(e.path(c.ID), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"kind":"st`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(e.dir, "x.json.1-1.new")
	if err := os.WriteFile(half, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	second := open(t, dir)
	if got, err := second.Inspect(t.Context(), c.ID); err != nil || got.Phase != executor.PhaseRunning {
		t.Errorf("Inspect: %+v, %v", got, err)
	}
	if err := second.Stop(t.Context(), c.ID, time.Hour); err != nil {
		t.Fatal(err)
	}
	if got, err := second.Inspect(t.Context(), c.ID); err != nil || got.ExitCode != 143 {
		t.Errorf("Inspect: %+v, %v", got, err)
	}
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half-written file: %v", err)
	}
}

// One name is one container, however many create it at once.
func TestCreateIsExclusive(t *testing.T) {
	e := open(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			spec := testSpec("same", nil)
			spec.Key.Lease = fmt.Sprint("lease-", i%2)
			if _, err := e.Create(t.Context(), spec); err != nil && !errors.Is(err, executor.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if found, err := e.List(t.Context(), "w"); err != nil || len(found) != 1 {
		t.Errorf("%d containers, %v", len(found), err)
	}
	files, err := os.ReadDir(e.dir)
	if err != nil || len(files) != 1 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func TestFailures(t *testing.T) {
	e := open(t, t.TempDir())
	if _, err := e.Create(t.Context(), testSpec("pull", map[string]string{"FAKE_FAIL": "pull"})); !errors.Is(err, executor.ErrImage) {
		t.Errorf("FAKE_FAIL=pull: %v", err)
	}
	if _, err := e.Create(t.Context(), testSpec("create", map[string]string{"FAKE_FAIL": "create"})); err == nil {
		t.Error("FAKE_FAIL=create: no error")
	}
	if found, err := e.List(t.Context(), "w"); err != nil || len(found) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

func BenchmarkLifeCycle(b *testing.B) {
	e, err := New(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		c, err := e.Create(b.Context(), testSpec(fmt.Sprint(n), nil))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.Run(b.Context(), c.ID, executor.Offsets{}, nil, func(executor.LogChunk) error { return nil }); err != nil {
			b.Fatal(err)
		}
		if err := e.Remove(b.Context(), c.ID); err != nil {
			b.Fatal(err)
		}
	}
}
