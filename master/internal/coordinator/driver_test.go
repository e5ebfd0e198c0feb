package coordinator

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// A worker that registers before Run is called back once Run begins.
func TestCallsDecidedBeforeRunAreMade(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		_ = r.stop()
		r.c = New(Config{
			Store: r.store, Client: r.client, Logs: r.keeper, Files: r.keeper, Policy: r.c.m.policy, Log: r.c.log,
			HeartbeatInterval: 5 * time.Second, HeartbeatTimeout: 15 * time.Second,
		})
		r.join("w", "s")
		id := r.submit()
		r.run()
		synctest.Wait()
		if w, err := r.c.Worker(t.Context(), admin, "w"); err != nil || w.Status != cluster.WorkerActive {
			t.Fatalf("%s: %s, %v", w.Status, w.Message, err)
		}
		if r.client.order(t, 0).Ref.TaskID != id {
			t.Fatal("not assigned")
		}
	})
}

// Nothing but a registration has happened: its deadline fires all the same.
func TestDeadlineOfTheOnlyWorkerFires(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		sub := r.c.hub.Subscribe(64)
		defer sub.Close()
		r.join("w", "s")
		if _, err := r.beat("w", "s", 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(14 * time.Second)
		if w, _ := r.c.Worker(t.Context(), admin, "w"); w.Status != cluster.WorkerActive {
			t.Fatalf("%s too early", w.Status)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if w, _ := r.c.Worker(t.Context(), admin, "w"); w.Status != cluster.WorkerLost {
			t.Fatalf("%s after the timeout", w.Status)
		}
		events := 0
		for ctx, stop := context.WithTimeout(t.Context(), time.Second); ; events++ {
			if _, err := sub.Next(ctx); err != nil {
				stop()
				break
			}
		}
		if events < 3 { // registered, heard, lost
			t.Fatalf("only %d events were published", events)
		}
	})
}

// A freed or new worker wakes dispatch through a heartbeat.
func TestHeartbeatWakesDispatch(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		sick := func(h *Heartbeat) { h.Healthy = false }
		if _, err := r.beat("w", "s", 1, sick); err != nil {
			t.Fatal(err)
		}
		id := r.submit()
		if s := r.task(id).State; s != cluster.StateQueued {
			t.Fatal(s)
		}
		if _, err := r.beat("w", "s", 2); err != nil {
			t.Fatal(err)
		}
		if s := r.task(id).State; s != cluster.StateAssigned {
			t.Fatalf("%s after the engine has come back", s)
		}
	})
}

func TestUnknownCommitOutcome(t *testing.T) {
	for _, kept := range []bool{true, false} {
		bubble(t, func(t *testing.T, r *rig) {
			r.store.fail(db.ErrOutcomeUnknown, kept)
			_, err := r.c.Submit(t.Context(), ann, cluster.TaskRequest{Image: "i"}, Once{})
			r.wantErr("submit", err, cluster.ErrUnavailable)
			synctest.Wait()
			tasks, _, err := r.c.Tasks(t.Context(), ann, cluster.TaskFilter{}, cluster.Page{Limit: 10})
			if err != nil || (len(tasks) == 1) != kept {
				t.Fatalf("kept %v: %d tasks, %v", kept, len(tasks), err)
			}
			r.c.mu.Lock()
			waiting := r.c.m.queue.Len()
			r.c.mu.Unlock()
			if (waiting == 1) != kept {
				t.Fatalf("kept %v: %d waiting", kept, waiting)
			}
		})
	}
}

// While the store cannot be read, what is unknown stays so, and callers wait
// no longer than they want to.
func TestUnknownOutcomeWhileTheStoreIsAway(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		id := r.submit()
		ref := r.client.order(t, 0).Ref
		r.store.set(func(s *shakyStore) { s.read = db.ErrUnavailable })
		r.store.fail(db.ErrOutcomeUnknown, true)
		_, err := r.c.Cancel(t.Context(), ann, id)
		r.wantErr("cancel", err, cluster.ErrUnavailable)
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err = r.c.Complete(ctx, success(ref, "s"))
		r.wantErr("completion meanwhile", err, cluster.ErrUnavailable)
		r.store.set(func(s *shakyStore) { s.read = nil })
		time.Sleep(10 * time.Second)
		if err := r.complete(ref, "s"); err != nil {
			t.Fatal(err)
		}
		if got := r.task(id); got.Status() != cluster.StatusCancelled || got.ExitCode == nil {
			t.Fatalf("the cancel was stored first: %s", got.Status())
		}
	})
}

