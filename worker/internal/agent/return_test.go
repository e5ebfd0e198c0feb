package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
	"cloudai/worker/internal/executor"
	"cloudai/worker/internal/executor/fake"
)

// F04: a worker that comes back goes on with its containers.
func TestF04ContainersAreAdopted(t *testing.T) {
	m := newMaster(t)
	dir := t.TempDir()
	first := startWorker(t, m, dir, "s1")
	first.assign(task("t1", map[string]string{"FAKE_SLEEP": "2s", "FAKE_LOG_LINES": "30", "FAKE_OUTPUT_FILES": "2"}))
	m.awaitRunning(t, "t1")
	first.stop()
	m.read(func() { // one that the worker gave up as it ended may still come
		if last := m.lastBeat(); !last.GetLeaving() || last.GetRestartGrace().AsDuration() != time.Minute {
			t.Errorf("the last heartbeat does not say good-bye: %v", last)
		}
	})
	second := startWorker(t, m, dir, "s2")
	r := m.awaitResult(t, "t1")
	if r.GetStatus() != "succeeded" || r.GetSession() != "s2" {
		t.Errorf("result %v", r)
	}
	checkWholeLog(t, r, 30)
	var reg *pb.WorkerInfo
	m.read(func() { reg = m.registrations[len(m.registrations)-1] })
	if len(reg.GetRunningTasks()) != 1 || !reg.GetRunningTasks()[0].GetHasContainer() || reg.GetRunningTasks()[0].GetClusterId() != clusterID {
		t.Errorf("registered with %v", reg.GetRunningTasks())
	}
	second.awaitGone(m, "t1")
}

func TestRegistrationDecidesWhatGoesOn(t *testing.T) {
	m := newMaster(t)
	dir := t.TempDir()
	engine, err := fake.New(fake.Config{Dir: filepath.Join(dir, "fake")})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []executor.Key{
		{ClusterID: clusterID, TaskID: "stop", Attempt: 1, Lease: "l"},
		{ClusterID: clusterID, TaskID: "keep", Attempt: 1, Lease: "l"},
		{ClusterID: "other", TaskID: "foreign", Attempt: 1, Lease: "l"},
	} {
		if _, err := engine.Create(context.Background(), executor.Spec{Key: key, WorkerID: "w1", Image: "busybox"}); err != nil {
			t.Fatal(err)
		}
	}
	leftover := filepath.Join(dir, "attempts", "gone-1-l", "output")
	if err := os.MkdirAll(leftover, 0o700); err != nil {
		t.Fatal(err)
	}
	m.onRegister = func(in *pb.WorkerInfo) (*pb.RegisterAck, error) {
		ack := &pb.RegisterAck{ClusterId: clusterID, Session: in.GetSession(), HeartbeatInterval: durationpb.New(interval)}
		for _, r := range in.GetRunningTasks() {
			if r.GetTaskId() != "keep" {
				ack.Stop = append(ack.Stop, refOf(r)) // the foreign one, too: it must not be obeyed
			}
		}
		return ack, nil
	}
	w := startWorker(t, m, dir, "s1")
	m.awaitResult(t, "keep")
	m.await(t, "only the foreign one is left", func() bool {
		list, err := engine.List(context.Background(), "w1")
		return err == nil && len(list) == 1 && list[0].Spec.Key.TaskID == "foreign"
	})
	if len(m.results) != 1 {
		t.Errorf("results %v", m.results)
	}
	if _, err := os.Stat(leftover); !os.IsNotExist(err) {
		t.Errorf("the folder of an attempt without a container is there: %v", err)
	}
	w.stop()
}

// F09: a container that no attempt owns is shown to the master, and removed on
// its word.
func TestF09OrphansAreFoundAndRemoved(t *testing.T) {
	m := newMaster(t)
	m.onHeartbeat = func(in *pb.Heartbeat) (*pb.HeartbeatAck, error) {
		ack := &pb.HeartbeatAck{ClusterId: clusterID}
		for _, r := range in.GetRunningTasks() {
			if r.GetTaskId() == "orphan" {
				ack.Stop = append(ack.Stop, refOf(r))
			}
		}
		return ack, nil
	}
	dir := t.TempDir()
	w := startWorker(t, m, dir, "s1")
	m.await(t, "a heartbeat", func() bool { return len(m.heartbeats) > 0 })
	engine, err := fake.New(fake.Config{Dir: filepath.Join(dir, "fake")})
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range []string{clusterID, "other"} {
		key := executor.Key{ClusterID: cluster, TaskID: "orphan", Attempt: 1, Lease: "l"}
		if _, err := engine.Create(context.Background(), executor.Spec{Key: key, WorkerID: "w1", Image: "busybox"}); err != nil {
			t.Fatal(err)
		}
	}
	m.await(t, "the orphan to go", func() bool {
		list, err := engine.List(context.Background(), "w1")
		return err == nil && len(list) == 1 && list[0].Spec.Key.ClusterID == "other"
	})
	w.stop()
}

