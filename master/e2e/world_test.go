//go:build engine

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// root is the repository's, seen from this package.
const root = "../.."

// verdict is how long a small task may take on a busy machine.
const verdict = time.Minute

// frequent is the interval of heartbeats unless a test says otherwise; deadlines are
// the default's. The master compares store, memory and heartbeats that much more
// often, and each test ends with waiting for a comparison that began after it.
const frequent = "HEARTBEAT_INTERVAL=300ms"

// byDefault is for figures, which are those of a master as it comes.
const byDefault = "HEARTBEAT_INTERVAL=5s"

// lifecycle is what every task that succeeds goes through.
var lifecycle = []string{
	"created", "queued", "assigned", "image_pulled", "container_created", "running",
	"collect_output", "upload_files", "report_result", "stored",
}

// world is a cluster with a master, for one test and its subtests.
type world struct {
	*rig.Rig
	engine *rig.Engine
	image  string
	// refuses: workers are kept out in this test, and complain of that.
	refuses bool
	// ways are what processes of this world go through; closed after their end.
	ways []io.Closer
}

// binaries is the folder of the programs under test; another one may be named
// to try, say, binaries built with the race detector.
func binaries() string {
	if dir := os.Getenv("CLOUDAI_E2E_BIN"); dir != "" {
		return dir
	}
	return filepath.Join(root, "bin")
}

// newWorld starts a master; workers come later. When the test ends nothing of
// its tasks may be left anywhere.
func newWorld(t *testing.T, masterSettings ...string) *world {
	t.Helper()
	return newWorldAt(t, func(*rig.Rig) {}, masterSettings...)
}

// newWorldAt is newWorld with something to do before the master starts.
func newWorldAt(t *testing.T, before func(*rig.Rig), masterSettings ...string) *world {
	t.Helper()
	return newWorldOf(t, binaries(), before, masterSettings...)
}

// newWorldOf is newWorldAt with the programs of another folder.
func newWorldOf(t *testing.T, programs string, before func(*rig.Rig), masterSettings ...string) *world {
	t.Helper()
	r, err := rig.New(programs, "", append([]string{frequent}, masterSettings...)...)
	if err != nil {
		t.Fatal(err)
	}
	before(r)
	w := &world{Rig: r}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if !t.Failed() {
			if err := rig.Await(ctx, 20*time.Second, r.Clean); err != nil {
				t.Errorf("something leaked: %v", err)
			}
			if err := rig.Await(ctx, time.Minute, r.Invariants); err != nil {
				t.Errorf("store, memory and workers do not agree: %v", err)
			}
		}
		said := r.Logs(1 << 20)
		if w.refuses {
			said = complaints.ReplaceAllString(said, "")
		}
		for _, alarm := range []string{"panic:", "fatal error:", "DATA RACE", "level=ERROR"} {
			if at := strings.Index(said, alarm); at >= 0 {
				t.Errorf("a process printed %q: %s", alarm, said[max(0, at-500):min(len(said), at+4000)])
			}
		}
		if t.Failed() {
			t.Log(r.Logs(16 << 10))
		}
		if err := r.Close(ctx); err != nil {
			t.Errorf("clearing up: %v", err)
		}
		for _, way := range w.ways {
			if err := way.Close(); err != nil {
				t.Errorf("clearing up: %v", err)
			}
		}
	})
	must(t, r.StartMaster(t.Context()))
	return w
}

// complaints are what a worker says that is kept out.
var complaints = regexp.MustCompile(`(?m)^.*level=ERROR msg="waiting to join: .*$`)

// newCluster is a world with one worker on the Docker engine.
func newCluster(t *testing.T, cpu string, masterSettings ...string) (*world, *rig.Worker) {
	t.Helper()
	w := newWorld(t, masterSettings...)
	return w, w.dockerWorker(t, "w1", "WORKER_CPU="+cpu)
}

// dockerWorker starts a worker on the engine.
func (w *world) dockerWorker(t *testing.T, id string, settings ...string) *rig.Worker {
	t.Helper()
	var err error
	if w.engine == nil {
		w.engine, err = w.Engine()
		must(t, err)
		w.image = testImage(t)
	}
	worker, err := w.StartWorker(t.Context(), id, settings...)
	must(t, err)
	return worker
}

// fakeWorker starts a worker without an engine.
func (w *world) fakeWorker(t *testing.T, id string, settings ...string) *rig.Worker {
	t.Helper()
	w.image = "busybox:latest"
	worker, err := w.StartWorker(t.Context(), id, append(settings, "EXECUTOR=fake")...)
	must(t, err)
	return worker
}

var makeImage = sync.OnceValues(func() (string, error) { return script("image.sh") })

// testImage is a small image that the engine has.
func testImage(t *testing.T) string {
	t.Helper()
	name, err := makeImage()
	must(t, err)
	return name
}

