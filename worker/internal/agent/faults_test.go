package agent

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

// F08: containers that end with their engine did not end by themselves.
func TestF08EndsInAGapAreRuntime(t *testing.T) {
	off := fmt.Errorf("%w: off", executor.ErrEngine)
	for _, c := range []struct {
		name    string
		err     error
		alive   Alive
		after   time.Duration // end after the last sign of life
		failure Failure
	}{
		{"killed with the engine", off, Alive{}, 500 * time.Millisecond, FailureRuntime},
		{"live restore", off, Alive{Outlived: true}, 500 * time.Millisecond, ""},
		{"ended before", off, Alive{}, -time.Second, ""},
		{"only slow", errors.New("timed out"), Alive{}, 500 * time.Millisecond, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.run()
			b.pass(3 * time.Second)
			ended := b.m.engine.lastOK.Add(c.after)
			b.now = b.m.engine.lastOK.Add(time.Second)
			b.in(b.m.Tick(b.now))
			b.in(b.m.Probed(b.now, Alive{Err: c.err}))
			// The end is seen before the engine is back, and confirmed after it.
			b.in(b.m.Exited(b.now, ref1, executor.Container{StartedAt: time.Unix(1000, 0), FinishedAt: ended}, executor.Offsets{}, nil))
			b.now = b.now.Add(time.Second)
			b.in(b.m.Tick(b.now))
			b.in(b.m.Probed(b.now, c.alive))
			b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
			if r := b.result(); r.Failure != c.failure {
				t.Errorf("%+v", r)
			}
		})
	}
}

// F08: an engine that was killed with what watched a container gives it a code
// that means nothing, and no time.
func TestF08UnknownEndIsNoResult(t *testing.T) {
	b := newBench(t)
	b.run()
	b.exit(func(c *executor.Container) { c.FinishedAt, c.ExitCode = time.Time{}, 255 })
	b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
	if r := b.result(); r.Failure != FailureRuntime {
		t.Errorf("%+v", r)
	}
}

