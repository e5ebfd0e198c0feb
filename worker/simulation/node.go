package simulation

import (
	"math/rand/v2"
	"slices"
	"time"

	"cloudai/worker/internal/agent"
	"cloudai/worker/internal/executor"
)

// Config is what a Node is made of.
type Config struct {
	ID string
	// Rand decides what happens here; the draws are part of the caller's order.
	Rand  *rand.Rand
	Watch Watch
}

// Node is one worker's host.
type Node struct {
	id      string
	rng     *rand.Rand
	watch   Watch
	live    bool // containers outlive their engine
	calm    bool // nothing goes wrong any more
	gone    bool // for ever
	engine  engine
	late    []job // calls of dead processes that the engine still carries out
	folders []folder
	notes   notes
	facts   map[Ref]*Fact
	proc    *process
	calls   []Call // that the caller has not taken yet
	serial  uint64
}

// notes are what a host keeps of its engine's absences.
type notes struct {
	downSince time.Time
	absences  []agent.Absence
}

// New returns a host whose engine runs and whose worker does not.
func New(c Config) *Node {
	return &Node{
		id: c.ID, rng: c.Rand, watch: c.Watch, live: c.Rand.IntN(3) == 0,
		engine: engine{up: true}, facts: map[Ref]*Fact{},
	}
}

// ID names the worker.
func (n *Node) ID() string { return n.id }

// Calm ends what goes wrong by chance.
func (n *Node) Calm() { n.calm = true }

// chance is true in so many of 100 cases, and never when all is calm.
func (n *Node) chance(percent int) bool { return !n.calm && n.rng.IntN(100) < percent }

// TakeAway takes the host away for ever.
func (n *Node) TakeAway() { n.gone, n.proc, n.calls, n.late = true, nil, nil, nil }

// Gone reports whether the host is away for ever.
func (n *Node) Gone() bool { return n.gone }

// Session is that of the process which runs; empty: none does, or it still
// waits for its engine.
func (n *Node) Session() string {
	if n.proc == nil || !n.proc.open {
		return ""
	}
	return n.proc.session
}

// Alive reports whether a process runs.
func (n *Node) Alive() bool { return n.proc != nil }

// EngineUp reports whether the engine runs.
func (n *Node) EngineUp() bool { return n.engine.up }

// Start begins a process. It waits for the engine.
func (n *Node) Start(now time.Time, session string) {
	if n.gone || n.proc != nil {
		return
	}
	n.proc = &process{
		node: n, session: session, logs: map[Ref]*stream{}, asked: map[uint64]agent.Action{},
		machine: agent.NewMachine(agent.Params{Seed: n.rng.Uint64(), Interval: 2 * time.Second}),
	}
	n.begin(now)
}

// begin finds what earlier processes have left, once the engine answers.
func (n *Node) begin(now time.Time) {
	p := n.proc
	if p == nil || p.open || !n.engine.up {
		return
	}
	if !n.notes.downSince.IsZero() {
		n.notes.absences = append(n.notes.absences, agent.Absence{From: n.notes.downSince, To: now, Outlived: n.live})
	}
	n.notes.downSince = time.Time{}
	containers := n.engine.list()
	p.machine.Gone(n.sweep())
	p.machine.Marked(n.marks())
	for _, c := range containers {
		p.logs[refOf(c.Spec.Key)] = &stream{}
	}
	p.open = true
	p.take(p.machine.Found(now, containers, n.notes.absences))
}

// folder is an attempt's folder, with the mark that its container was about to
// be started.
type folder struct {
	ref     Ref
	started time.Time
}

// marks are the times of the folders' marks.
func (n *Node) marks() map[Ref]time.Time {
	marks := map[Ref]time.Time{}
	for _, f := range n.folders {
		if !f.started.IsZero() {
			marks[f.ref] = f.started
		}
	}
	return marks
}

// sweep removes the folders of attempts that have no container. Those with the
// mark stay until the master knows.
func (n *Node) sweep() (gone []Ref) {
	n.folders = slices.DeleteFunc(n.folders, func(f folder) bool {
		if n.engine.byRef(f.ref) != nil {
			return false
		}
		if !f.started.IsZero() {
			gone = append(gone, f.ref)
		}
		return f.started.IsZero()
	})
	return gone
}

// folder is the attempt's; nil when there is none. Without it no container of it
// starts: it is bound into it.
func (n *Node) folder(ref Ref) *folder {
	for i := range n.folders {
		if n.folders[i].ref == ref {
			return &n.folders[i]
		}
	}
	return nil
}

func (n *Node) makeFolder(ref Ref) {
	if n.folder(ref) == nil {
		n.folders = append(n.folders, folder{ref: ref})
	}
}

func (n *Node) removeFolder(ref Ref) {
	n.folders = slices.DeleteFunc(n.folders, func(f folder) bool { return f.ref == ref })
}

