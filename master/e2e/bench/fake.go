package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// fake is how many tasks the system moves when containers cost nothing: the
// store with its fsync, the wire, the scheduling.
func fake(ctx context.Context, o options, report *table) (err error) {
	r, err := rig.New(o.bin, o.dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, errors.New(r.Logs(4<<10)))
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = errors.Join(err, r.Close(ctx))
	}()
	if err := r.StartMaster(ctx); err != nil {
		return err
	}
	memory, err := inMemory(o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(memory)) }()
	for _, id := range []string{"w1", "w2"} {
		_, err := r.StartWorker(ctx, id, "EXECUTOR=fake", "WORKER_DATA_DIR="+filepath.Join(memory, id),
			"WORKER_CPU=256", "WORKER_MEMORY=10000000", "WORKER_STORAGE=10000000")
		if err != nil {
			return err
		}
	}
	warm := min(o.tasks, 500)
	if _, err := flood(ctx, r, o.submitters, warm, warm); err != nil {
		return err
	}
	before, err := costOf(r)
	if err != nil {
		return err
	}
	f, err := flood(ctx, r, o.submitters, o.tasks, warm+o.tasks)
	if err != nil {
		return err
	}
	after, err := costOf(r)
	if err != nil {
		return err
	}
	report.add(fmt.Sprintf("%d tasks by 2 fake workers, submit to stored", o.tasks), "",
		fmt.Sprintf("%.0f /s", perSecond(o.tasks, f.stored)), "", "at least 2000 /s")
	report.add(fmt.Sprintf("  of it the submits, durable, %d clients", o.submitters), "",
		fmt.Sprintf("%.0f /s", perSecond(o.tasks, f.submitted)),
		fmt.Sprintf("median %s, 99th percentile %s", millis(quantile(f.submits, 0.5)), millis(quantile(f.submits, 0.99))), "")
	report.note("fake workers, processor time per task: %s", after.since(before, o.tasks))
	return nil
}

// inMemory makes a folder for the fake workers, in memory where the system has
// a place for that: their containers are files and are to cost nothing. What is
// measured, the master's store, stays on the disk.
func inMemory(otherwise string) (string, error) {
	const shared = "/dev/shm"
	if info, err := os.Stat(shared); err == nil && info.IsDir() {
		otherwise = shared
	}
	return os.MkdirTemp(otherwise, "cloudai-fake-")
}

// course is how a flood of tasks went.
type course struct {
	submits           []time.Duration // each one's
	submitted, stored time.Duration   // until the last one was
}

// flood submits n tasks and waits until so many have succeeded in all.
func flood(ctx context.Context, r *rig.Rig, hands, n, inAll int) (course, error) {
	c := course{submits: make([]time.Duration, n)}
	share, mib := 0.5, int64(64)
	began := time.Now()
	err := together(hands, n, func(i int) error {
		at := time.Now()
		_, err := r.API().Submit(ctx, client.TaskRequest{DockerImage: "busybox", CPURequired: &share, MemoryRequired: &mib})
		c.submits[i] = time.Since(at)
		return err
	})
	if err != nil {
		return c, err
	}
	c.submitted = time.Since(began)
	bad := 0
	err = rig.Await(ctx, 10*time.Minute, func(ctx context.Context) error {
		about, err := r.API().Cluster(ctx)
		bad = about.Tasks["failed"] + about.Tasks["cancelled"]
		if err == nil && bad+about.Tasks["succeeded"] < inAll {
			err = fmt.Errorf("the tasks are %v", about.Tasks)
		}
		return err
	})
	c.stored = time.Since(began)
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d tasks did not succeed", bad)
	}
	return c, err
}
