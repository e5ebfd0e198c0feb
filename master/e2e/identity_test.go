//go:build engine

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudai/master/e2e/rig"
	"cloudai/master/internal/freeport"
)

// complains waits until the worker's log has all of the texts.
func complains(t *testing.T, worker *rig.Worker, texts ...string) {
	t.Helper()
	await(t, verdict, func(context.Context) error {
		said := worker.Tail(64 << 10)
		for _, text := range texts {
			if !strings.Contains(said, text) {
				return fmt.Errorf("worker %s has not said %q: %s", worker.ID, text, said)
			}
		}
		return nil
	})
}

// Of two workers with one id the second is refused by name and told where the
// first one lives, on another host, with other data or with a copy of the
// first one's; the first one's tasks run on.
func TestF26SameIDTwice(t *testing.T) {
	h := newHost(t)
	w := worldOn(t, h, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=5s")
	w.refuses = true
	first := w.dockerWorker(t, "w1", "WORKER_CPU=2", "ADVERTISE_ADDR=127.0.0.1")
	id := w.submit(t, w.gated("echo begin", "echo end"))
	w.becomes(t, id, "running")
	at, err := w.API().Worker(t.Context(), "w1")
	must(t, err)

	copied := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(copied, os.DirFS(first.Dir)))
	must(t, os.Remove(filepath.Join(copied, "lock")))
	for name, settings := range map[string][]string{
		"elsewhere": {"WORKER_ID=w1", "ADVERTISE_ADDR=127.0.0.1"},
		"copy":      {"WORKER_ID=w1", "ADVERTISE_ADDR=127.0.0.1", "WORKER_DATA_DIR=" + copied},
	} {
		second, err := w.TryWorker(name, settings...)
		must(t, err)
		complains(t, second, "another worker with this WORKER_ID is alive", "w1 lives at "+at.Address)
		must(t, second.Kill())
	}
	second := w.tryFar(t, h, "far", "WORKER_ID=w1")
	complains(t, second, "w1 lives at "+at.Address)
	w.beats(t, "w1", 2)
	if now, err := w.API().Worker(t.Context(), "w1"); err != nil || now.Status != "active" || now.Address != at.Address {
		t.Errorf("the first one is %s at %s, %v", now.Status, now.Address, err)
	}
	w.open(t, w.containerOf(t, id))
	w.succeeded(t, id)
	if log := w.log(t, id, ""); log != "begin\nend\n" {
		t.Errorf("the log is %q", log)
	}
	must(t, second.Kill())
}

// A worker that has lost its data folder, and its certificate with it, takes
// over at once at its old address: its containers are adopted long before the
// deadline. So do two workers that come back with each other's address.
func TestF26NewCertificate(t *testing.T) {
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=2m")
	one, err := freeport.Address()
	must(t, err)
	two, err := freeport.Address()
	must(t, err)
	first := w.dockerWorker(t, "w1", "WORKER_CPU=1", "WORKER_ADDR="+one)
	second := w.dockerWorker(t, "w2", "WORKER_CPU=1", "WORKER_ADDR="+two)
	starts := w.engine.Starts(t.Context())
	defer starts.Stop()
	r := w.gated("echo begin", "echo end")
	r.TargetWorkerID, r.MaxReschedules = "w1", ptr(0)
	id := w.submit(t, r)
	w.becomes(t, id, "running")
	soon := func(what string) func() {
		began := time.Now()
		return func() {
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("%s: it took %s", what, took)
			}
		}
	}

	must(t, first.Kill())
	certificates, err := filepath.Glob(filepath.Join(first.Dir, "worker*"))
	must(t, err)
	if len(certificates) == 0 {
		t.Fatal("there is no certificate to lose")
	}
	for _, path := range certificates {
		must(t, os.RemoveAll(path))
	}
	done := soon("a new certificate")
	must(t, w.RestartWorker(t.Context(), first))
	done()

	must(t, first.Kill())
	must(t, second.Kill())
	first.Set("WORKER_ADDR=" + two)
	second.Set("WORKER_ADDR=" + one)
	done = soon("each other's address")
	for _, worker := range []*rig.Worker{first, second} {
		worker.Process, err = w.LaunchWorker(worker)
		must(t, err)
	}
	for _, at := range [][2]string{{"w1", two}, {"w2", one}} {
		await(t, verdict, func(ctx context.Context) error {
			now, err := w.API().Worker(ctx, at[0])
			if err == nil && (now.Status != "active" || now.Address != at[1]) {
				err = fmt.Errorf("worker %s is %s at %s", at[0], now.Status, now.Address)
			}
			return err
		})
	}
	done()
	w.open(t, w.containerOf(t, id))
	if task := w.succeeded(t, id); task.WorkerID != "w1" {
		t.Errorf("it ended on %s", task.WorkerID)
	}
	onlyOnce(t, starts.Of, []string{id})
}

// A join token is revoked by removing its file and starting the master again:
// who has the old one is refused from then on, and told what to do.
func TestF26RevokedJoinToken(t *testing.T) {
	w := newWorld(t)
	w.refuses = true
	path := filepath.Join(w.MasterDir(), "join-token")
	token, err := os.ReadFile(path)
	must(t, err)
	old := strings.TrimSpace(string(token))
	worker := w.fakeWorker(t, "w1", "JOIN_TOKEN="+old, "JOIN_TOKEN_FILE=")
	must(t, w.Master.Kill())
	must(t, os.Remove(path))
	must(t, w.StartMaster(t.Context()))
	w.succeeded(t, w.submit(t, w.small(""))) // who has joined goes on
	must(t, worker.Kill())
	worker.Process, err = w.LaunchWorker(worker)
	must(t, err)
	complains(t, worker, "the master does not accept the join token")
	must(t, worker.Kill())
	token, err = os.ReadFile(path)
	must(t, err)
	worker.Set("JOIN_TOKEN=" + strings.TrimSpace(string(token)))
	must(t, w.RestartWorker(t.Context(), worker))
	w.succeeded(t, w.submit(t, w.small("")))
}

// A worker works for a master that is one minor version away; further away it
// is refused, with both versions named.
func TestF26Versions(t *testing.T) {
	t.Parallel()
	programs := t.TempDir()
	build := func(program, version string) {
		t.Helper()
		path := filepath.Join(programs, program)
		if program == "worker" {
			path += version
		}
		cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-X main.version="+version, "-o", path, "./"+program)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	build("master", "v1.4.2")
	build("worker", "v1.3.9")
	build("worker", "v1.6.0")
	use := func(version string) string {
		t.Helper()
		must(t, os.RemoveAll(filepath.Join(programs, "worker")))
		must(t, os.Link(filepath.Join(programs, "worker"+version), filepath.Join(programs, "worker")))
		return programs
	}
	w := newWorldOf(t, use("v1.3.9"), func(*rig.Rig) {})
	w.refuses = true
	w.fakeWorker(t, "near", "WORKER_CPU=1")
	use("v1.6.0")
	far, err := w.TryWorker("far", "EXECUTOR=fake")
	must(t, err)
	complains(t, far, "the master refuses this worker", "the worker has version v1.6.0, the master v1.4.2")
	if task := w.succeeded(t, w.submit(t, w.small(""))); task.WorkerID != "near" {
		t.Errorf("it ran on %s", task.WorkerID)
	}
	if now, err := w.API().Worker(t.Context(), "far"); err == nil {
		t.Errorf("the one from too far away is %s", now.Status)
	}
}
