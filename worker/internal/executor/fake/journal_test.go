package fake

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	if _, err := e.journal.file.WriteString(`{"kind":"st`); err != nil {
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
}

// A journal that grew is rewritten, and says the same then, also to another
// executor that has it open.
func TestCompaction(t *testing.T) {
	dir := t.TempDir()
	e, other := open(t, dir), open(t, dir)
	kept := []string{}
	for i := range 100 {
		spec := testSpec(fmt.Sprint("kept-", i), map[string]string{"FAKE_SLEEP": "1h", "FAKE_EXIT": "3", "FAKE_LOG_LINES": "7"})
		c, err := e.Create(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, c.ID)
		if i%2 == 0 {
			if _, err := e.start(record{id: c.ID}); err != nil {
				t.Fatal(err)
			}
		}
		if i%4 == 0 {
			if err := e.Stop(t.Context(), c.ID, time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := map[string]executor.Container{}
	for _, id := range kept {
		c, err := other.Inspect(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		before[id] = c
	}
	e.journal.compactAt = 200_000
	for i := range 500 {
		c, err := e.Create(t.Context(), testSpec(fmt.Sprint("gone-", i), nil))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Remove(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
	}
	if e.journal.compactAt == 200_000 {
		t.Fatal("the journal was not rewritten")
	}
	for name, x := range map[string]*Executor{"the same": e, "another": other, "a new one": open(t, dir)} {
		if found, err := x.List(t.Context(), "w"); err != nil || len(found) != len(kept) {
			t.Errorf("%s: %d containers, %v", name, len(found), err)
		}
		for _, id := range kept {
			if c, err := x.Inspect(t.Context(), id); err != nil || !cmp.Equal(c, before[id]) {
				t.Errorf("%s: %+v, %v; want %+v", name, c, err, before[id])
			}
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v, %v; want one file", files, err)
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