func TestSecondMasterStopsRun(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		id := r.submit()
		other := r.task(id)
		other.Version++
		if err := r.store.Memory.Commit(t.Context(), []db.Write{{Task: other, Expect: other.Version - 1}})[0]; err != nil {
			t.Fatal(err)
		}
		_, err := r.c.Cancel(t.Context(), ann, id)
		r.wantErr("cancel", err, cluster.ErrUnavailable)
		r.wantErr("Run", <-r.ended, db.ErrVersion)
		r.ended <- nil
	})
}

func TestCompletionTwice(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		id := r.submit()
		ref := r.client.order(t, 0).Ref
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if need, err := r.c.Complete(t.Context(), success(ref, "s")); err != nil || need != nil {
					t.Errorf("%v, %v", need, err)
				}
			})
		}
		all.Wait()
		got := r.task(id)
		if got.Status() != cluster.StatusSucceeded || r.keeper.count("publish 1") != 1 || got.Usage.LogBytes != 77 || got.Files.Count != 1 {
			t.Fatalf("%s, %v, %+v", got.Status(), r.keeper.noted(), got.Usage)
		}
		if err := r.complete(ref, "s"); err != nil {
			t.Fatalf("a late repeat: %v", err)
		}
		stale := ref
		stale.Lease = "other"
		r.wantErr("another lease", r.complete(stale, "s"), cluster.ErrStaleAttempt)
		r.wantErr("unknown", r.complete(cluster.AttemptRef{TaskID: "x", Attempt: 1}, "s"), cluster.ErrUnknownTask)
		r.wantErr("another session", r.complete(ref, "t"), cluster.ErrUnknownSession)
	})
}

func TestCompletionNeedsTheLog(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		id := r.submit()
		ref := r.client.order(t, 0).Ref
		r.keeper.need = &cluster.LogOffsets{Stdout: 5}
		if need, err := r.c.Complete(t.Context(), success(ref, "s")); err != nil || need == nil || need.Stdout != 5 {
			t.Fatalf("%v, %v", need, err)
		}
		if r.task(id).Terminal() {
			t.Fatal("terminal before its log is here")
		}
		r.keeper.need = nil
		if err := r.complete(ref, "s"); err != nil || !r.task(id).Terminal() {
			t.Fatal(err)
		}
	})
}

// Whatever the order, there is one verdict, and a cancel that was answered with
// success holds.
func TestCancelRacesWithCompletion(t *testing.T) {
	for range 50 {
		bubble(t, func(t *testing.T, r *rig) {
			r.join("w", "s")
			id := r.submit()
			ref := r.client.order(t, 0).Ref
			var all sync.WaitGroup
			var cancelled, completed error
			all.Go(func() { _, cancelled = r.c.Cancel(t.Context(), ann, id) })
			all.Go(func() { _, completed = r.c.Complete(t.Context(), success(ref, "s")) })
			all.Wait()
			got := r.task(id)
			switch {
			case completed != nil:
				t.Fatal(completed)
			case cancelled == nil && got.Status() != cluster.StatusCancelled:
				t.Fatalf("202 for the cancel, but %s", got.Status())
			case cancelled != nil && (!errors.Is(cancelled, cluster.ErrConflict) || got.Status() != cluster.StatusSucceeded):
				t.Fatalf("%v, and %s", cancelled, got.Status())
			}
		})
	}
}

func TestCancelNobodyConfirms(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		id := r.submit()
		ref := r.client.order(t, 0).Ref
		if v, err := r.c.Cancel(t.Context(), ann, id); err != nil || !v.CancelRequested {
			t.Fatal(err)
		}
		still := func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{running(ref, cluster.StateRunning)} }
		for n := range uint64(4) {
			time.Sleep(5 * time.Second)
			if reply, err := r.beat("w", "s", n+1, still); err != nil || !has(reply.Cancel, ref) {
				t.Fatalf("the worker is not told again: %+v, %v", reply, err)
			}
		}
		if r.task(id).Terminal() {
			t.Fatal("before grace and timeout")
		}
		time.Sleep(6 * time.Second) // 26 s: grace of 10 s and timeout of 15 s
		synctest.Wait()
		if got := r.task(id); got.Status() != cluster.StatusCancelled {
			t.Fatal(got.Status())
		}
		r.wantErr("the late result", r.complete(ref, "s"), cluster.ErrStaleAttempt)
	})
}

func TestWaitTask(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		id := r.submit()
		ref := r.client.order(t, 0).Ref
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		if v, err := r.c.WaitTask(ctx, ann, id); err != nil || v.State != cluster.StateAssigned {
			t.Fatalf("%s, %v", v.State, err)
		}
		stop()
		gone, quit := context.WithCancel(t.Context())
		quit()
		_, err := r.c.WaitTask(gone, ann, id)
		r.wantErr("a caller that left", err, context.Canceled)
		_, err = r.c.WaitTask(t.Context(), bob, id)
		r.wantErr("another user", err, cluster.ErrNotFound)
		time.AfterFunc(time.Second, func() {
			if _, err := r.c.Complete(context.Background(), success(ref, "s")); err != nil {
				t.Error(err)
			}
		})
		if v, err := r.c.WaitTask(t.Context(), ann, id); err != nil || v.Status() != cluster.StatusSucceeded {
			t.Fatalf("%s, %v", v.Status(), err)
		}
	})
}

