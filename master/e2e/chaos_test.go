//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"cloudai/master/client"
)

// Whatever was acknowledged is done, exactly once as far as anyone can see,
// although master and workers are killed again and again meanwhile.
func TestKilledUnderLoad(t *testing.T) {
	const tasks, submitters = 600, 8
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=10s")
	for _, id := range []string{"w1", "w2"} {
		w.fakeWorker(t, id, "WORKER_CPU=16", "WORKER_MEMORY=1000000", "WORKER_STORAGE=1000000")
	}
	patient, err := client.New(client.Options{Socket: w.Socket(), Patience: 10 * time.Second})
	must(t, err)
	ids := make([]string, tasks)
	var group sync.WaitGroup
	for s := range submitters {
		group.Go(func() {
			for n := s; n < tasks; n += submitters {
				var err error
				if ids[n], err = submitStubbornly(t.Context(), patient, chaotic(w, n)); err != nil {
					t.Errorf("task %d: %v", n, err)
					return
				}
			}
		})
	}
	for round, until := 0, tasks/6; until < tasks; round, until = round+1, until+tasks/6 {
		w.reaches(t, until)
		if round%2 == 0 {
			must(t, w.Master.Kill())
			must(t, w.StartMaster(t.Context()))
			continue
		}
		victim := w.Workers()[round/2%2]
		must(t, victim.Kill())
		must(t, w.RestartWorker(t.Context(), victim))
	}
	group.Wait()
	about, err := w.API().Cluster(t.Context())
	must(t, err)
	sum := 0
	for _, n := range about.Tasks {
		sum += n
	}
	if sum != tasks && !t.Failed() {
		t.Errorf("%d tasks are there, %d were submitted: %v", sum, tasks, about.Tasks)
	}
	for n, id := range ids {
		if id == "" {
			continue // said above
		}
		if task := w.ended(t, id); task.Status != "succeeded" {
			t.Errorf("task %d: %s", n, describe(task))
		}
		if got := w.log(t, id, ""); len(got) != 160 {
			t.Errorf("task %d: its log has %d bytes", n, len(got))
		}
		files, err := w.API().TaskFiles(t.Context(), id)
		must(t, err)
		if len(files.Files) != n%2 {
			t.Errorf("task %d: its files are %+v", n, files.Files)
		}
	}
}

// chaotic is one of the tasks: ten lines and, every other one, a file.
func chaotic(w *world, n int) client.TaskRequest {
	r := w.small("")
	r.CPURequired = ptr(1.0)
	r.Env = map[string]string{
		"FAKE_SLEEP": fmt.Sprintf("%dms", n%7*50), "FAKE_LOG_LINES": "10", "FAKE_OUTPUT_FILES": fmt.Sprint(n % 2),
	}
	return r
}

// submitStubbornly submits until there is an answer, also while no master is
// there. The key is the same in all tries, so the task is there once.
func submitStubbornly(ctx context.Context, c *client.Client, r client.TaskRequest) (id string, err error) {
	key := client.NewKey()
	for tries := 0; tries < 200; tries++ {
		var task client.Task
		if task, err = c.SubmitOnce(ctx, key, r); err == nil {
			return task.TaskID, nil
		}
		var away *client.UnreachableError
		var refused *client.Error
		if !errors.As(err, &away) && (!errors.As(err, &refused) || refused.Status != 503) {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return "", err
}

// reaches waits until so many tasks have succeeded.
func (w *world) reaches(t *testing.T, n int) {
	t.Helper()
	await(t, verdict, func(ctx context.Context) error {
		about, err := w.API().Cluster(ctx)
		if err == nil && about.Tasks["succeeded"] < n {
			err = fmt.Errorf("the tasks are %v", about.Tasks)
		}
		return err
	})
}
