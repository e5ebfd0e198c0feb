package agent

import (
	"fmt"
	"slices"
	"time"

	"cloudai/worker/internal/executor"
)

// answer carries an action out in the model and feeds the outcome back.
func (m *model) answer(action Action) {
	what := fmt.Sprintf("%T", action)
	switch x := action.(type) {
	case Pull:
		m.take(what, m.machine.Pulled(m.now, x.Ref, m.pull()))
	case Create:
		c, err := m.create(x)
		m.take(what, m.machine.Created(m.now, x.Ref, c, err))
	case RunContainer:
		m.run(x)
	case LookAt:
		c, err := m.lookAt(x.ID)
		m.take(what, m.machine.LookedAt(m.now, x.Ref, c, executor.Offsets{}, err))
	case Collect:
		m.take(what, m.machine.Collected(m.now, x.Ref, Collection{Files: m.files(), Size: 3}, nil))
	case Upload:
		r := UploadReply{Reply: m.reply(x.Ref), Files: x.Files}
		m.take(what, m.machine.Uploaded(m.now, x.Ref, r))
	case ReportCompletion:
		m.report(x)
	case PushLog:
		m.take(what, m.machine.LogPushed(m.now, x.Ref, m.reply(x.Ref), nil))
	case Remove:
		m.take(what, m.machine.Removed(m.now, x.Ref, m.remove(x.ID)))
	case StopContainer:
		m.take(what, m.machine.Stopped(m.now, x.Ref, m.stop(x.ID)))
	case ReportProgress:
		m.progress(x)
	case Sample:
		m.take(what, m.machine.Sampled(m.now, x.Ref, executor.Usage{CPUSeconds: 1}, 5, m.engineErr()))
	case RemoveOrphan:
		m.take(what, m.machine.OrphanRemoved(m.now, x.Ref, m.remove(x.ID)))
	case Register:
		m.register(x)
	case SendHeartbeat:
		m.heartbeat(x)
	case ListContainers:
		var found []executor.Container
		for _, id := range m.boxes() {
			found = append(found, m.engine[id].c)
		}
		m.take(what, m.machine.Listed(m.now, found, m.engineErr()))
	case Probe:
		m.take(what, m.machine.Probed(m.now, Alive{Err: m.engineErr(), Outlived: m.live}))
	default:
		m.fatalf("unknown action %T", action)
	}
}

func (m *model) engineErr() error {
	if !m.engineUp {
		return errNoEngine
	}
	return nil
}

func (m *model) pull() error {
	switch {
	case !m.engineUp:
		return errNoEngine
	case m.chance(10):
		return executor.ErrImage
	case m.chance(5):
		return executor.ErrRegistry
	}
	return nil
}

func (m *model) create(x Create) (executor.Container, error) {
	id := fmt.Sprintf("%s-%d", x.Ref.TaskID, x.Ref.Attempt)
	if !m.engineUp {
		return executor.Container{}, errNoEngine
	}
	if m.chance(12) {
		return executor.Container{}, fmt.Errorf("no room")
	}
	if m.engine[id] == nil {
		m.engine[id] = &modelBox{c: executor.Container{ID: id, Spec: x.Spec, Phase: executor.PhaseCreated}}
	}
	if m.chance(8) {
		return executor.Container{}, errNoEngine // it is there all the same
	}
	return m.engine[id].c, nil
}

// run starts the container or goes on with it; it is put back until the end.
func (m *model) run(x RunContainer) {
	b := m.engine[x.ID]
	switch {
	case !m.engineUp:
		m.take("run", m.machine.Exited(m.now, x.Ref, executor.Container{}, executor.Offsets{}, errNoEngine))
	case b == nil:
		m.take("run", m.machine.Exited(m.now, x.Ref, executor.Container{}, executor.Offsets{}, executor.ErrNotFound))
	case b.c.Phase == executor.PhaseCreated && m.chance(10):
		m.take("run", m.machine.Exited(m.now, x.Ref, executor.Container{}, executor.Offsets{}, fmt.Errorf("no such command")))
	case b.c.Phase == executor.PhaseCreated:
		task := m.master[x.Ref]
		if task.starts++; task.starts > 1 {
			m.fatalf("%s started twice", x.ID)
		}
		b.c.Phase, b.c.StartedAt = executor.PhaseRunning, m.now
		m.pending = append(m.pending, x)
		m.take("started", m.machine.Started(m.now, x.Ref, m.now))
	case b.c.Phase == executor.PhaseRunning:
		m.pending = append(m.pending, x)
		m.take("runs", m.machine.Started(m.now, x.Ref, b.c.StartedAt))
	default:
		m.take("exited", m.machine.Exited(m.now, x.Ref, b.c, executor.Offsets{Stdout: 10}, nil))
	}
}

func (m *model) lookAt(id string) (executor.Container, error) {
	b := m.engine[id]
	if b == nil && m.engineUp {
		return executor.Container{}, executor.ErrNotFound
	}
	if b == nil {
		return executor.Container{}, errNoEngine
	}
	return b.c, m.engineErr()
}

func (m *model) files() []File {
	if m.rng.IntN(2) == 0 {
		return nil
	}
	return []File{{Path: "a", Size: 3}}
}

func (m *model) stop(id string) error {
	if b := m.engine[id]; b != nil && m.engineUp {
		b.stops = true
	}
	return m.engineErr()
}

