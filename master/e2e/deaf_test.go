//go:build engine

package e2e

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"cloudai/master/client"
)

// A worker whose heartbeats arrive while calls to it vanish is shown as
// unreachable and gets nothing. What it has goes on and ends as always, since
// that needs calls from the worker only: results, logs, cancels. An assignment
// that it never heard comes back at no cost, once it says so.
func TestF07DeafWorker(t *testing.T) {
	h := newHost(t)
	w := worldOn(t, h, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=4s")
	deaf := w.farWorker(t, h, "w1", "WORKER_CPU=4")
	now, err := w.API().Worker(t.Context(), "w1")
	must(t, err)
	_, port, err := net.SplitHostPort(now.Address)
	must(t, err)
	starts := w.engine.Starts(t.Context())
	defer starts.Stop()
	once := w.gated("echo begin", "seq 2000; echo x >/output/x; echo end >&2")
	once.MaxReschedules, once.MaxRetries = ptr(0), ptr(0)
	finishes, cancelled := w.submit(t, once), w.submit(t, once)
	for _, id := range []string{finishes, cancelled} {
		w.becomes(t, id, "running")
		w.logHas(t, id, "begin\n")
	}

	must(t, h.Deafen(t.Context(), port))
	unheard := w.submit(t, once) // the master does not know yet
	await(t, verdict, func(ctx context.Context) error { return w.WorkerIs(ctx, "w1", "unreachable") })
	if now, err = w.API().Worker(t.Context(), "w1"); err != nil || !strings.Contains(now.Message, "calls to "+now.Address+" fail") {
		t.Errorf("the reason is %q, %v", now.Message, err)
	}
	await(t, verdict, func(ctx context.Context) error {
		task, err := w.API().Task(ctx, unheard)
		if err == nil && (task.Status != "queued" || task.Attempt != 2) {
			err = fmt.Errorf("the assignment that was not heard: %s", describe(task))
		}
		return err
	})
	waits := w.submit(t, once)

	// Its log, too, comes by calls of the worker's.
	w.open(t, w.containerOf(t, finishes))
	w.succeeded(t, finishes)
	if out, errs := w.log(t, finishes, "stdout"), w.log(t, finishes, "stderr"); len(out) != 8893+len("begin\n") || !strings.HasSuffix(out, "\n2000\n") || errs != "end\n" {
		t.Errorf("the log has %d bytes, and %q", len(out), errs)
	}
	if got := w.output(t, finishes, "x"); got != "x\n" {
		t.Errorf("the output is %q", got)
	}
	_, err = w.API().Cancel(t.Context(), cancelled)
	must(t, err)
	if task := w.ended(t, cancelled); task.Status != "cancelled" || strings.Contains(task.Message, "not confirm") {
		t.Errorf("the worker has not confirmed: %s", describe(task))
	}
	must(t, w.WorkerIs(t.Context(), "w1", "unreachable"))
	w.beats(t, "w1", 4)
	for _, id := range []string{unheard, waits} {
		task := w.task(t, id)
		if task.Status != "queued" || task.Waiting == nil || !slices.ContainsFunc(task.Waiting.Workers, func(r client.WorkerReason) bool {
			return r.WorkerID == "w1" && strings.Contains(r.Reason, "unreachable")
		}) {
			t.Errorf("meanwhile: %s, waiting %+v", describe(task), task.Waiting)
		}
	}

	must(t, h.Hear(t.Context(), port))
	for _, id := range []string{unheard, waits} {
		w.openSoon(t, id)
		if task := w.ended(t, id); task.Status != "succeeded" {
			t.Errorf("once it can be called again: %s", describe(task))
		}
	}
	onlyOnce(t, starts.Of, []string{finishes, cancelled, unheard, waits})
	await(t, verdict, w.Clean) // what the worker has not removed when it is killed stays
	w.unheardAndLost(t, func() { must(t, h.Deafen(t.Context(), port)) }, deaf.Kill)
}

// unheardAndLost: an assignment that the worker never heard goes elsewhere when
// the worker is lost before it could say so.
func (w *world) unheardAndLost(t *testing.T, deafen func(), kill func() error) {
	t.Helper()
	deafen()
	id := w.submit(t, w.small("echo elsewhere"))
	w.becomes(t, id, "assigned")
	must(t, kill())
	w.dockerWorker(t, "w2", "WORKER_CPU=1", "ADVERTISE_ADDR=127.0.0.1")
	if task := w.ended(t, id); task.Status != "succeeded" || task.WorkerID != "w2" || task.Attempt != 2 {
		t.Errorf("%s; %+v", describe(task), task.Attempts)
	}
}
