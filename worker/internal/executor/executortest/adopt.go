package executortest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudai/worker/internal/executor"
)

// stillRunning is how long a container sleeps that must be seen to run: a busy
// engine may be two seconds late to tell of its start.
const stillRunning = 5 * time.Second

var adoptTests = map[string]func(*testing.T, *bench){
	"CancelledRunGoesOn": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{Lines: 1000, Sleep: stillRunning, Exit: 5})
		r := b.run(t, b.Executor, c.ID, executor.Offsets{})
		r.log.waitBytes(t, 16)
		started := r.waitStarted(t)
		r.cancel()
		if _, err := r.wait(t); !errors.Is(err, context.Canceled) {
			t.Fatalf("Run: %v, want context.Canceled", err)
		}
		if now, err := b.Inspect(testContext(t), c.ID); err != nil || now.Phase != executor.PhaseRunning {
			t.Fatalf("Inspect: %+v, %v; want it running", now, err)
		}
		again := b.run(t, b.Executor, c.ID, r.log.offsets())
		if at := again.waitStarted(t); !at.Equal(started) {
			t.Errorf("started told %s, the first time %s", at, started)
		}
		checkEnd(t, again, 5, 1000)
	},
	"RunningByNewProcess": func(t *testing.T, b *bench) {
		spec := b.spec(t, Behavior{Lines: 1000, Sleep: stillRunning, Exit: 6, Output: 1})
		c := b.createSpec(t, spec)
		r := b.run(t, b.Executor, c.ID, executor.Offsets{})
		r.log.waitBytes(t, 16)
		r.cancel()
		<-r.done
		second := b.Reopen(t)
		found, err := second.List(testContext(t), b.worker)
		if err != nil || len(found) != 1 || found[0].ID != c.ID || found[0].Phase != executor.PhaseRunning || found[0].StartedAt.IsZero() {
			t.Fatalf("List: %+v, %v; want the running container", found, err)
		}
		checkSpec(t, found[0].Spec, spec)
		again := b.run(t, second, c.ID, r.log.offsets())
		again.waitStarted(t)
		checkEnd(t, again, 6, 1000)
	},
	"RunningFromTheStart": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{Lines: 1000, Sleep: 2 * time.Second})
		r := b.run(t, b.Executor, c.ID, executor.Offsets{})
		r.waitStarted(t)
		r.cancel()
		<-r.done
		checkEnd(t, b.run(t, b.Reopen(t), c.ID, executor.Offsets{}), 0, 1000)
	},
	"ExitedByNewProcess": func(t *testing.T, b *bench) {
		spec := b.spec(t, Behavior{Lines: 1000, Sleep: 200 * time.Millisecond, Exit: 9})
		c := b.createSpec(t, spec)
		first, _ := b.finish(t, c.ID)
		second := b.Reopen(t)
		found, err := second.List(testContext(t), b.worker)
		if err != nil || len(found) != 1 || !cmp.Equal(found[0], first) {
			t.Fatalf("List: %+v, %v; want %+v", found, err, first)
		}
		again := b.run(t, second, c.ID, executor.Offsets{Stdout: 160, Stderr: 16})
		if at := again.waitStarted(t); !at.Equal(first.StartedAt) {
			t.Errorf("started told %s, want %s", at, first.StartedAt)
		}
		checkEnd(t, again, 9, 1000)
	},
	"CreatedByNewProcess": func(t *testing.T, b *bench) {
		spec := b.spec(t, Behavior{Lines: 10, Exit: 4})
		c := b.createSpec(t, spec)
		second := b.Reopen(t)
		again, err := second.Create(testContext(t), spec)
		if err != nil || again.ID != c.ID || again.Phase != executor.PhaseCreated {
			t.Fatalf("Create: %+v, %v", again, err)
		}
		checkEnd(t, b.run(t, second, c.ID, executor.Offsets{}), 4, 10)
	},
	"ListsItsOwn": func(t *testing.T, b *bench) {
		var want []string
		created := b.create(t, Behavior{})
		exited := b.create(t, Behavior{})
		b.finish(t, exited.ID)
		other := b.spec(t, Behavior{})
		other.Key.ClusterID += "-2"
		want = append(want, created.ID, exited.ID, b.createSpec(t, other).ID)
		foreign := b.spec(t, Behavior{})
		foreign.WorkerID += "0"
		b.createSpec(t, foreign)
		found, err := b.List(testContext(t), b.worker)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range found {
			got = append(got, c.ID)
			if c.Spec.WorkerID != b.worker {
				t.Errorf("List returned a container of worker %s", c.Spec.WorkerID)
			}
			if c.ID == exited.ID && c.Phase != executor.PhaseExited || c.ID != exited.ID && c.Phase != executor.PhaseCreated {
				t.Errorf("container %s has phase %s", c.ID, c.Phase)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("List: %v, want %v", got, want)
		}
		if none, err := b.List(testContext(t), unique("w")); err != nil || len(none) != 0 {
			t.Errorf("List of an unknown worker: %+v, %v", none, err)
		}
	},
}

// checkEnd waits for the end of a Run that took a container over.
func checkEnd(t *testing.T, r *running, code, lines int) {
	t.Helper()
	c, err := r.wait(t)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	if c.Phase != executor.PhaseExited || c.ExitCode != code {
		t.Errorf("%+v, want exit code %d", c, code)
	}
	stdout, stderr := Log(lines)
	r.log.check(t, stdout, stderr)
}
