package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cloudai/master/client"
)

// load is the people: they submit and cancel, whatever happens.
type load struct {
	seed  uint64
	stage *stage
	j     *journal

	mu      sync.Mutex
	jobs    []*job
	open    map[string]bool // names of acknowledged tasks that may not be over yet
	refused int             // submits that were not acknowledged
	strange []string        // answers that must not be

	cancels sync.WaitGroup
	enough  context.Context // ends when cancels are no longer tried
	give    context.CancelFunc
}

func newLoad(seed uint64, st *stage, j *journal) *load {
	l := &load{seed: seed, stage: st, j: j, open: map[string]bool{}}
	l.enough, l.give = context.WithCancel(context.Background())
	return l
}

// pace is between two submits on average; most is how many tasks may be open at
// a time, so that the end is near when submitting ends.
const (
	pace = 150 * time.Millisecond
	most = 60
)

// run submits until the context ends.
func (l *load) run(ctx context.Context) {
	r := stream(l.seed, streamCancel)
	var watching sync.WaitGroup
	defer watching.Wait()
	for n := 0; pause(ctx, time.Duration(r.Int64N(int64(2*pace)))); n++ {
		for l.isFull() {
			if !pause(ctx, pace) {
				return
			}
		}
		j := newJob(l.seed, n, l.stage.image)
		l.submit(ctx, j)
		if j.id != "" {
			watching.Go(func() { l.watch(ctx, j) })
		}
	}
}

func (l *load) isFull() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open) >= most
}

// answerTime is how long a caller waits for an answer.
const answerTime = 5 * time.Second

// submit hands a task in, once: what is not acknowledged then may or may not be
// there.
func (l *load) submit(ctx context.Context, j *job) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	task, err := l.stage.api.Submit(ctx, j.request)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs = append(l.jobs, j)
	var answered *client.Error
	switch {
	case err == nil:
		j.id = task.TaskID
		l.open[j.name] = true
	case errors.As(err, &answered) && !passes(answered.Status):
		l.strange = append(l.strange, fmt.Sprintf("submit of %s is answered %d: %v", j.name, answered.Status, err))
	default:
		l.refused++
	}
	if j.id != "" && j.cancel > 0 {
		l.cancels.Go(func() { l.cancelLater(j) })
	}
}

// passes reports whether an answer says that a later call may succeed.
func passes(status int) bool { return status == 503 || status == 507 || status == 429 }

// watch waits until the task is over, or nobody cares any more.
func (l *load) watch(ctx context.Context, j *job) {
	if _, err := l.stage.api.WaitTask(ctx, j.id); err != nil && ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, j.name)
}

// cancelLater cancels until it is answered.
func (l *load) cancelLater(j *job) {
	if !pause(l.enough, j.cancel) {
		return
	}
	got := notAsked
	for tries := 0; got != agreed && got != tooLate; tries++ {
		if tries > 0 && !pause(l.enough, 200*time.Millisecond) {
			break
		}
		ctx, cancel := context.WithTimeout(l.enough, answerTime)
		_, err := l.stage.api.Cancel(ctx, j.id)
		cancel()
		var answered *client.Error
		switch {
		case err == nil:
			got = agreed
		case client.IsConflict(err) && got == unknown:
			return // perhaps an earlier try was heard
		case client.IsConflict(err):
			got = tooLate
		case errors.As(err, &answered) && !passes(answered.Status):
			l.mu.Lock()
			l.strange = append(l.strange, fmt.Sprintf("cancel of %s is answered %d: %v", j.name, answered.Status, err))
			l.mu.Unlock()
			return
		default:
			got = unknown
		}
		l.mu.Lock()
		j.cancelled = got
		l.mu.Unlock()
	}
}

// finish waits for the answers to the cancels that are wanted.
func (l *load) finish(ctx context.Context) {
	defer l.give()
	done := make(chan struct{})
	go func() {
		l.cancels.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(20 * time.Second):
		l.give()
		<-done
	}
}
