package agent

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"cloudai/worker/internal/executor"
)

// jump is a reading of a clock that somebody has set by so much: another time of
// day, the same monotonic time. Nothing in package time makes one.
func jump(t time.Time, by time.Duration) time.Time {
	raw := (*struct {
		wall uint64 // a bit, 33 bits of seconds, 30 bits of nanoseconds
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t))
	raw.wall += uint64(int64(by/time.Second)) << 30
	return t
}

// clockBench is a bench whose clock can be set.
func clockBench(t *testing.T, absences []Absence, found ...executor.Container) *bench {
	b := &bench{t: t, m: NewMachine(Params{Interval: time.Hour}), now: time.Now()}
	if set := jump(b.now, time.Hour); set.Sub(b.now) != 0 || set.Round(0).Sub(b.now.Round(0)) != time.Hour {
		t.Fatal("the clock was not set as the test means it")
	}
	b.in(b.m.Found(b.now, found, absences))
	b.in(b.m.Registered(b.now, Joined{ClusterID: "c1"}))
	b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1"}))
	b.in(b.m.Listed(b.now, nil, nil))
	b.out = nil
	return b
}

// ended is the failure of the first attempt's container that ended then.
func (b *bench) ended(at time.Time) Failure {
	b.t.Helper()
	b.in(b.m.Exited(b.now, ref1, executor.Container{StartedAt: at.Add(-time.Second), FinishedAt: at.Round(0)}, executor.Offsets{}, nil))
	b.in(b.m.Probed(b.now, Alive{}))
	b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
	return b.result().Failure
}

// away has the engine go away for six seconds, in which the clock is set.
func (b *bench) away(by time.Duration) (since time.Time) {
	b.t.Helper()
	since = b.m.engine.lastOK
	b.now = since.Add(time.Second)
	b.in(b.m.Tick(b.now))
	b.in(b.m.Probed(b.now, Alive{Err: fmt.Errorf("%w: off", executor.ErrEngine)}))
	b.now = jump(since.Add(6*time.Second), by)
	b.in(b.m.Tick(b.now))
	b.in(b.m.Probed(b.now, Alive{}))
	if !b.m.EngineUp() {
		b.t.Fatal("the engine is not back")
	}
	b.out = nil
	return since
}

// F08, F25: what ends with its engine is no success, and what ended before it is
// none of the engine's, also when the clock is set meanwhile.
func TestF08EndsInAGapWhenTheClockIsSet(t *testing.T) {
	for _, c := range []struct {
		set   time.Duration
		ended time.Duration // since the last sign of life, by the clock at that time
		want  Failure
	}{
		{0, time.Second, FailureRuntime},
		{0, -time.Second, ""},
		{-time.Hour, time.Second, FailureRuntime},             // before it was set
		{-time.Hour, time.Second - time.Hour, FailureRuntime}, // and after that
		{-time.Hour, -time.Second, ""},
		{-2 * time.Second, time.Second, FailureRuntime},
		{-2 * time.Second, -time.Second, FailureRuntime}, // a second after it
		{-2 * time.Second, -4 * time.Second, ""},
		{time.Hour, time.Second, FailureRuntime},
		{time.Hour, time.Second + time.Hour, FailureRuntime},
		{time.Hour, -time.Second, ""},
	} {
		b := clockBench(t, nil)
		b.run()
		b.pass(3 * time.Second)
		since := b.away(c.set)
		if got := b.ended(since.Add(c.ended)); got != c.want {
			t.Errorf("set by %s, ended %s after the last sign of life: %q, want %q", c.set, c.ended, got, c.want)
		}
	}
}

// F08, F25: what has begun after the engine was away did not end with it, though
// the clock shows that time once more.
func TestF08EndsAfterAGapWhenTheClockIsSet(t *testing.T) {
	b := clockBench(t, nil)
	since := b.away(0)
	b.run()
	if got := b.ended(since.Add(2 * time.Second)); got != "" {
		t.Errorf("begun after an absence: %q", got)
	}
	b = clockBench(t, nil)
	since = b.away(time.Hour)
	b.run()
	if got := b.ended(since.Add(10 * time.Minute)); got != "" {
		t.Errorf("the clock was wrong for a while: %q", got)
	}
	for phase, want := range map[executor.Phase]Failure{executor.PhaseRunning: "", executor.PhaseExited: FailureRuntime} {
		start := time.Now()
		missed := Absence{From: start.Add(-time.Minute).Round(0), To: start.Round(0)}
		b := clockBench(t, []Absence{missed}, executor.Container{ID: "id1", Spec: spec1(), Phase: phase, StartedAt: missed.From})
		if got := b.ended(start.Add(-time.Second)); got != want {
			t.Errorf("found %v after an absence: %q, want %q", phase, got, want)
		}
	}
	// The newest are kept; those of before still count as such.
	b = clockBench(t, nil)
	for range absencesKept + 2 {
		b.away(0)
	}
	b.run()
	since = b.away(0)
	if got := b.ended(since.Add(time.Second)); got != FailureRuntime {
		t.Errorf("ended with its engine: %q", got)
	}
}

// F08, F25: a host whose clock is behind after its start has been away all the
// same.
func TestF08HostStartsWithAnEarlierClock(t *testing.T) {
	n := &engineNotes{path: filepath.Join(t.TempDir(), engineFile)}
	seen := time.Now().Add(-time.Hour).Round(0)
	must(t, n.write(engineRecord{BootID: "another"}))
	n.seen(seen)
	started := seen.Add(-24 * time.Hour)
	absences, err := n.absences(started, "e1", false)
	must(t, err)
	e := engine{absences: absences, past: len(absences)}
	for at, want := range map[time.Time]bool{
		seen.Add(-time.Second): false, seen.Add(3 * time.Second): true, // as the host went down
		started.Add(-time.Second): true, started.Add(time.Second): false,
	} {
		if got := e.killed(at, 0); got != want {
			t.Errorf("ended %s after the last sign of life: %v", at.Sub(seen), got)
		}
	}
	if !e.awaySince(seen.Add(-time.Second), 0) {
		t.Error("a start of before may not be forgotten")
	}
}
