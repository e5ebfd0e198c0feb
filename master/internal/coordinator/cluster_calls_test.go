package coordinator

import (
	"errors"
	"fmt"

	"cloudai/master/internal/cluster"
	"cloudai/worker/simulation"
)

// The workers' calls to the master: what its edge and the driver make of them,
// over the same network.

// send puts a worker's call on its way.
func (f *fleet) send(h *host, c simulation.Call) {
	h.waiting = append(h.waiting, waiting{id: c.ID, by: f.now.Add(fleetPatience)})
	if f.chance(30) {
		f.count.Dropped++
		return
	}
	arrive := func() {
		switch {
		case h.cutUp || h.node.Gone():
			f.count.Dropped++
		case !f.up:
			f.fly(func() { h.node.Lost(f.now, c.ID) }) // nobody listens
		default:
			f.handle(h, c)
		}
	}
	f.fly(arrive)
	if f.chance(30) {
		f.count.Repeated++
		f.fly(arrive)
	}
}

// reply carries the master's answer back.
func (f *fleet) reply(h *host, c simulation.Call, answer any) {
	f.fly(func() {
		if h.cutDown || f.chance(30) {
			f.count.Dropped++
			return
		}
		h.node.Answer(f.now, c.ID, answer)
	})
}

func (f *fleet) handle(h *host, c simulation.Call) {
	from := Caller{WorkerID: h.id, Session: c.Session}
	switch x := c.Message.(type) {
	case simulation.Register:
		f.register(h, c, Registration{
			Caller: from, Address: "sim:1", Version: "1", Running: runningIn(x.Running),
			Total: cluster.Resources{CPU: fleetCores, Memory: 4096, Storage: 1 << 20},
		})
	case simulation.SendHeartbeat:
		f.heartbeat(h, c, Heartbeat{
			Caller: from, Number: x.Heartbeat.Number, Running: runningIn(x.Heartbeat.Running), Absent: refsIn(x.Heartbeat.Absent),
			Healthy: x.Heartbeat.Healthy, Message: x.Heartbeat.Message, Leaving: x.Heartbeat.Leaving, RestartGrace: fleetGrace,
		})
	case simulation.ReportProgress:
		f.progress(h, c, progressOf(from, x))
	case simulation.Complete:
		f.complete(h, c, completionOf(from, c, x))
	case simulation.Upload:
		f.upload(h, c, from, x)
	case simulation.PushLog:
		f.pushLog(h, c, from, x)
	default:
		f.failf("a call that nobody handles: %T", x)
	}
}

// replyOf is what an error becomes on its way to the agent: the master's
// statusOf and the agent's codeOf.
func replyOf(err error) simulation.Reply {
	if err == nil {
		return simulation.Reply{Code: simulation.ReplyOK}
	}
	r := simulation.Reply{Code: simulation.ReplyRetry, Message: err.Error()}
	switch {
	case errors.Is(err, cluster.ErrStaleAttempt), errors.Is(err, cluster.ErrUnknownTask):
		r.Code = simulation.ReplyGone
	case errors.Is(err, cluster.ErrUnknownSession):
		r.Code = simulation.ReplyUnknownSession
	case errors.Is(err, cluster.ErrClone):
		r.Code = simulation.ReplyClone
	case errors.Is(err, cluster.ErrBarred):
		r.Code = simulation.ReplyRefused
	case errors.Is(err, cluster.ErrQuota):
		r.Code = simulation.ReplyQuota
	case errors.Is(err, cluster.ErrDenied):
		r.Code = simulation.ReplyDenied
	}
	return r
}

// register is Coordinator.Register.
func (f *fleet) register(h *host, c simulation.Call, r Registration) {
	old, ask := f.m.mustProbe(r)
	take := func() {
		if other, again := f.m.mustProbe(r); again && other != old {
			f.reply(h, c, simulation.Joined{Reply: replyOf(cluster.ErrUnavailable)})
			return
		}
		if h.node.Session() != r.Session {
			return // its process is dead, its connection with it
		}
		f.note("%s registers as %s with %d attempts", h.id, r.Session, len(r.Running))
		w := f.m.workers[h.id]
		fresh := w == nil || w.worker.Session != r.Session
		reply, st := f.m.register(f.now, r)
		h.heard, h.away, h.lost, h.told = f.now, f.now, false, r.Running
		f.stops(h, reply.Stop)
		for _, ref := range reply.Keep {
			if fact := h.node.Fact(refOut(ref)); fresh && fact != nil && fact.Starts > 0 {
				f.count.Adoptions++
			}
		}
		f.carry(st, func(err error) {
			f.reply(h, c, simulation.Joined{
				Reply: replyOf(err), ClusterID: fleetID, Interval: reply.HeartbeatInterval, Stop: refsOut(reply.Stop),
			})
		})
	}
	if !ask {
		take()
		return
	}
	f.hello(old.Target, func(hello Hello, err error) {
		if err := claim(r, old, hello, err); err != nil {
			f.reply(h, c, simulation.Joined{Reply: replyOf(err)})
			return
		}
		take()
	})
}

