//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// lasting is a task on a fake worker that runs for so long and prints all the
// time.
func (w *world) lasting(sleep string, reschedules int) client.TaskRequest {
	r := w.small("")
	r.Env = map[string]string{"FAKE_SLEEP": sleep, "FAKE_LOG_LINES": "100"}
	r.MaxReschedules = ptr(reschedules)
	return r
}

// A worker whose host is gone for ever is lost when its deadline has passed,
// with the deadlines as they are by default. Its tasks run elsewhere, but for
// one that may not, and what they may retry for their own doing is not touched.
func TestF05SoakHostGone(t *testing.T) {
	const timeout = 15 * time.Second // HEARTBEAT_TIMEOUT's default
	w := newWorld(t, byDefault)
	gone := w.fakeWorker(t, "w1", "WORKER_CPU=4")
	moves, stays, retries := w.lasting("2s", 3), w.lasting("2s", 0), w.lasting("2s", 1)
	retries.MaxRetries = ptr(1)
	retries.Env["FAKE_EXIT"] = "3"
	var ids []string
	for _, r := range []client.TaskRequest{moves, stays, retries} {
		ids = append(ids, w.submit(t, r))
	}
	for _, id := range ids {
		w.becomes(t, id, "running")
	}

	must(t, w.Vanish(gone))
	w.fakeWorker(t, "w2", "WORKER_CPU=4") // only now: none of the tasks may end before
	seen, err := w.API().Worker(t.Context(), "w1")
	must(t, err)
	last := *seen.LastHeartbeat // there will be no other
	noticed := func(ctx context.Context) error { return w.WorkerIs(ctx, "w1", "lost") }
	await(t, timeout+verdict, noticed)
	atMost(t, "last heartbeat to the worker shown as lost", milliseconds(time.Since(last)), timeout+time.Second)
	if seen, err := w.API().Worker(t.Context(), "w1"); err != nil || !seen.LastHeartbeat.Equal(last) {
		t.Fatalf("the last heartbeat was at %v, not %v: %v", seen.LastHeartbeat, last, err)
	}

	var latest time.Duration
	for _, id := range []string{ids[0], ids[2]} {
		w.attemptRuns(t, id, 2)
		latest = max(latest, w.event(t, id, 2, "queued").Time.Sub(last))
	}
	atMost(t, "last heartbeat to its tasks back in the queue", milliseconds(latest), timeout+time.Second)
	lost := w.failed(t, ids[1], "worker_lost")
	if lost.Attempt != 1 || len(lost.Attempts) != 1 || !strings.Contains(lost.Message, "w1") {
		t.Errorf("the task that may not run again: %s, attempts %+v", describe(lost), lost.Attempts)
	}
	if moved := w.ended(t, ids[0]); moved.Status != "succeeded" || failures(moved) != "worker_lost," {
		t.Errorf("the task that may run again: %s, attempts %+v", describe(moved), moved.Attempts)
	}
	// The loss has not used up its one retry, nor the retry the reschedule.
	if own := w.failed(t, ids[2], "exit"); failures(own) != "worker_lost,exit,exit" {
		t.Errorf("the task that fails by itself: %s, attempts %+v", describe(own), own.Attempts)
	}
}

// attemptRuns waits until an attempt of the task runs.
func (w *world) attemptRuns(t *testing.T, id string, attempt int) {
	t.Helper()
	await(t, verdict, func(ctx context.Context) error {
		task, err := w.API().Task(ctx, id)
		if err == nil && (task.Attempt != attempt || task.Status != "running") {
			err = errors.New(describe(task))
		}
		return err
	})
}

// event is the task's event of entering a state in an attempt.
func (w *world) event(t *testing.T, id string, attempt int, state string) client.Event {
	t.Helper()
	for _, e := range w.events(t, id) {
		if e.Attempt == attempt && e.State == state {
			return e
		}
	}
	t.Fatalf("task %s has no event %s of attempt %d", id, state, attempt)
	return client.Event{}
}

// failures are those of all attempts in a row.
func failures(task client.Task) string {
	var all []string
	for _, a := range task.Attempts {
		all = append(all, a.Failure)
	}
	return strings.Join(all, ",")
}

// A task whose workers go one after the other runs elsewhere while
// max_reschedules lasts, and fails then. The log of each attempt says where it
// ends and why.
func TestF05Exhausted(t *testing.T) {
	w := newWorld(t, "HEARTBEAT_INTERVAL=300ms", "HEARTBEAT_TIMEOUT=1500ms")
	first := w.fakeWorker(t, "w1")
	r := w.lasting("1h", 1)
	r.MaxRetries = ptr(5)
	id := w.submit(t, r)
	for attempt, worker := range []*rig.Worker{first, w.fakeWorker(t, "w2")} {
		w.attemptRuns(t, id, attempt+1)
		w.logHas(t, id, "line 1.")
		must(t, w.Vanish(worker))
	}
	task := w.failed(t, id, "worker_lost")
	if task.Attempt != 2 || failures(task) != "worker_lost,worker_lost" || !strings.Contains(task.Message, "w2") {
		t.Errorf("%s, attempts %+v", describe(task), task.Attempts)
	}
	for attempt := 1; attempt <= 2; attempt++ {
		log := w.read(t, fmt.Sprintf("/api/tasks/%s/logs?attempt=%d", id, attempt))
		begin, marker, found := strings.Cut(log, "[cloudai] ")
		if !found || !strings.Contains(marker, fmt.Sprintf("attempt %d", attempt)) || !strings.Contains(marker, fmt.Sprint(len(begin))) {
			t.Errorf("the log of attempt %d is %q", attempt, log)
		}
	}
}
