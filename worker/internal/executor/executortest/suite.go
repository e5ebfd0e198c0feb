// Package executortest holds every executor to the promises of the contract
// in package executor. The programs that it runs are described by Behavior;
// each backend says with Options.Apply how its containers come to behave so.
package executortest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

// Behavior is what a container of the suite does: it traps or not, writes the
// first half of its lines and its output, sleeps, writes the rest and exits.
// A backend may spread the lines over the sleep as it likes.
type Behavior struct {
	Sleep      time.Duration
	Exit       int
	Lines      int  // as in Log
	Output     int  // files in the output folder
	OOM        bool // ends by taking more memory than it may
	IgnoreTerm bool
	Refused    bool // the engine cannot start it
}

// Options tell the suite about a backend.
type Options struct {
	Image       string // present
	Absent      string // a reachable registry lacks it
	Unreachable string // its registry cannot be reached
	// Apply makes a container of the spec behave so.
	Apply func(spec *executor.Spec, b Behavior)
	// Reopen is what a new process would get: another executor on the same
	// containers.
	Reopen func(t *testing.T) executor.Executor
	// Slow is set for backends whose containers cost real time; the suite
	// then runs fewer of them.
	Slow bool
}

// deadline bounds everything that the suite waits for.
const deadline = 2 * time.Minute

// Log is what a container with so many lines writes: line i, from 1, is
// "line i" filled with dots to 15 characters and a newline; every tenth goes
// to stderr.
func Log(lines int) (stdout, stderr string) {
	var out, errs strings.Builder
	for i := 1; i <= lines; i++ {
		text := fmt.Sprintf("line %d", i)
		text += strings.Repeat(".", max(0, 15-len(text))) + "\n"
		if i%10 == 0 {
			errs.WriteString(text)
		} else {
			out.WriteString(text)
		}
	}
	return out.String(), errs.String()
}

// Run runs the whole suite; open returns a fresh executor and is called once
// per subtest.
func Run(t *testing.T, open func(t *testing.T) (executor.Executor, Options)) {
	for _, group := range []struct {
		name  string
		tests map[string]func(*testing.T, *bench)
	}{
		{"Image", imageTests},
		{"Container", containerTests},
		{"Log", logTests},
		{"Adopt", adoptTests},
		{"Stop", stopTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for name, test := range group.tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					e, opts := open(t)
					test(t, &bench{Executor: e, Options: opts, worker: unique("w")})
				})
			}
		})
	}
}

// bench is what one test works with.
type bench struct {
	executor.Executor
	Options
	worker string // the worker's id, of this test only
}

var counter atomic.Int64

// unique makes an id that no other test, run or process uses.
func unique(prefix string) string {
	return fmt.Sprintf("%s%d-%d-%d", prefix, os.Getpid(), time.Now().UnixMilli(), counter.Add(1))
}

// testContext ends with the test, or at the deadline.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// spec describes a container; it is removed when the test ends.
func (b *bench) spec(t *testing.T, behavior Behavior) executor.Spec {
	t.Helper()
	// Not t.TempDir: the engine's files may belong to another user, and the
	// folder must be reachable for every user.
	dir, err := os.MkdirTemp("", "executortest-")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "output")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(out, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	spec := executor.Spec{
		Key:      executor.Key{ClusterID: "executortest", TaskID: unique("t"), Attempt: 1, Lease: unique("lease")},
		WorkerID: b.worker, Image: b.Image, UserID: "user-1",
		CPU: 1, Memory: 64, Storage: 100, Network: "none",
		Timeout: time.Hour, Grace: 10 * time.Second, LogLimit: 64 << 20, OutputDir: out,
	}
	b.Apply(&spec, behavior)
	return spec
}

// create makes a container that is removed when the test ends.
func (b *bench) create(t *testing.T, behavior Behavior) executor.Container {
	t.Helper()
	return b.createSpec(t, b.spec(t, behavior))
}

func (b *bench) createSpec(t *testing.T, spec executor.Spec) executor.Container {
	t.Helper()
	c, err := b.Create(testContext(t), spec)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	b.removeLater(t, c.ID)
	return c
}

func (b *bench) removeLater(t *testing.T, id string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		if err := b.Remove(ctx, id); err != nil {
			t.Errorf("Remove: %v", err)
		}
	})
}

