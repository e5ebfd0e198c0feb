//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// lanes is how many cycles go on beside each other, so that a kill meets tasks
// at different steps.
const lanes = 6

// cycles starts tasks, and cancels them or kills a process at any moment of
// their lives, again and again.
type cycles struct {
	*world
	worker *rig.Worker
	api    *client.Client
	starts *rig.Starts
	kills  chan kill

	mu   sync.Mutex
	done map[string]int // by what was done and what came of it
}

// kill asks for a process to be killed and started again.
type kill struct {
	master bool
	done   chan error
}

// Whatever happens to tasks in Docker, and at whatever moment, nothing of them
// is left in the end: no container, no volume, no folder, no reservation. A task
// that nobody cancelled has succeeded, and was started once.
func TestF09SoakCycles(t *testing.T) {
	count, rng := amount(1000, 60), seeded(t)
	w := newWorld(t, "HEARTBEAT_INTERVAL=300ms", "HEARTBEAT_TIMEOUT=15s")
	c := &cycles{world: w, kills: make(chan kill), done: map[string]int{}}
	c.worker = w.dockerWorker(t, "w1", "WORKER_CPU=6")
	c.imageWithVolume(t)
	volumes := w.volumes(t)
	c.starts = w.engine.Starts(t.Context())
	defer c.starts.Stop()
	var err error
	c.api, err = client.New(client.Options{Socket: w.Socket(), Patience: verdict})
	must(t, err)

	c.run(t, rng, count)
	t.Logf("what came of the cycles: %v", c.done)
	await(t, verdict, func(ctx context.Context) error { // those that were submitted twice, too
		about, err := w.API().Cluster(ctx)
		if n := about.Tasks; err == nil && (n["queued"] > 0 || n["assigned"] > 0 || n["running"] > 0) {
			err = fmt.Errorf("the tasks are %v", about.Tasks)
		}
		if err == nil && about.Allocated != (client.Resources{}) {
			err = fmt.Errorf("%+v is still allocated", about.Allocated)
		}
		return err
	})
	left := func(ctx context.Context) error {
		var extra []string
		for _, name := range w.volumes(t) {
			if !slices.Contains(volumes, name) {
				extra = append(extra, name)
			}
		}
		if len(extra) > 0 {
			return fmt.Errorf("%d volumes are left, the first is %s", len(extra), extra[0])
		}
		return w.Clean(ctx)
	}
	err = rig.Await(t.Context(), 30*time.Second, left)
	leftovers := 0
	if err != nil {
		leftovers = 1
		t.Error(err)
	}
	atMost(t, fmt.Sprintf("%d cycles of start and cancel or kill that leave something behind", count), leftovers, 0)
}