// heartbeat is Coordinator.Heartbeat.
func (f *fleet) heartbeat(h *host, c simulation.Call, beat Heartbeat) {
	w := f.m.workers[h.id]
	fresh := w != nil && beat.Number > w.number
	reply, st, err := f.m.heartbeat(f.now, beat)
	if err != nil {
		f.reply(h, c, simulation.Beat{Reply: replyOf(err)})
		return
	}
	if fresh {
		h.heard, h.away, h.lost, h.told = f.now, f.now, false, beat.Running
		if beat.Leaving {
			h.away = f.now.Add(fleetGrace)
		}
	}
	f.stops(h, reply.Stop)
	f.carry(st, func(err error) {
		if err == nil {
			err = f.m.disownedStored(beat.WorkerID, beat.Absent)
		}
		f.reply(h, c, simulation.Beat{
			Reply: replyOf(err), ClusterID: fleetID,
			Stop: refsOut(reply.Stop), Expect: refsOut(reply.Expect), Cancel: refsOut(reply.Cancel),
		})
	})
}

// progress is Coordinator.Progress.
func (f *fleet) progress(h *host, c simulation.Call, r ProgressReport) {
	st, err := f.m.report(f.now, r)
	switch {
	case errors.Is(err, errNotActive):
		f.ended(r.Caller, r.Ref, func(err error) { f.reply(h, c, replyOf(err)) })
	case errors.Is(err, cluster.ErrIllegalTransition):
		f.failf("progress of %v: %v", r.Ref, err)
	case err != nil:
		f.reply(h, c, replyOf(err))
	default:
		f.carry(st, func(err error) { f.reply(h, c, replyOf(err)) })
	}
}

// ended is Coordinator.ended.
func (f *fleet) ended(from Caller, ref cluster.AttemptRef, then func(error)) {
	f.local(func() {
		t, ok := f.seen[ref.TaskID]
		switch {
		case f.chance(20):
			then(cluster.ErrUnavailable)
		case !ok, !placedOn(t, from.WorkerID):
			then(cluster.ErrUnknownTask)
		case hasResult(t, ref):
			then(nil)
		case !t.Terminal():
			then(cluster.ErrUnavailable)
		default:
			then(fmt.Errorf("%w: task %s is %s", cluster.ErrStaleAttempt, ref.TaskID, t.Status()))
		}
	})
}

// checkAttempt is Coordinator.checkAttempt.
func (f *fleet) checkAttempt(from Caller, ref cluster.AttemptRef, then func(recorded bool, err error)) {
	_, recorded, err := f.m.attempt(from, ref)
	if errors.Is(err, errNotActive) {
		f.ended(from, ref, func(err error) { then(err == nil, err) })
		return
	}
	then(recorded, err)
}

// authorize is Coordinator.AuthorizeUpload.
func (f *fleet) authorize(from Caller, ref cluster.AttemptRef, then func(recorded bool, err error)) {
	f.checkAttempt(from, ref, func(recorded bool, err error) {
		if e := f.m.tasks[ref.TaskID]; err == nil && !recorded && e != nil {
			f.m.moved(f.now, e)
		}
		then(recorded, err)
	})
}

// upload takes an attempt's files piece by piece, each of which is checked
// anew, and asks before and after what is there.
func (f *fleet) upload(h *host, c simulation.Call, from Caller, x simulation.Upload) {
	ref := refIn(x.Ref)
	answer := func(r simulation.UploadReply) { f.reply(h, c, r) }
	var pieces []func(then func(error))
	for _, file := range x.Files {
		if s := f.files.staging[ref][file.Path]; s != nil && s.complete {
			continue
		}
		content := x.Ref.Lease + "/" + file.Path
		for at := int64(1); at <= file.Size; at++ {
			pieces = append(pieces, func(then func(error)) {
				if f.chance(60) {
					then(cluster.ErrQuota)
					return
				}
				then(f.files.write(ref, file.Path, content, at, file.Size))
			})
		}
	}
	f.stream(h, from, ref, pieces, func(err error) {
		r := simulation.UploadReply{Reply: replyOf(err)}
		for _, file := range x.Files {
			s := f.files.staging[ref][file.Path]
			switch {
			case s != nil && s.complete:
				r.Files = append(r.Files, file)
			case err == nil:
				r.Reply = replyOf(cluster.ErrUnavailable) // not all of it is here
			}
		}
		answer(r)
	})
}

// pushLog takes what the master lacks of a log.
func (f *fleet) pushLog(h *host, c simulation.Call, from Caller, x simulation.PushLog) {
	ref := refIn(x.Ref)
	f.count.LogPushes++
	f.stream(h, from, ref, []func(func(error)){func(then func(error)) {
		l := f.logs.of(ref)
		lost := max(0, x.Kept.Stdout-max(l.reach.Stdout, x.From.Stdout)) + max(0, x.Kept.Stderr-max(l.reach.Stderr, x.From.Stderr))
		if !f.logs.append(ref, offsetsIn(x.From), offsetsIn(x.To)) {
			then(cluster.ErrConflict)
			return
		}
		l.dropped += lost
		then(nil)
	}}, func(err error) { f.reply(h, c, replyOf(err)) })
}

// stream takes pieces one after the other, until one is refused; a stream that
// breaks off has no answer.
func (f *fleet) stream(h *host, from Caller, ref cluster.AttemptRef, pieces []func(func(error)), then func(error)) {
	f.authorize(from, ref, func(recorded bool, err error) {
		switch {
		case err != nil || len(pieces) == 0:
			then(err)
			return
		case recorded:
			then(cluster.ErrUnavailable) // there is nothing to upload any more
			return
		}
		f.local(func() {
			pieces[0](func(err error) {
				if err != nil {
					then(err)
					return
				}
				f.local(func() {
					if h.cutUp || h.cutDown || h.node.Session() != from.Session || f.chance(30) {
						f.count.BrokenStreams++
						return
					}
					f.stream(h, from, ref, pieces[1:], then)
				})
			})
		})
	})
}
