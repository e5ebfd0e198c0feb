package coordinator

import (
	"cloudai/master/internal/cluster"
	"cloudai/worker/simulation"
)

// The promises, held against what really happened.

// witness hears at once what happens to containers.
type witness fleet

// Started holds a start against the budgets: what was paid for, by then, in the
// store.
func (w *witness) Started(node string, ref simulation.Ref) {
	f := (*fleet)(w)
	id := cluster.TaskID(ref.TaskID)
	f.starts[id]++
	f.count.Starts++
	f.note("%s: container of %v starts", node, ref)
	t := f.seen[id]
	if n := f.starts[id]; n > 1+t.Retries+t.Reschedules {
		f.failf("P3: container %d of task %s is started, with %d retries and %d reschedules used", n, id, t.Retries, t.Reschedules)
	}
	h := f.host(cluster.WorkerID(node))
	if n := h.node.Fact(ref).Starts; n > 1 {
		f.failf("P3: the container of %v is started %d times", ref, n)
	}
	if busy := h.node.Busy(h.ghosts); busy > fleetCores {
		f.failf("P7: %s runs containers of %v cores and has %d", node, busy, fleetCores)
	}
}

// Stopping: nobody ends the container of a live attempt without a reason.
func (w *witness) Stopping(node string, ref simulation.Ref) {
	f := (*fleet)(w)
	t, fact := f.seen[cluster.TaskID(ref.TaskID)], f.host(cluster.WorkerID(node)).node.Fact(ref)
	if !f.owned(ref) || t.CancelRequested || fact.Leaving || t.Spec.Timeout > 0 {
		return
	}
	f.failf("P3: %s stops the container of %v, which is live", node, ref)
}

// Removing: a container stays until its result is on the disk.
func (w *witness) Removing(node string, ref simulation.Ref) {
	f := (*fleet)(w)
	if f.owned(ref) {
		f.failf("P10: %s removes the container of %v, whose result nobody has", node, ref)
	}
}

// owned reports whether the attempt is a live one on the disk.
func (f *fleet) owned(ref simulation.Ref) bool {
	t := f.seen[cluster.TaskID(ref.TaskID)]
	return t.State.Placed() && t.Ref() == refIn(ref)
}

// dispatched holds a round's assignments against what each worker has room for:
// what is placed there, and what it has shown that is no live attempt, nor one
// whose result is here.
func (f *fleet) dispatched(writes []*write) {
	for _, w := range writes {
		h := f.host(w.Task.WorkerID)
		used := w.Task.Spec.Resources.CPU
		for id, t := range f.seen {
			if id != w.Task.ID && t.State.Placed() && t.WorkerID == h.id {
				used += t.Spec.Resources.CPU
			}
		}
		for _, r := range h.told {
			if !f.owned(refOut(r.Ref)) && !hasResult(f.seen[r.Ref.TaskID], r.Ref) {
				used += r.Allocated.CPU
			}
		}
		if used > fleetCores {
			f.failf("P7: %v is placed on %s, which has %v of its %d cores in use then", w.Task.ID, h.id, used, fleetCores)
		}
	}
}

// stops checks what the master wants stopped on a worker.
func (f *fleet) stops(h *host, refs []cluster.AttemptRef) {
	for _, ref := range refs {
		if f.owned(refOut(ref)) && f.seen[ref.TaskID].WorkerID == h.id {
			f.failf("P3: %s is told to stop %v, which is live there", h.id, ref)
		}
	}
}

// acknowledged checks that a result is on the disk when its worker hears so.
func (f *fleet) acknowledged(ref cluster.AttemptRef) {
	if !hasResult(f.seen[ref.TaskID], ref) {
		f.failf("P1: the result of %v is acknowledged and not on the disk", ref)
	}
}

// persisted checks what reaches the disk against what was there.
func (f *fleet) persisted(w *write) {
	t := w.Task
	was, known := f.seen[t.ID]
	f.seen[t.ID] = t
	if !known {
		return
	}
	if was.Terminal() {
		f.failf("P2: task %s got a second verdict: %s after %s", t.ID, t.Status(), was.Status())
	}
	if t.Attempt < was.Attempt || t.Attempt == was.Attempt && t.State.Rank() < was.State.Rank() {
		f.failf("P4: task %s went back from %d/%s to %d/%s", t.ID, was.Attempt, was.State, t.Attempt, t.State)
	}
	if t.Retries > t.Spec.MaxRetries || t.Reschedules > t.Spec.MaxReschedules {
		f.failf("task %s has used %d retries and %d reschedules", t.ID, t.Retries, t.Reschedules)
	}
	if was.CancelRequested && (!t.CancelRequested || t.Terminal() && t.Status() != cluster.StatusCancelled) {
		f.failf("task %s was to be cancelled before its result and is %s", t.ID, t.Status())
	}
	if was.State.Placed() && (t.Terminal() || t.Attempt != was.Attempt) {
		f.attemptEnded(w, was)
	}
	if t.Terminal() {
		f.verdict(w)
	}
}

