//go:build engine

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// F22: another worker's task, session or name by every call of the Master
// service, and the Worker service by whoever is not its master: refused, in the
// same words as for what never was, and nothing happens.
func TestF22OtherWorkersAreAsIfNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "HEARTBEAT_INTERVAL=10s", "HEARTBEAT_TIMEOUT=90s")
	w.image = "busybox"
	victim := w.scripted(t, "victim")
	id := w.submit(t, w.small("true"))
	task := victim.take(t, id)
	mallory := w.scripted(t, "mallory")
	before := len(w.events(t, id))
	for _, m := range methods("Master") {
		if m.Name() == "RegisterWorker" {
			continue // below
		}
		// The task of another worker, with all that is secret about it.
		about := func(id string) map[string]any {
			return map[string]any{
				"worker_id": "mallory", "session": mallory.session, "task_id": id, "attempt": task.GetAttempt(), "lease": task.GetLease(),
				"user_id": task.GetUserId(), "file_path": "planted", "data": []byte("x"), "last": true,
				"status": "failed", "failure": "exit", "message": "mallory was here",
			}
		}
		const nothing = "zzzzzzzzzzzzzzzz"
		call := func(id string) (proto.Message, error) {
			in := filled(t, m.Input(), about(id))
			if beat, ok := in.(*pb.Heartbeat); ok {
				mallory.beats++
				beat.Number, beat.Healthy = mallory.beats, true
				stolen := mallory.running(task)
				stolen.TaskId = id
				beat.RunningTasks = []*pb.RunningTask{stolen}
				beat.Absent = []*pb.AttemptRef{{TaskId: id, Attempt: task.GetAttempt(), Lease: task.GetLease()}}
			}
			return invoke(t.Context(), mallory.conn, m, in)
		}
		got, err := call(id)
		none, errNone := call(nothing)
		if said(got, err, id, nothing) != said(none, errNone, "", "") {
			t.Errorf("%s tells another's task from none: %v %v; %v %v", m.Name(), got, err, none, errNone)
		}
		if ack, ok := got.(*pb.HeartbeatAck); ok && err == nil {
			if len(ack.GetStop()) != 1 {
				t.Errorf("a heartbeat with another's task is answered %v", ack)
			}
		} else if status.Code(err) != codes.NotFound || transport.Reason(err) != transport.ReasonUnknownTask {
			t.Errorf("%s about another's task: %v", m.Name(), err)
		}

		// Another's name: with a session that is not its, and with its own.
		for _, c := range []struct {
			worker, session string
			code            codes.Code
		}{
			{"victim", "guess", codes.FailedPrecondition},
			{"nobody", "guess", codes.FailedPrecondition},
			{"victim", "", codes.FailedPrecondition},
			{"victim", victim.session, codes.Unauthenticated},
			{"victim", mallory.session, codes.FailedPrecondition},
		} {
			values := about(id)
			values["worker_id"], values["session"] = c.worker, c.session
			_, err := invoke(t.Context(), mallory.conn, m, filled(t, m.Input(), values))
			if status.Code(err) != c.code {
				t.Errorf("%s as %s with session %q: %v", m.Name(), c.worker, c.session, err)
			}
		}
	}
	registersForNobodyElse(t, mallory, victim, task)
	mallory.beat(t)
	if now := w.task(t, id); now.Status != "assigned" || now.WorkerID != "victim" || now.Attempt != 1 || len(w.events(t, id)) < before {
		t.Errorf("the task is now %s on %s", describe(now), now.WorkerID)
	}
	for _, e := range w.events(t, id) {
		if strings.Contains(fmt.Sprint(e), "mallory") {
			t.Errorf("%+v", e)
		}
	}
	// Its own worker goes on as if nothing had been.
	_, err := victim.master.ReportTaskCompletion(t.Context(), victim.result(task))
	must(t, err)
	victim.beat(t)
	if done := w.ended(t, id); done.Status != "succeeded" {
		t.Error(describe(done))
	}
	if files, err := w.API().TaskFiles(t.Context(), id); err != nil || len(files.Files) != 0 {
		t.Errorf("files %+v, %v", files.Files, err)
	}
	w.workersHearTheirMasterOnly(t)
}

// registersForNobodyElse takes another's id, and claims another's tasks.
func registersForNobodyElse(t *testing.T, mallory, victim *scripted, task *pb.Task) {
	t.Helper()
	for name, c := range map[string]struct {
		change func(*pb.WorkerInfo)
		code   codes.Code
	}{
		"another's id":          {func(in *pb.WorkerInfo) { in.WorkerId = "victim" }, codes.AlreadyExists},
		"another's certificate": {func(in *pb.WorkerInfo) { in.Fingerprint = victim.identity.Fingerprint }, codes.Unauthenticated},
		"no join token":         {func(in *pb.WorkerInfo) { in.JoinSecret = "guess" }, codes.Unauthenticated},
		"another's tasks":       {func(in *pb.WorkerInfo) { in.RunningTasks = []*pb.RunningTask{victim.running(task)} }, codes.OK},
	} {
		in := mallory.info()
		c.change(in)
		ack, err := mallory.master.RegisterWorker(t.Context(), in)
		if status.Code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
		if len(ack.GetKeep()) != 0 || c.code == codes.OK && len(ack.GetStop()) != 1 {
			t.Errorf("%s: %v", name, ack)
		}
	}
}

// workersHearTheirMasterOnly calls a real worker as anybody but its master.
func (w *world) workersHearTheirMasterOnly(t *testing.T) {
	t.Helper()
	w.fakeWorker(t, "w1")
	r := w.small("")
	r.Env, r.TargetWorkerID = map[string]string{"FAKE_SLEEP": "1h", "FAKE_LOG_LINES": "5"}, "w1"
	id := w.submit(t, r)
	w.becomes(t, id, "running")
	worker, err := w.API().Worker(t.Context(), "w1")
	must(t, err)
	stranger := w.stranger(t, "stranger")
	conn, err := grpc.NewClient(worker.Address, grpc.WithTransportCredentials(transport.UnpinnedCredentials(stranger.identity)))
	must(t, err)
	defer conn.Close()
	for _, m := range methods("Worker") {
		in := filled(t, m.Input(), map[string]any{
			"task_id": id, "attempt": int32(1), "lease": "guess", "session": "guess", "cluster_id": w.ClusterID(), "docker_image": "busybox", "master_address": "127.0.0.1:1",
		})
		if out, err := invoke(t.Context(), conn, m, in); status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s by a stranger: %v, %v", m.Name(), out, err)
		}
	}
	if now := w.task(t, id); now.Status != "running" {
		t.Error(describe(now))
	}
	_, err = w.API().Cancel(t.Context(), id)
	must(t, err)
	w.becomes(t, id, "cancelled")
}
