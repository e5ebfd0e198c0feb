package coordinator

import (
	"time"
)

// What can happen, by chance, until all is calm.

// operate lets one random thing happen.
func (f *fleet) operate() {
	h := f.hosts[f.rng.IntN(len(f.hosts))]
	switch n := f.rng.IntN(1000); {
	case n < 30:
		if f.up && len(f.seen) < 7 {
			f.submit()
		}
	case n < 34:
		if f.up {
			f.cancel()
		}
	case n < 95:
		f.disturb(h)
	case n < 540 && f.deliver():
	case n < 830 && h.node.Work() > 0:
		f.work(h)
	case n < 900 && h.node.Live(f.now):
	case n < 930:
		f.copyLog()
	default:
		f.pass()
	}
	f.settled()
}

// join lets all workers register in peace, so that most runs begin with a
// cluster that works.
func (f *fleet) join() {
	f.calm = true
	for range 10 {
		f.exhaust()
		f.pass()
		f.settled()
	}
	f.calm = false
}

// work lets a host do one thing.
func (f *fleet) work(h *host) {
	if what := h.node.Step(f.now); what != "" {
		f.note("%s: %s", h.id, what)
	}
}

// disturb lets a fault begin or end.
func (f *fleet) disturb(h *host) {
	for _, o := range f.hosts { // what is broken does not stay so for long
		if f.rng.IntN(3) == 0 && !o.node.Gone() && (!o.node.Alive() || !o.node.EngineUp()) {
			h = o
		}
	}
	switch n := f.rng.IntN(100); {
	case !f.up && n < 50:
		f.startMaster()
	case !h.node.Alive() && n < 50:
		f.startWorker(h)
	case !h.node.EngineUp() && n < 70:
		f.startEngine(h)
	case (h.cutUp || h.cutDown || h.deaf) && n < 50:
		h.cutUp, h.cutDown, h.deaf = false, false, false
		f.note("%s: the network heals", h.id)
	case n < 12:
		if f.up {
			f.killMaster()
		}
	case n < 40:
		if h.node.Kill() {
			f.count.WorkerKills++
			f.note("%s: the worker is killed", h.id)
		}
	case n < 48:
		f.leave(h)
	case n < 60:
		f.cut(h)
	case n < 75:
		if h.node.StopEngine(f.now) {
			f.count.EngineStops++
			f.note("%s: the engine stops", h.id)
		}
	case n < 85:
		f.vanish(h)
	case n < 87:
		f.takeAway(h)
	}
}

func (f *fleet) masterBack() {
	if !f.up {
		f.startMaster()
	}
}

// cut breaks the network to a host: one direction, both, or only the way by
// which the master calls.
func (f *fleet) cut(h *host) {
	switch f.rng.IntN(4) {
	case 0:
		h.cutUp = true
	case 1:
		h.cutDown = true
	case 2:
		h.deaf = true
	default:
		h.cutUp, h.cutDown = true, true
	}
	f.count.Cuts++
	f.note("%s: cut up %v, down %v, deaf %v", h.id, h.cutUp, h.cutDown, h.deaf)
}

func (f *fleet) startWorker(h *host) {
	if h.node.Alive() || h.node.Gone() {
		return
	}
	session := f.next("session")
	f.note("%s: a worker starts as %s with %d containers", h.id, session, len(h.node.Containers()))
	h.node.Start(f.now, session)
}

func (f *fleet) startEngine(h *host) {
	if h.node.StartEngine() {
		f.note("%s: the engine is back", h.id)
	}
}

// leave ends a worker in order, sometimes with its tasks.
func (f *fleet) leave(h *host) {
	if stop := f.rng.IntN(3) == 0; h.node.Leave(f.now, stop) {
		f.count.Leaves++
		f.note("%s: the worker is told to end, tasks too: %v", h.id, stop)
	}
}

