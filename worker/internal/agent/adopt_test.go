package agent

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

// adopting is a worker that comes back to one container that was made and not
// started, up to the answer to its registration.
func adopting(t *testing.T, edit func(*executor.Container)) *bench {
	c := executor.Container{ID: "id1", Spec: spec1(), Phase: executor.PhaseCreated}
	edit(&c)
	b := &bench{t: t, m: NewMachine(Params{Interval: time.Hour}), now: time.Unix(1000, 0)}
	b.in(b.m.Found(b.now, []executor.Container{c}, nil))
	b.in(b.m.Registered(b.now, Joined{ClusterID: "c1"}))
	b.want("Register", "SendHeartbeat", "ListContainers")
	return b
}

// F16: one that was cancelled while no worker was there is not started for that.
func TestF16CancelledContainerIsNotStartedByTheNextProcess(t *testing.T) {
	b := adopting(t, func(*executor.Container) {})
	b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1", Cancel: []Ref{ref1}}))
	b.want("LookAt") // a call of the earlier process may have started it
	b.in(b.m.LookedAt(b.now, ref1, executor.Container{ID: "id1", Phase: executor.PhaseCreated}, executor.Offsets{}, nil))
	if r := b.result(); r.Status != StatusCancelled || r.HasExit {
		t.Errorf("%+v", r)
	}
}

func TestContainerThatWasNotStartedGoesOnAfterTheFirstHeartbeat(t *testing.T) {
	b := adopting(t, func(*executor.Container) {})
	b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1"}))
	b.want("LookAt")
	b.in(b.m.LookedAt(b.now, ref1, executor.Container{ID: "id1", Phase: executor.PhaseCreated}, executor.Offsets{}, nil))
	b.want("RunContainer")
}

// F04: a start that the engine refused is not tried again by the next process,
// since the first may have reported it.
func TestF04RefusedStartStands(t *testing.T) {
	b := adopting(t, func(c *executor.Container) { c.Error = "no such command" })
	b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1"}))
	if r := b.result(); r.Failure != FailureRuntime || r.Message != "no such command" || r.HasExit {
		t.Errorf("%+v", r)
	}
}

// F08, F16: the engine went away while it started the container, and a person
// cancels it. What it has written by then is kept.
func TestF16CancelOfAStartThatWasNotAnswered(t *testing.T) {
	gone := errors.Join(executor.ErrEngine, errors.New("off"))
	for _, ran := range []bool{true, false} {
		b := newBench(t)
		b.assign()
		b.in(b.m.Pulled(b.now, ref1, nil))
		b.in(b.m.Created(b.now, ref1, executor.Container{ID: "id1"}, nil))
		b.in(b.m.Exited(b.now, ref1, executor.Container{}, executor.Offsets{}, gone))
		b.out = nil
		actions, err := b.m.Cancel(b.now, ref1, "c1")
		if err != nil {
			t.Fatal(err)
		}
		b.in(actions)
		b.want() // until the engine is back
		b.in(b.m.Probed(b.now, Alive{}))
		b.pass(time.Second)
		found := executor.Container{ID: "id1", Phase: executor.PhaseCreated}
		if ran {
			found.Phase, found.StartedAt = executor.PhaseRunning, b.now
		}
		b.want("NoteEngine", "ReportProgress", "LookAt")
		b.in(b.m.LookedAt(b.now, ref1, found, executor.Offsets{}, nil))
		if !ran {
			b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
			if r := b.result(); r.Status != StatusCancelled {
				t.Errorf("%+v", r)
			}
			continue
		}
		b.want("StopContainer", "RunContainer")
	}
}