// script runs one of the set-up scripts and gives what it prints.
func script(name string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.Command(filepath.Join(root, ".tools", "setup", name))
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// small is a task with little need of anything.
func (w *world) small(command string) client.TaskRequest {
	return client.TaskRequest{
		DockerImage: w.image, Command: command, CPURequired: ptr(0.5), MemoryRequired: ptr[int64](64),
		StorageRequired: ptr[int64](64), Network: "none", GracePeriod: "1s",
	}
}

// gated is a small task that begins, waits for open, and goes on with rest.
func (w *world) gated(begin, rest string) client.TaskRequest {
	r := w.small(begin + "\nwhile [ ! -e /output/gate ]; do sleep 0.05; done\n" + rest)
	r.CPURequired = ptr(1.0)
	return r
}

// open lets the task's gated container go on, by the folder that it shares
// with its worker.
func (w *world) open(t *testing.T, container string) {
	t.Helper()
	c, err := w.engine.ContainerInspect(t.Context(), container)
	must(t, err)
	for _, m := range c.Mounts {
		if m.Destination == "/output" {
			must(t, os.WriteFile(filepath.Join(m.Source, "gate"), nil, 0o644))
			return
		}
	}
	t.Fatalf("container %s has no /output", container)
}

// containerOf is the id of the task's only container.
func (w *world) containerOf(t *testing.T, task string) string {
	t.Helper()
	c, err := w.engine.ContainerOf(t.Context(), task)
	must(t, err)
	return c.ID
}

// exited is nil when the container has ended.
func (w *world) exited(id string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := w.engine.ContainerInspect(ctx, id)
		if err == nil && c.State.Running {
			err = fmt.Errorf("container %s still runs", id)
		}
		return err
	}
}

// must ends the test when there is an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await waits for a condition; see rig.Await.
func await(t *testing.T, limit time.Duration, met func(context.Context) error) {
	t.Helper()
	must(t, rig.Await(t.Context(), limit, met))
}

func ptr[T any](v T) *T { return &v }

// submit hands a task in.
func (w *world) submit(t *testing.T, r client.TaskRequest) string {
	t.Helper()
	task, err := w.API().Submit(t.Context(), r)
	must(t, err)
	return task.TaskID
}

// task is the task as it is now.
func (w *world) task(t *testing.T, id string) client.Task {
	t.Helper()
	task, err := w.API().Task(t.Context(), id)
	must(t, err)
	return task
}

// becomes waits until the task has the status.
func (w *world) becomes(t *testing.T, id, status string) client.Task {
	t.Helper()
	var task client.Task
	await(t, verdict, func(ctx context.Context) (err error) {
		task, err = w.API().Task(ctx, id)
		if err == nil && task.Status != status {
			err = fmt.Errorf("task %s is %s/%s (%s %s), not %s", id, task.Status, task.State, task.Failure, task.Message, status)
		}
		return err
	})
	return task
}

// ended waits for the task's verdict.
func (w *world) ended(t *testing.T, id string) client.Task {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), verdict)
	defer cancel()
	task, err := w.API().WaitTask(ctx, id)
	if err != nil {
		t.Fatalf("waiting for task %s: %v; now: %s", id, err, describe(w.task(t, id)))
	}
	return task
}

// succeeded waits for the task's success at its first attempt and checks that
// it went through its whole life.
func (w *world) succeeded(t *testing.T, id string) client.Task {
	t.Helper()
	task := w.ended(t, id)
	if task.Status != "succeeded" || task.Attempt != 1 || task.ExitCode == nil || *task.ExitCode != 0 {
		t.Fatalf("task %s: %s", id, describe(task))
	}
	var states []string
	for _, e := range w.events(t, id) {
		states = append(states, e.State)
		if e.State == "collect_output" && (e.ExitCode == nil || *e.ExitCode != 0 || e.Outcome != "success") {
			t.Errorf("task %s: collect_output carries exit code %v and outcome %q", id, e.ExitCode, e.Outcome)
		}
	}
	if !slices.Equal(states, lifecycle) {
		t.Errorf("task %s went through %v", id, states)
	}
	return task
}

// failed waits for the task's failure of that class, which it must also put
// into words.
func (w *world) failed(t *testing.T, id, failure string) client.Task {
	t.Helper()
	task := w.ended(t, id)
	if task.Status != "failed" || task.Failure != failure || task.State != "stored" {
		t.Fatalf("task %s is not failed/%s: %s", id, failure, describe(task))
	}
	if task.Message == "" {
		t.Errorf("task %s failed without a word", id)
	}
	return task
}

// describe is a task's verdict in one line.
func describe(t client.Task) string {
	code := "none"
	if t.ExitCode != nil {
		code = fmt.Sprint(*t.ExitCode)
	}
	return fmt.Sprintf("status %s, state %s, attempt %d, exit code %s, failure %q, message %q",
		t.Status, t.State, t.Attempt, code, t.Failure, t.Message)
}

// events is the task's whole timeline.
func (w *world) events(t *testing.T, id string) []client.Event {
	t.Helper()
	var list []client.Event
	for e, err := range w.API().Events(t.Context(), id) {
		must(t, err)
		list = append(list, e)
	}
	return list
}

// numbered is a log of n lines that begin with a word.
func numbered(word string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s %d\n", word, i+1)
	}
	return b.String()
}
