package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

const (
	pages  = 200             // lists of each kind
	beside = 500             // submits per second beside a backup
	calm   = 5 * time.Second // of them before the backup
)

// stored is the store under load, with no worker: durable submits by more and
// more clients, a start with all of them queued, lists, a backup while more are
// submitted.
func stored(ctx context.Context, o options, report *table) (err error) {
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
	for _, part := range []func(context.Context, options, *rig.Rig, *table) error{writers, startQueued, lists, besideBackup} {
		if err := part(ctx, o, r, report); err != nil {
			return err
		}
	}
	return nil
}

// submit makes the n-th task, one of 1,000 names and 7 teams.
func submit(ctx context.Context, r *rig.Rig, n int) error {
	share, mib := 0.5, int64(64)
	_, err := r.API().Submit(ctx, client.TaskRequest{
		DockerImage: "busybox", Name: fmt.Sprintf("train-%d", n%1000), Labels: map[string]string{"team": fmt.Sprint("t", n%7)},
		CPURequired: &share, MemoryRequired: &mib,
	})
	return err
}

// writers fill the store up to the number asked for.
func writers(ctx context.Context, o options, r *rig.Rig, report *table) error {
	made := 0
	for _, step := range []struct{ hands, tasks int }{
		{1, o.queued / 100}, {16, o.queued / 10}, {128, o.queued - o.queued/100 - o.queued/10},
	} {
		took := make([]time.Duration, step.tasks)
		began := time.Now()
		err := together(step.hands, step.tasks, func(i int) error {
			at := time.Now()
			err := submit(ctx, r, made+i)
			took[i] = time.Since(at)
			return err
		})
		if err != nil {
			return err
		}
		report.add(fmt.Sprintf("durable submits, %d clients", step.hands), "", fmt.Sprintf("%.0f /s", perSecond(step.tasks, time.Since(began))), quantiles(took), "")
		made += step.tasks
	}
	return nil
}

func quantiles(took []time.Duration) string {
	return fmt.Sprintf("median %s, 99th percentile %s", millis(quantile(took, 0.5)), millis(quantile(took, 0.99)))
}

// startQueued kills the master and starts it again.
func startQueued(ctx context.Context, o options, r *rig.Rig, report *table) error {
	if err := r.Master.Kill(); err != nil {
		return err
	}
	began := time.Now()
	if err := r.StartMaster(ctx); err != nil {
		return err
	}
	report.add(fmt.Sprintf("start after a kill with %d queued, until ready", o.queued), "", millis(time.Since(began)), "", "")
	return nil
}

// lists reads pages of 50 by REST.
func lists(ctx context.Context, o options, r *rig.Rig, report *table) error {
	for _, list := range []struct {
		what  string
		query client.TaskQuery
	}{
		{"newest", client.TaskQuery{}},
		{"by status", client.TaskQuery{Status: []string{"queued"}}},
		{"by name", client.TaskQuery{Name: "train-77"}},
		{"by label", client.TaskQuery{Labels: map[string]string{"team": "t3"}}},
		{"by text", client.TaskQuery{Text: "train-77"}},
		{"by status and label of nobody", client.TaskQuery{Status: []string{"queued"}, Labels: map[string]string{"team": "none"}}},
	} {
		took := make([]time.Duration, pages)
		for n := range took {
			at := time.Now()
			if _, err := r.API().TaskPage(ctx, list.query, 50, ""); err != nil {
				return err
			}
			took[n] = time.Since(at)
		}
		report.add(fmt.Sprintf("page of 50 of %d tasks, %s", o.queued, list.what), "", "", quantiles(took), "")
	}
	return nil
}

// besideBackup submits at a fixed rate, first alone, then while the store is
// backed up.
func besideBackup(ctx context.Context, o options, r *rig.Rig, report *table) error {
	before, err := paced(ctx, r, time.After(calm))
	if err != nil {
		return err
	}
	command, env := r.Command()
	cmd := exec.CommandContext(ctx, command[0], "backup", filepath.Join(r.Dir(), "backup"))
	cmd.Env = env
	var said []byte
	var failed error
	var took time.Duration
	over, began := make(chan time.Time, 1), time.Now()
	go func() {
		said, failed = cmd.CombinedOutput()
		took = time.Since(began)
		over <- time.Now()
	}()
	during, err := paced(ctx, r, over)
	if err != nil {
		return err // ctx, or the master, has ended; the backup with either
	}
	if failed != nil {
		return fmt.Errorf("backup: %w: %s", failed, said)
	}
	report.add(fmt.Sprintf("%d submits per second, alone", beside), "", "", quantiles(before), "")
	report.add(fmt.Sprintf("  beside a backup of %d tasks, which takes %.1f s", o.queued, took.Seconds()), "", "", quantiles(during), "")
	return nil
}

// paced submits at the rate until the channel gives something, and measures each
// submit from when it was due.
func paced(ctx context.Context, r *rig.Rig, until <-chan time.Time) ([]time.Duration, error) {
	var group sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	defer group.Wait()
	began := time.Now()
	for n := 0; ; n++ {
		due := began.Add(time.Duration(n) * time.Second / beside)
		select {
		case <-until:
			group.Wait()
			return took, failed
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Until(due)):
		}
		group.Go(func() {
			err := submit(ctx, r, n)
			mu.Lock()
			defer mu.Unlock()
			took, failed = append(took, time.Since(due)), errors.Join(failed, err)
		})
	}
}