// F10: the pauses between the tries grow, and are not the same for everyone.
func TestF10PausesGrowWithJitter(t *testing.T) {
	seen := map[time.Duration]bool{}
	for seed := range uint64(20) {
		b := newBench(t)
		b.m.rng = rand.New(rand.NewPCG(seed, seed))
		b.assign()
		var pauses []time.Duration
		for range pullTries - 1 {
			b.in(b.m.Pulled(b.now, ref1, fmt.Errorf("%w: registry.test refused", executor.ErrRegistry)))
			pauses = append(pauses, b.m.attempts[ref1].retry.at.Sub(b.now))
			b.pass(5 * time.Second)
		}
		seen[pauses[0]] = true
		if pauses[0] < 500*time.Millisecond || pauses[1] <= pauses[0] {
			t.Errorf("the pauses are %s", pauses)
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d different pauses: %v", len(seen), seen)
	}
}

func TestF10RegistryGetsThreeTries(t *testing.T) {
	b := newBench(t)
	b.assign()
	start := b.now
	for range 2 {
		b.in(b.m.Pulled(b.now, ref1, fmt.Errorf("%w: registry.test refused", executor.ErrRegistry)))
		b.pass(5 * time.Second)
	}
	b.want("Pull", "ReportProgress", "Pull", "Pull") // the reason is told
	b.in(b.m.Pulled(b.now, ref1, fmt.Errorf("%w: registry.test refused", executor.ErrRegistry)))
	r := b.result()
	if r.Failure != FailureRegistry || !strings.Contains(r.Message, "registry.test") || b.now.Sub(start) > pullTotal {
		t.Errorf("%+v after %s", r, b.now.Sub(start))
	}
}

func TestF10SilentRegistryFailsInTime(t *testing.T) {
	b := newBench(t)
	b.assign()
	start := b.now
	pulls := 0
	for range 100 {
		for _, a := range b.out {
			switch a.(type) {
			case Pull:
				pulls++
			case ReportCompletion:
				if took := b.now.Sub(start); took > pullTotal || pulls != pullTries {
					t.Errorf("%d pulls in %s", pulls, took)
				}
				if r := b.result(); r.Failure != FailureRegistry {
					t.Errorf("%+v", r)
				}
				return
			}
		}
		interrupted := len(b.out) > 0 && fmt.Sprintf("%T", b.out[len(b.out)-1]) == "agent.Interrupt"
		b.out = nil
		if interrupted {
			b.in(b.m.Pulled(b.now, ref1, errors.New("interrupted")))
			continue
		}
		b.pass(time.Second)
	}
	t.Fatal("still pulling")
}

func TestF11MovingPullHasNoDeadline(t *testing.T) {
	b := newBench(t)
	b.assign()
	b.want("Pull")
	for i := range 100 {
		b.in(b.m.Pulling(b.now, ref1, executor.PullProgress{DoneBytes: int64(i), TotalBytes: 1000}))
		for _, a := range b.out {
			if p, ok := a.(ReportProgress); ok {
				if p.Progress.TotalBytes != 1000 {
					t.Errorf("%+v", p)
				}
				b.in(b.m.ProgressAnswered(b.now, ref1, 0, Reply{}))
			}
			if _, ok := a.(Interrupt); ok {
				t.Fatal("given up while bytes move")
			}
		}
		b.out = nil
		b.pass(20 * time.Second)
	}
}

func TestF14LowDiskTakesNoTasks(t *testing.T) {
	b := newBench(t)
	b.run()
	b.now = b.now.Add(10 * time.Millisecond)
	b.in(b.m.Probed(b.now, Alive{Low: "nearly full"}))
	b.want("SendHeartbeat", "Sample")
	if _, err := b.m.Assign(b.now, spec1(func(s *executor.Spec) { s.Key.TaskID = "t2" })); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "nearly full") {
		t.Errorf("assigned: %v", err)
	}
	b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1"}))
	b.in(b.m.Probed(b.now, Alive{}))
	if h := b.out[0].(SendHeartbeat).Heartbeat; !h.Healthy {
		t.Errorf("%+v", h)
	}
}

// A probe that was on its way when the engine went down proves nothing.
func TestF08AnswersOlderThanAFaultDoNotCount(t *testing.T) {
	b := newBench(t)
	b.run()
	b.now = b.now.Add(time.Second)
	b.in(b.m.Tick(b.now)) // begins a probe
	b.out = nil
	off := fmt.Errorf("%w: off", executor.ErrEngine)
	b.in(b.m.Exited(b.now, ref1, executor.Container{}, executor.Offsets{}, off))
	if note, ok := b.out[0].(NoteEngine); !ok || note.DownSince != b.m.engine.lastOK {
		t.Errorf("not noted: %v", b.out)
	}
	b.out = nil
	b.in(b.m.Probed(b.now, Alive{}))
	if b.m.EngineUp() || len(b.out) != 1 {
		t.Fatalf("up %v, %v", b.m.EngineUp(), b.out)
	}
	b.out = nil
	b.in(b.m.Probed(b.now.Add(time.Second), Alive{}))
	if !b.m.EngineUp() || !b.m.engine.killed(b.now, 0) {
		t.Errorf("up %v, absences %v", b.m.EngineUp(), b.m.engine.absences)
	}
}

// F08: of two notes that are written at once the later one holds.
func TestF08ALateNoteIsOld(t *testing.T) {
	n := &engineNotes{path: filepath.Join(t.TempDir(), engineFile)}
	must(t, n.keep(2, engineRecord{BootID: bootID()}))
	must(t, n.keep(1, engineRecord{BootID: bootID(), DownSince: time.Now().Add(-time.Hour)}))
	if absences, err := n.absences(time.Now(), "", false); err != nil || len(absences) != 0 {
		t.Errorf("%v, %v", absences, err)
	}
	b := newBench(t)
	b.run()
	b.out = nil
	b.in(b.m.Exited(b.now, ref1, executor.Container{}, executor.Offsets{}, fmt.Errorf("%w: off", executor.ErrEngine)))
	away := b.out[0].(NoteEngine)
	b.out = nil
	b.in(b.m.Probed(b.now.Add(time.Second), Alive{}))
	if back := b.out[0].(NoteEngine); back.N <= away.N || !back.DownSince.IsZero() {
		t.Errorf("away %+v, back %+v", away, back)
	}
}

