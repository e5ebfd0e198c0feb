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
	open    int      // tasks that are not over yet, as far as is known
	strange []string // answers that must not be

	people sync.WaitGroup  // who wait for the answer to a submit or a cancel
	enough context.Context // ends when nobody waits any more
	give   context.CancelFunc
}

func newLoad(seed uint64, st *stage, j *journal) *load {
	l := &load{seed: seed, stage: st, j: j}
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
	for n := 0; pause(ctx, time.Duration(r.Int64N(int64(2*pace)))); n++ {
		for l.isFull() {
			if !pause(ctx, pace) {
				return
			}
		}
		j := newJob(l.seed, n, l.stage.image)
		l.mu.Lock()
		l.jobs = append(l.jobs, j)
		l.open++
		l.mu.Unlock()
		l.people.Go(func() {
			l.submit(j)
			l.people.Go(func() { l.watch(ctx, j) })
			if j.id != "" && j.cancel > 0 {
				l.cancelLater(j)
			}
		})
	}
}

func (l *load) isFull() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open >= most
}

// submit hands a task in. Who has no patience may not hear whether it is there.
func (l *load) submit(j *job) {
	ctx := l.enough
	if j.hurried {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, hurry)
		defer cancel()
	}
	key := client.NewKey()
	task, err := l.stage.api.SubmitOnce(ctx, key, j.request)
	for mayPass(err) && pause(ctx, 200*time.Millisecond) {
		task, err = l.stage.api.SubmitOnce(ctx, key, j.request)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		j.id = task.TaskID
	case !mayPass(err):
		l.strange = append(l.strange, fmt.Sprintf("submit of %s: %v", j.name, err))
	}
}

// mayPass reports whether the same call may succeed later: there was no answer,
// or one that says so.
func mayPass(err error) bool {
	var answered *client.Error
	if errors.As(err, &answered) {
		return answered.Status == 503 || answered.Status == 507 || answered.Status == 429 ||
			answered.Status == 409 && answered.RetryAfter > 0
	}
	return err != nil
}

// watch waits until the task is over, or nobody submits any more.
func (l *load) watch(ctx context.Context, j *job) {
	if j.id != "" {
		_, _ = l.stage.api.WaitTask(ctx, j.id) // it is looked at in the end
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
}

// answerTime is how long a caller waits for the answer to a cancel, and hurry
// how long one without patience waits for that to a submit.
const (
	answerTime = 5 * time.Second
	hurry      = 200 * time.Millisecond
)

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
		switch {
		case err == nil:
			got = agreed
		case client.IsConflict(err) && got == unknown:
			return // perhaps an earlier try was heard
		case client.IsConflict(err):
			got = tooLate
		case mayPass(err):
			got = unknown
		default:
			l.mu.Lock()
			l.strange = append(l.strange, fmt.Sprintf("cancel of %s: %v", j.name, err))
			l.mu.Unlock()
			return
		}
		l.mu.Lock()
		j.cancelled = got
		l.mu.Unlock()
	}
}

// finish waits until everybody has the answer that they wait for.
func (l *load) finish(ctx context.Context) {
	defer l.give()
	done := make(chan struct{})
	go func() {
		l.people.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(20 * time.Second):
	}
	l.give()
	<-done
}
