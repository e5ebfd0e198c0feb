package coordinator

import (
	"errors"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/worker/simulation"
)

// A result's way, as Coordinator.Complete takes it.

func (f *fleet) complete(h *host, c simulation.Call, r completing) {
	answer := func(need *cluster.LogOffsets, err error) {
		reply := simulation.ReportReply{Reply: replyOf(err)}
		if err == nil && need != nil {
			reply.NeedLog = &simulation.Offsets{Stdout: need.Stdout, Stderr: need.Stderr}
		}
		if err == nil && need == nil {
			f.acknowledged(r.Ref)
		}
		f.reply(h, c, reply)
	}
	if f.tracing {
		f.note("%s reports %v: %s %s %q, log %+v", h.id, r.Ref, r.Outcome, r.Observation.Failure, r.Observation.Message, r.Log)
	}
	f.checkAttempt(r.Caller, r.Ref, func(recorded bool, err error) {
		if err != nil || recorded {
			answer(nil, err)
			return
		}
		f.local(func() {
			if f.chance(10) {
				answer(nil, cluster.ErrUnavailable) // the logs' disk
				return
			}
			need := f.logs.finish(r.Ref, r.Log, r.tailFrom)
			if need != nil {
				answer(need, nil)
				return
			}
			f.unfollow(r.Ref)
			f.local(func() { f.judge(r, func(err error) { answer(nil, err) }) })
		})
	})
}

// judge waits for the task's turn and records the result.
func (f *fleet) judge(r completing, then func(error)) {
	held, wait, err := f.m.judge(f.now, r.Completion)
	switch {
	case errors.Is(err, errNotActive):
		f.ended(r.Caller, r.Ref, then)
	case errors.Is(err, cluster.ErrIllegalTransition):
		f.failf("result of %v: %v", r.Ref, err)
	case err != nil:
		then(err)
	case wait != nil:
		f.await(wait, func(err error) {
			if err != nil {
				then(err)
				return
			}
			f.judge(r, then)
		})
	case held == nil:
		then(nil)
	default:
		f.local(func() { f.record(held, r.Manifest, then) })
	}
}

// record is Coordinator.record.
func (f *fleet) record(r *result, m Manifest, then func(error)) {
	l := f.logs.of(r.ref)
	r.observed.Usage.LogBytes = l.reach.Stdout + l.reach.Stderr
	var files []cluster.File
	if r.final() {
		var err error
		switch {
		case f.chance(20):
			err = cluster.ErrQuota // the disk is full for a moment
		case f.chance(10) && len(m.Files) > 0:
			delete(f.files.staging[r.ref], m.Files[0].Path) // damaged: it has to come again
			err = cluster.ErrConflict
		default:
			files, err = f.files.publish(r.ref, m)
		}
		if err != nil && !r.withoutFiles(err) {
			f.carry(f.m.release(f.now, r), func(error) { then(err) })
			return
		}
	}
	f.local(func() {
		st, err := f.m.conclude(f.now, r, files, m.Skipped)
		if err != nil {
			f.failf("result of %v: %v", r.ref, err)
		}
		f.carry(st, func(err error) {
			if err != nil && len(files) > 0 && !errors.Is(err, db.ErrOutcomeUnknown) && !errors.Is(err, db.ErrVersion) {
				f.files.retract(r.ref)
			}
			then(err)
		})
	})
}

// completing is a completion with where its log's tail begins.
type completing struct {
	Completion
	tailFrom cluster.LogOffsets
}

func stateIn(s simulation.State) cluster.State {
	return cluster.States[cluster.StateAssigned.Rank()+int(s)]
}

func statesIn(states []simulation.StateTime) []cluster.StateTime {
	out := make([]cluster.StateTime, len(states))
	for n, s := range states {
		out[n] = cluster.StateTime{State: stateIn(s.State), Time: s.Time}
	}
	return out
}

func runningIn(running []simulation.Running) []cluster.RunningAttempt {
	out := make([]cluster.RunningAttempt, len(running))
	for n, r := range running {
		out[n] = cluster.RunningAttempt{
			Ref: refIn(r.Ref), State: stateIn(r.State), HasContainer: r.HasContainer, ClusterID: r.ClusterID,
			Allocated: cluster.Resources{CPU: r.CPU, Memory: r.Memory, Storage: r.Storage, GPU: r.GPU},
		}
	}
	return out
}

func refsIn(refs []simulation.Ref) (out []cluster.AttemptRef) {
	for _, r := range refs {
		out = append(out, refIn(r))
	}
	return out
}

func refsOut(refs []cluster.AttemptRef) (out []simulation.Ref) {
	for _, r := range refs {
		out = append(out, refOut(r))
	}
	return out
}

func outcomeIn(s simulation.Status) cluster.Outcome {
	switch s {
	case simulation.StatusSucceeded:
		return cluster.OutcomeSuccess
	case simulation.StatusFailed:
		return cluster.OutcomeFailed
	case simulation.StatusCancelled:
		return cluster.OutcomeCancelled
	}
	return ""
}

func progressOf(from Caller, x simulation.ReportProgress) ProgressReport {
	p := x.Progress
	o := cluster.Observation{States: statesIn(p.States), Outcome: outcomeIn(p.Outcome)}
	if o.Outcome == cluster.OutcomeCancelled {
		o.Outcome = cluster.OutcomeFailed // the wire knows two
	}
	if o.Outcome != "" {
		code := p.ExitCode
		o.ExitCode = &code
	}
	return ProgressReport{
		Caller: from, Ref: refIn(p.Ref), Observation: o, CPU: p.Usage.CPU, Memory: p.Usage.Memory,
		Progress: Progress{DoneBytes: p.DoneBytes, TotalBytes: p.TotalBytes}, Message: p.Message,
	}
}

func completionOf(from Caller, c simulation.Call, x simulation.Complete) completing {
	r := x.Result
	out := completing{tailFrom: offsetsIn(c.TailFrom), Completion: Completion{
		Caller: from, Ref: refIn(r.Ref), Outcome: outcomeIn(r.Status), FinishedAt: r.FinishedAt, Hopeless: r.Hopeless,
		Observation: cluster.Observation{
			States: statesIn(r.States), Outcome: outcomeIn(r.Status), Failure: cluster.Failure(r.Failure), Message: r.Message,
		},
		Log: LogEnd{Length: offsetsIn(r.Log), Lost: r.LogLost},
	}}
	if r.HasExit {
		code := r.ExitCode
		out.Observation.ExitCode = &code
	}
	for _, f := range r.Files {
		out.Manifest.Files = append(out.Manifest.Files, cluster.File{Path: f.Path, Size: f.Size, SHA256: f.SHA256})
	}
	for _, s := range r.Skipped {
		out.Manifest.Skipped = append(out.Manifest.Skipped, cluster.SkippedFile{Path: s.Path, Reason: s.Reason})
	}
	return out
}
