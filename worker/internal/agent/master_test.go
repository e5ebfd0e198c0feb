package agent_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// master is a scripted master over a real connection. Its fields are set
// before the worker starts, or under mu.
type master struct {
	pb.UnimplementedMasterServer
	token transport.JoinToken
	id    transport.Identity
	addr  string

	mu            sync.Mutex
	changed       chan struct{} // closed at each call
	registrations []*pb.WorkerInfo
	heartbeats    []*pb.Heartbeat
	progress      []*pb.TaskProgress
	results       []*pb.TaskResult
	streams       int                // of uploads, queries aside
	files         map[string]*upload // by task/path
	stdout        []byte             // pushed log
	calls         int
	room          *int64 // that the user's quota leaves; nil: there is none

	onRegister  func(*pb.WorkerInfo) (*pb.RegisterAck, error)
	onHeartbeat func(*pb.Heartbeat) (*pb.HeartbeatAck, error)
	onProgress  func(*pb.TaskProgress) error
	onResult    func(*pb.TaskResult) (*pb.Ack, error)
	onChunk     func(*pb.FileChunk) error // before it is kept
}

type upload struct {
	data     []byte
	complete bool
	sha256   string
}

const (
	clusterID = "c1"
	interval  = 200 * time.Millisecond
)

func newMaster(t testing.TB) *master {
	t.Helper()
	id, err := transport.LoadOrCreateIdentity(t.TempDir(), "master")
	if err != nil {
		t.Fatal(err)
	}
	token, err := transport.NewJoinToken(id.Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	m := &master{token: token, id: id, changed: make(chan struct{}), files: make(map[string]*upload)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = l.Addr().String()
	s := grpc.NewServer(transport.ServerOptions(id)...)
	pb.RegisterMasterServer(s, m)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return m
}

// note records a call and wakes those who wait for one.
func (m *master) note(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	m.calls++
	close(m.changed)
	m.changed = make(chan struct{})
}

// await waits until done, called under the lock, is true.
func (m *master) await(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		m.mu.Lock()
		ok, changed := done(), m.changed
		m.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("timed out: %s", what)
		}
	}
}

func (m *master) awaitResult(t testing.TB, taskID string) *pb.TaskResult {
	t.Helper()
	var found *pb.TaskResult
	m.await(t, "result of "+taskID, func() bool {
		for _, r := range m.results {
			if r.GetTaskId() == taskID {
				found = r
			}
		}
		return found != nil
	})
	return found
}

func (m *master) RegisterWorker(_ context.Context, in *pb.WorkerInfo) (*pb.RegisterAck, error) {
	ack := &pb.RegisterAck{ClusterId: clusterID, MasterId: "m1", Session: in.GetSession(), HeartbeatInterval: durationpb.New(interval)}
	for _, r := range in.GetRunningTasks() {
		ack.Keep = append(ack.Keep, refOf(r))
	}
	var err error
	m.note(func() {
		m.registrations = append(m.registrations, in)
		if m.onRegister != nil {
			ack, err = m.onRegister(in)
		}
	})
	return ack, err
}

func (m *master) SendHeartbeat(_ context.Context, in *pb.Heartbeat) (*pb.HeartbeatAck, error) {
	ack := &pb.HeartbeatAck{ClusterId: clusterID}
	var err error
	m.note(func() {
		m.heartbeats = append(m.heartbeats, in)
		if m.onHeartbeat != nil {
			ack, err = m.onHeartbeat(in)
		}
	})
	return ack, err
}

func (m *master) ReportTaskProgress(_ context.Context, in *pb.TaskProgress) (*pb.Ack, error) {
	var err error
	m.note(func() {
		m.progress = append(m.progress, in)
		if m.onProgress != nil {
			err = m.onProgress(in)
		}
	})
	return &pb.Ack{}, err
}

func (m *master) ReportTaskCompletion(_ context.Context, in *pb.TaskResult) (*pb.Ack, error) {
	ack := &pb.Ack{}
	var err error
	m.note(func() {
		m.results = append(m.results, in)
		if m.onResult != nil {
			ack, err = m.onResult(in)
		}
	})
	return ack, err
}

func (m *master) UploadTaskFiles(stream pb.Master_UploadTaskFilesServer) error {
	after, taskID, counted := "", "", false
	for {
		c, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(m.uploaded(taskID, after))
		}
		if err != nil {
			return err
		}
		taskID = c.GetTaskId()
		if c.GetKind() == pb.FileChunk_QUERY {
			after = c.GetFilePath()
			continue
		}
		m.note(func() {
			if !counted {
				counted, m.streams = true, m.streams+1
			}
			if m.onChunk != nil {
				err = m.onChunk(c)
			}
			if err == nil {
				err = m.keep(c)
			}
		})
		if err != nil {
			return err
		}
	}
}

// keep applies a chunk; one that does not continue the file is an error.
func (m *master) keep(c *pb.FileChunk) error {
	if c.GetKind() == pb.FileChunk_LOG {
		if l := c.GetLog(); l.GetStream() == pb.LogChunk_STDOUT && l.GetOffset() == int64(len(m.stdout)) {
			m.stdout = append(m.stdout, l.GetData()...)
		}
		return nil
	}
	key := c.GetTaskId() + "/" + c.GetFilePath()
	f := m.files[key]
	if f == nil {
		f = &upload{}
		m.files[key] = f
	}
	if c.GetOffset() != int64(len(f.data)) {
		return errors.New("a hole or a repeat in " + c.GetFilePath())
	}
	f.data = append(f.data, c.GetData()...)
	if c.GetLast() {
		f.complete, f.sha256 = true, c.GetSha256()
	}
	return nil
}

// page is small, so that every test with a few files turns it.
const page = 2

func (m *master) uploaded(taskID, after string) *pb.FileUploadAck {
	m.mu.Lock()
	defer m.mu.Unlock()
	ack := &pb.FileUploadAck{StdoutOffset: int64(len(m.stdout))}
	if m.room != nil {
		ack.Bounded, ack.Room = true, *m.room
	}
	var paths []string
	for key := range m.files {
		if p, ok := strings.CutPrefix(key, taskID+"/"); ok && p > after {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	for i, p := range paths {
		if i == page {
			ack.More = true
			break
		}
		f := m.files[taskID+"/"+p]
		ack.Files = append(ack.Files, &pb.UploadedFile{Path: p, Received: int64(len(f.data)), Complete: f.complete})
	}
	return ack
}

func refOf(r *pb.RunningTask) *pb.AttemptRef {
	return &pb.AttemptRef{TaskId: r.GetTaskId(), Attempt: r.GetAttempt(), Lease: r.GetLease()}
}

// lastBeat is the newest heartbeat, an empty one before the first. The caller
// holds the lock.
func (m *master) lastBeat() *pb.Heartbeat {
	if len(m.heartbeats) == 0 {
		return &pb.Heartbeat{}
	}
	return m.heartbeats[len(m.heartbeats)-1]
}

// read runs f under the lock.
func (m *master) read(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// awaitRunning waits until the master knows that the task runs.
func (m *master) awaitRunning(t testing.TB, taskID string) {
	t.Helper()
	m.await(t, taskID+" to run", func() bool {
		return slices.ContainsFunc(m.progress, func(p *pb.TaskProgress) bool {
			n := len(p.GetStates())
			return p.GetTaskId() == taskID && n > 0 && p.GetStates()[n-1].GetState() == pb.TaskState_TASK_STATE_RUNNING
		})
	})
}