// Kill ends the process without a word. Some of what it had asked of the engine
// happens all the same, now or later. False when there is none to kill, or when
// it has not seen yet that its engine is away: what it would have noted of that
// is what tells an engine's deed from a container's own end.
func (n *Node) Kill() bool {
	if n.proc == nil || n.unnoticed() {
		return false
	}
	for _, j := range n.proc.jobs {
		if j.deliver == nil && !j.began && n.chance(30) && j.lasting() {
			n.late = append(n.late, *j)
			if x, ok := j.action.(agent.Create); ok {
				n.makeFolder(x.Ref) // the process made it before it asked
			}
		}
	}
	n.proc, n.calls = nil, nil
	return true
}

// lasting reports whether the job asks the engine for a change.
func (j *job) lasting() bool {
	switch j.action.(type) {
	case agent.RunContainer:
		return j.marked
	case agent.Create, agent.StopContainer, agent.Remove, agent.RemoveOrphan:
		return true
	}
	return false
}

// leaveTime is how long a process that was told to end may take.
const leaveTime = 2 * time.Second

// Leave has the process end in order; with stop its tasks end with it.
func (n *Node) Leave(now time.Time, stop bool) bool {
	p := n.proc
	if p == nil || !p.open || p.leaving || n.unnoticed() {
		return false
	}
	p.leaving, p.stopAll, p.leaveBy = true, stop, now.Add(leaveTime)
	if stop {
		p.leaveBy = now.Add(4 * leaveTime)
		for _, b := range n.engine.boxes {
			b.fact.Leaving = true
		}
	}
	p.take(p.machine.Leave(now, stop))
	n.left(now)
	return true
}

// left ends a leaving process that has nothing to wait for, or no time left.
func (n *Node) left(now time.Time) {
	p := n.proc
	if p != nil && p.leaving && !n.unnoticed() && (p.machine.Left(p.stopAll) || !now.Before(p.leaveBy)) {
		n.Kill()
	}
}

// Deadline is when Tick is wanted; zero: not before another input.
func (n *Node) Deadline() time.Time {
	p := n.proc
	switch {
	case p == nil:
		return time.Time{}
	case !p.open:
		return time.Time{}
	case p.leaving:
		if d := p.machine.Deadline(); !d.IsZero() && d.Before(p.leaveBy) {
			return d
		}
		return p.leaveBy
	}
	return p.machine.Deadline()
}

// Tick lets everything happen that is due.
func (n *Node) Tick(now time.Time) {
	n.begin(now)
	p := n.proc
	if p == nil || !p.open {
		return
	}
	if d := p.machine.Deadline(); !d.IsZero() && !now.Before(d) {
		p.take(p.machine.Tick(now))
	}
	n.left(now)
}

// Work is how many things there are to do on this host.
func (n *Node) Work() int {
	if n.proc == nil {
		return len(n.late)
	}
	return len(n.late) + len(n.proc.jobs)
}

// Step does one thing of the work, by chance.
func (n *Node) Step(now time.Time) (what string) {
	all := n.Work()
	if all == 0 {
		return ""
	}
	i := n.rng.IntN(all)
	if i < len(n.late) {
		j := n.late[i]
		n.late = slices.Delete(n.late, i, i+1)
		n.effect(now, &j)
		return "late " + name(j.action)
	}
	what = n.proc.step(now, i-len(n.late))
	n.left(now)
	return what
}

// Calls hands out what the process asks of the master.
func (n *Node) Calls() []Call {
	calls := n.calls
	n.calls = nil
	return calls
}

func (n *Node) fact(ref Ref) *Fact {
	f := n.facts[ref]
	if f == nil {
		f = &Fact{}
		n.facts[ref] = f
	}
	return f
}

// Fact is the truth about an attempt; nil when this host has made no container
// of it.
func (n *Node) Fact(ref Ref) *Fact { return n.facts[ref] }

// Containers are those that are here, in the order of creation.
func (n *Node) Containers() (refs []Ref) {
	for _, b := range n.engine.boxes {
		refs = append(refs, refOf(b.Spec.Key))
	}
	return refs
}

// Busy is how many cores the containers that run here have been given, without
// those of the attempts left out.
func (n *Node) Busy(without map[Ref]bool) (cores float64) {
	for _, b := range n.engine.boxes {
		if b.Phase == executor.PhaseRunning && !without[refOf(b.Spec.Key)] {
			cores += b.Spec.CPU
		}
	}
	return cores
}

// Folders are the attempts that have an output folder.
func (n *Node) Folders() (refs []Ref) {
	for _, f := range n.folders {
		refs = append(refs, f.ref)
	}
	return refs
}

// Leftovers counts containers, output folders and attempts.
func (n *Node) Leftovers() (containers, folders, attempts int) {
	if n.proc != nil {
		attempts, _ = n.proc.machine.Attempts()
	}
	return len(n.engine.boxes), len(n.folders), attempts
}
