//go:build engine

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
)

// F12: a task that takes more memory than it may fails as oom and says limit
// and peak, however fast it went.
func TestF12OutOfMemory(t *testing.T) {
	w, _ := newCluster(t, "8")
	ids := map[string]string{}
	for name, command := range map[string]string{
		"at once": `awk 'BEGIN { s = "x"; while (1) s = s s }'`,
		"slowly":  `sleep 1; awk 'BEGIN { s = "x"; while (1) s = s s }'`,
		"a child": `awk 'BEGIN { s = "x"; while (1) s = s s }' & wait $! || exit 3`,
	} {
		r := w.small(command)
		r.MemoryRequired = ptr[int64](32)
		ids[name] = w.submit(t, r)
	}
	for name, id := range ids {
		task := w.failed(t, id, "oom")
		if !strings.Contains(task.Message, "limit is 32 MiB") || !strings.Contains(task.Message, "peak was 32 MiB") {
			t.Errorf("%s: the message does not name limit and peak: %q", name, task.Message)
		}
		if task.Usage == nil || task.Usage.MemoryPeak < 31 || task.Usage.MemoryPeak > 33 {
			t.Errorf("%s: the use is %+v", name, task.Usage)
		}
		want := 137
		if name == "a child" {
			want = 3
		}
		if task.ExitCode == nil || *task.ExitCode != want {
			t.Errorf("%s: %s", name, describe(task))
		}
	}
}

// F13: a fork bomb and a task that opens files without end stay in
// their frame; the worker and its other tasks go on.
func TestF13ForkBombAndTooManyFiles(t *testing.T) {
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=3s")
	w.dockerWorker(t, "w1", "WORKER_CPU=8")
	neighbour := w.submit(t, w.gated("echo begun", "echo done"))
	w.becomes(t, neighbour, "running")

	// The first process forks no more: a shell that is refused a process ends.
	r := w.small("bomb() { bomb | bomb & }\nbomb\nexec tail -f /dev/null")
	r.CPURequired, r.MemoryRequired = ptr(0.2), ptr[int64](2048)
	bomb := w.submit(t, r)
	r = w.small(`awk 'BEGIN { for (i = 0; ; i++) print i >("/tmp/" i) }'`)
	r.CPURequired = ptr(0.5)
	opener := w.submit(t, r)
	began := time.Now()
	w.becomes(t, bomb, "running")
	pids := w.cgroup(t, w.containerOf(t, bomb))
	await(t, verdict, func(context.Context) error {
		refused, most := pids(t)
		if most > 1024 {
			t.Fatalf("%d processes", most)
		}
		if !refused {
			return fmt.Errorf("%d processes, none was refused yet", most)
		}
		return nil
	})
	t.Log("the bomb has its processes after", time.Since(began))
	// Meanwhile the worker takes, runs and reports other tasks.
	for range 3 {
		w.succeeded(t, w.submit(t, w.small("echo hi; seq 1000 >/output/x")))
		must(t, w.WorkerIs(t.Context(), "w1", "active"))
	}
	// Whatever stops it first, its memory or its file table, it is its own end.
	if task := w.ended(t, opener); task.Status != "failed" || (task.Failure != "oom" && task.Failure != "exit") {
		t.Errorf("too many open files: %s", describe(task))
	} else {
		t.Log("too many open files:", describe(task))
	}
	if _, most := pids(t); most > 1024 {
		t.Errorf("%d processes", most)
	}
	_, err := w.API().Cancel(t.Context(), bomb)
	must(t, err)
	if task := w.ended(t, bomb); task.Status != "cancelled" {
		t.Errorf("the bomb: %s", describe(task))
	}
	w.open(t, w.containerOf(t, neighbour))
	w.succeeded(t, neighbour)
	if log := w.log(t, neighbour, ""); log != "begun\ndone\n" {
		t.Errorf("the neighbour's log is %q", log)
	}
}

// cgroup finds a container's count of processes in the kernel's files. What it
// gives reports whether the kernel has refused one, and the present number.
func (w *world) cgroup(t *testing.T, id string) func(t *testing.T) (refused bool, now int64) {
	t.Helper()
	var folder string
	for _, pattern := range []string{
		"/sys/fs/cgroup/pids/docker/" + id, "/sys/fs/cgroup/docker/" + id,
		"/sys/fs/cgroup/system.slice/docker-" + id + ".scope", "/sys/fs/cgroup/pids/*/docker/" + id,
	} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			folder = found[0]
		}
	}
	if folder == "" {
		t.Skipf("the kernel's files on container %s are not to be seen here", id)
	}
	return func(t *testing.T) (bool, int64) {
		t.Helper()
		now, err := os.ReadFile(filepath.Join(folder, "pids.current"))
		must(t, err)
		n, err := strconv.ParseInt(strings.TrimSpace(string(now)), 10, 64)
		must(t, err)
		events, err := os.ReadFile(filepath.Join(folder, "pids.events"))
		must(t, err)
		return !strings.Contains(string(events), "max 0\n"), n
	}
}

// F24: a task that no worker can ever take says so, with what it asked for and
// the largest worker, and stays where others pass it.
func TestF24Unschedulable(t *testing.T) {
	w := newWorld(t)
	w.fakeWorker(t, "w0", "WORKER_CPU=4", "WORKER_MEMORY=2048", "WORKER_STORAGE=9000", "WORKER_GPU=0")
	w.fakeWorker(t, "w1", "WORKER_CPU=64", "WORKER_MEMORY=1024", "WORKER_STORAGE=5000", "WORKER_GPU=2")
	for _, c := range []struct {
		ask  func(*client.TaskRequest)
		want string
	}{
		{func(r *client.TaskRequest) { r.CPURequired = ptr(4096.0) }, "cpu: asked 4096, largest w1 has 64"},
		{func(r *client.TaskRequest) { r.MemoryRequired = ptr[int64](4096) }, "memory: asked 4096 MiB, largest w0 has 2048 MiB"},
		{func(r *client.TaskRequest) { r.StorageRequired = ptr[int64](1 << 20) }, "storage: asked 1048576 MiB, largest w0 has 9000 MiB"},
		{func(r *client.TaskRequest) { r.GPURequired = ptr(3) }, "gpu: asked 3, largest w1 has 2"},
		// Each would do for one of the two, both together for none.
		{func(r *client.TaskRequest) { r.CPURequired, r.MemoryRequired = ptr(8.0), ptr[int64](2000) }, ""},
	} {
		r := w.small("true")
		c.ask(&r)
		id := w.submit(t, r)
		var task client.Task
		await(t, verdict, func(ctx context.Context) (err error) {
			task, err = w.API().Task(ctx, id)
			if err == nil && (task.Waiting == nil || task.Waiting.Reason == "") {
				err = fmt.Errorf("it does not say why it waits: %s", describe(task))
			}
			return err
		})
		if task.Status != "queued" || !strings.Contains(task.Waiting.Reason, "unschedulable") || !strings.Contains(task.Waiting.Reason, c.want) {
			t.Errorf("%s; the reason is %q, want %q", describe(task), task.Waiting.Reason, c.want)
		}
		if len(task.Waiting.Workers) != 2 || task.Waiting.Workers[0].Reason == "" {
			t.Errorf("the workers' reasons are %+v", task.Waiting.Workers)
		}
		_, err := w.API().Cancel(t.Context(), id)
		must(t, err)
		began := time.Now()
		w.succeeded(t, w.submit(t, w.small(""))) // it holds nobody up
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a task behind it took %s", took)
		}
	}
}
