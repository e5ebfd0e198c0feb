package server

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net"
	"slices"
	"strconv"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"cloudai/master/internal/cluster"
	"cloudai/proto/pb"
)

// uploaded is a stream of chunks that were read already.
type uploaded struct {
	grpc.ServerStream
	t      *testing.T
	chunks []*pb.FileChunk
}

func (u *uploaded) Context() context.Context { return u.t.Context() }

func (u *uploaded) Recv() (*pb.FileChunk, error) {
	if len(u.chunks) == 0 {
		return nil, io.EOF
	}
	next := u.chunks[0]
	u.chunks = u.chunks[1:]
	return next, nil
}

func (u *uploaded) SendAndClose(*pb.FileUploadAck) error { return nil }

// Whatever a worker sends, a call is answered with a code that says whose fault
// it is, and what reaches the core are values that it can keep.
func FuzzWorkerMessages(f *testing.F) {
	seed := func(kind uint8, m proto.Message) {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kind, data)
	}
	seed(0, hello())
	seed(0, &pb.WorkerInfo{JoinSecret: "secret", WorkerPort: 1, TotalCpu: math.NaN(), Labels: map[string]string{"a": "b"}, RunningTasks: []*pb.RunningTask{{TaskId: "t", Attempt: -1}}})
	seed(1, &pb.Heartbeat{
		WorkerId: "w", CpuUsage: math.Inf(1), MemoryUsage: math.MinInt64, RunningTasks: []*pb.RunningTask{{State: 99, CpuAllocated: math.NaN()}},
		Absent: []*pb.AttemptRef{{TaskId: "t", Attempt: 1}}, Message: "no engine",
	})
	seed(2, &pb.TaskProgress{TaskId: "t", States: []*pb.StateTime{{State: 4}, {State: -1}}, Outcome: "failed", ExitCode: 300, DoneBytes: -1, SentAt: &timestamppb.Timestamp{Seconds: -1 << 35}})
	seed(3, &pb.TaskResult{
		TaskId: "t", Status: "succeeded", HasExitCode: true, Logs: []*pb.LogChunk{{Stream: pb.LogChunk_STDERR, Offset: 5, Data: []byte("x")}},
		OutputFiles: []*pb.OutputFile{{Path: "../a", Size: -1}}, Skipped: []*pb.SkippedFile{{Path: "\\x00", Reason: "a pipe"}}, StdoutLength: -5,
	})
	seed(4, &pb.FileChunk{UserId: "ann", Kind: pb.FileChunk_FILE, FilePath: "a/../../b", Offset: -1, Data: []byte("x"), Last: true})
	seed(4, &pb.FileChunk{UserId: "ann", Kind: pb.FileChunk_LOG, Log: &pb.LogChunk{Stream: pb.LogChunk_STDOUT, Dropped: 7}})
	seed(4, &pb.FileChunk{UserId: "bob", Kind: 17})
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		core, disk := &core{}, &disk{}
		s := New(Config{Core: core, Files: disk, Logs: disk, JoinSecret: "secret"})
		known, err := deliver(t, s, kind, data)
		if !known {
			t.Skip("not a message")
		}
		switch status.Code(err) {
		case codes.OK, codes.InvalidArgument, codes.Unauthenticated, codes.PermissionDenied:
		default:
			t.Fatalf("%d: %v", kind, err)
		}
		core.register.Total = cluster.Resources{} // which the core checks
		for _, taken := range []any{core.register, core.heartbeat, core.progress, core.completion, disk.chunks, disk.logs} {
			if _, err := json.Marshal(taken); err != nil {
				t.Fatalf("%v in %+v", err, taken)
			}
		}
		checkTaken(t, core, disk)
	})
}

// deliver makes the call whose message the data are, if they are one.
func deliver(t *testing.T, s *Server, kind uint8, data []byte) (known bool, err error) {
	ctx := t.Context()
	read := func(m proto.Message) bool {
		known = proto.Unmarshal(data, m) == nil
		return known
	}
	var (
		info  pb.WorkerInfo
		beat  pb.Heartbeat
		step  pb.TaskProgress
		end   pb.TaskResult
		chunk pb.FileChunk
	)
	switch kind % 5 {
	case 0:
		if read(&info) {
			_, err = s.RegisterWorker(ctx, &info)
		}
	case 1:
		if read(&beat) {
			_, err = s.SendHeartbeat(ctx, &beat)
		}
	case 2:
		if read(&step) {
			_, err = s.ReportTaskProgress(ctx, &step)
		}
	case 3:
		if read(&end) {
			_, err = s.ReportTaskCompletion(ctx, &end)
		}
	case 4:
		if read(&chunk) {
			err = s.UploadTaskFiles(&uploaded{t: t, chunks: []*pb.FileChunk{&chunk, &chunk}})
		}
	}
	return known, err
}

// checkTaken looks at what the core and the disks were given.
func checkTaken(t *testing.T, core *core, disk *disk) {
	t.Helper()
	states := func(of []cluster.StateTime) {
		for _, s := range of {
			if s.State != "" && !slices.Contains(cluster.States, s.State) {
				t.Fatalf("state %q", s.State)
			}
		}
	}
	states(core.progress.Observation.States)
	states(core.completion.Observation.States)
	if r := core.register; r.Address != "" {
		_, port, err := net.SplitHostPort(r.Address)
		if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 1 || n > math.MaxUint16 {
			t.Fatalf("address %q", r.Address)
		}
	}
	amounts := []float64{
		core.heartbeat.Use.CPU, float64(core.heartbeat.Use.Memory), float64(core.heartbeat.Use.Storage), float64(core.heartbeat.Use.GPU),
		core.progress.CPU, core.progress.Memory, float64(core.progress.Progress.DoneBytes), float64(core.progress.Progress.TotalBytes),
		core.completion.Observation.Usage.CPUSeconds, float64(core.completion.Observation.Usage.OutputBytes),
		float64(core.progress.Observation.PulledBytes), float64(core.completion.Observation.PulledBytes),
		float64(core.completion.Log.Length.Stdout), float64(core.completion.Log.Length.Stderr),
	}
	for _, r := range slices.Concat(core.heartbeat.Running, core.register.Running) {
		amounts = append(amounts, r.Allocated.CPU, float64(r.Allocated.Memory), float64(r.Allocated.Storage), float64(r.Allocated.GPU))
	}
	for _, n := range amounts {
		if !(n >= 0 && n <= 1<<50) {
			t.Fatalf("an amount is %v in %+v", n, core)
		}
	}
	for _, c := range slices.Concat(disk.logs, core.completion.Log.Tail) {
		if c.Offset < 0 || c.Dropped < 0 || c.Dropped > 0 && len(c.Data) > 0 || c.Stream != cluster.StreamStdout && c.Stream != cluster.StreamStderr {
			t.Fatalf("log chunk %+v", c)
		}
	}
	for _, text := range []string{core.heartbeat.Message, core.progress.Message, core.completion.Observation.Message} {
		if len(text) > maxMessage+len(" ...") {
			t.Fatalf("a message of %d bytes", len(text))
		}
	}
	if len(disk.chunks)+len(disk.logs) > core.asked {
		t.Fatal("a chunk was taken without asking whose it is")
	}
}
