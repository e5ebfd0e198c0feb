//go:build engine

package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// newHost is another machine, for one test.
func newHost(t *testing.T) *rig.Host {
	t.Helper()
	h, err := rig.NewHost(t.Context())
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return h
}

// worldOn is a world whose master listens where another host can reach it.
func worldOn(t *testing.T, h *rig.Host, masterSettings ...string) *world {
	t.Helper()
	return newWorldAt(t, func(r *rig.Rig) { r.Bind(h.Here) }, masterSettings...)
}

// farWorker starts a worker on another host, with these settings, and waits until
// the master counts on it.
func (w *world) farWorker(t *testing.T, h *rig.Host, id string, settings ...string) *rig.Worker {
	t.Helper()
	if w.engine == nil {
		var err error
		w.engine, err = w.Engine()
		must(t, err)
		w.image = testImage(t)
	}
	worker := w.tryFar(t, h, id, append(settings, "WORKER_ID="+id)...)
	await(t, verdict, func(ctx context.Context) error { return w.WorkerIs(ctx, id, "active") })
	return worker
}

// tryFar starts a worker on another host and waits for nothing.
func (w *world) tryFar(t *testing.T, h *rig.Host, name string, settings ...string) *rig.Worker {
	t.Helper()
	program, err := filepath.Abs(filepath.Join(binaries(), "worker"))
	must(t, err)
	settings = append(settings, "MASTER_ADDR="+w.GRPC(), "JOIN_TOKEN_FILE="+filepath.Join(w.MasterDir(), "join-token"), "exec", program)
	worker, err := w.StartOn(h, name, strings.Join(settings, " "))
	must(t, err)
	return worker
}

// A worker on another machine needs the command that join prints and nothing
// else. One that cannot be called back gets no task and says why.
func TestSecondHost(t *testing.T) {
	h := newHost(t)
	w := worldOn(t, h)
	join := w.cli(t, "join")
	if join.code != 0 || !strings.HasSuffix(join.stdout, " ./runWorker.sh\n") || !strings.Contains(join.stdout, "MASTER_ADDR="+w.GRPC()+" JOIN_TOKEN=") {
		t.Fatalf("%+v", join)
	}
	program, err := filepath.Abs(filepath.Join(binaries(), "worker"))
	must(t, err)
	command := strings.Replace(strings.TrimSpace(join.stdout), "./runWorker.sh", "exec "+program, 1)
	w.engine, err = w.Engine()
	must(t, err)
	w.image = testImage(t)
	_, err = w.StartOn(h, "far", command)
	must(t, err)
	var far client.Worker
	await(t, verdict, func(ctx context.Context) error {
		for worker, err := range w.API().Workers(ctx) {
			if err != nil {
				return err
			}
			if far = worker; worker.Status == "active" {
				return nil
			}
		}
		return fmt.Errorf("no active worker: %+v", far)
	})
	host, port, err := net.SplitHostPort(far.Address)
	if err != nil || host != h.Addr {
		t.Fatalf("the worker is called at %s, not on %s", far.Address, h.Addr)
	}
	w.succeeded(t, w.submit(t, w.small("echo over there; echo 1 >/output/x")))

	// Nobody gets through to it any more; its heartbeats still arrive.
	block := []string{"INPUT", "-p", "tcp", "--dport", port, "-j", "REJECT", "--reject-with", "tcp-reset"}
	must(t, h.Run(t.Context(), append([]string{"iptables", "-A"}, block...)...))
	id := w.submit(t, w.small("echo late"))
	await(t, verdict, func(ctx context.Context) error { return w.WorkerIs(ctx, far.WorkerID, "unreachable") })
	if got := w.cli(t, "workers"); !strings.Contains(got.stdout, "unreachable") || !strings.Contains(got.stdout, "calls to "+far.Address+" fail") {
		t.Errorf("%+v", got)
	}
	w.becomes(t, id, "queued") // once the worker has said that it did not hear of it
	if why := w.cli(t, "explain", id); !strings.Contains(why.stdout, "unreachable") {
		t.Errorf("%+v", why)
	}
	must(t, h.Run(t.Context(), append([]string{"iptables", "-D"}, block...)...))
	if task := w.ended(t, id); task.Status != "succeeded" {
		t.Errorf("once it can be called again: %s", describe(task))
	}
	worker := w.Workers()[0]
	must(t, worker.Term(15*time.Second))
}