// F08, F04: what an earlier process has seen of the engine's absence counts.
func TestF08AbsencesOutliveTheProcess(t *testing.T) {
	n := &engineNotes{path: filepath.Join(t.TempDir(), engineFile)}
	start := time.Now().Add(-time.Hour)
	absences, err := n.absences(start, "e1", false)
	must(t, err)
	if len(absences) != 0 {
		t.Errorf("from nothing: %v", absences)
	}
	// The process ended while the engine was away.
	must(t, n.write(engineRecord{BootID: bootID(), DownSince: start}))
	absences, err = n.absences(start.Add(time.Minute), "e1", false)
	must(t, err)
	if len(absences) != 1 || !absences[0].From.Equal(start) || !absences[0].To.Equal(start.Add(time.Minute)) {
		t.Errorf("%v", absences)
	}
	// And the next one goes on from there.
	absences, err = n.absences(start.Add(time.Hour), "e1", false)
	must(t, err)
	if len(absences) != 1 {
		t.Errorf("%v", absences)
	}
	// The host was started anew since the engine answered last.
	must(t, n.write(engineRecord{BootID: "another"}))
	n.seen(start.Add(10 * time.Minute))
	absences, err = n.absences(start.Add(20*time.Minute), "e1", true)
	must(t, err)
	if len(absences) != 1 || !absences[0].From.Equal(start.Add(10*time.Minute)) {
		t.Errorf("%v", absences)
	}
	// Containers that outlive the engine were not ended by it.
	must(t, n.write(engineRecord{BootID: bootID(), DownSince: start}))
	absences, err = n.absences(start.Add(time.Minute), "e1", true)
	must(t, err)
	if len(absences) != 1 || !absences[0].Outlived || (&engine{absences: absences}).killed(start.Add(time.Second), 0) {
		t.Errorf("%v", absences)
	}
	// The engine was started anew while no process was there to see it.
	for _, c := range []struct {
		instance string
		outlived bool
		want     int
	}{{"e2", false, 1}, {"e2", true, 1}, {"e1", false, 0}, {"", false, 0}} {
		n.is("e1")
		must(t, n.write(engineRecord{BootID: bootID()}))
		n.seen(start.Add(30 * time.Minute))
		absences, err = n.absences(start.Add(40*time.Minute), c.instance, c.outlived)
		must(t, err)
		if len(absences) != c.want || c.want > 0 && (!absences[0].From.Equal(start.Add(30*time.Minute)) || absences[0].Outlived != c.outlived) {
			t.Errorf("%+v: %v", c, absences)
		}
		n.seenAt = time.Time{}
	}
	must(t, os.WriteFile(n.path, []byte("{torn"), 0o600))
	absences, err = n.absences(time.Now(), "e1", false)
	must(t, err)
	if len(absences) != 1 {
		t.Errorf("from a damaged record: %v", absences)
	}
}

// What can never run is reported at once, and as hopeless.
func TestContainerThatCanNeverRun(t *testing.T) {
	b := newBench(t)
	b.run()
	b.in(b.m.Exited(b.now, ref1, executor.Container{}, executor.Offsets{}, fmt.Errorf("%w: no shell", executor.ErrSpec)))
	b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
	if r := b.result(); r.Failure != FailureRuntime || !r.Hopeless || !strings.Contains(r.Message, "no shell") {
		t.Errorf("%+v", r)
	}
}
