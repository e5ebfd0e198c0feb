package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// sides are the two ways of running a container, on one engine.
type sides struct {
	*bare
	cloud *rig.Rig
}

// newSides starts a master and a worker that has room for all clients.
func newSides(ctx context.Context, o options) (*sides, error) {
	image, err := o.useImage(ctx)
	if err != nil {
		return nil, err
	}
	r, err := rig.New(o.bin, o.dir)
	if err != nil {
		return nil, err
	}
	err = r.StartMaster(ctx)
	if err == nil {
		_, err = r.Engine() // so that Close removes what is left
	}
	if err == nil {
		_, err = r.StartWorker(ctx, "w1", fmt.Sprintf("WORKER_CPU=%d", 4*o.clients),
			fmt.Sprintf("WORKER_MEMORY=%d", 4*o.clients*memory), "WORKER_STORAGE=1000000")
	}
	s := &sides{cloud: r}
	if err == nil {
		s.bare, err = newBare(image, o.dir)
	}
	if err != nil {
		return nil, errors.Join(err, broken(r))
	}
	return s, nil
}

// broken clears up after a failure and tells what the processes said.
func broken(r *rig.Rig) error {
	said := r.Logs(4 << 10)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(errors.New(said), r.Close(ctx))
}

func (s *sides) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(s.bare.close(), s.cloud.Close(ctx))
}

// task sees one task through, from the submit to the word that it is stored.
func (s *sides) task(ctx context.Context, network string) error {
	share, mib := cpu, int64(memory)
	t, err := s.cloud.API().Submit(ctx, client.TaskRequest{
		DockerImage: s.image, Args: program, Network: network, CPURequired: &share, MemoryRequired: &mib,
	})
	if err != nil {
		return err
	}
	if t, err = s.cloud.API().WaitTask(ctx, t.TaskID); err == nil && t.Status != "succeeded" {
		err = fmt.Errorf("task %s is %s: %s %s", t.TaskID, t.Status, t.Failure, t.Message)
	}
	return err
}

// latency of one container: what CloudAI adds.
func latency(ctx context.Context, o options, report *table) (err error) {
	s, err := newSides(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, network := range networks {
		var plain, through []time.Duration
		timed := func(into *[]time.Duration, do func(context.Context, string) error) func() error {
			return func() error {
				began := time.Now()
				err := do(ctx, network)
				*into = append(*into, time.Since(began))
				return err
			}
		}
		ways := []func() error{timed(&plain, s.once), timed(&through, s.task)}
		if err := inTurn(2, ways...); err != nil { // to warm up
			return err
		}
		plain, through = nil, nil
		before, err := costOf(s.cloud)
		if err != nil {
			return err
		}
		if err := inTurn(o.runs, ways...); err != nil {
			return err
		}
		after, err := costOf(s.cloud)
		if err != nil {
			return err
		}
		for _, q := range []float64{0.5, 0.9} {
			name, aim := "90th percentile", ""
			if q == 0.5 {
				name, aim = "median", "at most 15 ms more"
			}
			b, c := quantile(plain, q), quantile(through, q)
			report.add(fmt.Sprintf("one container, network %s, %s of %d", network, name, o.runs),
				millis(b), millis(c), fmt.Sprintf("%+.1f ms", float64(c-b)/1e6), aim)
		}
		report.add("  processor time per task (the clients' for both ways)", "", "", after.since(before, o.runs), "")
	}
	return nil
}

// rate of containers when several clients each run one after the other.
func rate(ctx context.Context, o options, report *table) (err error) {
	s, err := newSides(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, network := range networks {
		var plain, through time.Duration
		crowd := func(into *time.Duration, n int, do func(context.Context, string) error) func() error {
			return func() error {
				began := time.Now()
				err := together(o.clients, n, func(int) error { return do(ctx, network) })
				*into += time.Since(began)
				return err
			}
		}
		if err := inTurn(1, crowd(&plain, o.clients, s.once), crowd(&through, o.clients, s.task)); err != nil {
			return err
		}
		plain, through = 0, 0
		if err := inTurn(o.rounds, crowd(&plain, o.perRound, s.once), crowd(&through, o.perRound, s.task)); err != nil {
			return err
		}
		n := o.rounds * o.perRound
		b, c := perSecond(n, plain), perSecond(n, through)
		report.add(fmt.Sprintf("containers by %d clients, network %s, %d each way", o.clients, network, n),
			fmt.Sprintf("%.1f /s", b), fmt.Sprintf("%.1f /s", c), fmt.Sprintf("%.2f of it", c/b), "at least 0.90 of it")
	}
	return nil
}

// together does n things with so many hands; the first error ends it.
func together(hands, n int, do func(int) error) error {
	var group sync.WaitGroup
	var mu sync.Mutex
	var failed error
	next := 0
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= n && failed == nil
	}
	for range hands {
		group.Go(func() {
			for {
				i, ok := take()
				if !ok {
					return
				}
				if err := do(i); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	return failed
}
