package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/storage"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// core answers as the test says and keeps what it was asked.
type core struct {
	err        error
	register   coordinator.Registration
	heartbeat  coordinator.Heartbeat
	progress   coordinator.ProgressReport
	completion coordinator.Completion
	caller     coordinator.Caller
	need       *cluster.LogOffsets
	reply      coordinator.HeartbeatReply
	recorded   bool
	asked      int
	errAfter   int // of AuthorizeUpload: err from this call on
}

func (c *core) Register(_ context.Context, r coordinator.Registration) (coordinator.RegisterReply, error) {
	c.register = r
	return coordinator.RegisterReply{HeartbeatInterval: 5 * time.Second, Keep: []cluster.AttemptRef{ref}}, c.err
}

func (c *core) Heartbeat(_ context.Context, h coordinator.Heartbeat) (coordinator.HeartbeatReply, error) {
	c.heartbeat = h
	return c.reply, c.err
}

func (c *core) Progress(_ context.Context, r coordinator.ProgressReport) error {
	c.progress = r
	return c.err
}

func (c *core) Complete(_ context.Context, r coordinator.Completion) (*cluster.LogOffsets, error) {
	c.completion = r
	return c.need, c.err
}

func (c *core) AuthorizeUpload(_ context.Context, from coordinator.Caller, _ cluster.AttemptRef) (cluster.UserID, bool, error) {
	c.caller = from
	c.asked++
	if c.asked <= c.errAfter {
		return "ann", c.recorded, nil
	}
	return "ann", c.recorded, c.err
}

// disk keeps chunks and log pieces.
type disk struct {
	chunks []storage.Chunk
	logs   []cluster.LogChunk
	err    error
	staged []storage.StagedFile
	after  string
	use    cluster.FileUse
}

func (d *disk) Use(cluster.UserID) cluster.FileUse { return d.use }

func (d *disk) WriteChunk(_ cluster.UserID, _ cluster.AttemptRef, c storage.Chunk) error {
	c.Data = bytes.Clone(c.Data)
	d.chunks = append(d.chunks, c)
	return d.err
}

func (d *disk) Staged(_ context.Context, _ cluster.AttemptRef, after string, limit int) ([]storage.StagedFile, bool, error) {
	d.after = after
	for n, f := range d.staged {
		if f.Path > after {
			rest := d.staged[n:]
			return rest[:min(limit, len(rest))], len(rest) > limit, nil
		}
	}
	return nil, false, nil
}

func (d *disk) Append(_ cluster.AttemptRef, chunks []cluster.LogChunk) error {
	d.logs = append(d.logs, chunks...)
	return d.err
}

func (d *disk) Offsets(cluster.AttemptRef) cluster.LogOffsets {
	return cluster.LogOffsets{Stdout: 11, Stderr: 22}
}

var ref = cluster.AttemptRef{TaskID: "t", Attempt: 2, Lease: "l"}

type door struct {
	core   *core
	disk   *disk
	log    *bytes.Buffer
	client pb.MasterClient
}

