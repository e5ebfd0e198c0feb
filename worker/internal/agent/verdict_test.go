package agent

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

func TestVerdicts(t *testing.T) {
	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	for _, c := range []struct {
		name    string
		spec    func(*executor.Spec)
		exit    func(*executor.Container)
		size    int64
		cancel  bool
		collect error
		status  Status
		failure Failure
	}{
		{name: "success", status: StatusSucceeded},
		{name: "exit", exit: func(c *executor.Container) { c.ExitCode = 7 }, status: StatusFailed, failure: FailureExit},
		{
			name:   "oom before exit",
			exit:   func(c *executor.Container) { c.ExitCode, c.OOMKilled = 137, true },
			status: StatusFailed, failure: FailureOOM,
		},
		{
			name:   "oom of a child that was survived",
			exit:   func(c *executor.Container) { c.OOMKilled = true },
			status: StatusSucceeded,
		},
		{
			name: "oom before storage", size: 11 << 20,
			exit:   func(c *executor.Container) { c.ExitCode, c.OOMKilled = 137, true },
			status: StatusFailed, failure: FailureOOM,
		},
		{
			name: "storage before timeout", size: 11 << 20, spec: func(s *executor.Spec) { s.Timeout = seconds(1) },
			exit:   func(c *executor.Container) { c.FinishedAt = c.StartedAt.Add(seconds(1)) },
			status: StatusFailed, failure: FailureStorage,
		},
		{
			name: "timeout before exit", spec: func(s *executor.Spec) { s.Timeout = seconds(1) },
			exit:   func(c *executor.Container) { c.ExitCode, c.FinishedAt = 143, c.StartedAt.Add(seconds(1)) },
			status: StatusFailed, failure: FailureTimeout,
		},
		{
			name: "just in time", spec: func(s *executor.Spec) { s.Timeout = seconds(1) },
			exit:   func(c *executor.Container) { c.FinishedAt = c.StartedAt.Add(seconds(1) - 1) },
			status: StatusSucceeded,
		},
		{
			name: "cancel before all", size: 11 << 20, cancel: true,
			exit:   func(c *executor.Container) { c.ExitCode, c.OOMKilled = 137, true },
			status: StatusCancelled,
		},
		{name: "output that cannot be read", collect: errors.New("I/O"), status: StatusFailed, failure: FailureUpload},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			if c.spec == nil {
				c.spec = func(*executor.Spec) {}
			}
			b.run(c.spec)
			if c.cancel {
				actions, err := b.m.Cancel(b.now, ref1, "c1")
				if err != nil {
					t.Fatal(err)
				}
				b.in(actions)
			}
			b.exit(c.exit)
			b.in(b.m.Collected(b.now, ref1, Collection{Size: c.size}, c.collect))
			r := b.result()
			if r.Status != c.status || r.Failure != c.failure || !r.HasExit || len(r.States) != 6 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestF16CancelAtEveryStep(t *testing.T) {
	cancel := func(b *bench) {
		for range 2 {
			actions, err := b.m.Cancel(b.now, ref1, "c1")
			if err != nil {
				b.t.Fatal(err)
			}
			b.in(actions)
		}
	}
	t.Run("pulling", func(t *testing.T) {
		b := newBench(t)
		b.assign()
		b.want("Pull")
		cancel(b)
		b.want("Interrupt")
		b.in(b.m.Pulled(b.now, ref1, errors.New("interrupted")))
		if r := b.result(); r.Status != StatusCancelled || r.HasExit || len(r.States) != 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("creating", func(t *testing.T) {
		b := newBench(t)
		b.assign()
		b.in(b.m.Pulled(b.now, ref1, nil))
		b.want("Pull", "Create")
		cancel(b)
		b.want()
		b.in(b.m.Created(b.now, ref1, executor.Container{ID: "id1"}, nil))
		if r := b.result(); r.Status != StatusCancelled || r.HasExit {
			t.Errorf("%+v", r)
		}
		b.in(b.m.Reported(b.now, ref1, ReportReply{}))
		if last := b.out[len(b.out)-1].(Remove); last.ID != "id1" {
			t.Errorf("%+v", last)
		}
	})
	t.Run("starting", func(t *testing.T) {
		b := newBench(t)
		b.assign()
		b.in(b.m.Pulled(b.now, ref1, nil))
		b.in(b.m.Created(b.now, ref1, executor.Container{ID: "id1"}, nil))
		b.want("Pull", "Create", "RunContainer")
		cancel(b)
		b.want() // a stop now might come before the start
		b.in(b.m.Started(b.now, ref1, b.now))
		b.want("StopContainer")
	})
	t.Run("without an engine", func(t *testing.T) {
		b := newBench(t)
		b.assign()
		b.in(b.m.Pulled(b.now, ref1, fmt.Errorf("%w: off", executor.ErrEngine)))
		b.out = nil
		cancel(b)
		if r := b.result(); r.Status != StatusCancelled {
			t.Errorf("%+v", r)
		}
	})
	t.Run("uploading", func(t *testing.T) {
		b := newBench(t)
		b.run()
		b.exit(nil)
		b.in(b.m.Collected(b.now, ref1, Collection{Files: []File{{Path: "a"}}}, nil))
		b.want("Collect", "Upload")
		cancel(b)
		b.want()
		b.in(b.m.Uploaded(b.now, ref1, UploadReply{Files: []File{{Path: "a"}}}))
		if r := b.result(); r.Status != StatusCancelled || len(r.Files) != 1 {
			t.Errorf("%+v", r)
		}
	})
}

func TestF17TimeoutStopsOnce(t *testing.T) {
	b := newBench(t)
	b.run(func(s *executor.Spec) { s.Timeout = time.Second })
	b.pass(60 * time.Millisecond)
	b.in(b.m.ProgressAnswered(b.now, ref1, 3, Reply{}))
	b.want("ReportProgress")
	b.pass(time.Second)
	b.want("Sample", "StopContainer")
	b.pass(time.Second)
	b.want()
}

func TestF14FullOutputStops(t *testing.T) {
	b := newBench(t)
	b.run()
	b.in(b.m.Sampled(b.now, ref1, executor.Usage{}, 11<<20, nil))
	b.want("StopContainer")
	b.exit(nil)
	b.in(b.m.Collected(b.now, ref1, Collection{Size: 1}, nil)) // it was tidied up meanwhile
	if r := b.result(); r.Failure != FailureStorage {
		t.Errorf("%+v", r)
	}
}

// F13: a task that makes files without end is stopped, also when they are empty.
func TestF13TooManyFilesStop(t *testing.T) {
	b := newBench(t)
	b.run()
	b.m.counted(ref1, maxEntries)
	b.in(b.m.Sampled(b.now, ref1, executor.Usage{}, 0, nil))
	b.want()
	b.m.counted(ref1, maxEntries+1)
	b.in(b.m.Sampled(b.now, ref1, executor.Usage{}, 0, nil))
	b.want("StopContainer")
	b.exit(nil)
	b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
	if r := b.result(); r.Failure != FailureStorage || !strings.Contains(r.Message, fmt.Sprint(maxEntries)) {
		t.Errorf("%+v", r)
	}
}

// F12: the message names limit and peak, whether a sample has seen the peak or
// the kernel was faster.
func TestF12OutOfMemoryNamesLimitAndPeak(t *testing.T) {
	for seen, want := range map[float64]string{0: "peak was 64 MiB", 12: "peak was 64 MiB", 64.2: "peak was 64 MiB", 70: "peak was 70 MiB"} {
		b := newBench(t)
		b.run()
		b.in(b.m.Sampled(b.now, ref1, executor.Usage{CPUSeconds: 1, MemoryPeak: seen}, 0, nil))
		b.exit(func(c *executor.Container) { c.ExitCode, c.OOMKilled = 137, true })
		b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
		r := b.result()
		if r.Failure != FailureOOM || !strings.Contains(r.Message, "limit is 64 MiB") || !strings.Contains(r.Message, want) {
			t.Errorf("seen %v: %+v", seen, r)
		}
		if r.Usage.MemoryPeak < 64 || r.Usage.MemoryPeak < seen {
			t.Errorf("seen %v: the use is %+v", seen, r.Usage)
		}
	}
}
