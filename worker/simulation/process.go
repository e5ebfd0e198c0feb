package simulation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloudai/worker/internal/agent"
	"cloudai/worker/internal/executor"
)

// process is one worker process.
type process struct {
	node    *Node
	session string
	machine *agent.Machine
	open    bool // it has found its containers
	jobs    []*job
	asked   map[uint64]agent.Action // of the master, not answered
	logs    map[Ref]*stream
	leaving bool
	stopAll bool
	leaveBy time.Time
}

// stream is how much of an attempt's log this process has read.
type stream struct {
	head  Offsets
	ended bool
}

// job is an action on this host. First it is carried out, then its outcome is
// delivered.
type job struct {
	action  agent.Action
	marked  bool // RunContainer: its folder has the mark
	began   bool // and the container was seen to run
	deliver func(now time.Time) []agent.Action
}

func name(a agent.Action) string { return strings.TrimPrefix(fmt.Sprintf("%T", a), "agent.") }

// take keeps what the machine wants done.
func (p *process) take(actions []agent.Action) {
	for _, action := range actions {
		switch x := action.(type) {
		case agent.Interrupt:
			p.interrupt(x.Ref)
		case agent.EndLog:
			if s := p.logs[x.Ref]; s != nil {
				s.ended = true
			}
		case agent.Forget:
			delete(p.logs, x.Ref)
		case agent.NoteEngine:
			// A note is written at once, so that a kill right after changes nothing.
			p.node.notes = notes{downSince: x.DownSince, absences: x.Absences}
		case agent.Register, agent.SendHeartbeat, agent.ReportProgress, agent.Upload:
			p.ask(action, action, Offsets{})
		case agent.ReportCompletion:
			// The end of the log that comes with the result: all of a short one.
			const tail = 6
			to := x.Result.Log
			p.ask(action, action, Offsets{Stdout: max(0, to.Stdout-tail), Stderr: max(0, to.Stderr-tail)})
		default:
			p.jobs = append(p.jobs, &job{action: action})
		}
	}
}

func (p *process) ask(action agent.Action, message any, tail Offsets) {
	p.node.serial++
	p.asked[p.node.serial] = action
	p.node.calls = append(p.node.calls, Call{ID: p.node.serial, Session: p.session, Message: message, TailFrom: tail})
}

// interrupt ends the attempt's work under way. What it was has perhaps happened.
func (p *process) interrupt(ref Ref) {
	for _, j := range p.jobs {
		w, ok := j.action.(agent.Work)
		if ok && w.Attempt() == ref && j.deliver == nil {
			p.cancelled(j, ref)
		}
	}
	for _, id := range p.unanswered() {
		w, ok := p.asked[id].(agent.Work)
		if ok && w.Attempt() == ref {
			delete(p.asked, id)
			j := &job{action: w}
			p.cancelled(j, ref)
			p.jobs = append(p.jobs, j)
		}
	}
}

// unanswered lists the calls without an answer in their order.
func (p *process) unanswered() []uint64 {
	ids := make([]uint64, 0, len(p.asked))
	for id := range p.asked {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (p *process) cancelled(j *job, ref Ref) {
	m, retry := p.machine, Reply{Code: ReplyRetry, Message: "cancelled"}
	switch x := j.action.(type) {
	case agent.Pull:
		j.deliver = func(now time.Time) []agent.Action { return m.Pulled(now, ref, context.Canceled) }
	case agent.Collect:
		j.deliver = func(now time.Time) []agent.Action {
			return m.Collected(now, ref, agent.Collection{}, context.Canceled)
		}
	case agent.Upload:
		j.deliver = func(now time.Time) []agent.Action {
			return m.Uploaded(now, ref, UploadReply{Reply: retry, Files: x.Files})
		}
	case agent.ReportCompletion:
		j.deliver = func(now time.Time) []agent.Action { return m.Reported(now, ref, ReportReply{Reply: retry}) }
	case agent.PushLog:
		j.deliver = func(now time.Time) []agent.Action { return m.LogPushed(now, ref, retry, nil) }
	}
}

// step carries a job out, or delivers its outcome.
func (p *process) step(now time.Time, i int) string {
	j := p.jobs[i]
	what := name(j.action)
	if j.deliver == nil {
		p.perform(now, j)
		switch at := slices.Index(p.jobs, j); {
		case at < 0: // it has become a call
			return what + " asks"
		case j.deliver == nil || p.node.chance(30):
			return what + " done"
		}
	}
	at := slices.Index(p.jobs, j)
	p.jobs = slices.Delete(p.jobs, at, at+1)
	p.take(j.deliver(now))
	return what + " told"
}

// breakStreams ends the reading of all containers: the engine is off.
func (p *process) breakStreams() {
	for _, j := range p.jobs {
		x, ok := j.action.(agent.RunContainer)
		if !ok || j.deliver != nil || !j.began {
			continue
		}
		b := p.node.engine.byID(x.ID)
		if b != nil && b.fact.Killed && p.node.rng.IntN(2) == 0 {
			p.read(x.Ref, b)
			p.exited(j, x.Ref, b.Container, nil) // its last word
			continue
		}
		p.exited(j, x.Ref, executor.Container{}, errEngine)
	}
}

// breakStream ends the reading of one container: it is gone.
func (p *process) breakStream(id string) {
	for _, j := range p.jobs {
		if x, ok := j.action.(agent.RunContainer); ok && x.ID == id && j.deliver == nil && j.began {
			p.exited(j, x.Ref, executor.Container{}, executor.ErrNotFound)
		}
	}
}

func (p *process) exited(j *job, ref Ref, c executor.Container, err error) {
	head := p.stream(ref).head
	j.deliver = func(now time.Time) []agent.Action { return p.machine.Exited(now, ref, c, head, err) }
}

func (p *process) stream(ref Ref) *stream {
	s := p.logs[ref]
	if s == nil {
		s = &stream{}
		p.logs[ref] = s
	}
	return s
}

// read takes all that the container has written.
func (p *process) read(ref Ref, b *box) { p.stream(ref).head = b.fact.Log }