// open serves a Server over an in-memory connection.
func open(t *testing.T, serverOptions []grpc.ServerOption, dialOptions ...grpc.DialOption) *door {
	t.Helper()
	d := &door{core: &core{}, disk: &disk{}, log: &bytes.Buffer{}}
	wire := bufconn.Listen(1 << 20)
	s := grpc.NewServer(serverOptions...)
	New(Config{
		Core: d.core, Files: d.disk, Logs: d.disk, JoinSecret: "secret", ClusterID: "c", MasterID: "m", Version: "1",
		Log: slog.New(slog.NewTextHandler(d.log, nil)),
	}).Register(s)
	served := make(chan error, 1)
	go func() { served <- s.Serve(wire) }()
	if len(dialOptions) == 0 {
		dialOptions = []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	}
	conn, err := grpc.NewClient("passthrough:///master", append(dialOptions,
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return wire.DialContext(ctx) }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	d.client = pb.NewMasterClient(conn)
	return d
}

func wantCode(t *testing.T, what string, err error, code codes.Code) {
	t.Helper()
	if status.Code(err) != code {
		t.Fatalf("%s: %v, want %s", what, err, code)
	}
}

func hello() *pb.WorkerInfo {
	return &pb.WorkerInfo{WorkerId: "w", WorkerIp: "10.0.0.1", WorkerPort: 50052, Session: "s", JoinSecret: "secret", TotalCpu: 4}
}

func TestRegister(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*pb.WorkerInfo)
		code   codes.Code
	}{
		{"welcome", func(*pb.WorkerInfo) {}, codes.OK},
		{"wrong secret", func(in *pb.WorkerInfo) { in.JoinSecret = "secret2" }, codes.Unauthenticated},
		{"no secret", func(in *pb.WorkerInfo) { in.JoinSecret = "" }, codes.Unauthenticated},
		{"another certificate", func(in *pb.WorkerInfo) { in.Fingerprint = "abc" }, codes.Unauthenticated},
		{"no port", func(in *pb.WorkerInfo) { in.WorkerPort = 0 }, codes.InvalidArgument},
		{"negative port", func(in *pb.WorkerInfo) { in.WorkerPort = -1 }, codes.InvalidArgument},
		{"large port", func(in *pb.WorkerInfo) { in.WorkerPort = 65536 }, codes.InvalidArgument},
	} {
		d := open(t, nil)
		in := hello()
		c.change(in)
		ack, err := d.client.RegisterWorker(t.Context(), in)
		wantCode(t, c.name, err, c.code)
		if asked := d.core.register.WorkerID != ""; asked != (c.code == codes.OK) {
			t.Fatalf("%s: the core was asked: %v", c.name, asked)
		}
		if c.code == codes.OK && (ack.GetClusterId() != "c" || len(ack.GetKeep()) != 1 || d.core.register.Address != "10.0.0.1:50052") {
			t.Fatalf("%v, %+v", ack, d.core.register)
		}
	}
}

// What the connection proves reaches the core, whatever the message says.
func TestFingerprintComesFromTheConnection(t *testing.T) {
	master, err := transport.LoadOrCreateIdentity(t.TempDir(), "master")
	if err != nil {
		t.Fatal(err)
	}
	worker, err := transport.LoadOrCreateIdentity(t.TempDir(), "worker")
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, transport.ServerOptions(master), transport.DialOptions(worker, master.Fingerprint)...)
	in := hello()
	in.Fingerprint = worker.Fingerprint
	if _, err := d.client.RegisterWorker(t.Context(), in); err != nil || d.core.register.Fingerprint != worker.Fingerprint {
		t.Fatalf("%q, %v", d.core.register.Fingerprint, err)
	}
	in.Fingerprint = master.Fingerprint
	_, err = d.client.RegisterWorker(t.Context(), in)
	wantCode(t, "another's fingerprint", err, codes.Unauthenticated)
	if _, err := d.client.SendHeartbeat(t.Context(), &pb.Heartbeat{WorkerId: "w", Session: "s"}); err != nil || d.core.heartbeat.Fingerprint != worker.Fingerprint {
		t.Fatalf("%+v, %v", d.core.heartbeat.Caller, err)
	}
}