// attemptEnded checks the end of an attempt that the write records.
func (f *fleet) attemptEnded(w *write, was cluster.Task) {
	ref := was.Ref()
	var end cluster.Attempt
	for _, a := range w.Task.Attempts {
		if a.Ref(was.ID) == ref {
			end = a
		}
	}
	l := f.logs[logKey{ref.TaskID, ref.Attempt}]
	switch {
	case end.Reported:
		f.reported(was, end)
	case w.loss == nil:
		f.failf("P2: attempt %v ends without a report and without a loss", ref)
	case w.loss.free:
		f.count.RequeuesFree++
		if l != nil && !l.sealed && l.reach != (cluster.LogOffsets{}) {
			f.failf("P5: attempt %v never began, and has a log", ref)
		}
	default:
		f.count.AttemptsLost++
		if l == nil || !l.sealed {
			f.failf("P5: attempt %v is lost (%s) and its log has no end", ref, w.loss.cause)
		}
	}
	if !w.Task.Terminal() {
		f.count.Requeues++
	}
}

// reported checks an attempt's accepted result against what its container did.
func (f *fleet) reported(was cluster.Task, end cluster.Attempt) {
	ref := was.Ref()
	fact := f.host(was.WorkerID).node.Fact(refOut(ref))
	l := f.logs[logKey{ref.TaskID, ref.Attempt}]
	if l == nil || !l.sealed {
		f.failf("P5: the result of %v is taken, and its log has no end", ref)
	}
	if fact == nil {
		fact = &simulation.Fact{}
	}
	truth := offsetsIn(fact.Log)
	switch {
	case l.marker:
		f.failf("P5: the result of %v is taken, and its log says that it was lost", ref)
	case l.lease != ref.Lease:
		f.failf("P5: the log of %v is that of lease %s", ref, l.lease)
	case l.reach != truth && fact.Starts > 0 && !fact.Vanished:
		f.failf("P5: the log of %v has %v, its container wrote %v", ref, l.reach, truth)
	case l.dropped > 0 && !fact.Vanished:
		f.failf("P5: %d bytes of the log of %v were dropped", l.dropped, ref)
	}
	why := ""
	switch {
	case end.Outcome == cluster.OutcomeSuccess && (!fact.Ended || fact.ExitCode != 0 || fact.Killed || fact.Stopped):
		why = "succeeded"
	case end.Failure == cluster.FailureExit && (fact.ExitCode == 0 || fact.Killed || end.ExitCode == nil || *end.ExitCode != fact.ExitCode):
		why = "failed by its exit code"
	case end.Failure == cluster.FailureOOM && !fact.OOM:
		why = "was out of memory"
	case end.Failure == cluster.FailureTimeout && fact.Ran < int64(was.Spec.Timeout):
		why = "ran into its timeout"
	}
	if why != "" {
		f.failf("P2: attempt %v is recorded as one that %s (%s), in truth: %+v", ref, why, end.Message, *fact)
	}
}

// verdict checks a task's end.
func (f *fleet) verdict(w *write) {
	t := w.Task
	f.count.verdict(t)
	for _, a := range t.Attempts {
		l := f.logs[logKey{t.ID, a.Number}]
		if l != nil && !l.sealed && l.reach != (cluster.LogOffsets{}) {
			f.failf("P5: task %s is over, and the log of attempt %d has no end", t.ID, a.Number)
		}
	}
	if n := len(f.files.published[t.ID]); t.Files.Count != len(w.Files) || len(w.Files) > 0 && n != len(w.Files) {
		f.failf("P6: task %s has %d files on the disk, %d rows, and says %d", t.ID, n, len(w.Files), t.Files.Count)
	}
	if len(t.Attempts) == 0 {
		return
	}
	last := t.Attempts[len(t.Attempts)-1]
	fact := f.host(last.WorkerID).node.Fact(refOut(last.Ref(t.ID)))
	for _, file := range w.Files {
		if file.SHA256 != last.Lease+"/"+file.Path {
			f.failf("P6: task %s has %s of another attempt: %s", t.ID, file.Path, file.SHA256)
		}
	}
	if last.Outcome == cluster.OutcomeSuccess && len(w.Files) != len(fact.Files) {
		f.failf("P6: task %s succeeded with %d of its %d files", t.ID, len(w.Files), len(fact.Files))
	}
}

// check holds the promises that must be true between any two events.
func (f *fleet) check() {
	if !f.up {
		return
	}
	if fault := machineFault(f.m, f.seen); fault != "" {
		f.failf("%s", fault)
	}
	for _, h := range f.hosts {
		w := f.m.workers[h.id]
		if w == nil {
			continue
		}
		if w.worker.Lost && !h.lost {
			f.count.LostWorkers++
			if silent := f.now.Sub(h.heard); silent < fleetTimeout || f.now.Before(h.away) {
				f.failf("P3: %s is lost after %v", h.id, silent)
			}
		}
		h.lost = w.worker.Lost
	}
}