// running is a Run in a goroutine of its own.
type running struct {
	log     *log
	started chan time.Time // gets the time once
	cancel  context.CancelFunc
	done    chan struct{}

	// Read them after wait.
	container executor.Container
	err       error
}

// run starts Run on a container; the test waits for its end.
func (b *bench) run(t *testing.T, e executor.Executor, id string, from executor.Offsets) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	r := &running{log: newLog(from), started: make(chan time.Time, 10), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.container, r.err = e.Run(ctx, id, from, func(at time.Time) { r.started <- at }, r.log.sink)
	}()
	t.Cleanup(func() { cancel(); <-r.done })
	return r
}

// wait returns what Run returned.
func (r *running) wait(t *testing.T) (executor.Container, error) {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(deadline):
		t.Fatal("Run does not end")
	}
	return r.container, r.err
}

// waitStarted returns the time that Run told.
func (r *running) waitStarted(t *testing.T) time.Time {
	t.Helper()
	select {
	case at := <-r.started:
		return at
	case <-r.done:
		select {
		case at := <-r.started:
			return at
		default:
			t.Fatalf("Run ended without a start: %v", r.err)
		}
	case <-time.After(deadline):
		t.Fatal("the container does not start")
	}
	return time.Time{}
}

// finish runs a container to its end and returns it with its log.
func (b *bench) finish(t *testing.T, id string) (executor.Container, *log) {
	t.Helper()
	r := b.run(t, b.Executor, id, executor.Offsets{})
	c, err := r.wait(t)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	if c.Phase != executor.PhaseExited {
		t.Errorf("Run returned phase %s", c.Phase)
	}
	return c, r.log
}

// log is a sink that checks each chunk against the contract.
type log struct {
	mu      sync.Mutex
	from    executor.Offsets
	data    map[executor.Stream][]byte
	chunks  int
	faults  []string
	changed chan struct{} // closed and replaced at each chunk
}

func newLog(from executor.Offsets) *log {
	return &log{from: from, data: map[executor.Stream][]byte{}, changed: make(chan struct{})}
}

func (l *log) sink(c executor.LogChunk) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	base := l.from.Stdout
	switch c.Stream {
	case executor.Stdout:
	case executor.Stderr:
		base = l.from.Stderr
	default:
		l.faults = append(l.faults, fmt.Sprintf("stream %d", c.Stream))
	}
	if want := base + int64(len(l.data[c.Stream])); c.Offset != want {
		l.faults = append(l.faults, fmt.Sprintf("stream %d: offset %d, want %d", c.Stream, c.Offset, want))
	}
	if len(c.Data) == 0 || len(c.Data) > 64<<10 {
		l.faults = append(l.faults, fmt.Sprintf("a chunk of %d bytes", len(c.Data)))
	}
	if c.Time.IsZero() {
		l.faults = append(l.faults, "a chunk without time")
	}
	l.data[c.Stream] = append(l.data[c.Stream], c.Data...)
	l.chunks++
	close(l.changed)
	l.changed = make(chan struct{})
	return nil
}

// offsets are those reached.
func (l *log) offsets() executor.Offsets {
	l.mu.Lock()
	defer l.mu.Unlock()
	return executor.Offsets{
		Stdout: l.from.Stdout + int64(len(l.data[executor.Stdout])),
		Stderr: l.from.Stderr + int64(len(l.data[executor.Stderr])),
	}
}

// waitBytes waits until so many bytes of stdout are there.
func (l *log) waitBytes(t *testing.T, n int) {
	t.Helper()
	timeout := time.After(deadline)
	for {
		l.mu.Lock()
		got, changed := len(l.data[executor.Stdout]), l.changed
		l.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%d bytes of stdout after %s, want %d", got, deadline, n)
		}
	}
}

// check compares the log with what was to come after its first offsets.
func (l *log) check(t *testing.T, stdout, stderr string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fault := range l.faults {
		t.Error(fault)
	}
	for _, s := range []struct {
		name string
		got  string
		want string
	}{
		{"stdout", string(l.data[executor.Stdout]), stdout[min(l.from.Stdout, int64(len(stdout))):]},
		{"stderr", string(l.data[executor.Stderr]), stderr[min(l.from.Stderr, int64(len(stderr))):]},
	} {
		if s.got != s.want {
			t.Errorf("%s: %d bytes, want %d; first difference at byte %d", s.name, len(s.got), len(s.want), differ(s.got, s.want))
		}
	}
}

func differ(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
