package coordinator

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"cloudai/master/internal/cluster"
)

func (w *world) sim(id cluster.WorkerID) *simWorker {
	for _, s := range w.workers {
		if s.id == id {
			return s
		}
	}
	return nil
}

func (s *simWorker) caller() Caller { return Caller{WorkerID: s.id, Session: s.session} }

func (s *simWorker) refs() []cluster.AttemptRef {
	refs := make([]cluster.AttemptRef, 0, len(s.attempts))
	for ref := range s.attempts {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b cluster.AttemptRef) int { return cmp.Compare(a.Lease, b.Lease) })
	return refs
}

func (s *simWorker) running() (out []cluster.RunningAttempt) {
	for _, ref := range s.refs() {
		a := s.attempts[ref]
		out = append(out, cluster.RunningAttempt{Ref: ref, State: a.state(), HasContainer: a.state().Rank() >= cluster.StateContainerCreated.Rank()})
	}
	for _, ref := range s.gone { // a master that starts anew must hear that they had begun
		out = append(out, cluster.RunningAttempt{Ref: ref, State: cluster.StateContainerCreated, HasContainer: true})
	}
	return out
}

// startWorker begins a new process: attempts without a container are gone.
func (w *world) startWorker(s *simWorker) {
	s.session, s.known, s.number = w.next("session"), false, 0
	s.refused, s.past, s.away = map[cluster.AttemptRef]bool{}, map[cluster.AttemptRef]bool{}, false
	for _, ref := range s.refs() {
		a := s.attempts[ref]
		if a.lost && a.began {
			s.gone = append(s.gone, ref) // its folder says so
		}
		if a.lost || a.state().Rank() < cluster.StateContainerCreated.Rank() {
			delete(s.attempts, ref)
		}
	}
	w.note("worker %s starts as %s with %d containers", s.id, s.session, len(s.attempts))
	w.register(s)
}

func (w *world) register(s *simWorker) {
	if s.deaf() || w.chance(10) {
		return // lost; heartbeat tries again
	}
	r := Registration{
		Caller: s.caller(), Address: "sim:1", Version: "1",
		Total: cluster.Resources{CPU: 4, Memory: 4096, Storage: 1 << 20}, Running: s.running(),
	}
	if w.m.barred(s.id) {
		w.expel(s, r)
		return
	}
	if old, ask := w.m.mustProbe(r); ask {
		// The old process is dead, its port answers as the new one.
		if err := claim(r, old, Hello{WorkerID: s.id, Session: s.session}, nil); err != nil {
			w.failf("takeover refused: %v", err)
		}
	}
	reply, st := w.m.register(w.now, r)
	w.do(st)
	if w.chance(10) {
		return // the answer is lost
	}
	s.known = true
	for _, ref := range reply.Stop {
		s.drop(ref)
		s.over(ref)
	}
}

// over removes the trace of an attempt of which the master has decided.
func (s *simWorker) over(ref cluster.AttemptRef) {
	s.gone = slices.DeleteFunc(s.gone, func(g cluster.AttemptRef) bool { return g == ref })
}

// expel is the answer to a worker that was removed.
func (w *world) expel(s *simWorker, r Registration) {
	reply, st, err := w.m.expel(r)
	if err != nil {
		return
	}
	w.do(st)
	s.known = true
	for _, ref := range reply.Stop {
		s.drop(ref)
	}
}

func (w *world) heartbeat(s *simWorker) {
	if s.away {
		return
	}
	if !s.known {
		w.register(s)
		return
	}
	s.number++
	h := Heartbeat{Caller: s.caller(), Number: s.number, Running: s.running(), Absent: slices.Clone(s.gone), Healthy: !s.sick}
	w.fly(func() { w.deliverHeartbeat(s, h) })
}

func (w *world) deliverHeartbeat(s *simWorker, h Heartbeat) {
	if s.deaf() || w.chance(5) {
		return
	}
	reply, st, err := w.m.heartbeat(w.now, h)
	if err != nil {
		if errors.Is(err, cluster.ErrUnknownSession) && h.Session == s.session {
			s.known = false
		}
		return
	}
	w.do(st)
	if h.Session != s.session || w.chance(5) || w.m.disownedStored(s.id, h.Absent) != nil {
		return // the answer is lost, or says that it comes too early
	}
	for _, ref := range h.Absent {
		s.over(ref)
	}
	for _, ref := range reply.Stop {
		w.note("%s stops %v", s.id, ref)
		s.drop(ref)
	}
	for _, ref := range reply.Cancel {
		if a := s.attempts[ref]; a != nil {
			a.cancel = true
		}
	}
	var absent []cluster.AttemptRef
	for _, ref := range reply.Expect {
		if s.attempts[ref] == nil {
			s.refused[ref] = true
			absent = append(absent, ref)
		}
	}
	if len(absent) > 0 {
		absent = append(absent, s.gone...)
		s.number++
		again := Heartbeat{Caller: s.caller(), Number: s.number, Running: s.running(), Absent: absent, Healthy: !s.sick}
		w.fly(func() { w.deliverHeartbeat(s, again) })
	}
}

var errLost = errors.New("no answer")

func (w *world) assign(a assign) {
	s := w.sim(a.to.WorkerID)
	var err error
	switch {
	case s.deaf() || s.session != a.to.Session || w.chance(5):
		// What another session says is no answer: it may hold the attempt of the
		// one before (workerconn tells the two apart).
		err = errLost
	case s.refused[a.order.Ref]:
		err = cluster.ErrRefused
	case s.attempts[a.order.Ref] != nil || s.past[a.order.Ref]:
		// Had before.
	case s.sick || w.chance(3):
		err = cluster.ErrRefused
	default:
		s.attempts[a.order.Ref] = &simAttempt{exit: w.rng.IntN(3) / 2}
	}
	if err == nil && w.chance(5) {
		err = errLost
	}
	w.note("assign %v to %s: %v", a.order.Ref, s.id, err)
	w.do(w.m.assignAnswered(w.now, a, err))
}

