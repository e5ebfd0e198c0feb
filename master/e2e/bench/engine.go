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
// The steps, which may be nil, take when it entered each state.
func (s *sides) task(ctx context.Context, network string, steps *steps) error {
	share, mib := cpu, int64(memory)
	began := time.Now()
	t, err := s.cloud.API().Submit(ctx, client.TaskRequest{
		DockerImage: s.image, Args: program, Network: network, CPURequired: &share, MemoryRequired: &mib,
	})
	if err != nil {
		return err
	}
	if t, err = s.cloud.API().WaitTask(ctx, t.TaskID); err != nil {
		return err
	}
	if t.Status != "succeeded" {
		return fmt.Errorf("task %s is %s: %s %s", t.TaskID, t.Status, t.Failure, t.Message)
	}
	if steps == nil {
		return nil
	}
	return s.follow(ctx, t.TaskID, began, time.Now(), steps)
}

// follow notes the task's way by its timeline; master, worker and this process
// share one clock.
func (s *sides) follow(ctx context.Context, id string, began, ended time.Time, steps *steps) error {
	steps.begin(began)
	for e, err := range s.cloud.API().Events(ctx, id) {
		if err != nil {
			return err
		}
		at := e.Time
		if e.WorkerTime != nil {
			at = *e.WorkerTime
		}
		steps.done(e.State, at)
	}
	steps.done("told", ended)
	return nil
}

// way is one of the two ways, timed.
type way struct {
	do    func(context.Context, string, *steps) error
	took  []time.Duration
	steps steps
}

// once runs it once and notes how long that took.
func (w *way) once(ctx context.Context, network string) func() error {
	return func() error {
		began := time.Now()
		var ended time.Time
		err := w.do(ctx, network, &w.steps)
		if ended = w.steps.last; ended.IsZero() {
			ended = time.Now()
		}
		w.took = append(w.took, ended.Sub(began))
		return err
	}
}

// latency of one container: what CloudAI adds.
func latency(ctx context.Context, o options, report *table) (err error) {
	s, err := newSides(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, network := range networks {
		if err := s.compare(ctx, o.runs, network, report); err != nil {
			return err
		}
	}
	return nil
}

func (s *sides) compare(ctx context.Context, runs int, network string, report *table) error {
	plain, through := way{do: s.once}, way{do: s.task}
	if err := inTurn(2, plain.once(ctx, network), through.once(ctx, network)); err != nil { // to warm up
		return err
	}
	plain, through = way{do: s.once}, way{do: s.task}
	before, err := costOf(s.cloud)
	if err != nil {
		return err
	}
	if err := inTurn(runs, plain.once(ctx, network), through.once(ctx, network)); err != nil {
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
		b, c := quantile(plain.took, q), quantile(through.took, q)
		report.add(fmt.Sprintf("one container, network %s, %s of %d", network, name, runs),
			millis(b), millis(c), fmt.Sprintf("%+.1f ms", float64(c-b)/1e6), aim)
	}
	report.note("network %s, the bare engine's steps, medians in ms: %s", network, &plain.steps)
	report.note("network %s, CloudAI's states, medians in ms: %s", network, &through.steps)
	report.note("network %s, processor time per container (the clients' both ways): %s", network, after.since(before, runs))
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
		crowd := func(into *time.Duration, n int, do func(context.Context, string, *steps) error) func() error {
			return func() error {
				began := time.Now()
				err := together(o.clients, n, func(int) error { return do(ctx, network, nil) })
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
