package simulation

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"cloudai/worker/internal/agent"
)

// Open reports whether the call waits for an answer.
func (n *Node) Open(id uint64) bool {
	if n.proc == nil {
		return false
	}
	_, ok := n.proc.asked[id]
	return ok
}

// Answer brings the master's answer to a call: a Joined, a Beat, a Reply, a
// ReportReply or an UploadReply. One that nobody waits for is nothing.
func (n *Node) Answer(now time.Time, id uint64, answer any) {
	p := n.proc
	if p == nil || p.asked[id] == nil {
		return
	}
	action := p.asked[id]
	delete(p.asked, id)
	switch x := action.(type) {
	case agent.Register:
		p.take(p.machine.Registered(now, answer.(Joined)))
	case agent.SendHeartbeat:
		p.take(p.machine.HeartbeatAnswered(now, len(x.Heartbeat.Absent), answer.(Beat)))
	case agent.ReportProgress:
		p.take(p.machine.ProgressAnswered(now, x.Ref, len(x.Progress.States), answer.(Reply)))
	case agent.ReportCompletion:
		p.take(p.machine.Reported(now, x.Ref, answer.(ReportReply)))
	case agent.Upload:
		p.take(p.machine.Uploaded(now, x.Ref, n.uploaded(x, answer.(UploadReply))))
	case agent.PushLog:
		p.take(p.machine.LogPushed(now, x.Ref, answer.(Reply), nil))
	default:
		panic(fmt.Sprintf("simulation: an answer to %T", action))
	}
	n.left(now)
}

// Lost brings no answer to a call: it has timed out or its connection broke.
func (n *Node) Lost(now time.Time, id uint64) {
	if n.proc == nil || n.proc.asked[id] == nil {
		return
	}
	retry := Reply{Code: ReplyRetry, Message: "no answer"}
	switch n.proc.asked[id].(type) {
	case agent.Register:
		n.Answer(now, id, Joined{Reply: retry})
	case agent.SendHeartbeat:
		n.Answer(now, id, Beat{Reply: retry})
	case agent.ReportCompletion:
		n.Answer(now, id, ReportReply{Reply: retry})
	case agent.Upload:
		n.Answer(now, id, UploadReply{Reply: retry})
	default:
		n.Answer(now, id, retry)
	}
}

// uploaded completes an upload's answer with the hashes, and leaves out what the
// master refuses. r.Files are, with ReplyQuota, those that it has whole.
func (n *Node) uploaded(x agent.Upload, r UploadReply) UploadReply {
	refused, whole := r.Code == ReplyQuota, r.Files
	r.Files = nil
	if refused {
		r.Code, r.Refused = agent.ReplyOK, cmp.Or(r.Message, "no room")
	}
	for _, f := range n.fact(x.Ref).Files {
		kept := !refused || slices.ContainsFunc(whole, func(w File) bool { return w.Path == f.Path })
		if kept {
			r.Files = append(r.Files, f)
		} else {
			r.Skipped = append(r.Skipped, agent.Skipped{Path: f.Path, Reason: "the master takes no more"})
		}
	}
	return r
}

// Assign is the master's AssignTask for the session.
func (n *Node) Assign(now time.Time, spec Spec) error {
	p := n.proc
	spec.WorkerID, spec.OutputDir = n.id, "out"
	actions, err := p.machine.Assign(now, spec)
	if ref := refOf(spec.Key); err == nil && p.machine.Knows(ref) {
		p.stream(ref)
	}
	p.take(actions)
	return err
}

// Cancel is the master's CancelTask.
func (n *Node) Cancel(now time.Time, ref Ref, clusterID string) error {
	actions, err := n.proc.machine.Cancel(now, ref, clusterID)
	n.proc.take(actions)
	return err
}

// Called is the master's MasterRegister.
func (n *Node) Called(now time.Time) { n.proc.take(n.proc.machine.MasterCalled(now)) }

// Log is how much of the attempt's log the process has, and whether that is all
// of it; ok is false when it has no such attempt.
func (n *Node) Log(ref Ref) (head Offsets, complete, ok bool) {
	s := n.proc.logs[ref]
	if s == nil {
		return head, false, false
	}
	return s.head, s.ended, true
}
