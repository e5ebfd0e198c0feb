package agent

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
	"cloudai/worker/internal/executor"
	"cloudai/worker/internal/logstream"
)

// maxListed bounds the bytes of the files in a result: the log's tail and the
// rest must fit into the same message.
const maxListed = transport.MaxMessage / 2

var pbStates = map[State]pb.TaskState{
	StateAssigned:         pb.TaskState_TASK_STATE_ASSIGNED,
	StateImagePulled:      pb.TaskState_TASK_STATE_IMAGE_PULLED,
	StateContainerCreated: pb.TaskState_TASK_STATE_CONTAINER_CREATED,
	StateRunning:          pb.TaskState_TASK_STATE_RUNNING,
	StateCollectOutput:    pb.TaskState_TASK_STATE_COLLECT_OUTPUT,
	StateUploadFiles:      pb.TaskState_TASK_STATE_UPLOAD_FILES,
	StateReportResult:     pb.TaskState_TASK_STATE_REPORT_RESULT,
}

// replyOf reads the meaning of a call's error.
func replyOf(err error) Reply {
	if err == nil {
		return Reply{Code: ReplyOK}
	}
	s, ok := status.FromError(err)
	if !ok {
		return Reply{Code: ReplyRetry, Message: err.Error()}
	}
	return Reply{Code: codeOf(s.Code(), transport.Reason(err)), Message: s.Message()}
}

func codeOf(code codes.Code, reason string) Code {
	switch {
	case code == codes.FailedPrecondition && reason == transport.ReasonStaleAttempt,
		code == codes.NotFound && reason == transport.ReasonUnknownTask:
		return ReplyGone
	case code == codes.FailedPrecondition && reason == transport.ReasonUnknownSession:
		return ReplyUnknownSession
	case code == codes.FailedPrecondition:
		return ReplyRefused
	case code == codes.ResourceExhausted && reason == transport.ReasonQuota:
		return ReplyQuota
	case code == codes.Unauthenticated:
		return ReplyDenied
	case code == codes.AlreadyExists:
		return ReplyClone
	}
	return ReplyRetry
}

func statesToPB(states []StateTime) []*pb.StateTime {
	out := make([]*pb.StateTime, len(states))
	for i, s := range states {
		out[i] = &pb.StateTime{State: pbStates[s.State], Time: timestamppb.New(s.Time)}
	}
	return out
}

func runningToPB(set []Running) []*pb.RunningTask {
	out := make([]*pb.RunningTask, len(set))
	for i, r := range set {
		out[i] = &pb.RunningTask{
			TaskId:           r.Ref.TaskID,
			Attempt:          int32(r.Ref.Attempt),
			Lease:            r.Ref.Lease,
			State:            pbStates[r.State],
			CpuAllocated:     r.CPU,
			MemoryAllocated:  r.Memory,
			StorageAllocated: r.Storage,
			GpuAllocated:     int32(r.GPU),
			HasContainer:     r.HasContainer,
			ClusterId:        r.ClusterID,
		}
	}
	return out
}

func refsToPB(refs []Ref) []*pb.AttemptRef {
	out := make([]*pb.AttemptRef, len(refs))
	for i, r := range refs {
		out[i] = &pb.AttemptRef{TaskId: r.TaskID, Attempt: int32(r.Attempt), Lease: r.Lease}
	}
	return out
}

func refsFromPB(refs []*pb.AttemptRef) []Ref {
	out := make([]Ref, len(refs))
	for i, r := range refs {
		out[i] = Ref{TaskID: r.GetTaskId(), Attempt: int(r.GetAttempt()), Lease: r.GetLease()}
	}
	return out
}

func usageToPB(u Usage) *pb.TaskUsage {
	return &pb.TaskUsage{
		CpuSeconds:  u.CPUSeconds,
		MemoryPeak:  u.MemoryPeak,
		Cpu:         u.CPU,
		Memory:      u.Memory,
		LogBytes:    u.LogBytes,
		OutputBytes: u.OutputBytes,
		PulledBytes: u.PulledBytes,
	}
}

func (a *Agent) progressToPB(p Progress) *pb.TaskProgress {
	out := &pb.TaskProgress{
		WorkerId:   a.cfg.Worker.ID,
		Session:    a.cfg.Worker.Session,
		TaskId:     p.Ref.TaskID,
		Attempt:    int32(p.Ref.Attempt),
		Lease:      p.Ref.Lease,
		States:     statesToPB(p.States),
		DoneBytes:  p.DoneBytes,
		TotalBytes: p.TotalBytes,
		ExitCode:   int32(p.ExitCode),
		Message:    p.Message,
		Usage:      usageToPB(p.Usage),
		SentAt:     timestamppb.Now(),
	}
	switch p.Outcome {
	case StatusSucceeded:
		out.Outcome = "success"
	case StatusFailed, StatusCancelled:
		out.Outcome = "failed"
	}
	return out
}