// F08: an engine that was killed while it started a container may have forgotten
// that. It is not started a second time, not by the next process either; what it
// has left is delivered. One that the engine was never told to start is started.
func TestF08ForgottenStart(t *testing.T) {
	gone := errors.Join(executor.ErrEngine, errors.New("off"))
	for _, c := range []struct {
		name      string
		err       error
		forgotten bool
	}{{"told", gone, true}, {"not told", errors.Join(executor.ErrNotTold, gone), false}} {
		b := newBench(t)
		b.assign()
		b.in(b.m.Pulled(b.now, ref1, nil))
		b.in(b.m.Created(b.now, ref1, executor.Container{ID: "id1"}, nil))
		b.in(b.m.Exited(b.now, ref1, executor.Container{}, executor.Offsets{}, c.err))
		b.in(b.m.Probed(b.now, Alive{Outlived: true}))
		b.out = nil
		b.pass(time.Second)
		b.forgottenOrStarted(c.name, c.forgotten)
	}
	called := time.Unix(990, 0)
	for _, c := range []struct {
		name      string
		mark      time.Time
		forgotten bool
	}{{"before the engine was away", called, true}, {"since", called.Add(5 * time.Second), false}, {"never", time.Time{}, false}} {
		b := &bench{t: t, m: NewMachine(Params{Interval: time.Hour}), now: time.Unix(1000, 0)}
		b.m.Marked(map[Ref]time.Time{ref1: c.mark})
		found := executor.Container{ID: "id1", Spec: spec1(), Phase: executor.PhaseCreated}
		away := Absence{From: called.Add(-time.Second), To: called.Add(time.Second), Outlived: true}
		b.in(b.m.Found(b.now, []executor.Container{found}, []Absence{away}))
		b.in(b.m.Registered(b.now, Joined{ClusterID: "c1"}))
		b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1"}))
		b.forgottenOrStarted(c.name, c.forgotten)
	}
}

// F08: an engine that went down between the decision to look and the look has
// forgotten what it was told before as well, also when it answers the look sooner
// than the question whether it is back.
func TestF08ForgottenSinceTheLookWasDecided(t *testing.T) {
	for _, back := range []bool{true, false} {
		b := &bench{t: t, m: NewMachine(Params{Interval: time.Hour}), now: time.Unix(1000, 0)}
		b.m.Marked(map[Ref]time.Time{ref1: time.Unix(990, 0)})
		found := executor.Container{ID: "id1", Spec: spec1(), Phase: executor.PhaseCreated}
		b.in(b.m.Found(b.now, []executor.Container{found}, nil))
		b.in(b.m.Registered(b.now, Joined{ClusterID: "c1"}))
		b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1"}))
		b.in(b.m.Listed(b.now, nil, executor.ErrEngine))
		if back {
			b.in(b.m.Probed(b.now, Alive{Outlived: true}))
			b.in(b.m.Probed(b.now, Alive{Outlived: true}))
		}
		b.out = nil
		b.in(b.m.LookedAt(b.now, ref1, executor.Container{ID: "id1", Phase: executor.PhaseCreated}, executor.Offsets{}, nil))
		b.forgottenOrStarted(fmt.Sprintf("known to be back: %v", back), true)
	}
}

// F08: the call of a worker that was killed may start the container after the next
// one has looked at it. That the engine went down before it heard this one's call
// says nothing about the earlier one's.
func TestF08EarlierCallStartsLate(t *testing.T) {
	for name, earlier := range map[string]time.Time{"told": time.Unix(990, 0), "never told": {}} {
		b := &bench{t: t, m: NewMachine(Params{Interval: time.Hour}), now: time.Unix(1000, 0)}
		b.m.Marked(map[Ref]time.Time{ref1: earlier})
		found := executor.Container{ID: "id1", Spec: spec1(), Phase: executor.PhaseCreated}
		b.in(b.m.Found(b.now, []executor.Container{found}, nil))
		b.in(b.m.Registered(b.now, Joined{ClusterID: "c1"}))
		b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1"}))
		b.forgottenOrStarted(name, false)
		b.out = nil
		b.in(b.m.Exited(b.now, ref1, executor.Container{}, executor.Offsets{}, errors.Join(executor.ErrNotTold, executor.ErrEngine)))
		b.in(b.m.Probed(b.now, Alive{Outlived: true}))
		b.pass(time.Second)
		b.forgottenOrStarted(name, !earlier.IsZero())
	}
}

