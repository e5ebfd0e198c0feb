package agent_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

var allStates = []pb.TaskState{
	pb.TaskState_TASK_STATE_IMAGE_PULLED, pb.TaskState_TASK_STATE_CONTAINER_CREATED, pb.TaskState_TASK_STATE_RUNNING,
	pb.TaskState_TASK_STATE_COLLECT_OUTPUT, pb.TaskState_TASK_STATE_UPLOAD_FILES, pb.TaskState_TASK_STATE_REPORT_RESULT,
}

func statesOf(states []*pb.StateTime) []pb.TaskState {
	var out []pb.TaskState
	for _, s := range states {
		out = append(out, s.GetState())
	}
	return out
}

// awaitGone waits until heartbeats no longer list the attempt, and checks that
// nothing of it is left on the host.
func (w *worker) awaitGone(m *master, taskID string) {
	w.t.Helper()
	m.mu.Lock()
	fresh := len(m.heartbeats) + 2 // the next one was perhaps written before the assignment
	m.mu.Unlock()
	m.await(w.t, taskID+" to be gone", func() bool {
		if len(m.heartbeats) < fresh {
			return false
		}
		for _, r := range m.lastBeat().GetRunningTasks() {
			if r.GetTaskId() == taskID {
				return false
			}
		}
		containers, folders := w.leftovers()
		return containers == 0 && folders == 0
	})
}

func TestTaskComesBackWhole(t *testing.T) {
	m := newMaster(t)
	w := startWorker(t, m, t.TempDir(), "s1")
	w.assign(task("t1", map[string]string{
		"FAKE_LOG_LINES": "40", "FAKE_OUTPUT_FILES": "5", "FAKE_OUTPUT_BYTES": "700000",
	}))
	r := m.awaitResult(t, "t1")
	if r.GetStatus() != "succeeded" || r.GetFailure() != "" || !r.GetHasExitCode() || r.GetExitCode() != 0 {
		t.Errorf("result %v", r)
	}
	if got := statesOf(r.GetStates()); !slices.Equal(got, allStates) {
		t.Errorf("states %v", got)
	}
	checkWholeLog(t, r, 40)
	if len(r.GetOutputFiles()) != 5 {
		t.Fatalf("%d output files", len(r.GetOutputFiles()))
	}
	for _, f := range r.GetOutputFiles() {
		got := m.files["t1/"+f.GetPath()]
		sum := sha256.Sum256(got.data)
		if hash := hex.EncodeToString(sum[:]); hash != f.GetSha256() || hash != got.sha256 || int64(len(got.data)) != f.GetSize() {
			t.Errorf("%s: uploaded %d bytes %s, last chunk said %s, result says %d bytes %s",
				f.GetPath(), len(got.data), hash, got.sha256, f.GetSize(), f.GetSha256())
		}
	}
	w.awaitGone(m, "t1")
}

// checkWholeLog wants all the fake's lines in the result.
func checkWholeLog(t *testing.T, r *pb.TaskResult, lines int) {
	t.Helper()
	var stdout, stderr []byte
	for _, c := range r.GetLogs() {
		if c.GetStream() == pb.LogChunk_STDERR {
			stderr = append(stderr, c.GetData()...)
		} else {
			stdout = append(stdout, c.GetData()...)
		}
	}
	if r.GetStdoutLength() != int64(len(stdout)) || r.GetStderrLength() != int64(len(stderr)) {
		t.Errorf("lengths %d and %d, log %d and %d", r.GetStdoutLength(), r.GetStderrLength(), len(stdout), len(stderr))
	}
	if n := strings.Count(string(stdout)+string(stderr), "\n"); n != lines {
		t.Errorf("%d lines of %d", n, lines)
	}
}

func TestHowTasksEnd(t *testing.T) {
	m := newMaster(t)
	w := startWorker(t, m, t.TempDir(), "s1")
	for _, c := range []struct {
		name            string
		env             map[string]string
		edit            func(*pb.Task)
		status, failure string
		exit            int32
		ran             bool
	}{
		{name: "ok", status: "succeeded", ran: true},
		{name: "exit", env: map[string]string{"FAKE_EXIT": "7"}, status: "failed", failure: "exit", exit: 7, ran: true},
		{name: "oom", env: map[string]string{"FAKE_FAIL": "oom"}, status: "failed", failure: "oom", exit: 137, ran: true},
		{name: "image", env: map[string]string{"FAKE_FAIL": "pull"}, status: "failed", failure: "image"},
		{name: "create", env: map[string]string{"FAKE_FAIL": "create"}, status: "failed", failure: "runtime"},
		{name: "start", env: map[string]string{"FAKE_FAIL": "start"}, status: "failed", failure: "runtime"},
		{
			name: "timeout", env: map[string]string{"FAKE_SLEEP": "1m", "FAKE_OUTPUT_FILES": "1"},
			edit:   func(x *pb.Task) { x.Timeout = durationpb.New(100 * time.Millisecond) },
			status: "failed", failure: "timeout", exit: 143, ran: true,
		},
		{
			name: "storage", env: map[string]string{"FAKE_OUTPUT_FILES": "2", "FAKE_OUTPUT_BYTES": "3000000"},
			edit:   func(x *pb.Task) { x.ReqStorage = 2 },
			status: "failed", failure: "storage", ran: true,
		},
	} {
		x := task(c.name, c.env)
		if c.edit != nil {
			c.edit(x)
		}
		w.assign(x)
		r := m.awaitResult(t, c.name)
		if r.GetStatus() != c.status || r.GetFailure() != c.failure || r.GetExitCode() != c.exit || r.GetHasExitCode() != c.ran {
			t.Errorf("%s: %v", c.name, r)
		}
		if c.ran && !slices.Equal(statesOf(r.GetStates()), allStates) {
			t.Errorf("%s: states %v", c.name, statesOf(r.GetStates()))
		}
		if (c.failure != "") == (r.GetMessage() == "") {
			t.Errorf("%s: message %q", c.name, r.GetMessage())
		}
	}
	w.awaitGone(m, "storage")
}

