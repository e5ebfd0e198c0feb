package agent

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

// bench holds a machine that is registered and healthy, at time zero.
type bench struct {
	t   *testing.T
	m   *Machine
	now time.Time
	out []Action // not looked at yet
}

var ref1 = Ref{TaskID: "t1", Attempt: 1, Lease: "l"}

func newBench(t *testing.T, found ...executor.Container) *bench {
	b := &bench{t: t, m: NewMachine(Params{Interval: time.Hour}), now: time.Unix(1000, 0)}
	b.in(b.m.Found(b.now, found, nil))
	b.in(b.m.Registered(b.now, Joined{ClusterID: "c1"}))
	b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1"}))
	b.in(b.m.Listed(b.now, nil, nil))
	b.out = nil
	return b
}

func (b *bench) in(actions []Action) { b.out = append(b.out, actions...) }

// want checks the actions since the last call by the names of their types.
func (b *bench) want(names ...string) {
	b.t.Helper()
	var got []string
	for _, a := range b.out {
		name := strings.TrimPrefix(fmt.Sprintf("%T", a), "agent.")
		if name == "Probe" {
			// Answered here: the engine is well unless a test says otherwise.
			b.out = nil
			continue
		}
		got = append(got, name)
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		b.t.Fatalf("got %v, want %v", got, names)
	}
	b.out = nil
}

// pass lets time go by, to every deadline on the way.
func (b *bench) pass(d time.Duration) {
	end := b.now.Add(d)
	for range 10000 {
		next := b.m.Deadline()
		if next.IsZero() || next.After(end) {
			b.now = end
			return
		}
		if next.After(b.now) {
			b.now = next
		}
		b.tick()
	}
	b.t.Fatal("it ticks for ever")
}

// tick answers probes at once.
func (b *bench) tick() {
	for _, a := range b.m.Tick(b.now) {
		if _, ok := a.(Probe); ok {
			b.in(b.m.Probed(b.now, Alive{}))
			continue
		}
		b.out = append(b.out, a)
	}
}

func spec1(edit ...func(*executor.Spec)) executor.Spec {
	s := executor.Spec{
		Key: executor.Key{ClusterID: "c1", TaskID: "t1", Attempt: 1, Lease: "l"}, Image: "busybox",
		Memory: 64, Storage: 10, Grace: 10 * time.Second,
	}
	for _, e := range edit {
		e(&s)
	}
	return s
}

func (b *bench) assign(edit ...func(*executor.Spec)) {
	b.t.Helper()
	actions, err := b.m.Assign(b.now, spec1(edit...))
	if err != nil {
		b.t.Fatal(err)
	}
	b.in(actions)
}

// run brings the attempt to its running container.
func (b *bench) run(edit ...func(*executor.Spec)) {
	b.t.Helper()
	b.assign(edit...)
	b.in(b.m.Pulled(b.now, ref1, nil))
	b.in(b.m.Created(b.now, ref1, executor.Container{ID: "id1"}, nil))
	b.in(b.m.Started(b.now, ref1, b.now))
	b.want("Pull", "Create", "RunContainer")
}

// exit ends the container and confirms it.
func (b *bench) exit(edit func(*executor.Container)) {
	b.t.Helper()
	c := executor.Container{ID: "id1", Phase: executor.PhaseExited, StartedAt: time.Unix(1000, 0), FinishedAt: b.now}
	if edit != nil {
		edit(&c)
	}
	b.in(b.m.Exited(b.now, ref1, c, executor.Offsets{Stdout: 5}, nil))
	b.in(b.m.Probed(b.now, Alive{}))
}

func (b *bench) result() Result {
	b.t.Helper()
	for _, a := range b.out {
		if r, ok := a.(ReportCompletion); ok {
			return r.Result
		}
	}
	b.t.Fatalf("no report in %v", b.out)
	return Result{}
}

