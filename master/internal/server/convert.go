package server

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/proto/pb"
)

func stateOf(s pb.TaskState) cluster.State {
	if n := int(s) - 1; n >= 0 && n < len(cluster.States) {
		return cluster.States[n]
	}
	return ""
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if !t.IsValid() {
		return time.Time{} // none, or beyond the years that JSON knows
	}
	return t.AsTime()
}

// amount makes a reported number harmless: not a number or negative counts as
// 0, and none is so large that sums of them lose what they are for.
func amount(x float64) float64 {
	if math.IsNaN(x) || x < 0 {
		return 0
	}
	return min(x, 1e9)
}

// whole is amount for MiB, devices and bytes.
func whole[N int32 | int64](x N) int64 { return min(max(0, int64(x)), 1<<50) }

// maxMessage bounds what workers say in words, in bytes.
const maxMessage = 4096

// words cuts a worker's message to a size that is kept with a task.
func words(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + " ..."
}

func refsToWire(refs []cluster.AttemptRef) []*pb.AttemptRef {
	out := make([]*pb.AttemptRef, len(refs))
	for n, r := range refs {
		out[n] = &pb.AttemptRef{TaskId: string(r.TaskID), Attempt: int32(r.Attempt), Lease: r.Lease}
	}
	return out
}

func runningOf(in []*pb.RunningTask) []cluster.RunningAttempt {
	out := make([]cluster.RunningAttempt, len(in))
	for n, r := range in {
		out[n] = cluster.RunningAttempt{
			Ref:   cluster.AttemptRef{TaskID: cluster.TaskID(r.GetTaskId()), Attempt: int(r.GetAttempt()), Lease: r.GetLease()},
			State: stateOf(r.GetState()),
			Allocated: cluster.Resources{
				CPU: amount(r.GetCpuAllocated()), Memory: whole(r.GetMemoryAllocated()),
				Storage: whole(r.GetStorageAllocated()), GPU: int(whole(r.GetGpuAllocated())),
			},
			HasContainer: r.GetHasContainer(), ClusterID: r.GetClusterId(),
		}
	}
	return out
}

func registration(in *pb.WorkerInfo, from coordinator.Caller, host string) (coordinator.Registration, error) {
	if port := in.GetWorkerPort(); port < 1 || port > math.MaxUint16 {
		return coordinator.Registration{}, cluster.Invalid("worker_port", fmt.Sprintf("must be between 1 and 65535, not %d", port))
	}
	return coordinator.Registration{
		Caller:  from,
		Address: net.JoinHostPort(host, strconv.Itoa(int(in.GetWorkerPort()))),
		Version: in.GetVersion(), Labels: in.GetLabels(), Returning: in.GetReturning(),
		Total: cluster.Resources{
			CPU: in.GetTotalCpu(), Memory: in.GetTotalMemory(), Storage: in.GetTotalStorage(), GPU: int(in.GetTotalGpu()),
		},
		Running: runningOf(in.GetRunningTasks()),
	}, nil
}

func (s *Server) registerAck(in *pb.WorkerInfo, reply coordinator.RegisterReply) *pb.RegisterAck {
	return &pb.RegisterAck{
		ClusterId: s.cfg.ClusterID, MasterId: s.cfg.MasterID, Session: in.GetSession(), WorkerId: in.GetWorkerId(),
		Version: s.cfg.Version, HeartbeatInterval: durationpb.New(reply.HeartbeatInterval),
		Keep: refsToWire(reply.Keep), Stop: refsToWire(reply.Stop),
	}
}

func heartbeat(in *pb.Heartbeat, from coordinator.Caller) coordinator.Heartbeat {
	h := coordinator.Heartbeat{
		Caller: from, Number: in.GetNumber(),
		Use: cluster.Sample{
			CPU: amount(in.GetCpuUsage()), Memory: whole(in.GetMemoryUsage()),
			Storage: whole(in.GetStorageUsage()), GPU: int(whole(in.GetGpuUsage())),
		},
		Running: runningOf(in.GetRunningTasks()), Healthy: in.GetHealthy(), Message: words(in.GetMessage()),
		Leaving: in.GetLeaving(), RestartGrace: in.GetRestartGrace().AsDuration(),
	}
	for _, r := range in.GetAbsent() {
		h.Absent = append(h.Absent, cluster.AttemptRef{TaskID: cluster.TaskID(r.GetTaskId()), Attempt: int(r.GetAttempt()), Lease: r.GetLease()})
	}
	return h
}

func statesOf(in []*pb.StateTime, at clock) []cluster.StateTime {
	out := make([]cluster.StateTime, len(in))
	for n, s := range in {
		out[n] = cluster.StateTime{State: stateOf(s.GetState()), Time: at.time(s.GetTime())}
	}
	return out
}

func usageOf(in *pb.TaskUsage) cluster.Usage {
	return cluster.Usage{
		CPUSeconds: amount(in.GetCpuSeconds()), MemoryPeak: amount(in.GetMemoryPeak()),
		LogBytes: whole(in.GetLogBytes()), OutputBytes: whole(in.GetOutputBytes()),
	}
}

