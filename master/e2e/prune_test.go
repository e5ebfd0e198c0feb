//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cloudai/master/client"
)

// A master that is killed while it prunes leaves both sides whole: what a record
// refers to can be read to its end, and what no record refers to is gone from the
// disk soon after the next start.
func TestPruneKilled(t *testing.T) {
	t.Parallel()
	const tasks = 240
	w, rng := newWorld(t), seeded(t)
	w.image = "busybox:latest"
	w.fakeWorker(t, "w1", "WORKER_CPU=64", "WORKER_MEMORY=1000000", "WORKER_STORAGE=1000000")
	ids := make([]string, tasks)
	var group sync.WaitGroup
	for part := range 4 {
		group.Go(func() {
			for n := part; n < tasks; n += 4 {
				r := w.small("")
				r.Env = map[string]string{"FAKE_LOG_LINES": "20", "FAKE_OUTPUT_FILES": "3", "FAKE_OUTPUT_BYTES": "2000"}
				ids[n] = w.submit(t, r)
			}
		})
	}
	group.Wait()
	for _, id := range ids {
		w.succeeded(t, id)
	}
	read := w.kept(t, ids)
	if read.tasks != tasks || read.logs != tasks || read.files != tasks {
		t.Fatalf("before anything is pruned: %+v", read)
	}
	everything, none := ptr("0s"), ptr[int64](0)
	amid := 0
	for n, r := range []client.PruneRequest{
		{Logs: everything},
		{Files: everything},
		{Logs: everything, Files: everything},
		{Bytes: none},
		{Tasks: everything},
		{Tasks: everything},
		{Tasks: everything},
	} {
		if w.killAmidPrune(t, r, time.Duration(rng.IntN(150))*time.Millisecond) {
			amid++
		}
		must(t, w.StartMaster(t.Context()))
		now := w.kept(t, ids)
		t.Logf("kill point %d: %+v", n, now)
		await(t, verdict, func(context.Context) error { return w.onDisk(now) })
	}
	t.Logf("%d prunings were under way when the master was killed", amid)
	_, err := w.API().Prune(t.Context(), client.PruneRequest{Tasks: everything})
	must(t, err)
	last := w.kept(t, ids)
	if last != (keeping{}) {
		t.Errorf("after everything was pruned: %+v", last)
	}
	must(t, w.onDisk(last))
}

// killAmidPrune kills the master a moment after it was told to prune, and
// reports whether it had not answered by then.
func (w *world) killAmidPrune(t *testing.T, r client.PruneRequest, after time.Duration) (amid bool) {
	t.Helper()
	api, err := client.New(client.Options{Socket: w.Socket(), Patience: time.Nanosecond})
	must(t, err)
	defer api.Close()
	answer := make(chan error, 1)
	go func() {
		_, err := api.Prune(t.Context(), r)
		answer <- err
	}()
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-timer.C:
	case err := <-answer:
		must(t, err)
		answer <- nil
	}
	must(t, w.Master.Kill())
	err = <-answer
	var gone *client.UnreachableError
	if err != nil && !errors.As(err, &gone) {
		t.Errorf("a pruning that was cut off: %v", err)
	}
	return err != nil
}

// keeping counts what is kept.
type keeping struct{ tasks, logs, files int }

// kept reads all that the records of the tasks refer to, and counts it.
func (w *world) kept(t *testing.T, ids []string) (k keeping) {
	t.Helper()
	for _, id := range ids {
		task, err := w.API().Task(t.Context(), id)
		if client.IsNotFound(err) {
			continue
		}
		must(t, err)
		k.tasks++
		lines, err := w.countLog(t.Context(), id)
		var problem *client.Error
		switch {
		case err == nil && !task.LogsDeleted && lines == 20:
			k.logs++
		case task.LogsDeleted && errors.As(err, &problem) && problem.Status == http.StatusGone:
		default:
			t.Errorf("the log of task %s (deleted: %v) has %d lines, %v", id, task.LogsDeleted, lines, err)
		}
		files, err := w.API().TaskFiles(t.Context(), id)
		must(t, err)
		switch {
		case task.FilesDeleted && len(files.Files) == 0:
		case !task.FilesDeleted && len(files.Files) == 3:
			k.files++
			for _, f := range files.Files {
				body, err := w.API().OpenFile(t.Context(), id, f.Path)
				must(t, err)
				n, err := io.Copy(io.Discard, body)
				if err := errors.Join(err, body.Close()); err != nil || n != f.Size {
					t.Errorf("file %s of task %s: %d bytes, %v", f.Path, id, n, err)
				}
			}
		default:
			t.Errorf("task %s (files deleted: %v) lists %d files", id, task.FilesDeleted, len(files.Files))
		}
	}
	return k
}

func (w *world) countLog(ctx context.Context, id string) (lines int, err error) {
	for _, err := range w.API().Logs(ctx, id, client.LogOptions{}) {
		if err != nil {
			return lines, err
		}
		lines++
	}
	return lines, nil
}

// onDisk compares the folders with what is kept.
func (w *world) onDisk(k keeping) error {
	logs, err := filepath.Glob(filepath.Join(w.MasterDir(), "logs", "*"))
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(w.FilesDir(), "[a-z]*", "*"))
	if err != nil {
		return err
	}
	trash, err := os.ReadDir(filepath.Join(w.FilesDir(), ".trash"))
	if err != nil {
		return err
	}
	if len(logs) != k.logs || len(files) != k.files || len(trash) != 0 {
		return fmt.Errorf("on the disk are logs of %d tasks, files of %d, and %d pieces of trash; kept are %+v", len(logs), len(files), len(trash), k)
	}
	return nil
}
