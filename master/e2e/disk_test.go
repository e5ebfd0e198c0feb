//go:build engine

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// newDisk is a small disk in a folder of the test's.
func newDisk(t *testing.T, size int) *rig.Disk {
	t.Helper()
	d, err := rig.NewDisk(t.Context(), filepath.Join(t.TempDir(), "disk"), size)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := d.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return d
}

// A task that writes more than it asked for is stopped and hears its limit.
func TestF14TaskFillsItsStorage(t *testing.T) {
	w, _ := newCluster(t, "4")
	r := w.small("echo begun; dd if=/dev/zero of=/output/big bs=1M count=200 2>/dev/null; exec sleep 1h")
	r.StorageRequired = ptr[int64](32)
	task := w.failed(t, w.submit(t, r), "storage")
	if !strings.Contains(task.Message, "32 MiB") {
		t.Errorf("the message names no limit: %q", task.Message)
	}
	if log := w.log(t, task.TaskID, ""); log != "begun\n" {
		t.Errorf("the log is %q", log)
	}
	w.succeeded(t, w.submit(t, w.small("echo next")))
}

// A worker whose disk is nearly full says so and gets no task. A task that finds
// no room fails by itself; nothing else does, and with room all goes on.
func TestF14WorkersDiskFull(t *testing.T) {
	disk := newDisk(t, 64)
	w := newWorld(t, "HEARTBEAT_INTERVAL=300ms", "HEARTBEAT_TIMEOUT=5s")
	w.dockerWorker(t, "w1", "WORKER_CPU=4", "WORKER_STORAGE=100000", "WORKER_DATA_DIR="+filepath.Join(disk.Dir, "w1"))
	r := w.gated("echo begun", "echo kept >/output/file && echo done")
	runs := w.submit(t, r)
	w.logHas(t, runs, "begun\n")
	runningIn := w.containerOf(t, runs)

	r = w.small("dd if=/dev/zero of=/output/big bs=1M count=100 || exit 7")
	// The disk is in memory, which its writer pays for.
	r.StorageRequired, r.MemoryRequired = ptr[int64](1000), ptr[int64](256)
	task := w.failed(t, w.submit(t, r), "exit")
	if task.ExitCode == nil || *task.ExitCode != 7 || !strings.Contains(w.log(t, task.TaskID, ""), "No space left on device") {
		t.Errorf("%s, log %q", describe(task), w.log(t, task.TaskID, ""))
	}
	await(t, verdict, func(context.Context) error { // its folder goes
		free, err := disk.Free()
		if err == nil && free < 32<<20 {
			err = fmt.Errorf("only %d bytes are free", free)
		}
		return err
	})

	must(t, disk.Fill(0))
	await(t, 5*time.Second, func(ctx context.Context) error { return w.WorkerIs(ctx, "w1", "unhealthy") })
	worker, err := w.API().Worker(t.Context(), "w1")
	must(t, err)
	if !strings.Contains(worker.Message, "disk is nearly full") {
		t.Errorf("the worker says %q", worker.Message)
	}
	waits := w.submit(t, w.small("echo waited"))
	await(t, 5*time.Second, func(ctx context.Context) error {
		task, err := w.API().Task(ctx, waits)
		if err == nil && (task.Waiting == nil || len(task.Waiting.Workers) == 0 || !strings.Contains(task.Waiting.Workers[0].Reason, "nearly full")) {
			err = fmt.Errorf("it waits for %+v", task.Waiting)
		}
		return err
	})

	must(t, disk.Empty())
	w.open(t, runningIn)
	w.succeeded(t, waits)
	if task := w.ended(t, runs); task.Status != "succeeded" {
		t.Fatalf("%s, log %q", describe(task), w.log(t, runs, ""))
	}
	if got := w.output(t, runs, "file"); got != "kept\n" {
		t.Errorf("the output is %q", got)
	}
}

// A master whose disk is nearly full takes no more files, and on one that is
// full it accepts nothing. What it has acknowledged is whole all the while, and
// with room it goes on by itself.
func TestF14MastersDiskFull(t *testing.T) {
	disk := newDisk(t, 64)
	w := newWorld(t, "MASTER_DATA_DIR="+filepath.Join(disk.Dir, "master"), "HEARTBEAT_INTERVAL=300ms", "HEARTBEAT_TIMEOUT=5s")
	w.fakeWorker(t, "w1", "WORKER_CPU=64", "WORKER_MEMORY=100000", "WORKER_STORAGE=100000")
	whole := func(id string) {
		t.Helper()
		if task := w.task(t, id); task.Status != "succeeded" {
			t.Errorf("task %s: %s", id, describe(task))
		}
		if log := w.log(t, id, ""); len(log) != 32000 {
			t.Errorf("task %s: the log has %d bytes", id, len(log))
		}
		files, err := w.API().TaskFiles(t.Context(), id)
		must(t, err)
		sum := sha256.Sum256([]byte(w.output(t, id, "out-00001.txt")))
		if len(files.Files) != 1 || files.Files[0].SHA256 != hex.EncodeToString(sum[:]) || files.Files[0].Size != 3<<20 {
			t.Errorf("task %s: the files are %+v", id, files)
		}
	}
	writer := func(sleep string) client.TaskRequest {
		r := w.small("")
		r.Env = map[string]string{"FAKE_SLEEP": sleep, "FAKE_LOG_LINES": "2000", "FAKE_OUTPUT_BYTES": fmt.Sprint(3 << 20)}
		return r
	}
	before := w.submit(t, writer("0s"))
	w.succeeded(t, before)

	// Nearly full: no files any more, all else goes on.
	must(t, disk.Fill(5<<20))
	refused := w.failed(t, w.submit(t, writer("0s")), "upload")
	if !strings.Contains(refused.Message, "disk") {
		t.Errorf("the message is %q", refused.Message)
	}
	if log := w.log(t, refused.TaskID, ""); len(log) != 32000 {
		t.Errorf("without its files: the log has %d bytes", len(log))
	}
	during := w.submit(t, writer("8s")) // it ends only when there is room again
	w.becomes(t, during, "running")

	// Full: nothing is acknowledged.
	must(t, disk.Fill(0))
	var accepted []string
	impatient, err := client.New(client.Options{Socket: w.Socket(), Patience: time.Millisecond})
	must(t, err)
	defer impatient.Close()
	await(t, 20*time.Second, func(ctx context.Context) error {
		task, err := impatient.Submit(ctx, w.small(""))
		var refusal *client.Error
		switch {
		case err == nil:
			accepted = append(accepted, task.TaskID)
			must(t, disk.Fill(0))
			return errors.New("it is accepted")
		case !errors.As(err, &refusal) || refusal.Status != 507:
			t.Fatalf("it is refused with %v", err)
		}
		t.Logf("after %d more a submit is refused: %d %v", len(accepted), refusal.Status, err)
		return nil
	})
	whole(before)

	must(t, disk.Empty())
	for _, id := range accepted {
		w.succeeded(t, id)
	}
	w.succeeded(t, during)
	after := w.submit(t, writer("0s"))
	w.succeeded(t, after)
	must(t, w.Master.Kill())
	must(t, w.StartMaster(t.Context()))
	for _, id := range []string{before, during, after} {
		whole(id)
	}
	if task := w.task(t, refused.TaskID); task.Status != "failed" || task.Failure != "upload" {
		t.Errorf("once more: %s", describe(task))
	}
}