// exitCode is known from collect_output on.
func exitCode(states []cluster.StateTime, code int32, has bool) *int {
	if !has {
		return nil
	}
	for _, s := range states {
		if s.State == cluster.StateCollectOutput {
			n := int(code)
			return &n
		}
	}
	return nil
}

func progress(in *pb.TaskProgress, from coordinator.Caller, now time.Time) (coordinator.ProgressReport, error) {
	outcome := cluster.Outcome(in.GetOutcome())
	switch outcome {
	case "", cluster.OutcomeSuccess, cluster.OutcomeFailed, cluster.OutcomeCancelled:
	default:
		return coordinator.ProgressReport{}, cluster.Invalid("outcome", fmt.Sprintf("%.40q is none of success, failed, cancelled", outcome))
	}
	states := statesOf(in.GetStates(), clockOf(in.GetSentAt(), now))
	return coordinator.ProgressReport{
		Caller: from,
		Ref:    cluster.AttemptRef{TaskID: cluster.TaskID(in.GetTaskId()), Attempt: int(in.GetAttempt()), Lease: in.GetLease()},
		Observation: cluster.Observation{
			States: states, Outcome: outcome,
			ExitCode: exitCode(states, in.GetExitCode(), outcome != ""), Usage: usageOf(in.GetUsage()),
			PulledBytes: whole(in.GetUsage().GetPulledBytes()),
		},
		Progress: coordinator.Progress{DoneBytes: whole(in.GetDoneBytes()), TotalBytes: whole(in.GetTotalBytes())},
		CPU:      amount(in.GetUsage().GetCpu()), Memory: amount(in.GetUsage().GetMemory()),
		Message: words(in.GetMessage()),
	}, nil
}

func outcomeOf(status string) (cluster.Outcome, error) {
	switch cluster.Status(status) {
	case cluster.StatusSucceeded:
		return cluster.OutcomeSuccess, nil
	case cluster.StatusFailed:
		return cluster.OutcomeFailed, nil
	case cluster.StatusCancelled:
		return cluster.OutcomeCancelled, nil
	case cluster.StatusQueued, cluster.StatusAssigned, cluster.StatusRunning:
	}
	return "", cluster.Invalid("status", fmt.Sprintf("%q is none of succeeded, failed, cancelled", status))
}

func completion(in *pb.TaskResult, from coordinator.Caller, now time.Time) (coordinator.Completion, error) {
	outcome, err := outcomeOf(in.GetStatus())
	if err != nil {
		return coordinator.Completion{}, err
	}
	at := clockOf(in.GetSentAt(), now)
	states := statesOf(in.GetStates(), at)
	c := coordinator.Completion{
		Caller:  from,
		Ref:     cluster.AttemptRef{TaskID: cluster.TaskID(in.GetTaskId()), Attempt: int(in.GetAttempt()), Lease: in.GetLease()},
		Outcome: outcome, FinishedAt: at.time(in.GetFinishedAt()),
		Observation: cluster.Observation{
			States: states, Outcome: outcome, ExitCode: exitCode(states, in.GetExitCode(), in.GetHasExitCode()),
			Failure: cluster.Failure(in.GetFailure()), Message: words(in.GetMessage()), Usage: usageOf(in.GetUsage()),
			PulledBytes: whole(in.GetUsage().GetPulledBytes()),
		},
		Log: coordinator.LogEnd{
			Length: cluster.LogOffsets{Stdout: whole(in.GetStdoutLength()), Stderr: whole(in.GetStderrLength())}, Lost: in.GetLogLost(),
		},
	}
	for _, l := range in.GetLogs() {
		piece, err := logChunk(l)
		if err != nil {
			return coordinator.Completion{}, err
		}
		c.Log.Tail = append(c.Log.Tail, piece)
	}
	c.Hopeless = in.GetHopeless()
	c.Manifest.AsUploaded = in.GetFilesAsUploaded() && len(in.GetOutputFiles()) == 0
	for _, f := range in.GetOutputFiles() {
		c.Manifest.Files = append(c.Manifest.Files, cluster.File{Path: f.GetPath(), Size: f.GetSize(), SHA256: f.GetSha256()})
	}
	for _, f := range in.GetSkipped() {
		c.Manifest.Skipped = append(c.Manifest.Skipped, cluster.SkippedFile{Path: f.GetPath(), Reason: f.GetReason()})
	}
	return c, nil
}

func logChunk(in *pb.LogChunk) (cluster.LogChunk, error) {
	piece := cluster.LogChunk{Offset: in.GetOffset(), Time: timeOf(in.GetTime()), Data: in.GetData(), Dropped: in.GetDropped()}
	switch in.GetStream() {
	case pb.LogChunk_STDOUT:
		piece.Stream = cluster.StreamStdout
	case pb.LogChunk_STDERR:
		piece.Stream = cluster.StreamStderr
	case pb.LogChunk_STREAM_UNSPECIFIED:
		return piece, cluster.Invalid("stream", "must be STDOUT or STDERR")
	default:
		return piece, cluster.Invalid("stream", "must be STDOUT or STDERR")
	}
	if piece.Offset < 0 || piece.Dropped < 0 || (piece.Dropped > 0 && len(piece.Data) > 0) {
		return piece, cluster.Invalid("offset", "offset and dropped must not be negative, and dropped bytes have no data")
	}
	return piece, nil
}
