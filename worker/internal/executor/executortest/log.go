package executortest

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

var errSink = errors.New("the sink has enough")

var logTests = map[string]func(*testing.T, *bench){
	"ShortLived": func(t *testing.T, b *bench) {
		runs := 10
		if b.Slow {
			runs = 8
		}
		stdout, stderr := Log(20000)
		for range runs {
			_, log := b.finish(t, b.create(t, Behavior{Lines: 20000}).ID)
			log.check(t, stdout, stderr)
		}
	},
	"Empty": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{})
		stored := newLog(executor.Offsets{})
		if off, err := b.Logs(testContext(t), c.ID, executor.Offsets{}, stored.sink); err != nil || off != (executor.Offsets{}) {
			t.Errorf("Logs before the start: %+v, %v", off, err)
		}
		_, log := b.finish(t, c.ID)
		log.check(t, "", "")
		stored.check(t, "", "")
	},
	"StoredEqualsLive": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{Lines: 5000})
		_, live := b.finish(t, c.ID)
		stdout, stderr := Log(5000)
		live.check(t, stdout, stderr)
		for _, from := range []executor.Offsets{
			{},
			{Stdout: 1},
			{Stdout: 16, Stderr: 16},
			{Stdout: 17, Stderr: 4001},
			{Stdout: int64(len(stdout)), Stderr: 3},
			{Stdout: int64(len(stdout)) - 1, Stderr: int64(len(stderr))},
			{Stdout: int64(len(stdout)), Stderr: int64(len(stderr))},
		} {
			stored := newLog(from)
			off, err := b.Logs(testContext(t), c.ID, from, stored.sink)
			if err != nil {
				t.Fatalf("Logs from %+v: %v", from, err)
			}
			if off != stored.offsets() {
				t.Errorf("Logs from %+v returned %+v, sent up to %+v", from, off, stored.offsets())
			}
			stored.check(t, stdout, stderr)
		}
	},
	"BeyondTheEnd": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{Lines: 20})
		b.finish(t, c.ID)
		from := executor.Offsets{Stdout: 1 << 30, Stderr: 1 << 30}
		stored := newLog(from)
		if off, err := b.Logs(testContext(t), c.ID, from, stored.sink); err != nil || off != from {
			t.Errorf("Logs: %+v, %v; want %+v", off, err, from)
		}
		stored.check(t, "", "")
	},
	"WhileRunning": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{Lines: 100, Sleep: 3 * time.Second})
		r := b.run(t, b.Executor, c.ID, executor.Offsets{})
		r.log.waitBytes(t, 16)
		stored := newLog(executor.Offsets{})
		reached, err := b.Logs(testContext(t), c.ID, executor.Offsets{}, stored.sink)
		if err != nil || reached.Stdout == 0 || reached != stored.offsets() {
			t.Errorf("Logs: %+v, %v; sent up to %+v", reached, err, stored.offsets())
		}
		if _, err := r.wait(t); err != nil {
			t.Fatal(err)
		}
		rest := newLog(reached)
		if _, err := b.Logs(testContext(t), c.ID, reached, rest.sink); err != nil {
			t.Fatal(err)
		}
		stdout, stderr := Log(100)
		rest.check(t, stdout, stderr)
		stored.check(t, stdout[:reached.Stdout], stderr[:reached.Stderr])
	},
	"SinkEndsTheReading": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{Lines: 100, Sleep: 2 * time.Second})
		fail := func(executor.LogChunk) error { return errSink }
		if _, err := b.Executor.Run(testContext(t), c.ID, executor.Offsets{}, func(time.Time) {}, fail); !errors.Is(err, errSink) {
			t.Errorf("Run: %v, want the sink's error", err)
		}
		if _, err := b.Logs(testContext(t), c.ID, executor.Offsets{}, fail); !errors.Is(err, errSink) {
			t.Errorf("Logs: %v, want the sink's error", err)
		}
		_, log := b.finish(t, c.ID)
		stdout, stderr := Log(100)
		log.check(t, stdout, stderr)
	},
	"Cancelled": func(t *testing.T, b *bench) {
		c := b.create(t, Behavior{Lines: 100})
		b.finish(t, c.ID)
		ctx, cancel := context.WithCancel(testContext(t))
		cancel()
		if _, err := b.Logs(ctx, c.ID, executor.Offsets{}, newLog(executor.Offsets{}).sink); !errors.Is(err, context.Canceled) {
			t.Errorf("Logs: %v, want context.Canceled", err)
		}
	},
}