func TestProgressIsReported(t *testing.T) {
	m := newMaster(t)
	w := startWorker(t, m, t.TempDir(), "s1")
	w.assign(task("t1", map[string]string{"FAKE_SLEEP": "1m"}))
	m.awaitRunning(t, "t1")
	m.await(t, "heartbeat with the attempt", func() bool {
		tasks := m.lastBeat().GetRunningTasks()
		return len(tasks) == 1 && tasks[0].GetState() == pb.TaskState_TASK_STATE_RUNNING &&
			tasks[0].GetHasContainer() && tasks[0].GetCpuAllocated() == 1 && tasks[0].GetMemoryAllocated() == 64
	})
	ref := &pb.TaskID{TaskId: "t1", Attempt: 1, Lease: "lease-t1", Session: "s1", ClusterId: clusterID}
	if _, err := w.client.CancelTask(context.Background(), ref); err != nil {
		t.Fatal(err)
	}
	// Repeated it has no effect, and no reply of its own once all is over.
	if _, err := w.client.CancelTask(context.Background(), ref); err != nil && status.Code(err) != codes.NotFound {
		t.Fatal(err)
	}
	if r := m.awaitResult(t, "t1"); r.GetStatus() != "cancelled" || r.GetExitCode() != 143 {
		t.Errorf("result %v", r)
	}
	w.awaitGone(m, "t1")
	if _, err := w.client.CancelTask(context.Background(), ref); status.Code(err) != codes.NotFound {
		t.Errorf("cancel of what is over: %v", err)
	}
}

func TestLostRepliesAreRepeated(t *testing.T) {
	m := newMaster(t)
	answers := []error{
		status.Error(codes.Unavailable, "try again"),
		status.Error(codes.Unauthenticated, "not yet known"),
		status.Error(codes.Internal, "no"),
	}
	m.onResult = func(*pb.TaskResult) (*pb.Ack, error) {
		if n := len(m.results); n <= len(answers) {
			return nil, answers[n-1]
		}
		return &pb.Ack{}, nil
	}
	w := startWorker(t, m, t.TempDir(), "s1")
	w.assign(task("t1", map[string]string{"FAKE_LOG_LINES": "3"}))
	m.await(t, "four reports", func() bool { return len(m.results) == 4 })
	for i, r := range m.results {
		if r.GetStatus() != "succeeded" || r.GetFinishedAt().AsTime() != m.results[0].GetFinishedAt().AsTime() {
			t.Errorf("report %d differs: %v", i, r)
		}
	}
	w.awaitGone(m, "t1")
}

func TestRepeatedAssignmentsRunOnce(t *testing.T) {
	m := newMaster(t)
	w := startWorker(t, m, t.TempDir(), "s1")
	x := task("t1", map[string]string{"FAKE_SLEEP": "50ms"})
	for range 3 {
		w.assign(x)
	}
	w.awaitResultOnce(m, "t1")
	w.awaitGone(m, "t1")
	w.assign(x) // late
	w.assign(task("t2", nil))
	m.awaitResult(t, "t2")
	w.awaitResultOnce(m, "t1")
}

func (w *worker) awaitResultOnce(m *master, taskID string) {
	w.t.Helper()
	m.awaitResult(w.t, taskID)
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, r := range m.results {
		if r.GetTaskId() == taskID {
			n++
		}
	}
	if n != 1 {
		w.t.Errorf("%d results of %s", n, taskID)
	}
}

func TestFinalAnswersRemoveTheAttempt(t *testing.T) {
	for _, final := range []error{
		transport.Errorf(codes.FailedPrecondition, transport.ReasonStaleAttempt, "attempt 2 runs"),
		transport.Errorf(codes.NotFound, transport.ReasonUnknownTask, "never heard of it"),
	} {
		t.Run(transport.Reason(final), func(t *testing.T) {
			m := newMaster(t)
			// Of the first the result is answered so, however long that takes to come.
			m.onProgress = func(p *pb.TaskProgress) error {
				if p.GetTaskId() == "done" {
					return nil
				}
				return final
			}
			m.onResult = func(*pb.TaskResult) (*pb.Ack, error) { return nil, final }
			w := startWorker(t, m, t.TempDir(), "s1")
			w.assign(task("done", nil))
			m.awaitResult(t, "done")
			w.assign(task("runs", map[string]string{"FAKE_SLEEP": "1m"}))
			w.awaitGone(m, "runs")
			if len(m.results) != 1 {
				t.Errorf("a discarded attempt was reported: %v", m.results)
			}
		})
	}
}

