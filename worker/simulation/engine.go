package simulation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"cloudai/worker/internal/executor"
)

var (
	errEngine = fmt.Errorf("%w: the engine is off", executor.ErrEngine)
	errUntold = fmt.Errorf("%w: %w", executor.ErrNotTold, errEngine)
	errRoom   = errors.New("no room for a container")
	errStart  = errors.New("the command cannot be executed")
)

// box is a container.
type box struct {
	executor.Container
	fact   *Fact
	made   int  // its number; some run longer than others
	unkept bool // that it was started is not on the engine's disk yet
}

// engine keeps containers; processes come and go.
type engine struct {
	up    bool
	boxes []*box // in the order of creation
	made  int
}

func (e *engine) byID(id string) *box {
	for _, b := range e.boxes {
		if b.ID == id {
			return b
		}
	}
	return nil
}

func (e *engine) byRef(ref Ref) *box {
	for _, b := range e.boxes {
		if refOf(b.Spec.Key) == ref {
			return b
		}
	}
	return nil
}

func (e *engine) list() []executor.Container {
	found := make([]executor.Container, 0, len(e.boxes))
	for _, b := range e.boxes {
		b.unkept = false
		found = append(found, b.Container)
	}
	return found
}

func (e *engine) drop(b *box) {
	if at := slices.Index(e.boxes, b); at >= 0 {
		e.boxes = slices.Delete(e.boxes, at, at+1)
	}
}

func refOf(k Key) Ref { return Ref{TaskID: k.TaskID, Attempt: k.Attempt, Lease: k.Lease} }

// create is idempotent by the container's key; the name is taken by task and
// attempt alone.
func (n *Node) create(spec Spec) (executor.Container, error) {
	for _, b := range n.engine.boxes {
		k := b.Spec.Key
		switch {
		case k == spec.Key:
			return b.Container, nil
		case k.TaskID == spec.Key.TaskID && k.Attempt == spec.Key.Attempt && k.ClusterID == spec.Key.ClusterID:
			return executor.Container{}, executor.ErrConflict
		}
	}
	n.engine.made++
	ref := refOf(spec.Key)
	b := &box{fact: n.fact(ref), made: n.engine.made, Container: executor.Container{
		ID: fmt.Sprintf("%s-%d", ref.Lease, n.engine.made), Spec: spec, Phase: executor.PhaseCreated,
	}}
	n.engine.boxes = append(n.engine.boxes, b)
	return b.Container, nil
}

// startBox starts a container; false when it was started before.
func (n *Node) startBox(now time.Time, b *box) bool {
	if b.Phase != executor.PhaseCreated {
		return false
	}
	b.Phase, b.StartedAt, b.Error = executor.PhaseRunning, now, ""
	b.fact.Starts++
	n.watch.Started(n.id, refOf(b.Spec.Key))
	return true
}

// end ends a container that runs; what it leaves is decided by then.
func (n *Node) end(now time.Time, b *box, code int) {
	b.Phase, b.FinishedAt, b.ExitCode = executor.PhaseExited, now, code
	f := b.fact
	f.Ended, f.ExitCode, f.OOM, f.Ran = true, code, b.OOMKilled, int64(now.Sub(b.StartedAt))
	for i := range n.rng.IntN(3) {
		path := string(rune('a' + i))
		f.Files = append(f.Files, File{Path: path, Size: int64(1 + n.rng.IntN(3)), Mode: 0o644, SHA256: b.Spec.Key.Lease + "/" + path})
	}
}

// stopBox ends a container by an order; programs that trap TERM end with 0.
func (n *Node) stopBox(now time.Time, b *box) {
	if b.Phase != executor.PhaseRunning {
		return
	}
	n.watch.Stopping(n.id, refOf(b.Spec.Key))
	b.fact.Stopped = true
	n.end(now, b, []int{0, 137, 143}[n.rng.IntN(3)])
}

func (n *Node) removeBox(now time.Time, b *box) {
	if b.fact.Starts > 0 {
		n.watch.Removing(n.id, refOf(b.Spec.Key))
	}
	if b.Phase == executor.PhaseRunning {
		b.fact.Stopped = true
		n.end(now, b, 137)
	}
	n.engine.drop(b)
}

// Live lets one container that runs write to its log or end; false when none
// runs.
func (n *Node) Live(now time.Time) bool {
	var running []*box
	for _, b := range n.engine.boxes {
		if b.Phase == executor.PhaseRunning {
			running = append(running, b)
		}
	}
	if n.gone || !n.engine.up || len(running) == 0 {
		return false
	}
	b := running[n.rng.IntN(len(running))]
	b.fact.Log.Stdout += int64(n.rng.IntN(9))
	b.fact.Log.Stderr += int64(n.rng.IntN(4))
	const longest = 4
	if n.rng.IntN(2+b.made%longest*2) > 0 && !n.calm {
		return true
	}
	switch n.rng.IntN(12) {
	case 0:
		b.OOMKilled = true
		n.end(now, b, 137)
	case 1, 2, 3:
		n.end(now, b, 1+n.rng.IntN(2))
	default:
		n.end(now, b, 0)
	}
	return true
}

// StopEngine stops the engine and, unless they outlive it, its containers. The
// streams of some of them tell of the end before they break. False when it is
// off, or when no process would notice: nothing could tell its deed from a
// container's own end then.
func (n *Node) StopEngine(now time.Time) bool {
	if n.gone || !n.engine.up || n.proc == nil || !n.proc.open {
		return false
	}
	n.lastLate(now)
	n.engine.up = false
	for _, b := range n.engine.boxes {
		if b.Phase == executor.PhaseRunning && (!n.live || b.unkept) {
			b.fact.Killed = true
			n.end(now, b, []int{0, 137}[n.rng.IntN(2)])
		}
		if b.unkept { // it ran, and the next engine knows nothing of that
			b.Phase, b.StartedAt, b.FinishedAt, b.ExitCode, b.OOMKilled = executor.PhaseCreated, time.Time{}, time.Time{}, 0, false
		}
		b.unkept = false
	}
	n.proc.breakStreams()
	return true
}

// lastLate decides what becomes of the calls of dead processes when the engine
// stops: it carries some out at the last moment, and the others end with it.
func (n *Node) lastLate(now time.Time) {
	for _, j := range n.late {
		if n.chance(50) {
			n.effect(now, &j)
		}
	}
	n.late = nil
}

// StartEngine starts the engine again. No engine starts before the worker has
// missed it, which asks every second; false when it is up or not missed yet.
func (n *Node) StartEngine() bool {
	if n.gone || n.engine.up || n.unnoticed() {
		return false
	}
	n.engine.up = true
	return true
}

// unnoticed reports whether the engine is off and the process has not seen it.
func (n *Node) unnoticed() bool {
	return !n.engine.up && n.proc != nil && n.proc.open && n.proc.machine.EngineUp()
}

// Vanish removes the attempt's container behind everybody's back.
func (n *Node) Vanish(now time.Time, ref Ref) bool {
	b := n.engine.byRef(ref)
	if n.gone || !n.engine.up || b == nil {
		return false
	}
	if b.Phase == executor.PhaseRunning {
		b.fact.Stopped = true
		n.end(now, b, 137)
	}
	b.fact.Vanished = true
	n.engine.drop(b)
	if n.proc != nil {
		n.proc.breakStream(b.ID)
	}
	return true
}
