//go:build engine

package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// onlyOnce checks that the engine has started each task's container exactly
// once. The last starts may be told a moment late, so it waits for them.
func onlyOnce(t *testing.T, of func(string) (int, error), ids []string) {
	t.Helper()
	for _, id := range ids {
		await(t, 10*time.Second, func(context.Context) error {
			n, err := of(id)
			if err == nil && n == 0 {
				err = fmt.Errorf("the engine has not told of a start of task %s", id)
			}
			return err
		})
		if n, _ := of(id); n != 1 {
			t.Errorf("task %s was started %d times", id, n)
		}
	}
}

// A master that is killed with tasks running, an upload on its way and twenty
// tasks queued loses none and repeats none: those that run are adopted, whether
// they ended while it was away or run on, and the upload goes on where it was.
func TestF03MasterKilled(t *testing.T) { onEachStore(t, testMasterKilled) }

func testMasterKilled(t *testing.T, store ...string) {
	const output = 192 << 20
	w, _ := newCluster(t, "5", store...)
	starts := w.engine.Starts(t.Context())
	defer starts.Stop()
	var ids, running []string
	for n := range 4 {
		ids = append(ids, w.submit(t, w.gated(fmt.Sprintf("echo begin %d", n), "echo end; echo kept >/output/file")))
	}
	r := w.gated("", fmt.Sprintf("head -c %d /dev/urandom >/output/file; sha256sum </output/file", output))
	r.StorageRequired, r.MemoryRequired = ptr[int64](output>>20+1), ptr[int64](256)
	uploader := w.submit(t, r)
	for _, id := range append(ids, uploader) {
		w.becomes(t, id, "running")
		running = append(running, w.containerOf(t, id))
	}
	for n := range 20 {
		ids = append(ids, w.submit(t, w.small(fmt.Sprintf("echo queued %d", n))))
	}
	about, err := w.API().Cluster(t.Context())
	must(t, err)
	if about.Tasks["running"] != 5 || about.Tasks["queued"] != 20 {
		t.Fatalf("before the crash: %v", about.Tasks)
	}
	w.open(t, running[4])
	w.uploads(t, output/8)
	must(t, w.Master.Kill())
	staged, err := w.Staged()
	if err != nil || staged >= output {
		t.Errorf("when the master was killed %d bytes were uploaded, %v", staged, err)
	}

	for _, c := range running[:2] { // these end while the master is away
		w.open(t, c)
		await(t, verdict, w.exited(c))
	}
	began := time.Now()
	must(t, w.StartMaster(t.Context()))
	atMost(t, "SIGKILL with 5 tasks running to ready", milliseconds(time.Since(began)), apiBack)
	for _, c := range running[2:4] {
		w.open(t, c)
	}

	for n, id := range ids {
		w.succeeded(t, id)
		want := fmt.Sprintf("queued %d\n", n-4)
		if n < 4 {
			want = fmt.Sprintf("begin %d\nend\n", n)
			if got := w.output(t, id, "file"); got != "kept\n" {
				t.Errorf("task %s: the output is %q", id, got)
			}
		}
		if log := w.log(t, id, ""); log != want {
			t.Errorf("task %s: the log is %q, want %q", id, log, want)
		}
	}
	w.succeeded(t, uploader)
	if said, got := w.log(t, uploader, ""), w.sumOf(t, uploader, "file")+"  -\n"; said != got {
		t.Errorf("the uploaded file has the sum %q, the task says %q", got, said)
	}
	onlyOnce(t, starts.Of, append(ids, uploader))
}

// A worker that is killed finds its containers again, those that ended
// meanwhile too, and their logs have every line exactly once.
func TestF04WorkerKilled(t *testing.T) { onEachStore(t, testWorkerKilled) }

func testWorkerKilled(t *testing.T, store ...string) {
	w, worker := newCluster(t, "4", store...)
	starts := w.engine.Starts(t.Context())
	defer starts.Stop()
	// Prints all the time: before, while and after the worker is away.
	talker := w.submit(t, w.small(`i=0
		while [ ! -e /output/gate ]; do
			i=$((i+1)); echo "out $i"; echo "err $i" >&2
			[ $((i % 10)) -ne 0 ] || sleep 0.02
		done
		echo $i >/output/count`))
	ender := w.submit(t, w.gated("echo before", "echo after; exit 0"))
	stayer := w.submit(t, w.gated("echo before", "echo after; echo x >/output/x"))
	ids := []string{talker, ender, stayer}
	containers := map[string]string{}
	for _, id := range ids {
		w.becomes(t, id, "running")
		containers[id] = w.containerOf(t, id)
	}
	w.logHas(t, talker, "out 50\n")

	must(t, worker.Kill())
	w.open(t, containers[ender])
	await(t, verdict, w.exited(containers[ender]))
	if task := w.task(t, talker); task.Status != "running" {
		t.Errorf("while the worker is away: %s", describe(task))
	}
	must(t, w.RestartWorker(t.Context(), worker))
	sofar := strings.Count(w.log(t, talker, "stdout"), "\n")
	w.logHas(t, talker, fmt.Sprintf("out %d\n", sofar+100))
	w.open(t, containers[stayer])
	w.open(t, containers[talker])

	for _, id := range ids {
		w.succeeded(t, id)
	}
	for _, id := range ids[1:] {
		if log := w.log(t, id, ""); log != "before\nafter\n" {
			t.Errorf("task %s: the log is %q", id, log)
		}
	}
	lines, err := strconv.Atoi(strings.TrimSpace(w.output(t, talker, "count")))
	must(t, err)
	for stream, word := range map[string]string{"stdout": "out", "stderr": "err"} {
		sameLines(t, w.log(t, talker, stream), numbered(word, lines))
	}
	onlyOnce(t, starts.Of, ids)
}

// sameLines names the first line at which two logs part.
func sameLines(t *testing.T, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	have, wanted := strings.Split(got, "\n"), strings.Split(want, "\n")
	for n := range wanted {
		if n >= len(have) || have[n] != wanted[n] {
			t.Errorf("%d lines, want %d; they part at line %d: %q, want %q", len(have), len(wanted), n+1, have[n:min(n+3, len(have))], wanted[n])
			return
		}
	}
	t.Errorf("%d lines, want %d; the first too much is %q", len(have), len(wanted), have[len(wanted)])
}
