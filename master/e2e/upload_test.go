//go:build engine

package e2e

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// breakable is a cluster whose worker sends everything over a wire.
type breakable struct {
	*world
	worker *rig.Worker
	wire   *rig.Wire

	master, sender *memory
}

// An upload that is broken off again and again, by the network, the master and
// the worker, goes on where it was, with constant memory on both sides. Its
// files can be had when all of them are whole, and each is what the task wrote.
func TestF20SoakUpload(t *testing.T) {
	size, breaks := int64(amount(4096, 256))<<20, amount(9, 6)
	w := newBreakable(t)
	w.warmUp(t)

	before := w.wire.Passed(rig.ToMaster)
	id := w.submit(t, w.writing(size))
	for b := range breaks {
		w.uploads(t, size*int64(b+1)/int64(breaks+1))
		w.wire.Stop(rig.ToMaster, 0) // or the rest may be there before this has looked
		if task := w.task(t, id); task.State != "upload_files" {
			t.Fatalf("before break %d: %s", b+1, describe(task))
		}
		w.unseen(t, id)
		w.wire.Go(rig.ToMaster)
		switch b % 3 {
		case 0:
			w.wire.Cut()
		case 1:
			w.master.look(t, w.Master)
			must(t, w.Master.Kill())
			must(t, w.StartMaster(t.Context()))
		case 2:
			w.sender.look(t, w.worker.Process)
			must(t, w.worker.Kill())
			must(t, w.RestartWorker(t.Context(), w.worker))
		}
	}
	w.endedLong(t, id)
	w.succeeded(t, id)
	w.asWritten(t, id, size)
	w.master.look(t, w.Master)
	w.sender.look(t, w.worker.Process)

	during := fmt.Sprintf("an output of %v broken off %d times", mebibytes(size), breaks)
	w.master.judge(t, during)
	w.sender.judge(t, during)
	sent := w.wire.Passed(rig.ToMaster) - before
	if sent < size {
		t.Errorf("only %v went over the wire", mebibytes(sent))
	}
	// What was under way at a break may be lost.
	atMost(t, "sent of "+during, mebibytes(sent), mebibytes(size+size/50+int64(breaks)*(8<<20)))
}

func newBreakable(t *testing.T) *breakable {
	t.Helper()
	w := &breakable{}
	w.world = newWorldAt(t, func(r *rig.Rig) {
		var err error
		w.wire, err = rig.NewWire(r.GRPC())
		must(t, err)
		t.Cleanup(func() {
			if err := w.wire.Close(); err != nil {
				t.Error(err)
			}
		})
		r.Configure("ADVERTISE_ADDR=" + w.wire.Addr()) // no way around it
	}, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=15s")
	w.worker = w.dockerWorker(t, "w1", "WORKER_CPU=2", "WORKER_STORAGE=100000", "MASTER_ADDR="+w.wire.Addr())
	return w
}

// warmUp runs a small task of the kind, after which both are idle.
func (w *breakable) warmUp(t *testing.T) {
	t.Helper()
	w.succeeded(t, w.submit(t, w.writing(4<<20)))
	w.master, w.sender = idle(t, "master", w.Master), idle(t, "worker", w.worker.Process)
}

// writing is a task that writes files of so many bytes together and prints
// their sums.
func (w *breakable) writing(size int64) client.TaskRequest {
	half, third := size/2, size/3
	r := w.small(fmt.Sprintf(`cd /output && mkdir -p deep/er && : >empty
		head -c %d /dev/urandom >half
		head -c %d /dev/urandom >deep/third
		head -c %d /dev/urandom >deep/er/rest
		sha256sum half deep/third deep/er/rest empty`, half, third, size-half-third))
	r.CPURequired, r.MemoryRequired, r.StorageRequired = ptr(2.0), ptr[int64](512), ptr(size>>20+1)
	return r
}

// uploads waits until the master has so many bytes of an upload.
func (w *world) uploads(t *testing.T, bytes int64) {
	t.Helper()
	await(t, 15*time.Minute, func(context.Context) error { // gigabytes are written first
		have, err := w.Staged()
		if err == nil && have < bytes {
			err = fmt.Errorf("%d of %d bytes are there", have, bytes)
		}
		return err
	})
}

// unseen checks that nobody can have a file of the task yet.
func (w *breakable) unseen(t *testing.T, id string) {
	t.Helper()
	files, err := w.API().TaskFiles(t.Context(), id)
	if err != nil || len(files.Files) > 0 || files.TotalSize > 0 {
		t.Errorf("in the middle of the upload its files are %+v, %v", files, err)
	}
	for _, path := range []string{"empty", "deep/third"} {
		body, err := w.API().OpenFile(t.Context(), id, path)
		if err == nil {
			_ = body.Close() // nobody wants it
		}
		if !client.IsNotFound(err) {
			t.Errorf("in the middle of the upload %s is answered with %v", path, err)
		}
	}
}

// endedLong is ended for a task of minutes.
func (w *world) endedLong(t *testing.T, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	if _, err := w.API().WaitTask(ctx, id); err != nil {
		t.Fatalf("waiting for task %s: %v; now: %s", id, err, describe(w.task(t, id)))
	}
}

// asWritten compares the files with the sums that the task has printed.
func (w *breakable) asWritten(t *testing.T, id string, size int64) {
	t.Helper()
	files, err := w.API().TaskFiles(t.Context(), id)
	must(t, err)
	listed := map[string]string{}
	for _, f := range files.Files {
		listed[f.Path] = f.SHA256
	}
	if len(listed) != 4 || files.TotalSize != size || len(files.Skipped) > 0 {
		t.Errorf("the files are %+v", files)
	}
	lines := bufio.NewScanner(strings.NewReader(w.log(t, id, "stdout")))
	n := 0
	for ; lines.Scan(); n++ {
		sum, path, _ := strings.Cut(lines.Text(), "  ")
		if listed[path] != sum {
			t.Errorf("%s is listed with %q, the task says %q", path, listed[path], sum)
		}
		if got := w.sumOf(t, id, path); got != sum {
			t.Errorf("%s comes with %q, the task says %q", path, got, sum)
		}
	}
	if n != 4 {
		t.Errorf("the task has printed %d sums", n)
	}
	home, err := filepath.Glob(filepath.Join(w.FilesDir(), "*", id))
	if err != nil || len(home) != 1 {
		t.Errorf("the task's folders are %q, %v", home, err)
	}
	if entries, err := os.ReadDir(filepath.Join(w.FilesDir(), ".staging")); err == nil && len(entries) > 0 {
		t.Errorf("%d folders are still staged", len(entries))
	}
}

// sumOf reads an output file and gives its SHA-256.
func (w *world) sumOf(t *testing.T, id, path string) string {
	t.Helper()
	body, err := w.API().OpenFile(t.Context(), id, path)
	must(t, err)
	defer body.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, body)
	must(t, err)
	return hex.EncodeToString(sum.Sum(nil))
}
