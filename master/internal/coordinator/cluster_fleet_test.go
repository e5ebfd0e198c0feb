package coordinator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db/storetest"
	"cloudai/worker/simulation"
)

// Times of the model; short, so that a run sees many of them pass.
const (
	fleetInterval = 2 * time.Second
	fleetTimeout  = 6 * time.Second
	fleetGrace    = 10 * time.Second // of a worker that announced its stop
	fleetPatience = 2 * time.Second  // of whoever waits for an answer
	fleetID       = "c1"
	fleetCores    = 4 // of each worker
)

// fleet is a whole cluster: the machine of the coordinator with what its driver
// does around it, real agents on simulated hosts, and the network, the store
// and the disks between them, which fail as the seed decides. Everything
// happens in one goroutine, one event at a time.
type fleet struct {
	rng     *rand.Rand
	now     time.Time
	calm    bool // nothing goes wrong any more
	tracing bool
	trace   []string
	count   counts

	store  *storetest.Memory
	m      *machine
	up     bool // the master runs
	life   int  // of the master
	serial int
	logs   logDisk
	files  fileDisk

	// Of the master's present life.
	wake, rounding, queued bool
	lanes                  map[cluster.TaskID][]func() // calls about one task, in order
	followers              []*follower

	hosts  []*host
	events []event

	seen   map[cluster.TaskID]cluster.Task // as last committed
	acked  []cluster.TaskID                // submits that were answered
	starts map[cluster.TaskID]int          // containers begun
}

// host is a worker's host and the network to it.
type host struct {
	node    *simulation.Node
	id      cluster.WorkerID
	cutUp   bool // nothing from it arrives
	cutDown bool // nothing to it arrives
	deaf    bool // the master's calls to it fail, its own arrive
	waiting []waiting
	heard   time.Time                // by the present master
	away    time.Time                // it may be away until then
	lost    bool                     // as the present master saw it last
	told    []cluster.RunningAttempt // what it has shown, as the present master knows
	ghosts  map[simulation.Ref]bool  // attempts whose assignment came when they were over
}

// waiting is a call that is given up in time.
type waiting struct {
	id uint64
	by time.Time
}

// event is something that can happen from a time on. Without a life it is on
// the network, which outlives the master.
type event struct {
	do    func()
	life  int
	after time.Time
}

// failure ends a run.
type failure struct{ message string }

func (f *fleet) failf(format string, args ...any) {
	f.note("FAILED: "+format, args...)
	panic(failure{fmt.Sprintf(format, args...)})
}

func (f *fleet) note(format string, args ...any) {
	if f.tracing {
		f.trace = append(f.trace, f.now.Format("04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

func newFleet(seed uint64, tracing bool) *fleet {
	f := &fleet{
		rng: rand.New(rand.NewPCG(seed, 11)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), tracing: tracing,
		store: storetest.NewMemory(), logs: logDisk{}, files: newFileDisk(),
		seen: map[cluster.TaskID]cluster.Task{}, starts: map[cluster.TaskID]int{},
	}
	for i := range 2 + f.rng.IntN(2) {
		id := fmt.Sprintf("w%d", i)
		f.hosts = append(f.hosts, &host{
			id: cluster.WorkerID(id), ghosts: map[simulation.Ref]bool{},
			node: simulation.New(simulation.Config{ID: id, Rand: f.rng, Watch: (*witness)(f)}),
		})
	}
	f.startMaster()
	for _, h := range f.hosts {
		f.startWorker(h)
	}
	return f
}

func (f *fleet) next(prefix string) string {
	f.serial++
	return fmt.Sprintf("%s%d", prefix, f.serial)
}

// chance is true in so many of 1000 cases, and never when all is calm.
func (f *fleet) chance(permille int) bool { return !f.calm && f.rng.IntN(1000) < permille }

// within is a time of up to d by chance.
func (f *fleet) within(d time.Duration) time.Duration {
	return time.Duration(f.rng.Int64N(int64(d) + 1))
}

// local lets the master do something later, in an order that the seed decides;
// it dies with the master.
func (f *fleet) local(do func()) { f.events = append(f.events, event{do: do, life: f.life}) }

// localAfter is local, not before so much time has passed.
func (f *fleet) localAfter(d time.Duration, do func()) {
	f.events = append(f.events, event{do: do, life: f.life, after: f.now.Add(d)})
}

// fly lets something arrive over the network, some of it late.
func (f *fleet) fly(do func()) {
	e := event{do: do}
	if f.chance(100) {
		f.count.Delayed++
		late := 2 * fleetPatience
		if f.rng.IntN(5) == 0 {
			late = 10 * fleetPatience // long after everybody has given it up
		}
		e.after = f.now.Add(f.within(late))
	}
	f.events = append(f.events, e)
}

// deliver lets one thing happen that can; false when there is none.
func (f *fleet) deliver() bool {
	if len(f.events) == 0 {
		return false
	}
	first := f.rng.IntN(len(f.events))
	for i := range f.events {
		at := (first + i) % len(f.events)
		e := f.events[at]
		if f.now.Before(e.after) {
			continue
		}
		f.events = slices.Delete(f.events, at, at+1)
		e.do()
		return true
	}
	return false
}

// settled follows every event: what it has brought about is put on its way, and
// the promises are checked.
func (f *fleet) settled() {
	for _, h := range f.hosts {
		for _, c := range h.node.Calls() {
			f.send(h, c)
		}
	}
	if f.up && !f.rounding && !f.queued && (f.wake || !f.m.next.IsZero() && !f.now.Before(f.m.next)) {
		f.queued = true
		f.local(f.round)
	}
	f.check()
}

// pass lets time go by to the next deadline, or a part of it.
func (f *fleet) pass() {
	step := f.within(700 * time.Millisecond)
	if d := f.deadline(); !d.IsZero() && f.rng.IntN(3) > 0 {
		step = min(max(0, d.Sub(f.now)), 2*time.Second)
	}
	f.now = f.now.Add(step)
	for _, h := range f.hosts {
		if d := h.node.Deadline(); h.node.Alive() && (d.IsZero() || !f.now.Before(d)) {
			h.node.Tick(f.now)
		}
		h.waiting = slices.DeleteFunc(h.waiting, func(w waiting) bool {
			if h.node.Open(w.id) && f.now.Before(w.by) {
				return false
			}
			if h.node.Open(w.id) {
				f.count.Timeouts++
				h.node.Lost(f.now, w.id)
			}
			return true
		})
	}
}

// deadline is the nearest time at which something happens by itself.
func (f *fleet) deadline() (next time.Time) {
	take := func(t time.Time) {
		if !t.IsZero() && t.After(f.now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if f.up {
		take(f.m.next)
	}
	for _, h := range f.hosts {
		take(h.node.Deadline())
		for _, w := range h.waiting {
			take(w.by)
		}
	}
	for _, e := range f.events {
		take(e.after)
	}
	return next
}

func (f *fleet) host(id cluster.WorkerID) *host {
	for _, h := range f.hosts {
		if h.id == id {
			return h
		}
	}
	return nil
}
