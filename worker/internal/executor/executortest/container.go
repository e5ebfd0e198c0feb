package executortest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudai/worker/internal/executor"
)

var imageTests = map[string]func(*testing.T, *bench){
	"InfoAndPing": func(t *testing.T, b *bench) {
		ctx := testContext(t)
		if err := b.Ping(ctx); err != nil {
			t.Fatalf("Ping: %v", err)
		}
		info, err := b.Info(ctx)
		if err != nil {
			t.Fatalf("Info: %v", err)
		}
		if info.CPU <= 0 || info.Memory <= 0 || info.Version == "" || info.GPU < 0 {
			t.Errorf("Info: %+v", info)
		}
	},
	"Present": func(t *testing.T, b *bench) {
		for range 2 {
			if err := b.EnsureImage(testContext(t), b.Image, nil); err != nil {
				t.Errorf("EnsureImage(%s): %v", b.Image, err)
			}
		}
	},
	"Invalid": func(t *testing.T, b *bench) {
		for _, image := range []string{"", "UPPER/Case", "a b", "name:", "x@sha256:12", "../x", "http://host/image"} {
			if err := b.EnsureImage(testContext(t), image, nil); !errors.Is(err, executor.ErrImage) {
				t.Errorf("EnsureImage(%q): %v, want ErrImage", image, err)
			}
		}
	},
	"Absent": func(t *testing.T, b *bench) {
		if err := b.EnsureImage(testContext(t), b.Options.Absent, nil); !errors.Is(err, executor.ErrImage) {
			t.Errorf("EnsureImage(%s): %v, want ErrImage", b.Options.Absent, err)
		}
	},
	"Unreachable": func(t *testing.T, b *bench) {
		err := b.EnsureImage(testContext(t), b.Options.Unreachable, nil)
		if !errors.Is(err, executor.ErrRegistry) || errors.Is(err, executor.ErrImage) {
			t.Errorf("EnsureImage(%s): %v, want ErrRegistry", b.Options.Unreachable, err)
		}
	},
	"Cancelled": func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(testContext(t))
		cancel()
		if err := b.EnsureImage(ctx, b.Image, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("EnsureImage: %v, want context.Canceled", err)
		}
		if _, err := b.Create(ctx, b.spec(t, Behavior{})); !errors.Is(err, context.Canceled) {
			t.Errorf("Create: %v, want context.Canceled", err)
		}
		if err := b.Ping(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Ping: %v, want context.Canceled", err)
		}
	},
}