func (w *world) orderCancel(o order) {
	s := w.sim(o.to.WorkerID)
	var err error
	switch {
	case s.deaf() || s.session != o.to.Session || w.chance(10):
		err = errLost
	case s.attempts[o.ref] == nil:
		err = cluster.ErrNoAttempt
	default:
		s.attempts[o.ref].cancel = true
	}
	w.do(w.m.cancelAnswered(w.now, o, err))
}

func (w *world) hello(to Target) {
	s := w.sim(to.WorkerID)
	if s.deaf() || w.chance(10) {
		w.do(w.m.helloAnswered(w.now, to, Hello{}, errLost))
		return
	}
	w.do(w.m.helloAnswered(w.now, to, Hello{WorkerID: s.id, Session: s.session}, nil))
}

// work moves one attempt of a worker on by a state and reports.
func (w *world) work(s *simWorker) {
	refs := s.refs()
	if len(refs) == 0 || s.away {
		return
	}
	ref := refs[w.rng.IntN(len(refs))]
	a := s.attempts[ref]
	if a.state() == cluster.StateReportResult {
		w.fly(func() { w.complete(s, s.session, ref) })
		return
	}
	to := cluster.States[a.state().Rank()+1]
	if (a.cancel || a.lost) && a.state().Rank() < cluster.StateCollectOutput.Rank() {
		to = cluster.StateCollectOutput
	}
	if to == cluster.StateRunning {
		w.starts[ref.TaskID]++
		a.began = true
	}
	a.states = append(a.states, cluster.StateTime{State: to, Time: w.now})
	report := ProgressReport{Caller: s.caller(), Ref: ref, Observation: w.observation(a)}
	w.fly(func() {
		if s.deaf() || w.chance(20) {
			return
		}
		st, err := w.m.report(w.now, report)
		if err == nil {
			w.do(st)
		} else if errors.Is(err, cluster.ErrIllegalTransition) {
			w.failf("progress of %v: %v", ref, err)
		}
	})
}

func (w *world) observation(a *simAttempt) cluster.Observation {
	o := cluster.Observation{States: slices.Clone(a.states)}
	if a.state().Rank() >= cluster.StateCollectOutput.Rank() {
		o.Outcome, o.ExitCode = cluster.OutcomeSuccess, &a.exit
		if a.exit != 0 {
			o.Outcome, o.Failure = cluster.OutcomeFailed, cluster.FailureExit
		}
		if a.lost {
			o.Outcome, o.Failure, o.ExitCode = cluster.OutcomeFailed, cluster.FailureRuntime, nil
		}
		if a.cancel {
			o.Outcome, o.Failure = cluster.OutcomeCancelled, ""
		}
	}
	return o
}

// complete reports a result as the driver does: judge, hold, conclude, commit.
func (w *world) complete(s *simWorker, session string, ref cluster.AttemptRef) {
	a := s.attempts[ref]
	if s.deaf() || a == nil || session != s.session || w.chance(10) {
		return
	}
	o := w.observation(a)
	c := Completion{Caller: s.caller(), Ref: ref, Observation: o, Outcome: o.Outcome}
	forget := func() {
		if !w.chance(10) { // else the answer is lost, and it reports again
			s.drop(ref)
		}
	}
	held, wait, err := w.m.judge(w.now, c)
	switch {
	case errors.Is(err, errNotActive):
		if was, ok := w.seen[ref.TaskID]; !ok || was.Terminal() {
			forget()
		}
	case errors.Is(err, cluster.ErrStaleAttempt):
		forget()
	case errors.Is(err, cluster.ErrUnknownSession):
		s.known = false
	case errors.Is(err, cluster.ErrUnavailable) && w.m.tasks[ref.TaskID].loss != nil: // it repeats
	case err != nil:
		w.failf("completion of %v: %v", ref, err)
	case wait != nil:
	case held == nil:
		forget()
	default:
		w.fly(func() {
			if w.chance(5) {
				w.do(w.m.release(w.now, held))
				return
			}
			st, err := w.m.conclude(w.now, held, nil, nil)
			if err != nil {
				w.failf("result of %v: %v", ref, err)
			}
			w.do(st)
		})
	}
}

// vanish removes a container behind a worker's back. A worker that is there
// sees it and reports; one that is not finds its folder.
func (w *world) vanish(s *simWorker) {
	for _, ref := range s.refs() {
		a := s.attempts[ref]
		if at := a.state().Rank(); at >= cluster.StateContainerCreated.Rank() && at < cluster.StateCollectOutput.Rank() {
			w.note("container of %v vanishes from %s", ref, s.id)
			a.lost = true
			return
		}
	}
}

// leave stops a worker's process after announcing it; its containers stay.
func (w *world) leave(s *simWorker) {
	if s.away || !s.known {
		return
	}
	w.note("worker %s leaves", s.id)
	s.number++
	h := Heartbeat{Caller: s.caller(), Number: s.number, Running: s.running(), Healthy: true, Leaving: true, RestartGrace: 40 * time.Second}
	if reply, st, err := w.m.heartbeat(w.now, h); err == nil && !s.cut {
		w.do(st)
		_ = reply // it stops anyway
	}
	s.away = true
}