// run does so many cycles, in lanes, and carries out the kills that they ask
// for one at a time.
func (c *cycles) run(t *testing.T, rng *rand.Rand, count int) {
	t.Helper()
	var group sync.WaitGroup
	for lane := range lanes {
		chance := rand.New(rand.NewPCG(rng.Uint64(), uint64(lane)))
		group.Go(func() {
			for n := lane; n < count; n += lanes {
				if err := c.cycle(t.Context(), chance); err != nil {
					t.Errorf("cycle %d: %v", n, err)
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		group.Wait()
		close(ended)
	}()
	for {
		select {
		case k := <-c.kills:
			k.done <- c.kill(t.Context(), k.master)
		case <-ended:
			return
		}
	}
}

func (c *cycles) kill(ctx context.Context, master bool) error {
	if master {
		return errors.Join(c.Master.Kill(), c.StartMaster(ctx))
	}
	return errors.Join(c.worker.Kill(), c.RestartWorker(ctx, c.worker))
}

// longest is until when in a task's life something is done to it.
const longest = 900 * time.Millisecond

// cycle starts a task, does something to it at some moment, and waits for what
// comes of it.
func (c *cycles) cycle(ctx context.Context, rng *rand.Rand) error {
	ctx, stop := context.WithTimeout(ctx, 2*verdict)
	defer stop()
	what := []string{"cancel", "cancel", "cancel", "cancel", "cancel", "kill the worker", "kill the master"}[rng.IntN(7)]
	program := "echo begin; sleep 0.3; echo kept >/output/file; echo x >/scratch/x; echo end"
	if what == "cancel" {
		program = []string{program, "echo begin; sleep 600", "trap '' TERM; while :; do sleep 0.1; done"}[rng.IntN(3)]
	}
	r := c.small(program)
	r.CPURequired = ptr(1.0)
	id, err := submitStubbornly(ctx, c.api, r)
	if err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	<-time.After(time.Duration(rng.Int64N(int64(longest))))
	var cancel cancelling
	switch what {
	case "cancel":
		cancel, err = cancelStubbornly(ctx, c.api, id)
	default:
		k := kill{master: what == "kill the master", done: make(chan error, 1)}
		select {
		case c.kills <- k:
			err = <-k.done
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	task, err := c.api.WaitTask(ctx, id)
	if err != nil {
		return fmt.Errorf("after %s: %w; %s", what, err, describe(task))
	}
	c.mu.Lock()
	c.done[what+": "+task.Status]++
	c.mu.Unlock()
	switch {
	case task.Status == "cancelled" && (cancel.accepted || cancel.repeated):
		return nil
	case cancel.accepted:
		return fmt.Errorf("after an accepted cancel: %s", describe(task))
	}
	return c.whole(ctx, task)
}

// whole checks a task that nobody cancelled.
func (c *cycles) whole(ctx context.Context, task client.Task) error {
	if task.Status != "succeeded" {
		return errors.New(describe(task))
	}
	// Another lane may kill the master meanwhile.
	err := rig.Await(ctx, verdict, func(ctx context.Context) error { return c.left(ctx, task.TaskID) })
	if err != nil {
		return err
	}
	return rig.Await(ctx, 10*time.Second, func(context.Context) error {
		n, err := c.starts.Of(task.TaskID)
		if err == nil && n != 1 {
			err = fmt.Errorf("started %d times", n)
		}
		return err
	})
}

// left checks the log and the files of a task that ran to its end.
func (c *cycles) left(ctx context.Context, id string) error {
	var log string
	for r, err := range c.api.Logs(ctx, id, client.LogOptions{}) {
		if err != nil {
			return err
		}
		log += r.Text + "\n"
	}
	files, err := c.api.TaskFiles(ctx, id)
	if err == nil && (log != "begin\nend\n" || len(files.Files) != 1) {
		err = fmt.Errorf("log %q, files %+v", log, files.Files)
	}
	return err
}

// cancelling is what came of a cancel.
type cancelling struct {
	accepted bool
	repeated bool // an earlier call had no answer, and may have been accepted
}

// cancelStubbornly cancels until there is an answer, which may be that the task
// is over.
func cancelStubbornly(ctx context.Context, c *client.Client, id string) (out cancelling, err error) {
	err = rig.Await(ctx, verdict, func(ctx context.Context) error {
		_, err := c.Cancel(ctx, id)
		if client.IsConflict(err) {
			return nil
		}
		out.accepted, out.repeated = err == nil, out.repeated || err != nil
		return err
	})
	return out, err
}

// imageWithVolume makes the tasks' image declare a volume, which the engine
// then makes anew for each container.
func (c *cycles) imageWithVolume(t *testing.T) {
	t.Helper()
	made, err := c.engine.ContainerCreate(t.Context(), &container.Config{Image: c.image}, nil, nil, nil, "")
	must(t, err)
	name := "cloudai-test/volume:" + c.ClusterID()
	_, err = c.engine.ContainerCommit(t.Context(), made.ID, container.CommitOptions{Reference: name, Changes: []string{"VOLUME /scratch"}})
	must(t, errors.Join(err, c.engine.ContainerRemove(t.Context(), made.ID, container.RemoveOptions{})))
	c.image = name
	c.removeImageLater(t, name)
}

// volumes are those that no container uses.
func (w *world) volumes(t *testing.T) []string {
	t.Helper()
	list, err := w.engine.VolumeList(t.Context(), volume.ListOptions{Filters: filters.NewArgs(filters.Arg("dangling", "true"))})
	must(t, err)
	var names []string
	for _, v := range list.Volumes {
		names = append(names, v.Name)
	}
	return names
}
