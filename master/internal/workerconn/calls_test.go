package workerconn

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"cloudai/master/internal/cluster"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

func TestHello(t *testing.T) {
	var got *pb.MasterInfo
	w := startWorker(t, &fakeWorker{register: func(_ context.Context, in *pb.MasterInfo) (*pb.RegisterAck, error) {
		got = in
		return &pb.RegisterAck{WorkerId: "w1", Session: "session-2", Version: "v7"}, nil
	}})
	pool := newPool(t)
	hello, err := pool.Hello(within(t, testTimeout), w.target())
	if err != nil {
		t.Fatal(err)
	}
	// Another session answers: that is an answer, not an error.
	if want := (cluster.Hello{WorkerID: "w1", Session: "session-2", Version: "v7"}); hello != want {
		t.Errorf("got %+v, want %+v", hello, want)
	}
	want := &pb.MasterInfo{
		MasterId: "master-1", MasterAddress: "10.0.0.1:50051", ClusterId: "cluster-1",
		WorkerId: "w1", Session: testSession,
	}
	if !proto.Equal(got, want) {
		t.Errorf("the worker was told %v, want %v", got, want)
	}
	if _, seen := w.callers.Load(pool.config.Identity.Fingerprint); !seen {
		t.Error("the worker did not see the master's fingerprint")
	}
}

func TestHelloWhereNothingListens(t *testing.T) {
	w := startWorker(t, &fakeWorker{})
	pool := newPool(t)
	ctx := within(t, testTimeout)
	if _, err := pool.Hello(ctx, w.target()); err != nil {
		t.Fatal(err)
	}
	addr := w.listener.Addr().String()
	w.stop(t)
	giveBack := keepPort(t, addr)
	for range 3 {
		_, err := pool.Hello(ctx, w.target())
		if !errors.Is(err, cluster.ErrConnRefused) || !strings.Contains(err.Error(), addr) {
			t.Fatalf("error is %v, want %v and the address", err, cluster.ErrConnRefused)
		}
	}
	// A back-off of the connection must not hide who has come back.
	giveBack()
	w.listen(t, addr)
	if _, err := pool.Hello(ctx, w.target()); err != nil {
		t.Errorf("after its return: %v", err)
	}
}

func TestHelloToSomeoneElse(t *testing.T) {
	w := startWorker(t, &fakeWorker{})
	to := w.target()
	to.Fingerprint = transport.Fingerprint([]byte("another"))
	_, err := newPool(t).Hello(within(t, testTimeout), to)
	if !errors.Is(err, cluster.ErrOtherCertificate) || errors.Is(err, cluster.ErrConnRefused) {
		t.Fatalf("error is %v", err)
	}
	for _, word := range []string{"w1", to.Address, to.Fingerprint, w.identity.Fingerprint} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q lacks %q", err, word)
		}
	}
}