func TestMissingLogIsPushed(t *testing.T) {
	m := newMaster(t)
	m.onResult = func(r *pb.TaskResult) (*pb.Ack, error) {
		if int64(len(m.stdout)) < r.GetStdoutLength() {
			return &pb.Ack{NeedLog: &pb.NeedLog{StdoutOffset: int64(len(m.stdout)), StderrOffset: r.GetStderrLength()}}, nil
		}
		return &pb.Ack{}, nil
	}
	w := startWorker(t, m, t.TempDir(), "s1")
	// More than the window and the tail: the head comes from the stored log.
	w.assign(task("t1", map[string]string{"FAKE_LOG_LINES": "100000", "FAKE_LOG_BYTES": "6000000"}))
	w.awaitGone(m, "t1")
	r := m.awaitResult(t, "t1")
	if int64(len(m.stdout)) != r.GetStdoutLength() || r.GetLogLost() {
		t.Errorf("%d bytes of %d, lost %v", len(m.stdout), r.GetStdoutLength(), r.GetLogLost())
	}
	tail := 0
	for _, c := range r.GetLogs() {
		tail += len(c.GetData())
	}
	if tail == 0 || tail > transport.LogTail {
		t.Errorf("tail of %d bytes", tail)
	}
}

func TestLogThatCannotBeTakenIsGivenUp(t *testing.T) {
	m := newMaster(t)
	m.onResult = func(r *pb.TaskResult) (*pb.Ack, error) {
		if r.GetLogLost() {
			return &pb.Ack{}, nil
		}
		return &pb.Ack{NeedLog: &pb.NeedLog{StdoutOffset: 1 << 20}}, nil
	}
	w := startWorker(t, m, t.TempDir(), "s1")
	w.assign(task("t1", map[string]string{"FAKE_LOG_LINES": "3"}))
	w.awaitGone(m, "t1")
}

func TestUploadGoesOnWhereItBroke(t *testing.T) {
	m := newMaster(t)
	var chunks int
	m.onChunk = func(*pb.FileChunk) error {
		if chunks++; chunks%3 == 0 {
			return status.Error(codes.Unavailable, "cut")
		}
		return nil
	}
	w := startWorker(t, m, t.TempDir(), "s1")
	w.assign(task("t1", map[string]string{"FAKE_OUTPUT_FILES": "3", "FAKE_OUTPUT_BYTES": "2000000"}))
	r := m.awaitResult(t, "t1")
	if m.streams < 3 {
		t.Errorf("%d streams: it was not broken", m.streams)
	}
	var total int64
	for _, f := range r.GetOutputFiles() {
		sum := sha256.Sum256(m.files["t1/"+f.GetPath()].data)
		if hex.EncodeToString(sum[:]) != f.GetSha256() {
			t.Errorf("%s differs", f.GetPath())
		}
		total += f.GetSize()
	}
	if total != 2000000 || r.GetStatus() != "succeeded" {
		t.Errorf("%d bytes, %s", total, r.GetStatus())
	}
}

func TestQuotaEndsTheUpload(t *testing.T) {
	m := newMaster(t)
	m.onChunk = func(c *pb.FileChunk) error {
		if c.GetFilePath() == "out-00002.txt" {
			return transport.Errorf(codes.ResourceExhausted, transport.ReasonQuota, "full")
		}
		return nil
	}
	w := startWorker(t, m, t.TempDir(), "s1")
	w.assign(task("t1", map[string]string{"FAKE_OUTPUT_FILES": "2", "FAKE_OUTPUT_BYTES": "20"}))
	r := m.awaitResult(t, "t1")
	if r.GetFailure() != "upload" || !strings.Contains(r.GetMessage(), "full") {
		t.Errorf("failure %q: %s", r.GetFailure(), r.GetMessage())
	}
	if len(r.GetOutputFiles()) != 1 || len(r.GetSkipped()) != 1 || r.GetSkipped()[0].GetPath() != "out-00002.txt" {
		t.Errorf("files %v, skipped %v", r.GetOutputFiles(), r.GetSkipped())
	}
	w.awaitGone(m, "t1")
}

func TestManyTasksAtOnce(t *testing.T) {
	m := newMaster(t)
	w := startWorker(t, m, t.TempDir(), "s1")
	for i := range 200 {
		w.assign(task(fmt.Sprintf("t%d", i), map[string]string{"FAKE_EXIT": fmt.Sprint(i % 3), "FAKE_OUTPUT_FILES": fmt.Sprint(i % 2)}))
	}
	m.await(t, "200 results", func() bool { return len(m.results) == 200 })
	w.awaitGone(m, "t199")
}
