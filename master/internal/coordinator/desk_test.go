package coordinator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/scheduler"
)

// desk drives a machine by hand: one message after the other, writes answered
// as the test says.
type desk struct {
	t   *testing.T
	m   *machine
	now time.Time
}

func newDesk(t *testing.T) *desk {
	serial := 0
	r := rules{HeartbeatInterval: 5 * time.Second, HeartbeatTimeout: 15 * time.Second, ProgressDelay: progressDelay}
	return &desk{
		t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		m: newMachine(r, scheduler.RoundRobin{}, rand.New(rand.NewPCG(1, 2)), func() string {
			serial++
			return fmt.Sprintf("lease%d", serial)
		}),
	}
}

// settle answers all writes of a step, and of what follows, with err (nil: they
// are on disk) and gives everything that was to be done.
func (d *desk) settle(st step, err error) step {
	d.t.Helper()
	all := st
	for queue := st.writes; len(queue) > 0; queue = queue[1:] {
		next := d.m.committed(d.now, queue[0], err)
		queue = append(queue, next.writes...)
		all.join(next)
	}
	for _, w := range d.m.order {
		w.unsaved = false
		all.join(d.m.workerSaved(w.worker.ID, w.worker.Session))
	}
	return all
}

// ok is settle with a store that takes everything.
func (d *desk) ok(st step) step {
	d.t.Helper()
	st = d.settle(st, nil)
	if st.fatal != nil {
		d.t.Fatal(st.fatal)
	}
	return st
}

func (d *desk) pass(by time.Duration) step {
	d.t.Helper()
	d.now = d.now.Add(by)
	st := d.ok(d.m.tick(d.now))
	st.join(d.ok(d.m.dispatch(d.now)))
	return st
}

func spec() cluster.Spec {
	return cluster.Spec{Image: "i", GracePeriod: 10 * time.Second, Resources: cluster.Resources{CPU: 1, Memory: 64, Storage: 64}}
}

func (d *desk) submit(id cluster.TaskID, s cluster.Spec) *task {
	d.t.Helper()
	e, st := d.m.submit(d.now, id, "ann", s, "")
	d.ok(st)
	d.now = d.now.Add(time.Millisecond)
	return e
}

func from(id cluster.WorkerID, session string) Caller { return Caller{WorkerID: id, Session: session} }

// join registers a worker and answers the call back.
func (d *desk) join(id cluster.WorkerID, session string, running ...cluster.RunningAttempt) (RegisterReply, step) {
	d.t.Helper()
	reply, st := d.m.register(d.now, Registration{
		Caller: from(id, session), Address: "host:1", Running: running,
		Total: cluster.Resources{CPU: 4, Memory: 4096, Storage: 4096},
	})
	st = d.ok(st)
	for _, to := range st.hellos {
		st.join(d.ok(d.m.helloAnswered(d.now, to, Hello{WorkerID: to.WorkerID, Session: to.Session}, nil)))
	}
	return reply, st
}

// place submits and dispatches a task; the assignment is on its way.
func (d *desk) place(id cluster.TaskID, s cluster.Spec) (*task, assign) {
	d.t.Helper()
	e := d.submit(id, s)
	st := d.ok(d.m.dispatch(d.now))
	if len(st.assigns) != 1 {
		d.t.Fatalf("%s: %d assignments", id, len(st.assigns))
	}
	return e, st.assigns[0]
}

func (d *desk) answer(a assign, err error) step {
	d.t.Helper()
	return d.ok(d.m.assignAnswered(d.now, a, err))
}

// beat sends the worker's next heartbeat.
func (d *desk) beat(id cluster.WorkerID, change func(*Heartbeat)) (HeartbeatReply, step) {
	d.t.Helper()
	w := d.m.workers[id]
	h := Heartbeat{Caller: from(id, w.worker.Session), Number: w.number + 1, Healthy: true}
	if change != nil {
		change(&h)
	}
	reply, st, err := d.m.heartbeat(d.now, h)
	if err != nil {
		d.t.Fatal(err)
	}
	return reply, d.ok(st)
}

func running(ref cluster.AttemptRef, s cluster.State) cluster.RunningAttempt {
	return cluster.RunningAttempt{
		Ref: ref, State: s, HasContainer: s.Rank() >= cluster.StateContainerCreated.Rank(),
		Allocated: cluster.Resources{CPU: 1, Memory: 64, Storage: 64},
	}
}

// upTo are all states from image_pulled on.
func upTo(last cluster.State, at time.Time) (out []cluster.StateTime) {
	for _, s := range cluster.States {
		if s.Rank() > cluster.StateAssigned.Rank() && s.Rank() <= last.Rank() {
			out = append(out, cluster.StateTime{State: s, Time: at})
		}
	}
	return out
}

func (d *desk) report(e *task, last cluster.State) {
	d.t.Helper()
	st, err := d.m.report(d.now, ProgressReport{
		Caller: from(e.task.WorkerID, d.m.workers[e.task.WorkerID].worker.Session), Ref: e.task.Ref(),
		Observation: cluster.Observation{States: upTo(last, d.now)},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.ok(st)
}

func (d *desk) completion(e *task, outcome cluster.Outcome, failure cluster.Failure) Completion {
	code := 0
	if outcome != cluster.OutcomeSuccess {
		code = 1
	}
	return Completion{
		Caller: from(e.task.WorkerID, d.m.workers[e.task.WorkerID].worker.Session), Ref: e.task.Ref(), Outcome: outcome,
		Observation: cluster.Observation{
			States: upTo(cluster.StateReportResult, d.now), Outcome: outcome, Failure: failure, ExitCode: &code,
			Usage: cluster.Usage{CPUSeconds: 3},
		},
	}
}

// complete takes a result to the disk.
func (d *desk) complete(e *task, outcome cluster.Outcome, failure cluster.Failure) step {
	d.t.Helper()
	held, wait, err := d.m.judge(d.now, d.completion(e, outcome, failure))
	if err != nil || wait != nil || held == nil {
		d.t.Fatalf("judge: %v, waits %v, held %v", err, wait != nil, held != nil)
	}
	st, err := d.m.conclude(d.now, held, nil, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.ok(st)
}

// want fails the test unless the task is in that place.
func (d *desk) want(e *task, state cluster.State, attempt int) {
	d.t.Helper()
	if e.task.State != state || e.task.Attempt != attempt {
		d.t.Fatalf("task %s is at attempt %d, %s; want attempt %d, %s", e.task.ID, e.task.Attempt, e.task.State, attempt, state)
	}
}

func has(refs []cluster.AttemptRef, ref cluster.AttemptRef) bool { return slices.Contains(refs, ref) }
