package server

import (
	"context"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"cloudai/proto/pb"
	"cloudai/worker/internal/agent"
)

// followed is a stream to which a log is sent.
type followed struct {
	grpc.ServerStream
	ctx context.Context
}

func (f *followed) Context() context.Context  { return f.ctx }
func (f *followed) Send(_ *pb.LogChunk) error { return nil }

// Whatever the master sends, a worker that has nothing to do answers with a code
// that says whose fault it is, and begins nothing that it cannot name.
func FuzzMasterMessages(f *testing.F) {
	seed := func(kind uint8, m proto.Message) {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kind, data)
	}
	seed(0, &pb.MasterInfo{MasterId: "m", MasterAddress: "10.0.0.1:50051", WorkerId: "w1", Challenge: []byte("c")})
	seed(1, &pb.Task{
		Session: "s1", TaskId: "t1", Attempt: 1, Lease: "l1", DockerImage: "busybox", ReqCpu: math.NaN(), ReqMemory: math.MinInt64,
		Timeout: durationpb.New(-1), Env: map[string]string{"A=B": "\x00"}, Inputs: []*pb.InputFile{{Path: "../../etc/passwd", Content: []byte("x")}},
	})
	seed(1, &pb.Task{Session: "s1", TaskId: "../t1", Attempt: -1, Lease: "/"})
	seed(2, &pb.TaskID{Session: "s1", TaskId: "t1", Attempt: 1, Lease: "l1"})
	seed(3, &pb.TaskLogRequest{Session: "s1", TaskId: "t1", Attempt: 1, StdoutOffset: -1, Follow: true})
	seed(3, &pb.TaskLogRequest{Session: "s2"})
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		s := &Server{agent: agent.New(agent.Config{Worker: agent.Worker{ID: "w1", Session: "s1", Version: "v1"}}), up: &uplink{}}
		var (
			hello  pb.MasterInfo
			task   pb.Task
			cancel pb.TaskID
			logs   pb.TaskLogRequest
			m      proto.Message
			call   func() error
		)
		switch kind % 4 {
		case 0:
			m, call = &hello, func() error { _, err := s.MasterRegister(t.Context(), &hello); return err }
		case 1:
			m, call = &task, func() error { _, err := s.AssignTask(t.Context(), &task); return err }
		case 2:
			m, call = &cancel, func() error { _, err := s.CancelTask(t.Context(), &cancel); return err }
		case 3:
			m, call = &logs, func() error { return s.StreamTaskLogs(&logs, &followed{ctx: t.Context()}) }
		}
		if proto.Unmarshal(data, m) != nil {
			t.Skip("not a message")
		}
		err := call()
		switch code := status.Code(err); {
		case code == codes.OK && kind%4 == 0: // it says who it is
		case code == codes.FailedPrecondition || code == codes.NotFound || code == codes.InvalidArgument:
		default:
			t.Fatalf("%d: %v", kind%4, err)
		}
		spec := specFromPB(&task)
		if spec.Key.TaskID != task.GetTaskId() || len(spec.Inputs) != len(task.GetInputs()) || task.GetGracePeriod() == nil && spec.Grace != defaultGrace {
			t.Fatalf("%+v of %v", spec, &task)
		}
		if strings.Contains(spec.WorkerID+spec.OutputDir, "/") {
			t.Fatalf("the message says where output goes: %+v", spec)
		}
	})
}
