package simulation

import (
	"fmt"
	"slices"
	"time"

	"cloudai/worker/internal/agent"
	"cloudai/worker/internal/executor"
)

// engineErr is what every call hears while the engine is off.
func (n *Node) engineErr() error {
	if !n.engine.up {
		return errEngine
	}
	return nil
}

// effect carries out what a job changes at the engine, whoever hears of it.
func (n *Node) effect(now time.Time, j *job) {
	if !n.engine.up {
		return
	}
	switch x := j.action.(type) {
	case agent.Create:
		_, _ = n.create(x.Spec)
	case agent.RunContainer:
		if b := n.engine.byID(x.ID); b != nil && n.folder(x.Ref) != nil {
			b.unkept = n.startBox(now, b) && n.chance(50)
		}
	case agent.StopContainer:
		if b := n.engine.byID(x.ID); b != nil {
			n.stopBox(now, b)
		}
	case agent.Remove:
		n.removeID(now, x.ID)
	case agent.RemoveOrphan:
		n.removeID(now, x.ID)
	}
}

func (n *Node) removeID(now time.Time, id string) {
	if b := n.engine.byID(id); b != nil {
		n.removeBox(now, b)
	}
}

// perform carries a job out; without an outcome it goes on later.
func (p *process) perform(now time.Time, j *job) {
	n, m := p.node, p.machine
	switch x := j.action.(type) {
	case agent.Pull:
		err := n.pull()
		j.deliver = func(now time.Time) []agent.Action { return m.Pulled(now, x.Ref, err) }
	case agent.Create:
		c, err := p.create(x)
		j.deliver = func(now time.Time) []agent.Action { return m.Created(now, x.Ref, c, err) }
	case agent.RunContainer:
		p.run(now, j, x)
	case agent.LookAt:
		c, err := n.lookAt(x.ID)
		if err == nil && x.Forgotten && c.Phase == executor.PhaseCreated {
			p.read(x.Ref, n.engine.byID(x.ID))
		}
		head := p.stream(x.Ref).head
		j.deliver = func(now time.Time) []agent.Action { return m.LookedAt(now, x.Ref, c, head, err) }
	case agent.StopContainer:
		err := n.stop(now, x.ID)
		j.deliver = func(now time.Time) []agent.Action { return m.Stopped(now, x.Ref, err) }
	case agent.Collect:
		c := n.collect(x.Ref)
		j.deliver = func(now time.Time) []agent.Action { return m.Collected(now, x.Ref, c, nil) }
	case agent.Remove:
		p.remove(now, j, x.Ref, x.ID, m.Removed)
	case agent.RemoveOrphan:
		p.remove(now, j, x.Ref, x.ID, m.OrphanRemoved)
	case agent.Sample:
		err := n.engineErr()
		j.deliver = func(now time.Time) []agent.Action {
			return m.Sampled(now, x.Ref, executor.Usage{CPUSeconds: 1, Memory: 1}, 0, err)
		}
	case agent.ListContainers:
		found, err := n.engine.list(), n.engineErr()
		j.deliver = func(now time.Time) []agent.Action { return m.Listed(now, found, err) }
	case agent.Probe:
		alive := agent.Alive{Err: n.engineErr(), Outlived: n.live}
		j.deliver = func(now time.Time) []agent.Action { return m.Probed(now, alive) }
	case agent.PushLog:
		p.pushLog(j, x)
	case agent.RemoveFolders:
		for _, ref := range x.Refs {
			n.removeFolder(ref)
		}
		j.deliver = func(time.Time) []agent.Action { return nil }
	default:
		panic(fmt.Sprintf("simulation: nobody performs %T", j.action))
	}
}

func (n *Node) pull() error {
	switch {
	case !n.engine.up:
		return errEngine
	case n.chance(2):
		return executor.ErrImage
	case n.chance(40): // three in a row are wanted now and then
		return executor.ErrRegistry
	}
	return nil
}

func (p *process) create(x agent.Create) (executor.Container, error) {
	n := p.node
	n.makeFolder(x.Ref)
	switch {
	case !n.engine.up:
		return executor.Container{}, errEngine
	case n.chance(3):
		return executor.Container{}, errRoom
	}
	c, err := n.create(x.Spec)
	if n.chance(6) {
		return executor.Container{}, errEngine // it is there all the same
	}
	return c, err
}