// TestHelloToSilence: something takes the connection and says nothing.
func TestHelloToSilence(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	to := cluster.Target{
		WorkerID: "w1", Session: testSession,
		Address: listener.Addr().String(), Fingerprint: transport.Fingerprint(nil),
	}
	_, err = newPool(t).Hello(within(t, 100*time.Millisecond), to)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, cluster.ErrConnRefused) {
		t.Errorf("error is %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestAssignOnTheWire(t *testing.T) {
	var got *pb.Task
	w := startWorker(t, &fakeWorker{assign: func(_ context.Context, in *pb.Task) (*pb.TaskAck, error) {
		got = in
		return &pb.TaskAck{Session: testSession}, nil
	}})
	full := cluster.Order{
		Ref:    cluster.AttemptRef{TaskID: "t1", Attempt: 3, Lease: "l3"},
		UserID: "u1",
		Spec: cluster.Spec{
			Image: "busybox", Command: "echo hi", Args: []string{"a", "b"}, Name: "n",
			Resources: cluster.Resources{CPU: 1.5, Memory: 512, Storage: 1024, GPU: 2},
			Env:       map[string]string{"A": "1"}, Workdir: "/w", Timeout: time.Minute, GracePeriod: 10 * time.Second,
			Network: "none", ShmSize: 64, Inputs: []cluster.InputFile{{Path: "in", Content: []byte("x")}},
		},
		LogLimit: 1 << 30,
	}
	if err := newPool(t).Assign(within(t, testTimeout), w.target(), full); err != nil {
		t.Fatal(err)
	}
	want := &pb.Task{
		TaskId: "t1", Attempt: 3, Lease: "l3", UserId: "u1", Session: testSession, ClusterId: "cluster-1",
		DockerImage: "busybox", Command: "echo hi", Args: []string{"a", "b"}, TaskName: "n",
		ReqCpu: 1.5, ReqMemory: 512, ReqStorage: 1024, ReqGpu: 2,
		Env: map[string]string{"A": "1"}, Workdir: "/w",
		Timeout: durationpb.New(time.Minute), GracePeriod: durationpb.New(10 * time.Second),
		Network: "none", ShmSize: 64, Inputs: []*pb.InputFile{{Path: "in", Content: []byte("x")}}, LogLimit: 1 << 30,
	}
	if !proto.Equal(got, want) {
		t.Errorf("sent\n%v\nwant\n%v", got, want)
	}
	if task := taskToWire(order("t2"), w.target(), "c"); task.Timeout != nil || task.GracePeriod == nil {
		t.Errorf("timeout %v must be absent, grace %v present", task.Timeout, task.GracePeriod)
	}
}

func TestAssignOutcomes(t *testing.T) {
	var ack *pb.TaskAck
	var answer error
	w := startWorker(t, &fakeWorker{assign: func(context.Context, *pb.Task) (*pb.TaskAck, error) { return ack, answer }})
	pool := newPool(t)
	const (
		accepted = iota
		refused
		unknown
	)
	badText := order("t1")
	badText.Spec.Command = "\xff"
	tooLarge := order("t1")
	tooLarge.Spec.Inputs = []cluster.InputFile{{Content: make([]byte, transport.MaxMessage)}}
	for name, c := range map[string]struct {
		order  cluster.Order
		answer error
		ack    *pb.TaskAck
		want   int
	}{
		"accepted":        {ack: &pb.TaskAck{Session: testSession}, want: accepted},
		"no room":         {answer: status.Error(codes.ResourceExhausted, "no room"), want: refused},
		"precondition":    {answer: status.Error(codes.FailedPrecondition, "leaving"), want: refused},
		"stale attempt":   {answer: transport.Errorf(codes.FailedPrecondition, transport.ReasonStaleAttempt, "t1"), want: refused},
		"invalid":         {answer: status.Error(codes.InvalidArgument, "network"), want: refused},
		"unknown session": {answer: transport.Errorf(codes.FailedPrecondition, transport.ReasonUnknownSession, "s"), want: unknown},
		"other session":   {ack: &pb.TaskAck{Session: "session-2"}, want: unknown},
		"unavailable":     {answer: status.Error(codes.Unavailable, "starting"), want: unknown},
		"internal":        {answer: status.Error(codes.Internal, "bug"), want: unknown},
		"unknown":         {answer: errors.New("bug"), want: unknown},
		"denied":          {answer: status.Error(codes.Unauthenticated, "who"), want: unknown},
		"aborted":         {answer: status.Error(codes.Aborted, "again"), want: unknown},
		"not UTF-8":       {order: badText, want: refused},
		"too large":       {order: tooLarge, want: refused},
	} {
		t.Run(name, func(t *testing.T) {
			ack, answer = c.ack, c.answer
			if c.order.Ref.TaskID == "" {
				c.order = order("t1")
			}
			err := pool.Assign(within(t, testTimeout), w.target(), c.order)
			if (err == nil) != (c.want == accepted) || errors.Is(err, cluster.ErrRefused) != (c.want == refused) {
				t.Errorf("error is %v", err)
			}
			if c.answer != nil && !strings.Contains(err.Error(), status.Convert(c.answer).Message()) {
				t.Errorf("error %q does not say why", err)
			}
		})
	}
}

func TestAssignWhereNothingListensIsUnknown(t *testing.T) {
	w := startWorker(t, &fakeWorker{})
	w.stop(t)
	err := newPool(t).Assign(within(t, testTimeout), w.target(), order("t1"))
	if err == nil || errors.Is(err, cluster.ErrRefused) {
		t.Errorf("error is %v", err)
	}
}

func TestCancel(t *testing.T) {
	var got *pb.TaskID
	var answer error
	session := testSession
	w := startWorker(t, &fakeWorker{cancel: func(_ context.Context, in *pb.TaskID) (*pb.TaskAck, error) {
		got = in
		return &pb.TaskAck{Session: session}, answer
	}})
	pool := newPool(t)
	ref := cluster.AttemptRef{TaskID: "t1", Attempt: 2, Lease: "l2"}
	if err := pool.Cancel(within(t, testTimeout), w.target(), ref); err != nil {
		t.Fatal(err)
	}
	want := &pb.TaskID{TaskId: "t1", Attempt: 2, Lease: "l2", Session: testSession, ClusterId: "cluster-1"}
	if !proto.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
	answer = status.Error(codes.NotFound, "no such attempt")
	if err := pool.Cancel(within(t, testTimeout), w.target(), ref); !errors.Is(err, cluster.ErrNoAttempt) {
		t.Errorf("error is %v, want %v", err, cluster.ErrNoAttempt)
	}
	answer = status.Error(codes.Unavailable, "busy")
	if err := pool.Cancel(within(t, testTimeout), w.target(), ref); err == nil || errors.Is(err, cluster.ErrNoAttempt) {
		t.Errorf("error is %v, want an unknown outcome", err)
	}
	answer, session = nil, "session-2"
	if err := pool.Cancel(within(t, testTimeout), w.target(), ref); err == nil || errors.Is(err, cluster.ErrNoAttempt) {
		t.Errorf("error is %v after another session's answer", err)
	}
}

func TestStreamLogs(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	// What the worker sends in one call. It is told by channels: a stream that the
	// master gives up is served still while the next one begins.
	type play struct {
		chunks []*pb.LogChunk
		answer error
	}
	plays := make(chan play, 1)
	asked := make(chan *pb.TaskLogRequest, 1)
	w := startWorker(t, &fakeWorker{logs: func(in *pb.TaskLogRequest, out grpc.ServerStreamingServer[pb.LogChunk]) error {
		p := <-plays
		asked <- in
		for _, chunk := range p.chunks {
			if err := out.Send(chunk); err != nil {
				return err
			}
		}
		return p.answer
	}})
	pool := newPool(t)
	ref := cluster.AttemptRef{TaskID: "t1", Attempt: 2, Lease: "l2"}
	var got *pb.TaskLogRequest
	follow := func(sink func([]cluster.LogChunk) error, p play) (*cluster.LogOffsets, error) {
		ctx := within(t, testTimeout)
		plays <- p
		end, err := pool.StreamLogs(ctx, w.target(), ref, cluster.LogOffsets{Stdout: 5, Stderr: 7}, sink)
		select {
		case got = <-asked:
		case <-ctx.Done():
			t.Fatalf("the worker was not asked: %v", err)
		}
		return end, err
	}
	var taken []cluster.LogChunk
	keep := func(chunks []cluster.LogChunk) error {
		taken = append(taken, chunks...)
		return nil
	}
	out := &pb.LogChunk{Stream: pb.LogChunk_STDOUT, Offset: 5, Time: timestamppb.New(at), Data: []byte("hi\n")}
	lost := &pb.LogChunk{Stream: pb.LogChunk_STDERR, Offset: 7, Dropped: 100}
	last := &pb.LogChunk{End: true, StdoutLength: 8, StderrLength: 107}

	end, err := follow(keep, play{chunks: []*pb.LogChunk{out, lost, last}})
	if err != nil || end == nil || *end != (cluster.LogOffsets{Stdout: 8, Stderr: 107}) {
		t.Errorf("end %v, error %v", end, err)
	}
	if len(taken) != 2 || string(taken[0].Data) != "hi\n" || taken[0].Offset != 5 || !taken[0].Time.Equal(at) ||
		taken[0].Stream != cluster.StreamStdout || taken[1].Stream != cluster.StreamStderr || taken[1].Dropped != 100 || !taken[1].Time.IsZero() {
		t.Errorf("took %+v", taken)
	}
	want := &pb.TaskLogRequest{
		TaskId: "t1", Attempt: 2, Lease: "l2", Session: testSession,
		StdoutOffset: 5, StderrOffset: 7, Follow: true,
	}
	if !proto.Equal(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}

	only := play{chunks: []*pb.LogChunk{out}}
	if end, err := follow(keep, only); err != nil || end != nil {
		t.Errorf("a stream without end: %v, %v", end, err)
	}
	full := errors.New("disk full")
	if _, err := follow(func([]cluster.LogChunk) error { return full }, only); !errors.Is(err, full) {
		t.Errorf("error is %v, want that of sink", err)
	}
	odd := play{chunks: []*pb.LogChunk{{Stream: 9, Data: []byte("x")}}}
	if _, err := follow(keep, odd); !errors.Is(err, cluster.ErrInvalid) {
		t.Errorf("error is %v for an unknown stream", err)
	}
	gone := play{answer: status.Error(codes.NotFound, "gone")}
	if _, err := follow(keep, gone); !errors.Is(err, cluster.ErrNoAttempt) {
		t.Errorf("error is %v, want %v", err, cluster.ErrNoAttempt)
	}
}

func TestLogChunksThatMakeNoSense(t *testing.T) {
	for _, wire := range []*pb.LogChunk{
		{},
		{Stream: pb.LogChunk_STDOUT, Offset: -1},
		{Stream: pb.LogChunk_STDOUT, Dropped: -1},
		{Stream: pb.LogChunk_STDOUT, Dropped: 1, Data: []byte("x")},
	} {
		if _, err := logChunkFromWire(wire); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("%v: error is %v", wire, err)
		}
	}
}
