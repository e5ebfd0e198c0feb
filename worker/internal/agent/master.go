package agent

import (
	"context"
	"time"

	"cloudai/proto/pb"
	"cloudai/worker/internal/executor"
	"cloudai/worker/internal/logstream"
)

// How long one answer is waited for. A call that was cut off is repeated.
const (
	beatTimeout     = 5 * time.Second
	progressTimeout = 10 * time.Second
	reportTimeout   = 30 * time.Second
)

func (a *Agent) register(ctx context.Context, x Register) feedback {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	joined := a.tryRegister(ctx, x)
	return func(m *Machine, now time.Time) []Action { return m.Registered(now, joined) }
}

func (a *Agent) tryRegister(ctx context.Context, x Register) Joined {
	client, intro, err := a.cfg.Uplink.Connect(ctx)
	if err != nil {
		a.saying.say("waiting to join", err, a.log.Warn)
		return Joined{Reply: Reply{Code: ReplyRetry, Message: err.Error()}}
	}
	a.callback.registering(intro.Host, intro.Port)
	ack, err := client.RegisterWorker(ctx, a.infoToPB(x.Running, intro, a.cfg.Returning))
	reply := replyOf(err)
	if err != nil {
		a.sayRefused(reply, err)
		return Joined{Reply: reply}
	}
	a.saying.over()
	a.mu.Lock()
	a.master = client
	a.mu.Unlock()
	a.callback.registered()
	a.log.Info("joined the master", "worker_id", a.cfg.Worker.ID, "master_id", ack.GetMasterId(), "cluster_id", ack.GetClusterId(),
		"running", len(x.Running), "stop", len(ack.GetStop()))
	return Joined{
		ClusterID: ack.GetClusterId(),
		Interval:  ack.GetHeartbeatInterval().AsDuration(),
		Stop:      refsFromPB(ack.GetStop()),
	}
}

// sayRefused says what a person can do about it.
func (a *Agent) sayRefused(reply Reply, err error) {
	switch reply.Code {
	case ReplyDenied:
		a.saying.say("waiting to join: the master does not accept the join token; give this worker the present one, "+
			"in JOIN_TOKEN or JOIN_TOKEN_FILE", err, a.log.Error)
	case ReplyClone:
		a.saying.say("waiting to join: another worker with this WORKER_ID is alive; stop it, or give this one a "+
			"WORKER_ID and a WORKER_DATA_DIR of its own", err, a.log.Error)
	case ReplyRefused:
		a.saying.say("waiting to join: the master refuses this worker", err, a.log.Error)
	case ReplyOK, ReplyRetry, ReplyGone, ReplyQuota, ReplyUnknownSession:
		a.saying.say("waiting to join: the master does not take this worker yet", err, a.log.Warn)
	}
}

func (a *Agent) sendHeartbeat(ctx context.Context, x SendHeartbeat) feedback {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	ack, err := a.client().SendHeartbeat(ctx, a.heartbeatToPB(x.Heartbeat))
	beat := Beat{
		Reply:     replyOf(err),
		ClusterID: ack.GetClusterId(),
		Stop:      refsFromPB(ack.GetStop()),
		Expect:    refsFromPB(ack.GetExpect()),
		Cancel:    refsFromPB(ack.GetCancel()),
	}
	if err != nil {
		a.sayUnanswered(beat.Reply, err)
	} else {
		if a.saying.over() {
			a.log.Info("the master answers again")
		}
		a.callback.check(a.log)
	}
	return func(m *Machine, now time.Time) []Action {
		return m.HeartbeatAnswered(now, len(x.Heartbeat.Absent), beat)
	}
}

// sayUnanswered says what becomes of this worker's tasks meanwhile.
func (a *Agent) sayUnanswered(reply Reply, err error) {
	if reply.Code == ReplyUnknownSession || reply.Code == ReplyDenied {
		a.saying.say("the master has this worker register again", err, a.log.Warn)
		return
	}
	a.saying.say("the master does not answer; tasks run on, and what comes of them is kept until it does", err, a.log.Warn)
}

func (a *Agent) reportProgress(ctx context.Context, x ReportProgress) feedback {
	defer enter(ctx, a.limits.progress)()
	ctx, cancel := context.WithTimeout(ctx, progressTimeout)
	defer cancel()
	p := x.Progress
	if log := a.Logs(p.Ref); log != nil {
		head := log.Head()
		p.Usage.LogBytes = head.Stdout + head.Stderr
	}
	_, err := a.client().ReportTaskProgress(ctx, a.progressToPB(p))
	reply := replyOf(err)
	return func(m *Machine, now time.Time) []Action {
		return m.ProgressAnswered(now, p.Ref, len(p.States), reply)
	}
}

func (a *Agent) reportCompletion(ctx context.Context, x ReportCompletion) feedback {
	defer enter(ctx, a.limits.reports)()
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	var tail []logstream.Chunk
	if log := a.Logs(x.Ref); log != nil {
		tail = log.Tail()
	}
	ack, err := a.client().ReportTaskCompletion(ctx, a.resultToPB(x.Result, tail))
	reply := ReportReply{Reply: replyOf(err)}
	if need := ack.GetNeedLog(); err == nil && need != nil {
		reply.NeedLog = &executor.Offsets{Stdout: need.GetStdoutOffset(), Stderr: need.GetStderrOffset()}
	}
	a.log.Debug("reported", "task_id", x.Ref.TaskID, "attempt", x.Ref.Attempt,
		"status", x.Result.Status, "error", err)
	return func(m *Machine, now time.Time) []Action { return m.Reported(now, x.Ref, reply) }
}

// pushLog sends what the master lacks of the log. An error of reading is kept
// apart from the master's answer.
func (a *Agent) pushLog(ctx context.Context, x PushLog) feedback {
	defer enter(ctx, a.limits.uploads)()
	reply, err := a.tryPushLog(ctx, x)
	return func(m *Machine, now time.Time) []Action { return m.LogPushed(now, x.Ref, reply, err) }
}

func (a *Agent) tryPushLog(ctx context.Context, x PushLog) (Reply, error) {
	out, err := a.openUpload(ctx, x.Ref, x.UserID)
	if err != nil {
		return replyOf(err), nil
	}
	defer out.close()
	log := a.Logs(x.Ref)
	if log == nil {
		return Reply{}, executor.ErrNotFound
	}
	_, _, err = log.Read(ctx, x.From, false, func(c logstream.Chunk) error {
		return out.send(&pb.FileChunk{Kind: pb.FileChunk_LOG, Log: chunkToPB(c)})
	})
	if err != nil && !out.failed && ctx.Err() == nil {
		return Reply{}, err
	}
	_, err = out.finish()
	return replyOf(err), nil
}