// What a worker with a wrong token hears says what to do; the token itself
// appears nowhere.
func TestF26WrongJoinToken(t *testing.T) {
	w := newWorld(t)
	w.refuses = true
	other := newWorld(t)
	token, err := os.ReadFile(other.MasterDir() + "/join-token")
	must(t, err)
	for name, c := range map[string]struct{ token, want string }{
		"another-master's": {strings.TrimSpace(string(token)), "join"},
		"cut-off":          {"cloudai1.abc", "truncated"},
		"something-else":   {"hunter2", "not a join token"},
	} {
		worker, err := w.TryWorker("w-"+strings.TrimSuffix(name, "'s"), "EXECUTOR=fake", "JOIN_TOKEN="+c.token, "JOIN_TOKEN_FILE=")
		must(t, err)
		await(t, verdict, func(context.Context) error {
			said := worker.Tail(64 << 10)
			if !strings.Contains(said, c.want) {
				return fmt.Errorf("%s: %s", name, said)
			}
			return nil
		})
		if said := worker.Tail(64 << 10); strings.Contains(said, "hunter2") || len(c.token) > 40 && strings.Contains(said, strings.Split(c.token, ".")[1]) {
			t.Errorf("%s: the log holds the secret: %s", name, said)
		}
	}
	for worker, err := range w.API().Workers(t.Context()) {
		t.Errorf("%s was let in, %v", worker.WorkerID, err)
	}
}

// The first account from another machine needs the setup code.
func TestFirstAccountFromElsewhere(t *testing.T) {
	h := newHost(t)
	w := worldOn(t, h)
	from := func(body string) string {
		t.Helper()
		command := h.Command("curl", "-sS", "--max-time", "10", "-w", "\n%{http_code}", "http://"+w.HTTP()+"/api/auth/register", "-d", body)
		out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).Output()
		must(t, err)
		return string(out)
	}
	body := `{"name":"ann","email":"ann@example.org","password":"long enough"%s}`
	if got := from(fmt.Sprintf(body, "")); !strings.HasSuffix(got, "\n403") || !strings.Contains(got, "setup_code") {
		t.Fatalf("without the code: %s", got)
	}
	_, rest, ok := strings.Cut(w.Master.Tail(64<<10), "setup_code ")
	if !ok {
		t.Fatalf("the master prints no setup code: %s", w.Master.Tail(4<<10))
	}
	code, _, _ := strings.Cut(rest, "\n")
	if got := from(fmt.Sprintf(body, `,"setup_code":"`+strings.TrimSpace(code)+`"`)); !strings.HasSuffix(got, "\n201") || !strings.Contains(got, `"role":"admin"`) {
		t.Fatalf("with the code: %s", got)
	}
	if got := from(strings.ReplaceAll(fmt.Sprintf(body, ""), "ann", "bob")); !strings.HasSuffix(got, "\n201") || !strings.Contains(got, `"role":"user"`) {
		t.Fatalf("the second one: %s", got)
	}
}

// Twenty tasks on two workers are ten each, and what fits on neither says why
// for both.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refuses = true // once one of them is removed
	for _, id := range []string{"w1", "w2"} {
		w.dockerWorker(t, id, "WORKER_CPU=20", "WORKER_MEMORY=20000", "WORKER_STORAGE=20000")
	}
	var ids []string
	for range 20 {
		ids = append(ids, w.submit(t, w.small("true")))
	}
	on := map[string]int{}
	for _, id := range ids {
		on[w.succeeded(t, id).WorkerID]++
	}
	if on["w1"] != 10 || on["w2"] != 10 {
		t.Errorf("the tasks are spread as %v", on)
	}
	r := w.small("true")
	r.CPURequired = ptr(4096.0)
	id := w.submit(t, r)
	got := w.cli(t, "explain", id)
	for _, want := range []string{"unschedulable", "asked 4096", "w1", "w2"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("explain does not say %q: %s", want, got.stdout)
		}
	}
	_, err := w.API().Cancel(t.Context(), id)
	must(t, err)

	// A drained worker gets nothing, a removed one is forgotten until it is
	// registered again, by its address alone.
	if got := w.cli(t, "drain", "w1"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	for range 4 {
		if task := w.succeeded(t, w.submit(t, w.small("true"))); task.WorkerID != "w2" {
			t.Errorf("a task ran on %s, which is drained", task.WorkerID)
		}
	}
	address := ""
	for worker, err := range w.API().Workers(t.Context()) {
		must(t, err)
		if worker.WorkerID == "w1" {
			address = worker.Address
		}
	}
	if got := w.cli(t, "unregister", "w1"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if got := w.cli(t, "stats", "w1", "--once"); got.code == 0 {
		t.Errorf("a removed worker is shown: %+v", got)
	}
	if got := w.cli(t, "register", "w2", address); got.code != 1 || !strings.Contains(got.stderr, "w1") {
		t.Errorf("the wrong id is taken: %+v", got)
	}
	if got := w.cli(t, "register", "w1", address); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	await(t, verdict, func(ctx context.Context) error { return w.WorkerIs(ctx, "w1", "active") })
}
