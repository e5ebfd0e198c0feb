package coordinator

import (
	"errors"
	"fmt"

	"cloudai/master/internal/cluster"
	"cloudai/worker/simulation"
)

// The master's calls to workers: what workerconn and the worker's edge make of
// them, over a network that loses, delays and repeats.

// tell is Coordinator.tell.
func (f *fleet) tell(st step) {
	for _, o := range st.follows {
		f.follow(o.ref, o.to)
	}
	for _, a := range st.assigns {
		f.inLane(a.order.Ref.TaskID, func(done func()) { f.assign(a, done) })
	}
	for _, o := range st.cancels {
		f.inLane(o.ref.TaskID, func(done func()) { f.orderCancel(o, done) })
	}
	for _, to := range st.hellos {
		f.hello(to, func(h Hello, err error) {
			f.carry(f.m.helloAnswered(f.now, to, h, err), func(error) {})
		})
	}
	for _, w := range st.readback {
		f.localAfter(0, func() { f.readBack(w) })
	}
}

// inLane makes calls about one task one after the other.
func (f *fleet) inLane(id cluster.TaskID, call func(done func())) {
	next := func() {
		call(func() {
			f.lanes[id] = f.lanes[id][1:]
			if len(f.lanes[id]) > 0 {
				f.lanes[id][0]()
			}
		})
	}
	f.lanes[id] = append(f.lanes[id], next)
	if len(f.lanes[id]) == 1 {
		next()
	}
}

var errRefusedConn = fmt.Errorf("%w: nobody listens", cluster.ErrConnRefused)

// call carries a message to the worker and its answer back. Each side may be
// dead by then. at runs at the worker, if it arrives; answered at the master,
// exactly once while that lives, with nil or why there is no answer.
func (f *fleet) call(id cluster.WorkerID, at func(h *host), answered func(error)) {
	h, life, over := f.host(id), f.life, false
	answer := func(err error) {
		if life == f.life && f.up && !over {
			over = true
			answered(err)
		}
	}
	f.localAfter(fleetPatience, func() { answer(errLost) })
	if f.chance(40) {
		f.count.Dropped++
		return
	}
	arrive := func() {
		switch {
		case h.cutDown || h.deaf || h.node.Gone():
			f.count.Dropped++
			return
		case h.node.Session() == "":
			f.fly(func() { answer(errRefusedConn) })
			return
		}
		at(h)
		f.fly(func() {
			if h.cutUp || f.chance(40) {
				f.count.Dropped++
				return
			}
			answer(nil)
		})
	}
	f.fly(arrive)
	if f.chance(30) {
		f.count.Repeated++
		f.fly(arrive)
	}
}

func (f *fleet) hello(to Target, then func(Hello, error)) {
	var answer Hello
	f.call(to.WorkerID, func(h *host) {
		h.node.Called(f.now)
		answer = Hello{WorkerID: h.id, Session: h.node.Session()}
	}, func(err error) { then(answer, err) })
}

func (f *fleet) assign(a assign, done func()) {
	var answer error
	f.call(a.to.WorkerID, func(h *host) {
		if h.node.Session() != a.to.Session {
			answer = errLost // another session's word is no answer
			return
		}
		answer = f.atWorker(h.node.Assign(f.now, specOf(a.order)))
		if ref := refOut(a.order.Ref); !f.owned(ref) {
			h.ghosts[ref] = true // nobody can know of it before it is shown
		}
		f.note("%s: assign %v: %v", h.id, a.order.Ref, answer)
	}, func(err error) {
		if err == nil {
			err = answer
		}
		if errors.Is(err, cluster.ErrRefused) {
			f.count.Refusals++
		}
		f.carry(f.m.assignAnswered(f.now, a, err), func(error) {})
		done()
	})
}

// atWorker is what the master makes of the worker's error.
func (f *fleet) atWorker(err error) error {
	switch {
	case errors.Is(err, simulation.ErrRefused), errors.Is(err, simulation.ErrInvalid):
		return fmt.Errorf("%w: %w", cluster.ErrRefused, err)
	case errors.Is(err, simulation.ErrUnknown):
		return cluster.ErrNoAttempt
	}
	return err
}

func (f *fleet) orderCancel(o order, done func()) {
	var answer error
	f.call(o.to.WorkerID, func(h *host) {
		if h.node.Session() != o.to.Session {
			answer = errLost
			return
		}
		answer = f.atWorker(h.node.Cancel(f.now, refOut(o.ref), fleetID))
	}, func(err error) {
		if err == nil {
			err = answer
		}
		f.carry(f.m.cancelAnswered(f.now, o, err), func(error) {})
		done()
	})
}

func refOut(r cluster.AttemptRef) simulation.Ref {
	return simulation.Ref{TaskID: string(r.TaskID), Attempt: r.Attempt, Lease: r.Lease}
}

func refIn(r simulation.Ref) cluster.AttemptRef {
	return cluster.AttemptRef{TaskID: cluster.TaskID(r.TaskID), Attempt: r.Attempt, Lease: r.Lease}
}

func specOf(o Order) simulation.Spec {
	return simulation.Spec{
		Key:   simulation.Key{ClusterID: fleetID, TaskID: string(o.Ref.TaskID), Attempt: o.Ref.Attempt, Lease: o.Ref.Lease},
		Image: o.Spec.Image, UserID: string(o.UserID), CPU: o.Spec.Resources.CPU, Memory: o.Spec.Resources.Memory,
		Storage: o.Spec.Resources.Storage, Timeout: o.Spec.Timeout, Grace: o.Spec.GracePeriod, LogLimit: o.LogLimit,
	}
}

// follower copies a running attempt's log, as logs.Keeper does.
type follower struct {
	ref cluster.AttemptRef
	to  Target
}

func (f *fleet) follow(ref cluster.AttemptRef, to Target) {
	if f.logs.of(ref).sealed {
		return
	}
	for _, o := range f.followers {
		if o.ref == ref {
			o.to = to
			return
		}
	}
	f.followers = append(f.followers, &follower{ref: ref, to: to})
}

func (f *fleet) unfollow(ref cluster.AttemptRef) {
	for n, o := range f.followers {
		if o.ref == ref {
			f.followers = append(f.followers[:n:n], f.followers[n+1:]...)
			return
		}
	}
}

// copyLog brings a part of a log to the master.
func (f *fleet) copyLog() {
	if !f.up || len(f.followers) == 0 {
		return
	}
	o := f.followers[f.rng.IntN(len(f.followers))]
	h := f.host(o.to.WorkerID)
	if h.cutDown || h.cutUp || h.deaf || h.node.Session() != o.to.Session {
		return
	}
	head, complete, ok := h.node.Log(refOut(o.ref))
	if !ok {
		return
	}
	l := f.logs.of(o.ref)
	to := offsetsIn(head)
	part := cluster.LogOffsets{
		Stdout: l.reach.Stdout + f.rng.Int64N(max(0, to.Stdout-l.reach.Stdout)+1),
		Stderr: l.reach.Stderr + f.rng.Int64N(max(0, to.Stderr-l.reach.Stderr)+1),
	}
	if complete {
		part = to
	}
	if !f.logs.append(o.ref, l.reach, part) || complete {
		f.unfollow(o.ref)
	}
}

func offsetsIn(o simulation.Offsets) cluster.LogOffsets {
	return cluster.LogOffsets{Stdout: o.Stdout, Stderr: o.Stderr}
}