func TestOthersTasksAreNotThere(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.submit()
		_, err := r.c.Task(t.Context(), bob, id)
		r.wantErr("task", err, cluster.ErrNotFound)
		_, err = r.c.Cancel(t.Context(), bob, id)
		r.wantErr("cancel", err, cluster.ErrNotFound)
		_, _, err = r.c.TaskFiles(t.Context(), bob, id)
		r.wantErr("files", err, cluster.ErrNotFound)
		r.wantErr("delete", r.c.DeleteFiles(t.Context(), bob, id), cluster.ErrNotFound)
		if list, _, err := r.c.Tasks(t.Context(), bob, cluster.TaskFilter{UserID: "ann"}, cluster.Page{Limit: 5}); err != nil || len(list) > 0 {
			t.Fatalf("%v, %v", list, err)
		}
		if r.task(id).CancelRequested {
			t.Fatal("a side effect")
		}
	})
}

// What a heartbeat changed is stored again when the store did not take it, so
// that a restart finds the worker's tasks where they are.
func TestWorkerThatCameBackKeepsItsTasks(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		time.Sleep(16 * time.Second)
		synctest.Wait() // lost
		r.store.set(func(s *shakyStore) { s.put = db.ErrUnavailable })
		_, err := r.beat("w", "s", 1)
		r.wantErr("heartbeat", err, cluster.ErrUnavailable)
		r.store.set(func(s *shakyStore) { s.put = nil })
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if list, _ := r.store.ListWorkers(t.Context()); list[0].Lost {
			t.Fatal("the store still has it as lost")
		}
	})
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if _, err := r.beat("w", "s", 1); err != nil {
			t.Fatal(err)
		}
		id := r.submit()
		ref := r.client.order(t, 0).Ref
		lost, _ := r.store.ListWorkers(t.Context())
		lost[0].Lost = true
		if err := r.store.PutWorker(t.Context(), lost[0]); err != nil {
			t.Fatal(err)
		}
		r.restart()
		time.Sleep(time.Second)
		on := func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{running(ref, cluster.StateRunning)} }
		if reply, err := r.beat("w", "s", 2, on); err != nil || len(reply.Stop) > 0 {
			t.Fatalf("%+v, %v", reply, err)
		}
		if got := r.task(id); got.Attempt != 1 || got.State != cluster.StateAssigned {
			t.Fatalf("attempt %d, %s", got.Attempt, got.State)
		}
	})
}

// One task that a worker always refuses does not keep others from it.
func TestOddTaskDoesNotStarveTheWorker(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.client.assign = func(_ Target, o Order) error {
			if o.Spec.Image == "odd" {
				return cluster.ErrRefused
			}
			return nil
		}
		r.join("w", "s")
		cpu := 4.0 // all of the worker
		if _, err := r.c.Submit(t.Context(), ann, cluster.TaskRequest{Image: "odd", CPU: &cpu}, Once{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for n := range uint64(4) {
			if _, err := r.beat("w", "s", n+1); err != nil {
				t.Fatal(err)
			}
		}
		id := r.submit()
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if s := r.task(id).State; s != cluster.StateAssigned {
			t.Fatalf("%s: waits for the worker's rest", s)
		}
	})
}

func TestSubmitByMany(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		const callers, each = 32, 20
		var all sync.WaitGroup
		var mu sync.Mutex
		ids := map[cluster.TaskID]bool{}
		for n := range callers {
			all.Go(func() {
				for range each {
					v, err := r.c.Submit(t.Context(), ann, cluster.TaskRequest{Image: "i"}, Once{})
					if err != nil {
						t.Error(err)
						return
					}
					if n%4 == 0 {
						if _, err := r.c.Cancel(t.Context(), ann, v.ID); err != nil {
							t.Error(err)
						}
					}
					mu.Lock()
					ids[v.ID] = true
					mu.Unlock()
				}
			})
		}
		all.Wait()
		synctest.Wait()
		view, err := r.c.Cluster(t.Context(), ann)
		if err != nil || len(ids) != callers*each {
			t.Fatalf("%d ids, %v", len(ids), err)
		}
		sum := 0
		for _, n := range view.Tasks {
			sum += n
		}
		if sum != callers*each || view.Tasks[cluster.StatusAssigned] == 0 {
			t.Fatalf("%v", view.Tasks)
		}
	})
}
