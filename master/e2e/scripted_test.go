//go:build engine

package e2e

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// scripted is a worker that is nothing but its calls: it has the join token, a
// certificate and a door of its own, accepts every task, and runs none. What it
// says to the master is the test's.
type scripted struct {
	pb.UnimplementedWorkerServer
	id, session string
	identity    transport.Identity
	token       transport.JoinToken
	port        int
	conn        *grpc.ClientConn
	master      pb.MasterClient
	given       chan *pb.Task
	beats       uint64
	extra       int // workers that were registered beside it
}

// scripted joins a worker of the test's own.
func (w *world) scripted(t *testing.T, id string) *scripted {
	t.Helper()
	s := w.stranger(t, id)
	_, err := s.master.RegisterWorker(t.Context(), s.info())
	must(t, err)
	s.beat(t)
	await(t, verdict, func(ctx context.Context) error { return w.WorkerIs(ctx, id, "active") })
	return s
}

// stranger is a scripted worker that has not joined.
func (w *world) stranger(t *testing.T, id string) *scripted {
	t.Helper()
	s := &scripted{id: id, session: "session-of-" + id, given: make(chan *pb.Task, 10)}
	var err error
	s.token, err = transport.ReadJoinToken(filepath.Join(w.MasterDir(), "join-token"))
	must(t, err)
	s.identity, err = transport.LoadOrCreateIdentity(t.TempDir(), "worker")
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.port = l.Addr().(*net.TCPAddr).Port
	server := grpc.NewServer(transport.ServerOptions(s.identity)...)
	pb.RegisterWorkerServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	s.conn, err = grpc.NewClient(w.GRPC(), transport.DialOptions(s.identity, s.token.Fingerprint)...)
	must(t, err)
	t.Cleanup(func() {
		_ = s.conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	s.master = pb.NewMasterClient(s.conn)
	return s
}

func (s *scripted) info(running ...*pb.RunningTask) *pb.WorkerInfo {
	return &pb.WorkerInfo{
		WorkerId: s.id, WorkerIp: "127.0.0.1", WorkerPort: int32(s.port), TotalCpu: 8, TotalMemory: 8192, TotalStorage: 8192,
		Session: s.session, Version: "test", JoinSecret: s.token.Secret, Fingerprint: s.identity.Fingerprint, RunningTasks: running,
	}
}

// beat sends a sign of life with what runs here.
func (s *scripted) beat(t *testing.T, running ...*pb.RunningTask) *pb.HeartbeatAck {
	t.Helper()
	s.beats++
	ack, err := s.master.SendHeartbeat(t.Context(), &pb.Heartbeat{
		WorkerId: s.id, Session: s.session, Number: s.beats, Healthy: true, RunningTasks: running,
	})
	must(t, err)
	return ack
}

// MasterRegister is the master's call back.
func (s *scripted) MasterRegister(_ context.Context, in *pb.MasterInfo) (*pb.RegisterAck, error) {
	return &pb.RegisterAck{MasterId: in.GetMasterId(), ClusterId: in.GetClusterId(), Session: s.session, WorkerId: s.id, Version: "test"}, nil
}

// AssignTask accepts.
func (s *scripted) AssignTask(_ context.Context, in *pb.Task) (*pb.TaskAck, error) {
	select {
	case s.given <- in:
	default: // a repeat
	}
	return &pb.TaskAck{Session: s.session}, nil
}

// take waits for a task's assignment and says that it runs.
func (s *scripted) take(t *testing.T, id string) *pb.Task {
	t.Helper()
	for {
		select {
		case task := <-s.given:
			if task.GetTaskId() != id {
				continue // an older one, repeated
			}
			s.beat(t, s.running(task))
			return task
		case <-time.After(verdict):
			t.Fatalf("worker %s did not get task %s", s.id, id)
			return nil
		}
	}
}

func (s *scripted) running(task *pb.Task) *pb.RunningTask {
	return &pb.RunningTask{
		TaskId: task.GetTaskId(), Attempt: task.GetAttempt(), Lease: task.GetLease(), State: pb.TaskState_TASK_STATE_RUNNING,
		CpuAllocated: task.GetReqCpu(), MemoryAllocated: task.GetReqMemory(), StorageAllocated: task.GetReqStorage(), HasContainer: true,
	}
}

// result is the success of a task; files are those of its output.
func (s *scripted) result(task *pb.Task, files ...*pb.OutputFile) *pb.TaskResult {
	r := &pb.TaskResult{
		TaskId: task.GetTaskId(), Attempt: task.GetAttempt(), Lease: task.GetLease(), WorkerId: s.id, Session: s.session,
		Status: "succeeded", HasExitCode: true, OutputFiles: files,
	}
	for state := pb.TaskState_TASK_STATE_IMAGE_PULLED; state <= pb.TaskState_TASK_STATE_REPORT_RESULT; state++ {
		r.States = append(r.States, &pb.StateTime{State: state})
	}
	return r
}

// chunk is a piece of the task's output.
func (s *scripted) chunk(task *pb.Task, path, data string) *pb.FileChunk {
	return &pb.FileChunk{
		TaskId: task.GetTaskId(), Attempt: task.GetAttempt(), Lease: task.GetLease(), UserId: task.GetUserId(),
		WorkerId: s.id, Session: s.session, FilePath: path, Data: []byte(data), Last: true, Mode: 0o644,
	}
}

// upload sends pieces in one stream.
func (s *scripted) upload(ctx context.Context, chunks ...*pb.FileChunk) error {
	stream, err := s.master.UploadTaskFiles(ctx)
	if err != nil {
		return err
	}
	for _, c := range chunks {
		if stream.Send(c) != nil {
			break // the answer says why
		}
	}
	_, err = stream.CloseAndRecv()
	return err
}

// methods are all calls of a service, so that none is forgotten.
func methods(service protoreflect.Name) []protoreflect.MethodDescriptor {
	var all []protoreflect.MethodDescriptor
	list := pb.File_master_worker_proto.Services().ByName(service).Methods()
	for n := range list.Len() {
		all = append(all, list.Get(n))
	}
	return all
}

// invoke makes one call by its description, with a stream of one message where
// it takes or gives a stream.
func invoke(ctx context.Context, conn *grpc.ClientConn, m protoreflect.MethodDescriptor, in proto.Message) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName())
	if err != nil {
		return nil, err
	}
	out := kind.New().Interface()
	path := fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
	if !m.IsStreamingClient() && !m.IsStreamingServer() {
		return out, conn.Invoke(ctx, path, in, out)
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, path)
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(in); err != nil {
		return nil, stream.RecvMsg(out)
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	return out, stream.RecvMsg(out)
}

// filled makes a message of the type that the method takes; values are by the
// names of fields, those that it does not have are left out.
func filled(t *testing.T, of protoreflect.MessageDescriptor, values map[string]any) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(of.FullName())
	must(t, err)
	m := kind.New()
	for name, value := range values {
		if f := of.Fields().ByName(protoreflect.Name(name)); f != nil && f.Cardinality() != protoreflect.Repeated {
			m.Set(f, protoreflect.ValueOf(value))
		}
	}
	return m.Interface()
}

// said is an answer in one line, with one name in another's place.
func said(out proto.Message, err error, name, instead string) string {
	words := fmt.Sprint(out)
	if err != nil {
		words = err.Error()
	}
	return strings.ReplaceAll(words, name, instead)
}