func TestTinyTaskCostsOneReport(t *testing.T) {
	b := newBench(t)
	b.run()
	b.exit(nil)
	b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
	b.want("Collect", "EndLog", "ReportCompletion")
	b.pass(40 * time.Millisecond)
	b.in(b.m.Reported(b.now, ref1, ReportReply{}))
	b.in(b.m.Removed(b.now, ref1, nil))
	b.want("Remove", "Forget")
	b.pass(time.Minute)
	b.want()
}

func TestStatesAreCollectedForAMoment(t *testing.T) {
	b := newBench(t)
	b.run()
	b.pass(49 * time.Millisecond)
	b.want()
	b.pass(time.Millisecond)
	b.want("ReportProgress")
	b.pass(100 * time.Millisecond)
	b.want() // one at a time
	b.in(b.m.ProgressAnswered(b.now, ref1, 3, Reply{Code: ReplyRetry}))
	b.pass(200 * time.Millisecond)
	b.want("ReportProgress")
	b.in(b.m.ProgressAnswered(b.now, ref1, 3, Reply{}))
}

func TestSamplesBecomeRarer(t *testing.T) {
	b := newBench(t)
	b.run()
	b.pass(newsDelay)
	b.in(b.m.ProgressAnswered(b.now, ref1, 3, Reply{}))
	b.want("ReportProgress")
	b.pass(sampleFirst - newsDelay)
	for _, pause := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
		b.want("Sample")
		b.in(b.m.Sampled(b.now, ref1, executor.Usage{CPUSeconds: b.now.Sub(time.Unix(1000, 0)).Seconds(), Memory: 3}, 0, nil))
		b.want("ReportProgress")
		b.in(b.m.ProgressAnswered(b.now, ref1, 3, Reply{}))
		b.pass(pause - time.Millisecond)
		b.want()
		b.pass(time.Millisecond)
	}
}

func TestBeforeTheAckOnlyTimeoutsAreEnforced(t *testing.T) {
	c := executor.Container{
		ID: "id1", Spec: spec1(func(s *executor.Spec) { s.Timeout = time.Minute }),
		Phase: executor.PhaseRunning, StartedAt: time.Unix(990, 0),
	}
	b := &bench{t: t, m: NewMachine(Params{Interval: time.Hour}), now: time.Unix(1000, 0)}
	b.in(b.m.Found(b.now, []executor.Container{c}, nil))
	b.want("Register")
	b.pass(49 * time.Second)
	b.want()
	b.pass(2 * time.Second)
	b.want("StopContainer")
	b.in(b.m.Stopped(b.now, ref1, nil))
	b.in(b.m.Registered(b.now, Joined{ClusterID: "c1"}))
	b.want("RunContainer", "ReportProgress", "Sample", "SendHeartbeat", "ListContainers")
	c.Phase, c.ExitCode, c.FinishedAt = executor.PhaseExited, 143, b.now
	b.in(b.m.Exited(b.now, ref1, c, executor.Offsets{}, nil))
	b.in(b.m.Probed(b.now, Alive{}))
	b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
	if r := b.result(); r.Failure != FailureTimeout || len(r.States) != 6 {
		t.Errorf("%+v", r)
	}
}

func TestLeavingWithTasksReportsThem(t *testing.T) {
	b := newBench(t)
	b.run()
	b.in(b.m.Leave(b.now, true))
	b.want("NoteEngine", "StopContainer", "SendHeartbeat")
	if b.m.Left(true) {
		t.Error("left with a task")
	}
	if _, err := b.m.Assign(b.now, spec1(func(s *executor.Spec) { s.Key.TaskID = "t2" })); !errors.Is(err, ErrRefused) {
		t.Errorf("assigned while leaving: %v", err)
	}
	b.exit(nil)
	b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
	if r := b.result(); r.Failure != FailureRuntime {
		t.Errorf("%+v", r)
	}
	b.in(b.m.Reported(b.now, ref1, ReportReply{}))
	b.in(b.m.Removed(b.now, ref1, nil))
	b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1"}))
	if !b.m.Left(true) {
		t.Error("not left")
	}
}