// forgottenOrStarted looks at the container, which the engine calls not started.
func (b *bench) forgottenOrStarted(name string, forgotten bool) {
	b.t.Helper()
	for _, a := range b.out {
		if x, ok := a.(LookAt); ok {
			if x.Forgotten != forgotten {
				b.t.Errorf("%s: looked at as forgotten: %v", name, x.Forgotten)
			}
			b.out = nil
			b.in(b.m.LookedAt(b.now, ref1, executor.Container{ID: "id1", Phase: executor.PhaseCreated}, executor.Offsets{Stdout: 7}, nil))
			break
		}
	}
	if !forgotten {
		if !slices.ContainsFunc(b.out, func(a Action) bool { _, ok := a.(RunContainer); return ok }) {
			b.t.Errorf("%s: it is not started: %v", name, b.out)
		}
		return
	}
	b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
	if r := b.result(); r.Status != StatusFailed || r.Failure != FailureRuntime || r.HasExit || r.Log.Stdout != 7 {
		b.t.Errorf("%s: %+v", name, r)
	}
}

// F28: a worker that stops its tasks and is killed before it can say so leaves
// a note. The next process does not take the end of a program that traps TERM
// for success.
func TestF28StoppedWithTheWorkerIsNoSuccess(t *testing.T) {
	b := newBench(t)
	b.run()
	b.in(b.m.Leave(b.now, true))
	note := b.out[0].(NoteEngine)
	c := executor.Container{
		ID: "id1", Spec: spec1(), Phase: executor.PhaseExited, StartedAt: time.Unix(1000, 0), FinishedAt: b.now.Add(5 * time.Second),
	}
	b = &bench{t: t, m: NewMachine(Params{Interval: time.Hour}), now: b.now.Add(time.Minute)}
	b.in(b.m.Found(b.now, []executor.Container{c}, note.Absences))
	b.in(b.m.Registered(b.now, Joined{ClusterID: "c1"}))
	b.in(b.m.Exited(b.now, ref1, c, executor.Offsets{}, nil))
	b.in(b.m.Probed(b.now, Alive{}))
	b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
	if r := b.result(); r.Status != StatusFailed || r.Failure != FailureRuntime {
		t.Errorf("%+v", r)
	}
}

// F07: an attempt that was refused stays so; the master has placed it anew, and
// a call of before that comes late must not begin with it.
func TestF07RefusalStands(t *testing.T) {
	b := newBench(t)
	b.in(b.m.Probed(b.now, Alive{Err: executor.ErrEngine}))
	if _, err := b.m.Assign(b.now, spec1()); !errors.Is(err, ErrRefused) {
		t.Fatal(err)
	}
	b.in(b.m.Probed(b.now, Alive{}))
	if _, err := b.m.Assign(b.now, spec1()); !errors.Is(err, ErrRefused) {
		t.Fatalf("accepted later: %v", err)
	}
	if _, err := b.m.Assign(b.now, spec1(func(s *executor.Spec) { s.Key.Attempt = 2 })); err != nil {
		t.Fatal(err)
	}
}

// A log that the master lacks, and that cannot be sent while the engine or the
// master is away, is not lost for that, however often it is asked for.
func TestLogThatCannotBeSentNowIsNotLost(t *testing.T) {
	b := newBench(t)
	b.run()
	b.exit(func(*executor.Container) {})
	b.in(b.m.Probed(b.now, Alive{}))
	b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
	need := ReportReply{Reply: Reply{Code: ReplyOK}, NeedLog: &executor.Offsets{}}
	for n := range 4 * logTries {
		b.in(b.m.Reported(b.now, ref1, need))
		if n%2 == 0 {
			b.in(b.m.LogPushed(b.now, ref1, Reply{}, errors.Join(executor.ErrEngine, errors.New("off"))))
		} else {
			b.in(b.m.LogPushed(b.now, ref1, Reply{Code: ReplyRetry}, nil))
		}
		b.in(b.m.Probed(b.now, Alive{}))
		b.pass(time.Minute)
		if b.m.attempts[ref1].end.missing.lost {
			t.Fatalf("lost after %d tries", n+1)
		}
	}
	for range logTries + 1 {
		b.in(b.m.Reported(b.now, ref1, need))
		b.in(b.m.LogPushed(b.now, ref1, Reply{Code: ReplyOK}, nil))
	}
	if !b.m.attempts[ref1].end.missing.lost {
		t.Error("what was sent again and again is asked for for ever")
	}
}