// vanish removes a container behind everybody's back.
func (f *fleet) vanish(h *host) {
	for _, ref := range h.node.Containers() {
		if h.node.Vanish(f.now, ref) {
			f.count.Vanished++
			f.note("%s: the container of %v vanishes", h.id, ref)
			return
		}
	}
}

// takeAway takes a host for ever; one stays.
func (f *fleet) takeAway(h *host) {
	left := 0
	for _, o := range f.hosts {
		if !o.node.Gone() {
			left++
		}
	}
	if left > 1 && !h.node.Gone() {
		f.count.HostsGone++
		f.note("%s: the host is gone for ever", h.id)
		h.node.TakeAway()
	}
}

// settle ends all faults and lets everything come to its end.
func (f *fleet) settle() {
	f.calm = true
	f.note("calm")
	f.masterBack()
	for _, h := range f.hosts {
		h.cutUp, h.cutDown, h.deaf = false, false, false
		h.node.Calm()
	}
	const most = 3 * time.Minute
	for end := f.now.Add(most); !f.quiet(); {
		if f.now.After(end) {
			f.failf("%s", f.unfinished())
		}
		for _, h := range f.hosts {
			f.startEngine(h)
			f.startWorker(h)
		}
		f.exhaust()
		f.pass()
		f.settled()
	}
	for id, t := range f.seen {
		if !t.Terminal() {
			f.failf("P2: task %s has no verdict", id)
		}
	}
	f.agree()
}

// agree has the master compare store, memory and heartbeats, until the last
// heartbeats say what there is.
func (f *fleet) agree() {
	for end := f.now.Add(2 * fleetTimeout); ; {
		report, _, err := f.m.compareAll(f.now, f.store)
		switch {
		case err != nil:
			f.failf("%v", err)
		case report.Violations > 0 || report.Pending > 0 && f.now.After(end):
			f.failf("invariants do not hold: %+v", report.Mismatches)
		case report.Pending == 0:
			return
		}
		f.exhaust()
		f.pass()
		f.settled()
	}
}

// exhaust lets all happen that can happen without time going by.
func (f *fleet) exhaust() {
	for busy := true; busy; {
		busy = false
		for _, h := range f.hosts {
			for range h.node.Work() {
				f.work(h)
				f.settled()
			}
			busy = h.node.Live(f.now) || busy
		}
		f.copyLog()
		for f.deliver() {
			busy = true
			f.settled()
		}
	}
}

// quiet reports whether all is over and nothing is left.
func (f *fleet) quiet() bool {
	if !f.up || len(f.m.tasks) > 0 || len(f.files.staging) > 0 || len(f.followers) > 0 {
		return false
	}
	for id := range f.files.published {
		if t := f.seen[id]; !t.Terminal() || t.Files.Count == 0 {
			return false
		}
	}
	for _, h := range f.hosts {
		if h.node.Gone() {
			continue
		}
		containers, folders, attempts := h.node.Leftovers()
		w := f.m.workers[h.id]
		if containers+folders+attempts > 0 || w == nil || len(w.attempts)+len(w.foreign) > 0 || w.closed() != "" {
			return false
		}
	}
	return true
}

// unfinished says what is left after a long calm.
func (f *fleet) unfinished() string {
	for _, id := range sortedKeys(f.m.tasks) {
		e := f.m.tasks[id]
		return "liveness: task " + string(id) + " never ends: " + string(e.task.State) + " on " + string(e.task.WorkerID)
	}
	for _, h := range f.hosts {
		_, folders, attempts := h.node.Leftovers()
		if w := f.m.workers[h.id]; !h.node.Gone() {
			f.note("%s: containers %v, %d folders %v, %d attempts, worker %+v", h.id, h.node.Containers(), folders, h.node.Folders(), attempts, w)
		}
	}
	f.note("staging %v, published %v, followers %d", f.files.staging, f.files.published, len(f.followers))
	return "P3: something is left behind"
}
