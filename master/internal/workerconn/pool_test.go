package workerconn

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"

	"cloudai/master/internal/cluster"
	"cloudai/proto/pb"
)

func TestOneConnectionForAllCalls(t *testing.T) {
	w := startWorker(t, &fakeWorker{})
	pool := newPool(t)
	ctx := within(t, testTimeout)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			var err error
			switch i % 3 {
			case 0:
				_, err = pool.Hello(ctx, w.target())
			case 1:
				err = pool.Assign(ctx, w.target(), order("t1"))
			case 2:
				err = pool.Cancel(ctx, w.target(), order("t2").Ref)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// openLog follows a log that says nothing; the worker closes started once it
// is asked. The result comes on the channel.
func openLog(t *testing.T, pool *Pool, to cluster.Target, started <-chan struct{}) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	ctx := within(t, testTimeout)
	go func() {
		_, err := pool.StreamLogs(ctx, to, cluster.AttemptRef{TaskID: "t1", Attempt: 1}, cluster.LogOffsets{},
			func([]cluster.LogChunk) error { return nil })
		done <- err
	}()
	<-started
	return done
}

// TestChangeOfTarget: the former session's connection ends with its last call,
// and a late call to it does not cut off the present one.
func TestChangeOfTarget(t *testing.T) {
	started, finish := make(chan struct{}), make(chan struct{})
	w := startWorker(t, &fakeWorker{
		assign: func(_ context.Context, in *pb.Task) (*pb.TaskAck, error) {
			return &pb.TaskAck{Session: in.Session}, nil
		},
		logs: func(_ *pb.TaskLogRequest, out grpc.ServerStreamingServer[pb.LogChunk]) error {
			close(started)
			<-finish
			return nil
		},
	})
	pool := newPool(t)
	ctx := within(t, testTimeout)
	former := w.target()
	present := former
	present.Session = "session-2"

	log := openLog(t, pool, former, started)
	for range 3 {
		for _, to := range []cluster.Target{present, former, present} {
			if err := pool.Assign(ctx, to, order("t1")); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The worker sees a moment later that one was closed.
	eventually(t, "two connections while the former session's log is followed", func() bool { return w.open.Load() == 2 })
	close(finish)
	if err := <-log; err != nil {
		t.Errorf("the log that was followed: %v", err)
	}
	eventually(t, "the former session's connection is closed", func() bool { return w.open.Load() == 1 })
	before := w.accepted.Load()
	if err := pool.Assign(ctx, present, order("t1")); err != nil {
		t.Fatal(err)
	}
	if w.accepted.Load() != before {
		t.Error("the present session's connection was closed")
	}
}

func TestForget(t *testing.T) {
	started := make(chan struct{})
	w := startWorker(t, &fakeWorker{logs: func(_ *pb.TaskLogRequest, out grpc.ServerStreamingServer[pb.LogChunk]) error {
		close(started)
		<-out.Context().Done()
		return nil
	}})
	pool := newPool(t)
	log := openLog(t, pool, w.target(), started)
	pool.Forget("another")
	if n := w.open.Load(); n != 1 {
		t.Errorf("%d connections after another worker was forgotten", n)
	}
	pool.Forget("w1")
	if err := <-log; err == nil {
		t.Error("the call on the closed connection went well")
	}
	eventually(t, "the connection is closed", func() bool { return w.open.Load() == 0 })
	if err := pool.Assign(within(t, testTimeout), w.target(), order("t1")); err != nil {
		t.Errorf("after it was forgotten: %v", err)
	}
	if n := w.accepted.Load(); n != 2 {
		t.Errorf("%d connections in all, want a new one", n)
	}
}

func TestClose(t *testing.T) {
	started := make(chan struct{})
	w := startWorker(t, &fakeWorker{logs: func(_ *pb.TaskLogRequest, out grpc.ServerStreamingServer[pb.LogChunk]) error {
		close(started)
		<-out.Context().Done()
		return nil
	}})
	pool := newPool(t)
	log := openLog(t, pool, w.target(), started)
	pool.Close()
	if err := <-log; err == nil {
		t.Error("the call on the closed connection went well")
	}
	if err := pool.Assign(within(t, testTimeout), w.target(), order("t1")); !errors.Is(err, errClosed) {
		t.Errorf("error is %v, want %v", err, errClosed)
	}
	pool.Forget("w1")
	pool.Close()
}

// TestOrder: a cancel that is called after an assignment reaches the worker
// after it, however long the assignment takes.
func TestOrder(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var assigned atomic.Bool
	w := startWorker(t, &fakeWorker{
		assign: func(_ context.Context, in *pb.Task) (*pb.TaskAck, error) {
			if in.TaskId == "slow" {
				close(entered)
				<-release
				assigned.Store(true)
			}
			return &pb.TaskAck{Session: testSession}, nil
		},
		cancel: func(_ context.Context, in *pb.TaskID) (*pb.TaskAck, error) {
			if in.TaskId == "slow" && !assigned.Load() {
				t.Error("the cancel overtook the assignment")
			}
			return &pb.TaskAck{Session: testSession}, nil
		},
	})
	other := startWorker(t, &fakeWorker{})
	pool := newPool(t)
	ctx := within(t, testTimeout)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := pool.Assign(ctx, w.target(), order("slow")); err != nil {
			t.Errorf("assign: %v", err)
		}
	})
	<-entered
	wg.Go(func() {
		if err := pool.Cancel(ctx, w.target(), order("slow").Ref); err != nil {
			t.Errorf("cancel: %v", err)
		}
	})
	slow := lane{worker: "w1", task: "slow"}
	eventually(t, "the cancel waits", func() bool {
		pool.lanes.mu.Lock()
		defer pool.lanes.mu.Unlock()
		return len(pool.lanes.waiting[slow]) == 1
	})
	// Neither another task nor another worker waits for it.
	if err := pool.Assign(ctx, w.target(), order("quick")); err != nil {
		t.Error(err)
	}
	elsewhere := other.target()
	elsewhere.WorkerID = "w2"
	if err := pool.Assign(ctx, elsewhere, order("slow")); err != nil {
		t.Error(err)
	}
	// Who can't wait any longer goes, and holds up nobody.
	impatient, cancel := context.WithCancel(ctx)
	cancel()
	if err := pool.Cancel(impatient, w.target(), order("slow").Ref); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
	close(release)
	wg.Wait()
	if len(pool.lanes.waiting) != 0 {
		t.Errorf("lanes are left: %v", pool.lanes.waiting)
	}
}