var containerTests = map[string]func(*testing.T, *bench){
	"Create": func(t *testing.T, b *bench) {
		spec := b.spec(t, Behavior{})
		c := b.createSpec(t, spec)
		if c.ID == "" || c.Phase != executor.PhaseCreated || !c.StartedAt.IsZero() || !c.FinishedAt.IsZero() {
			t.Errorf("created: %+v", c)
		}
		checkSpec(t, c.Spec, spec)
		again, err := b.Create(testContext(t), spec)
		if err != nil || again.ID != c.ID || again.Phase != executor.PhaseCreated {
			t.Errorf("Create again: %+v, %v; want container %s", again, err, c.ID)
		}
	},
	"CreateFindsExited": func(t *testing.T, b *bench) {
		spec := b.spec(t, Behavior{Exit: 3})
		c := b.createSpec(t, spec)
		b.finish(t, c.ID)
		again, err := b.Create(testContext(t), spec)
		if err != nil || again.ID != c.ID || again.Phase != executor.PhaseExited || again.ExitCode != 3 {
			t.Errorf("Create again: %+v, %v; want %s, exited with 3", again, err, c.ID)
		}
	},
	"CreateConflict": func(t *testing.T, b *bench) {
		spec := b.spec(t, Behavior{})
		c := b.createSpec(t, spec)
		spec.Key.Lease += "-other"
		if _, err := b.Create(testContext(t), spec); !errors.Is(err, executor.ErrConflict) {
			t.Errorf("Create with another lease: %v, want ErrConflict", err)
		}
		if _, err := b.Inspect(testContext(t), c.ID); err != nil {
			t.Errorf("the first container: %v", err)
		}
	},
	"CreateBadKey": func(t *testing.T, b *bench) {
		spec := b.spec(t, Behavior{})
		spec.Key.TaskID = "../x"
		if _, err := b.Create(testContext(t), spec); err == nil {
			t.Error("a task id that is a path was taken")
		}
	},
	"ExitCodes": func(t *testing.T, b *bench) {
		for _, code := range []int{0, 1, 7, 125, 255} {
			c, _ := b.finish(t, b.create(t, Behavior{Exit: code}).ID)
			if c.ExitCode != code || c.OOMKilled || c.Error != "" {
				t.Errorf("%+v, want exit code %d", c, code)
			}
		}
	},
	"Times": func(t *testing.T, b *bench) {
		before := time.Now()
		// Engines note the start late, a busy one by two seconds.
		created := b.create(t, Behavior{Sleep: 3 * time.Second})
		r := b.run(t, b.Executor, created.ID, executor.Offsets{})
		started := r.waitStarted(t)
		c, err := r.wait(t)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.started) != 0 {
			t.Error("started was called more than once")
		}
		if !started.Equal(c.StartedAt) {
			t.Errorf("started told %s, the container says %s", started, c.StartedAt)
		}
		if c.StartedAt.Before(before) || c.FinishedAt.After(time.Now()) || c.FinishedAt.Sub(c.StartedAt) < 200*time.Millisecond {
			t.Errorf("started %s, finished %s", c.StartedAt, c.FinishedAt)
		}
		inspected, err := b.Inspect(testContext(t), c.ID)
		if err != nil || !cmp.Equal(inspected, c) {
			t.Errorf("Inspect: %+v, %v; Run returned %+v", inspected, err, c)
		}
	},
	"OOM": func(t *testing.T, b *bench) {
		c, _ := b.finish(t, b.create(t, Behavior{OOM: true}).ID)
		if !c.OOMKilled || c.ExitCode != 137 {
			t.Errorf("%+v, want 137 and OOMKilled", c)
		}
	},
	"Refused": func(t *testing.T, b *bench) {
		created := b.create(t, Behavior{Refused: true})
		_, err := b.run(t, b.Executor, created.ID, executor.Offsets{}).wait(t)
		if err == nil {
			t.Fatal("the start was not refused")
		}
		for _, sentinel := range []error{executor.ErrNotFound, executor.ErrImage, executor.ErrRegistry, executor.ErrEngine, executor.ErrConflict} {
			if errors.Is(err, sentinel) {
				t.Errorf("%v wraps %v", err, sentinel)
			}
		}
		if c, err := b.Inspect(testContext(t), created.ID); err != nil || c.Error == "" {
			t.Errorf("Inspect: %+v, %v; want the engine's words", c, err)
		}
	},
	"Output": func(t *testing.T, b *bench) {
		spec := b.spec(t, Behavior{Output: 3})
		b.finish(t, b.createSpec(t, spec).ID)
		files, err := os.ReadDir(spec.OutputDir)
		if err != nil || len(files) != 3 {
			t.Errorf("%d files in the output folder, %v; want 3", len(files), err)
		}
	},
	"Usage": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{Sleep: time.Minute})
		if u, err := b.Usage(testContext(t), c.ID); err != nil || u != (executor.Usage{}) {
			t.Errorf("before the start: %+v, %v", u, err)
		}
		r := b.run(t, b.Executor, c.ID, executor.Offsets{})
		r.waitStarted(t)
		if u, err := b.Usage(testContext(t), c.ID); err != nil || u.Memory <= 0 || u.Pids < 1 || u.CPUSeconds < 0 {
			t.Errorf("running: %+v, %v", u, err)
		}
		if err := b.Stop(testContext(t), c.ID, 0); err != nil {
			t.Fatal(err)
		}
		if u, err := b.Usage(testContext(t), c.ID); err != nil || u != (executor.Usage{}) {
			t.Errorf("after the end: %+v, %v", u, err)
		}
	},
	"Unknown": func(t *testing.T, b *bench) {
		ctx := testContext(t)
		id := unique("nobody")
		_, inspect := b.Inspect(ctx, id)
		_, run := b.Executor.Run(ctx, id, executor.Offsets{}, func(time.Time) {}, newLog(executor.Offsets{}).sink)
		_, logs := b.Logs(ctx, id, executor.Offsets{}, newLog(executor.Offsets{}).sink)
		_, usage := b.Usage(ctx, id)
		for name, err := range map[string]error{
			"Inspect": inspect, "Run": run, "Logs": logs, "Usage": usage, "Stop": b.Stop(ctx, id, time.Second), "Kill": b.Stop(ctx, id, 0),
		} {
			if !errors.Is(err, executor.ErrNotFound) {
				t.Errorf("%s: %v, want ErrNotFound", name, err)
			}
		}
		if err := b.Remove(ctx, id); err != nil {
			t.Errorf("Remove: %v", err)
		}
	},
	"Parallel": func(t *testing.T, b *bench) {
		n := 200
		if b.Slow {
			n = 6
		}
		var ids []string
		for range n {
			ids = append(ids, b.create(t, Behavior{Lines: 100}).ID)
		}
		stdout, stderr := Log(100)
		var wg sync.WaitGroup
		for _, id := range ids {
			r := b.run(t, b.Executor, id, executor.Offsets{})
			wg.Go(func() {
				<-r.done
				if r.err != nil || r.container.ID != id {
					t.Errorf("Run(%s): %s, %v", id, r.container.ID, r.err)
				}
				r.log.check(t, stdout, stderr)
			})
		}
		wg.Wait()
	},
}

// checkSpec compares what a label carries.
func checkSpec(t *testing.T, got, want executor.Spec) {
	t.Helper()
	labels, err := want.Labels()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := executor.SpecFromLabels(labels)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := got.Labels()
	b, errB := kept.Labels()
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	for key := range b {
		if a[key] != b[key] {
			t.Errorf("label %s: %s, want %s", key, a[key], b[key])
		}
	}
}