func TestErrorsOfTheCore(t *testing.T) {
	for _, c := range []struct {
		err    error
		code   codes.Code
		reason string
	}{
		{cluster.ErrStaleAttempt, codes.FailedPrecondition, transport.ReasonStaleAttempt},
		{cluster.ErrUnknownTask, codes.NotFound, transport.ReasonUnknownTask},
		{cluster.ErrUnknownSession, codes.FailedPrecondition, transport.ReasonUnknownSession},
		{cluster.ErrClone, codes.AlreadyExists, transport.ReasonClone},
		{cluster.ErrBarred, codes.FailedPrecondition, ""},
		{cluster.ErrVersion, codes.FailedPrecondition, ""},
		{cluster.ErrQuota, codes.ResourceExhausted, transport.ReasonQuota},
		{cluster.ErrDenied, codes.Unauthenticated, ""},
		{cluster.Invalid("f", "bad"), codes.InvalidArgument, ""},
		{cluster.ErrConflict, codes.Aborted, ""},
		{cluster.ErrIllegalTransition, codes.Aborted, ""},
		{cluster.ErrUnavailable, codes.Unavailable, ""},
		{context.Canceled, codes.Canceled, ""},
		{context.DeadlineExceeded, codes.DeadlineExceeded, ""},
		{errors.New("the disk said /secret/path"), codes.Internal, ""},
	} {
		d := open(t, nil)
		d.core.err = fmt.Errorf("wrapped: %w", c.err)
		calls := map[string]func() error{
			"register":  func() error { _, err := d.client.RegisterWorker(t.Context(), hello()); return err },
			"heartbeat": func() error { _, err := d.client.SendHeartbeat(t.Context(), &pb.Heartbeat{}); return err },
			"progress":  func() error { _, err := d.client.ReportTaskProgress(t.Context(), &pb.TaskProgress{}); return err },
			"complete": func() error {
				_, err := d.client.ReportTaskCompletion(t.Context(), &pb.TaskResult{Status: "failed"})
				return err
			},
			"upload": func() error { _, err := send(t, d, &pb.FileChunk{UserId: "ann"}); return err },
		}
		for name, call := range calls {
			err := call()
			wantCode(t, name, err, c.code)
			if got := transport.Reason(err); got != c.reason {
				t.Errorf("%s %v: reason %q, want %q", name, c.err, got, c.reason)
			}
			if c.code == codes.Internal && strings.Contains(err.Error(), "secret") {
				t.Errorf("%s tells: %v", name, err)
			}
		}
		if told := strings.Contains(d.log.String(), "/secret/path"); told != (c.code == codes.Internal) {
			t.Errorf("%v is logged: %v", c.err, told)
		}
	}
}