func TestAbsentAttemptsAreDisowned(t *testing.T) {
	m := newMaster(t)
	lost := task("lost", nil)
	ref := &pb.AttemptRef{TaskId: "lost", Attempt: 1, Lease: "lease-lost"}
	asked := false
	m.onHeartbeat = func(in *pb.Heartbeat) (*pb.HeartbeatAck, error) {
		ack := &pb.HeartbeatAck{ClusterId: clusterID}
		if !asked {
			asked = true
			ack.Expect = append(ack.Expect, ref)
		}
		return ack, nil
	}
	w := startWorker(t, m, t.TempDir(), "s1")
	m.await(t, "the answer", func() bool {
		for _, h := range m.heartbeats {
			if len(h.GetAbsent()) == 1 && h.GetAbsent()[0].GetTaskId() == "lost" {
				return true
			}
		}
		return false
	})
	if _, err := w.client.AssignTask(context.Background(), lost); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("an attempt that was disowned is accepted: %v", err)
	}
	w.assign(task("other", nil))
	m.awaitResult(t, "other")
}

func TestUnknownSessionRegistersAgain(t *testing.T) {
	m := newMaster(t)
	forgot := false
	unknown := transport.Errorf(codes.FailedPrecondition, transport.ReasonUnknownSession, "restarted")
	m.onHeartbeat = func(*pb.Heartbeat) (*pb.HeartbeatAck, error) {
		if forgot && len(m.registrations) == 1 {
			return nil, unknown
		}
		return &pb.HeartbeatAck{ClusterId: clusterID}, nil
	}
	m.onResult = func(*pb.TaskResult) (*pb.Ack, error) {
		if len(m.registrations) == 1 {
			return nil, unknown
		}
		return &pb.Ack{}, nil
	}
	w := startWorker(t, m, t.TempDir(), "s1")
	w.assign(task("runs", map[string]string{"FAKE_SLEEP": "500ms"}))
	m.mu.Lock()
	forgot = true
	m.mu.Unlock()
	w.awaitGone(m, "runs")
	// A third comes when the answer to a result of before the second is read after it.
	m.await(t, "two registrations", func() bool { return len(m.registrations) >= 2 })
	m.read(func() {
		for _, r := range m.registrations {
			if r.GetSession() != "s1" {
				t.Errorf("session %q", r.GetSession())
			}
		}
	})
	if r := m.awaitResult(t, "runs"); r.GetStatus() != "succeeded" {
		t.Errorf("result %v", r)
	}
}

// F08: the engine goes away and comes back.
func TestF08TasksWaitForTheEngine(t *testing.T) {
	m := newMaster(t)
	var engine *gate
	w := startWorker(t, m, t.TempDir(), "s1", withExecutor(func(e executor.Executor) executor.Executor {
		engine = newGate(e)
		return engine
	}))
	w.assign(task("t1", map[string]string{"FAKE_SLEEP": "2s", "FAKE_LOG_LINES": "20"}))
	m.awaitRunning(t, "t1")
	engine.off()
	m.await(t, "unhealthy", func() bool {
		h := m.lastBeat()
		return len(m.heartbeats) > 0 && !h.GetHealthy() && h.GetMessage() != ""
	})
	if _, err := w.client.AssignTask(context.Background(), task("t2", nil)); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("accepted without an engine: %v", err)
	}
	engine.on()
	m.await(t, "healthy", func() bool { return m.lastBeat().GetHealthy() })
	r := m.awaitResult(t, "t1")
	if r.GetStatus() != "succeeded" {
		t.Errorf("result %v", r)
	}
	checkWholeLog(t, r, 20)
	w.awaitGone(m, "t1")
}

func TestOnlyTheMasterMayCall(t *testing.T) {
	m := newMaster(t)
	dir := t.TempDir()
	w := startWorker(t, m, dir, "s1")
	m.await(t, "registered", func() bool { return len(m.heartbeats) > 0 }) // and it has the answer
	stranger, err := transport.LoadOrCreateIdentity(t.TempDir(), "master")
	if err != nil {
		t.Fatal(err)
	}
	own, err := transport.LoadOrCreateIdentity(dir, "worker")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(w.conn.Target(), transport.DialOptions(stranger, own.Fingerprint)...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := pb.NewWorkerClient(conn)
	ctx := context.Background()
	if _, err := client.AssignTask(ctx, task("t1", nil)); status.Code(err) != codes.Unauthenticated {
		t.Errorf("assign by a stranger: %v", err)
	}
	if _, err := client.MasterRegister(ctx, &pb.MasterInfo{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("register by a stranger: %v", err)
	}
	stream, err := client.StreamTaskLogs(ctx, &pb.TaskLogRequest{Session: "s1"})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("logs for a stranger: %v", err)
	}
	old := task("t1", nil)
	old.Session = "s0"
	if _, err := w.client.AssignTask(ctx, old); transport.Reason(err) != transport.ReasonUnknownSession {
		t.Errorf("assign for another session: %v", err)
	}
	bad := task("../../etc", nil)
	if _, err := w.client.AssignTask(ctx, bad); status.Code(err) != codes.InvalidArgument {
		t.Errorf("assign with a path for an id: %v", err)
	}
	foreign := task("t2", nil)
	foreign.ClusterId = "other"
	if _, err := w.client.AssignTask(ctx, foreign); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("assign from another cluster: %v", err)
	}
	ack, err := w.client.MasterRegister(ctx, &pb.MasterInfo{})
	if err != nil || ack.GetSession() != "s1" || ack.GetWorkerId() != "w1" {
		t.Errorf("call back: %v, %v", ack, err)
	}
}