func TestHeartbeatsAreNumberedAndAnswered(t *testing.T) {
	b := newBench(t)
	lost := Ref{TaskID: "lost", Attempt: 1, Lease: "l"}
	b.in(b.m.MasterCalled(b.now))
	b.in(b.m.MasterCalled(b.now)) // while one is on its way
	first := b.out[0].(SendHeartbeat).Heartbeat
	b.want("SendHeartbeat")
	b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1", Expect: []Ref{lost, lost}}))
	second := b.out[0].(SendHeartbeat).Heartbeat
	b.want("SendHeartbeat")
	if second.Number != first.Number+1 || len(second.Absent) != 1 || second.Absent[0] != lost {
		t.Errorf("%+v", second)
	}
	b.in(b.m.HeartbeatAnswered(b.now, 1, Beat{Reply: Reply{Code: ReplyRetry}}))
	b.pass(beatAgain)
	if third := b.out[0].(SendHeartbeat).Heartbeat; len(third.Absent) != 1 {
		t.Errorf("an answer that was lost is not repeated: %+v", third)
	}
	b.in(b.m.HeartbeatAnswered(b.now, 1, Beat{ClusterID: "c1"}))
	if len(b.m.link.absent) != 0 {
		t.Errorf("said twice: %v", b.m.link.absent)
	}
}

// A refusal stands for a while, unless the master has just called: then it is
// about to let the worker in.
func TestRefusedWorkerThatIsCalledAsksAgain(t *testing.T) {
	b := &bench{t: t, m: NewMachine(Params{Interval: time.Hour}), now: time.Unix(1000, 0)}
	b.in(b.m.Found(b.now, nil, nil))
	b.want("Register")
	for _, code := range []Code{ReplyDenied, ReplyClone, ReplyRefused} {
		b.in(b.m.Registered(b.now, Joined{Reply: Reply{Code: code}}))
		b.pass(joinSlowly - time.Millisecond)
		b.want()
		b.in(b.m.MasterCalled(b.now))
		b.want("Register") // at once
		b.in(b.m.Registered(b.now, Joined{Reply: Reply{Code: code}}))
		b.pass(joinAgain)
		b.want("Register") // and soon once more
		b.pass(wanted)
		b.in(b.m.Registered(b.now, Joined{Reply: Reply{Code: code}}))
		b.pass(joinSlowly - time.Millisecond)
		b.want()
		b.pass(time.Millisecond)
		b.want("Register")
	}
	b.in(b.m.MasterCalled(b.now)) // while a registration is on its way
	b.want()
	b.in(b.m.Registered(b.now, Joined{ClusterID: "c1"}))
	b.want("SendHeartbeat", "ListContainers")
}

func TestPastIsBounded(t *testing.T) {
	p := newPast()
	for i := range pastSize + 10 {
		p.add(Ref{TaskID: fmt.Sprint(i)})
	}
	if len(p.known) != pastSize || len(p.ring) != pastSize {
		t.Errorf("%d known, ring of %d", len(p.known), len(p.ring))
	}
	if p.has(Ref{TaskID: "9"}) || !p.has(Ref{TaskID: "10"}) {
		t.Error("not the oldest are forgotten")
	}
}

// A container that was left half made is none of an attempt; when the master
// says so it goes, and one of another cluster that is being made stays.
func TestF09HalfMadeIsAnOrphan(t *testing.T) {
	half := executor.Container{ID: "half", Phase: executor.PhaseCreated, HalfMade: true, Spec: executor.Spec{
		Key: executor.Key{ClusterID: "c1", TaskID: ref1.TaskID, Attempt: ref1.Attempt, Lease: ref1.Lease},
	}}
	other := half
	other.ID, other.Spec.Key.ClusterID = "other", "c2"
	b := newBench(t, half, other)
	if b.m.Knows(ref1) {
		t.Fatal("it is taken for an attempt")
	}
	b.in(b.m.Listed(b.now, []executor.Container{half, other}, nil))
	b.want("SendHeartbeat")
	b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1", Stop: []Ref{ref1}}))
	if len(b.out) != 1 {
		t.Fatalf("%+v", b.out)
	}
	if gone, ok := b.out[0].(RemoveOrphan); !ok || gone.ID != "half" {
		t.Errorf("%+v", b.out[0])
	}
}