// run starts the container, or goes on with it, and reads its log to its end.
func (p *process) run(now time.Time, j *job, x agent.RunContainer) {
	n := p.node
	b := n.engine.byID(x.ID)
	switch {
	case !j.marked:
		if f := n.folder(x.Ref); f != nil {
			f.started = now
		}
		j.marked = true
	case !n.engine.up && !j.began:
		p.exited(j, x.Ref, executor.Container{}, errUntold)
	case !n.engine.up:
		p.exited(j, x.Ref, executor.Container{}, errEngine)
	case b == nil:
		p.exited(j, x.Ref, executor.Container{}, executor.ErrNotFound)
	case !j.began && b.Phase == executor.PhaseCreated && (n.chance(4) || n.folder(x.Ref) == nil):
		b.Error = errStart.Error()
		p.exited(j, x.Ref, executor.Container{}, errStart)
	case !j.began:
		fresh := n.startBox(now, b)
		if n.chance(6) { // the answer is lost
			b.unkept = fresh && n.rng.IntN(2) == 0
			if b.unkept && n.rng.IntN(2) == 0 {
				n.StopEngine(now)
			}
			p.exited(j, x.Ref, executor.Container{}, errEngine)
			return
		}
		j.began = true
		p.take(p.machine.Started(now, x.Ref, b.StartedAt))
	case b.Phase == executor.PhaseExited:
		p.read(x.Ref, b)
		p.exited(j, x.Ref, b.Container, nil)
	default:
		p.read(x.Ref, b)
	}
}

func (n *Node) lookAt(id string) (executor.Container, error) {
	b := n.engine.byID(id)
	switch {
	case !n.engine.up:
		return executor.Container{}, errEngine
	case b == nil:
		return executor.Container{}, executor.ErrNotFound
	}
	b.unkept = false
	return b.Container, nil
}

func (n *Node) stop(now time.Time, id string) error {
	b := n.engine.byID(id)
	switch {
	case !n.engine.up:
		return errEngine
	case b == nil:
		return executor.ErrNotFound
	}
	n.stopBox(now, b)
	return nil
}

// collect lists what lies in the output folder; the hashes come with reading.
func (n *Node) collect(ref Ref) (c agent.Collection) {
	for _, f := range n.fact(ref).Files {
		f.SHA256 = ""
		c.Files = append(c.Files, f)
		c.Size += f.Size
	}
	return c
}

type removed func(now time.Time, ref Ref, err error) []agent.Action

// remove removes the container first and then, in a second step, the folder.
func (p *process) remove(now time.Time, j *job, ref Ref, id string, told removed) {
	n := p.node
	answer := func(err error) {
		j.deliver = func(now time.Time) []agent.Action { return told(now, ref, err) }
	}
	switch {
	case id != "" && !n.engine.up:
		answer(errEngine)
	case id != "" && !j.began && n.chance(4):
		answer(errRoom) // any other failure of the engine
	case id != "" && !j.began:
		n.removeID(now, id)
		j.began = true
	default:
		n.removeFolder(ref)
		answer(nil)
	}
}

// pushLog asks the master to take the log, or finds it out of reach.
func (p *process) pushLog(j *job, x agent.PushLog) {
	n := p.node
	b := n.engine.byRef(x.Ref)
	to := p.stream(x.Ref).head
	push := PushLog{Ref: x.Ref, UserID: x.UserID, From: x.From, Kept: x.From, To: to}
	switch {
	case !n.engine.up:
		j.deliver = func(now time.Time) []agent.Action { return p.machine.LogPushed(now, x.Ref, Reply{}, errEngine) }
		return
	case b == nil:
		// Only the end of it is in memory.
		const tail = 6
		push.Kept = Offsets{Stdout: max(x.From.Stdout, to.Stdout-tail), Stderr: max(x.From.Stderr, to.Stderr-tail)}
	}
	p.jobs = slices.DeleteFunc(p.jobs, func(o *job) bool { return o == j })
	p.ask(x, push, Offsets{})
}