func TestHeartbeatNumbers(t *testing.T) {
	d := open(t, nil)
	d.core.reply = coordinator.HeartbeatReply{Stop: []cluster.AttemptRef{ref}, Cancel: []cluster.AttemptRef{ref}}
	ack, err := d.client.SendHeartbeat(t.Context(), &pb.Heartbeat{
		WorkerId: "w", Session: "s", Number: 3, CpuUsage: math.NaN(), MemoryUsage: -5, StorageUsage: math.MaxInt64, GpuUsage: -1,
		Leaving: true, RestartGrace: durationpb.New(time.Minute), Message: strings.Repeat("x", 10_000),
		RunningTasks: []*pb.RunningTask{
			{TaskId: "t", Attempt: 2, Lease: "l", State: pb.TaskState_TASK_STATE_RUNNING, CpuAllocated: math.Inf(1), MemoryAllocated: math.MaxInt64, StorageAllocated: math.MinInt64, GpuAllocated: -3},
			{State: 99},
			{State: -1},
		},
		Absent: []*pb.AttemptRef{{TaskId: "t", Attempt: 2, Lease: "l"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := d.core.heartbeat
	if h.Use.CPU != 0 || h.Use.Memory != 0 || h.Use.Storage <= 0 || h.Use.GPU != 0 || len(h.Message) > 5000 || !h.Leaving || h.RestartGrace != time.Minute {
		t.Fatalf("%+v", h)
	}
	first := h.Running[0]
	if first.Ref != ref || first.State != cluster.StateRunning || first.Allocated.Storage != 0 || first.Allocated.GPU != 0 {
		t.Fatalf("%+v", first)
	}
	if sum := first.Allocated.Memory + first.Allocated.Memory; sum < 0 || int64(first.Allocated.CPU*1e6) < 0 || first.Allocated.CPU == 0 {
		t.Fatalf("sums overflow: %+v", first.Allocated)
	}
	if h.Running[1].State != "" || h.Running[2].State != "" || len(h.Absent) != 1 || len(ack.GetStop()) != 1 || len(ack.GetCancel()) != 1 || ack.GetClusterId() != "c" {
		t.Fatalf("%+v, %v", h, ack)
	}
}

func TestProgressAndCompletion(t *testing.T) {
	d := open(t, nil)
	_, err := d.client.ReportTaskProgress(t.Context(), &pb.TaskProgress{Outcome: "great"})
	wantCode(t, "outcome", err, codes.InvalidArgument)
	states := []*pb.StateTime{
		{State: pb.TaskState_TASK_STATE_RUNNING, Time: &timestamppb.Timestamp{Seconds: math.MaxInt64}},
		{State: pb.TaskState_TASK_STATE_COLLECT_OUTPUT, Time: timestamppb.New(time.Unix(5, 0))},
	}
	if _, err := d.client.ReportTaskProgress(t.Context(), &pb.TaskProgress{
		TaskId: "t", Attempt: 2, Lease: "l", WorkerId: "w", Session: "s", States: states, Outcome: "failed", ExitCode: 7, DoneBytes: -4,
		Usage: &pb.TaskUsage{Cpu: math.NaN(), MemoryPeak: -1, PulledBytes: 12},
	}); err != nil {
		t.Fatal(err)
	}
	p := d.core.progress
	if p.Ref != ref || !p.Observation.States[0].Time.IsZero() || p.Observation.ExitCode == nil || *p.Observation.ExitCode != 7 || p.Progress.DoneBytes != 0 || p.CPU != 0 || p.Observation.PulledBytes != 12 {
		t.Fatalf("%+v", p)
	}
	for _, bad := range []*pb.TaskResult{
		{Status: "running"},
		{Status: ""},
		{Status: "succeeded", Logs: []*pb.LogChunk{{}}},
		{Status: "succeeded", Logs: []*pb.LogChunk{{Stream: pb.LogChunk_STDOUT, Offset: -1}}},
		{Status: "succeeded", Logs: []*pb.LogChunk{{Stream: 9}}},
	} {
		_, err := d.client.ReportTaskCompletion(t.Context(), bad)
		wantCode(t, bad.String(), err, codes.InvalidArgument)
	}
	d.core.need = &cluster.LogOffsets{Stdout: 1, Stderr: 2}
	ack, err := d.client.ReportTaskCompletion(t.Context(), &pb.TaskResult{
		TaskId: "t", Attempt: 2, Lease: "l", Status: "succeeded", States: states, HasExitCode: true, FilesAsUploaded: true,
		Logs:    []*pb.LogChunk{{Stream: pb.LogChunk_STDERR, Offset: 3, Data: []byte("x")}},
		Skipped: []*pb.SkippedFile{{Path: "p", Reason: "r"}}, Usage: &pb.TaskUsage{PulledBytes: 13},
	})
	if err != nil || ack.GetNeedLog().GetStderrOffset() != 2 {
		t.Fatalf("%v, %v", ack, err)
	}
	c := d.core.completion
	if c.Outcome != cluster.OutcomeSuccess || !c.Manifest.AsUploaded || len(c.Manifest.Skipped) != 1 || len(c.Log.Tail) != 1 || *c.Observation.ExitCode != 0 ||
		c.Observation.PulledBytes != 13 {
		t.Fatalf("%+v", c)
	}
	d.core.need = nil
	if ack, err := d.client.ReportTaskCompletion(t.Context(), &pb.TaskResult{Status: "failed", FilesAsUploaded: true, OutputFiles: []*pb.OutputFile{{Path: "f"}}}); err != nil || ack.GetNeedLog() != nil {
		t.Fatalf("%v, %v", ack, err)
	}
	if m := d.core.completion.Manifest; m.AsUploaded || len(m.Files) != 1 {
		t.Fatalf("a list that is there counts: %+v", m)
	}
}
