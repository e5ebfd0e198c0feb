package executortest

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

var stopTests = map[string]func(*testing.T, *bench){
	"Term": func(t *testing.T, b *bench) {
		c, took := stopRunning(t, b, Behavior{Sleep: time.Minute}, 30*time.Second)
		if c.ExitCode != 143 || took > 20*time.Second {
			t.Errorf("%+v after %s, want 143 at once", c, took)
		}
	},
	"IgnoredTerm": func(t *testing.T, b *bench) {
		c, took := stopRunning(t, b, Behavior{Sleep: time.Minute, IgnoreTerm: true}, time.Second)
		if c.ExitCode != 137 || c.OOMKilled || took < 900*time.Millisecond || took > 20*time.Second {
			t.Errorf("%+v after %s, want 137 after 1 s", c, took)
		}
	},
	"Kill": func(t *testing.T, b *bench) {
		c, took := stopRunning(t, b, Behavior{Sleep: time.Minute, IgnoreTerm: true}, 0)
		if c.ExitCode != 137 || took > 20*time.Second {
			t.Errorf("%+v after %s, want 137 at once", c, took)
		}
	},
	"KillCutsTheGraceShort": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{Sleep: time.Minute, IgnoreTerm: true, Lines: 10})
		r := b.run(t, b.Executor, c.ID, executor.Offsets{})
		r.log.waitBytes(t, 16)
		slow := make(chan error, 1)
		go func() { slow <- b.Stop(testContext(t), c.ID, 50*time.Second) }()
		start := time.Now()
		if err := b.Stop(testContext(t), c.ID, 0); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if got, err := r.wait(t); err != nil || got.ExitCode != 137 {
			t.Errorf("Run: %+v, %v", got, err)
		}
		if err := <-slow; err != nil {
			t.Errorf("the first Stop: %v", err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("took %s", took)
		}
	},
	"Ended": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{Exit: 2})
		b.finish(t, c.ID)
		for _, grace := range []time.Duration{0, time.Second} {
			if err := b.Stop(testContext(t), c.ID, grace); err != nil {
				t.Errorf("Stop(%s): %v", grace, err)
			}
		}
		if c, err := b.Inspect(testContext(t), c.ID); err != nil || c.ExitCode != 2 {
			t.Errorf("Inspect: %+v, %v", c, err)
		}
	},
	"ByNewProcess": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{Sleep: time.Minute, Lines: 10})
		r := b.run(t, b.Executor, c.ID, executor.Offsets{})
		r.log.waitBytes(t, 16)
		r.cancel()
		<-r.done
		second := b.Reopen(t)
		again := b.run(t, second, c.ID, executor.Offsets{})
		again.waitStarted(t)
		if err := second.Stop(testContext(t), c.ID, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if got, err := again.wait(t); err != nil || got.ExitCode != 143 {
			t.Errorf("Run: %+v, %v", got, err)
		}
	},
	"CancelledStop": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{Sleep: time.Minute, IgnoreTerm: true, Lines: 10})
		r := b.run(t, b.Executor, c.ID, executor.Offsets{})
		r.log.waitBytes(t, 16)
		ctx, cancel := context.WithTimeout(testContext(t), 300*time.Millisecond)
		defer cancel()
		if err := b.Stop(ctx, c.ID, 50*time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v, want context.DeadlineExceeded", err)
		}
		if now, err := b.Inspect(testContext(t), c.ID); err != nil || now.Phase != executor.PhaseRunning {
			t.Errorf("Inspect: %+v, %v; want it running", now, err)
		}
	},
	"Remove": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{})
		b.finish(t, c.ID)
		for range 2 {
			if err := b.Executor.Remove(testContext(t), c.ID); err != nil {
				t.Errorf("Remove: %v", err)
			}
		}
		if _, err := b.Inspect(testContext(t), c.ID); !errors.Is(err, executor.ErrNotFound) {
			t.Errorf("Inspect: %v, want ErrNotFound", err)
		}
		if found, err := b.List(testContext(t), b.worker); err != nil || len(found) != 0 {
			t.Errorf("List: %+v, %v", found, err)
		}
	},
	"RemoveRunning": func(t *testing.T, b *bench) {
		spec := b.spec(t, Behavior{Sleep: time.Minute, Lines: 10})
		c := b.createSpec(t, spec)
		r := b.run(t, b.Executor, c.ID, executor.Offsets{})
		r.log.waitBytes(t, 16)
		if err := b.Executor.Remove(testContext(t), c.ID); err != nil {
			t.Fatalf("Remove: %v", err)
		}
		if got, err := r.wait(t); err != nil && !errors.Is(err, executor.ErrNotFound) {
			t.Errorf("Run: %+v, %v; want its end or ErrNotFound", got, err)
		}
		again, err := b.Create(testContext(t), spec)
		if err != nil {
			t.Fatalf("Create after Remove: %v", err)
		}
		b.removeLater(t, again.ID)
		if again.Phase != executor.PhaseCreated {
			t.Errorf("created again: %+v", again)
		}
	},
}

// stopRunning stops a container once it has written its first line, and
// returns what Run returned and how long Stop took.
func stopRunning(t *testing.T, b *bench, behavior Behavior, grace time.Duration) (executor.Container, time.Duration) {
	t.Helper()
	behavior.Lines = 10 // the trap is set when they come
	created := b.create(t, behavior)
	r := b.run(t, b.Executor, created.ID, executor.Offsets{})
	r.log.waitBytes(t, 16)
	start := time.Now()
	if err := b.Stop(testContext(t), created.ID, grace); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	took := time.Since(start)
	if now, err := b.Inspect(testContext(t), created.ID); err != nil || now.Phase != executor.PhaseExited {
		t.Errorf("after Stop: %+v, %v", now, err)
	}
	c, err := r.wait(t)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return c, took
}