func (m *model) remove(id string) error {
	if !m.engineUp {
		return errNoEngine
	}
	if m.chance(6) {
		return errNetwork
	}
	delete(m.engine, id)
	return nil
}

// reply is the master's answer to a call about an attempt, if it arrives.
func (m *model) reply(ref Ref) Reply {
	switch {
	case m.chance(4):
		return Reply{Code: ReplyRetry}
	case m.chance(20):
		return Reply{Code: ReplyUnknownSession}
	case m.master[ref].stale:
		return Reply{Code: ReplyGone}
	}
	return Reply{Code: ReplyOK}
}

func (m *model) report(x ReportCompletion) {
	task := m.master[x.Ref]
	m.checkResult(task, x.Result)
	if m.chance(5) { // the report itself is lost
		m.take("report lost", m.machine.Reported(m.now, x.Ref, ReportReply{Reply: Reply{Code: ReplyRetry}}))
		return
	}
	r := ReportReply{Reply: m.reply(x.Ref)}
	switch {
	case task.stale:
	case r.Code == ReplyOK && task.needed < 2 && x.Result.Log.Stdout > 0 && m.chance(3):
		task.needed++
		r.NeedLog = &executor.Offsets{Stdout: int64(task.needed)}
	case r.Code != ReplyUnknownSession && task.results == 0:
		// Recorded, whether or not the answer arrives.
		task.results, task.result = 1, x.Result
	}
	m.take(fmt.Sprintf("report %s %s %d", x.Ref.TaskID, x.Result.Status, r.Code), m.machine.Reported(m.now, x.Ref, r))
}

func (m *model) checkResult(task *modelTask, r Result) {
	b := m.engine[fmt.Sprintf("%s-%d", r.Ref.TaskID, r.Ref.Attempt)]
	if r.Status == StatusSucceeded && (b == nil || b.c.Phase != executor.PhaseExited || b.c.ExitCode != 0) {
		m.fatalf("%v succeeded with %+v", r.Ref, b)
	}
	if b != nil && b.killed && r.Failure != FailureRuntime && r.Status != StatusCancelled {
		m.fatalf("%v was killed with its engine and ended as %s %s", r.Ref, r.Status, r.Failure)
	}
	first, again := task.reports[m.session]
	if !again {
		task.reports[m.session] = r
	} else if first.Status != r.Status || first.Failure != r.Failure {
		m.fatalf("%v reported as %+v and then as %+v", r.Ref, first, r)
	}
	if r.HasExit && b == nil && task.results == 0 {
		m.fatalf("%v: the container of an unacknowledged result is gone", r.Ref)
	}
}

func (m *model) progress(x ReportProgress) {
	p := x.Progress
	if !slices.IsSortedFunc(p.States, func(a, b StateTime) int { return int(a.State) - int(b.State) }) {
		m.fatalf("states out of order: %v", p.States)
	}
	m.take("progress", m.machine.ProgressAnswered(m.now, x.Ref, len(p.States), m.reply(x.Ref)))
}

func (m *model) register(x Register) {
	if m.chance(3) {
		m.take("register lost", m.machine.Registered(m.now, Joined{Reply: Reply{Code: ReplyRetry}}))
		return
	}
	joined := Joined{ClusterID: "c1", Interval: 5 * time.Second}
	listed := map[Ref]bool{}
	for _, r := range x.Running {
		listed[r.Ref] = true
		if task := m.master[r.Ref]; task == nil || task.stale || task.disowned || task.results == 1 {
			joined.Stop = append(joined.Stop, r.Ref)
		}
	}
	// What the master thinks to run here and is not listed is placed anew.
	for _, ref := range m.order {
		if task := m.master[ref]; !listed[ref] && task.results == 0 {
			task.stale = true
		}
	}
	m.take("register", m.machine.Registered(m.now, joined))
}

// heartbeat settles what the master wants and what runs.
func (m *model) heartbeat(x SendHeartbeat) {
	h := x.Heartbeat
	if m.chance(4) {
		m.take("beat lost", m.machine.HeartbeatAnswered(m.now, len(h.Absent), Beat{Reply: Reply{Code: ReplyRetry}}))
		return
	}
	for _, ref := range h.Absent {
		if task := m.master[ref]; task != nil && task.results == 0 {
			task.disowned, task.session = true, m.session
		}
	}
	beat := Beat{ClusterID: "c1"}
	listed := map[Ref]bool{}
	for _, r := range h.Running {
		listed[r.Ref] = true
		task := m.master[r.Ref]
		switch {
		case task == nil || task.stale || task.disowned:
			beat.Stop = append(beat.Stop, r.Ref)
		case task.results == 1:
			// Its last report may be on its way, but the result is there.
			if m.machine.attempts[r.Ref] == nil || m.rng.IntN(2) == 0 {
				beat.Stop = append(beat.Stop, r.Ref)
			}
		case task.canceled:
			beat.Cancel = append(beat.Cancel, r.Ref)
		}
	}
	for _, ref := range m.order {
		if task := m.master[ref]; !listed[ref] && task.results == 0 && !task.stale && !task.disowned {
			beat.Expect = append(beat.Expect, ref)
		}
	}
	m.take(fmt.Sprintf("beat %d", h.Number), m.machine.HeartbeatAnswered(m.now, len(h.Absent), beat))
}