func (a *Agent) resultToPB(r Result, tail []logstream.Chunk) *pb.TaskResult {
	out := &pb.TaskResult{
		WorkerId:     a.cfg.Worker.ID,
		Session:      a.cfg.Worker.Session,
		TaskId:       r.Ref.TaskID,
		Attempt:      int32(r.Ref.Attempt),
		Lease:        r.Ref.Lease,
		Status:       string(r.Status),
		HasExitCode:  r.HasExit,
		ExitCode:     int32(r.ExitCode),
		Failure:      string(r.Failure),
		Message:      r.Message,
		States:       statesToPB(r.States),
		StdoutLength: r.Log.Stdout,
		StderrLength: r.Log.Stderr,
		LogLost:      r.LogLost,
		Hopeless:     r.Hopeless,
		Usage:        usageToPB(r.Usage),
		StartedAt:    timeToPB(r.StartedAt),
		FinishedAt:   timeToPB(r.FinishedAt),
		SentAt:       timestamppb.Now(),
	}
	for _, c := range tail {
		out.Logs = append(out.Logs, chunkToPB(c))
	}
	for _, s := range r.Skipped {
		out.Skipped = append(out.Skipped, &pb.SkippedFile{Path: s.Path, Reason: s.Reason})
	}
	out.OutputFiles = filesToPB(r.Files)
	out.FilesAsUploaded = out.OutputFiles == nil && len(r.Files) > 0
	return out
}

// filesToPB lists the files, or returns nil when the list is too long.
func filesToPB(files []File) []*pb.OutputFile {
	const overhead = 90 // the hash, the numbers and the tags
	size := 0
	out := make([]*pb.OutputFile, 0, len(files))
	for _, f := range files {
		if size += len(f.Path) + overhead; size > maxListed {
			return nil
		}
		out = append(out, &pb.OutputFile{Path: f.Path, Size: f.Size, Sha256: f.SHA256, Mode: f.Mode})
	}
	return out
}

func timeToPB(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func chunkToPB(c logstream.Chunk) *pb.LogChunk {
	return &pb.LogChunk{
		Stream:  StreamToPB(c.Stream),
		Offset:  c.Offset,
		Time:    timeToPB(c.Time),
		Data:    c.Data,
		Dropped: c.Dropped,
	}
}

// ChunkToPB is a log chunk on the wire.
func ChunkToPB(c logstream.Chunk) *pb.LogChunk { return chunkToPB(c) }

// StreamToPB is a stream's name on the wire.
func StreamToPB(s executor.Stream) pb.LogChunk_Stream {
	switch s {
	case executor.Stdout:
		return pb.LogChunk_STDOUT
	case executor.Stderr:
		return pb.LogChunk_STDERR
	}
	return pb.LogChunk_STREAM_UNSPECIFIED
}

func (a *Agent) infoToPB(running []Running, intro Introduction, returning bool) *pb.WorkerInfo {
	return &pb.WorkerInfo{
		WorkerId:     a.cfg.Worker.ID,
		Session:      a.cfg.Worker.Session,
		Version:      a.cfg.Worker.Version,
		WorkerIp:     intro.Host,
		WorkerPort:   int32(intro.Port),
		TotalCpu:     a.cfg.Capacity.CPU,
		TotalMemory:  a.cfg.Capacity.Memory,
		TotalStorage: a.cfg.Capacity.Storage,
		TotalGpu:     int32(a.cfg.Capacity.GPU),
		RunningTasks: runningToPB(running),
		Labels:       a.cfg.Worker.Labels,
		JoinSecret:   intro.Secret,
		Fingerprint:  intro.Fingerprint,
		Returning:    returning,
	}
}

// storageUsed is what of the storage on offer is not to be had any more: tasks
// have written it, or the disks have that much less. Both are told of as one,
// so that what is offered less what is used is what there is.
func (c Config) storageUsed(used HostUsage, stored int64) int64 {
	return min(max(used.Storage, stored>>20), c.Capacity.Storage)
}

func (a *Agent) heartbeatToPB(h Heartbeat) *pb.Heartbeat {
	used := a.cfg.Usage()
	out := &pb.Heartbeat{
		WorkerId:     a.cfg.Worker.ID,
		Session:      a.cfg.Worker.Session,
		CpuUsage:     used.CPU,
		MemoryUsage:  used.Memory,
		StorageUsage: a.cfg.storageUsed(used, h.Stored),
		GpuUsage:     int32(used.GPU),
		RunningTasks: runningToPB(h.Running),
		Number:       h.Number,
		Absent:       refsToPB(h.Absent),
		Healthy:      h.Healthy,
		Message:      h.Message,
		Leaving:      h.Leaving,
	}
	if h.Leaving {
		out.RestartGrace = durationpb.New(a.cfg.RestartGrace)
	}
	return out
}
