package coordinator

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

func TestDrain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		if _, err := r.c.Drain(t.Context(), ann, "w", true); !errors.Is(err, cluster.ErrDenied) {
			t.Fatalf("by a user: %v", err)
		}
		v, err := r.c.Drain(t.Context(), admin, "w", true)
		if err != nil || v.Status != cluster.WorkerDraining {
			t.Fatalf("%+v, %v", v, err)
		}
		id := r.submit()
		if task := r.task(id); task.State != cluster.StateQueued {
			t.Fatalf("a draining worker got a task: %s", task.State)
		}
		r.restart()
		r.join("w", "s1")
		if v, _ := r.c.Worker(t.Context(), admin, "w"); v.Status != cluster.WorkerDraining {
			t.Fatalf("after a restart: %s", v.Status)
		}
		if _, err := r.c.Drain(t.Context(), admin, "w", false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if task := r.task(id); task.State != cluster.StateAssigned {
			t.Fatalf("after undrain: %s", task.State)
		}
		if _, err := r.c.Drain(t.Context(), admin, "nobody", true); !errors.Is(err, cluster.ErrNotFound) {
			t.Fatalf("%v", err)
		}
	})
}

// A worker that was removed by force loses its tasks, is told to stop their
// containers, and is nobody until it is registered again.
func TestRemovalFencesTheWorker(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		id := r.submit()
		ref := r.client.order(t, 0).Ref
		if err := r.c.RemoveWorker(t.Context(), ann, "w", true); !errors.Is(err, cluster.ErrDenied) {
			t.Fatalf("by a user: %v", err)
		}
		if err := r.c.RemoveWorker(t.Context(), admin, "w", false); !errors.Is(err, cluster.ErrConflict) {
			t.Fatalf("with a task: %v", err)
		}
		if err := r.c.RemoveWorker(t.Context(), admin, "w", true); err != nil {
			t.Fatal(err)
		}
		task := r.task(id)
		if task.State != cluster.StateQueued || task.Attempt != 2 || task.Attempts[0].Failure != cluster.FailureWorkerLost {
			t.Fatalf("%+v", task)
		}
		if _, err := r.c.Worker(t.Context(), admin, "w"); !errors.Is(err, cluster.ErrNotFound) {
			t.Fatalf("it is still shown: %v", err)
		}
		if v, _ := r.c.Task(t.Context(), ann, id); len(v.Waiting.Workers) != 0 {
			t.Fatalf("it is still a candidate: %+v", v.Waiting)
		}
		// What it says of its attempts is stale, in this life and in the next.
		r.restart()
		r.wantErr("its result", r.complete(ref, "s1"), cluster.ErrStaleAttempt)
		reply, err := r.beat("w", "s1", 1, func(h *Heartbeat) {
			h.Running = []cluster.RunningAttempt{running(ref, cluster.StateRunning)}
		})
		if err != nil || !has(reply.Stop, ref) {
			t.Fatalf("%+v, %v", reply, err)
		}
		_, err = r.beat("w", "s1", 2)
		r.wantErr("with nothing left", err, cluster.ErrUnknownSession)
		_, err = r.c.Register(t.Context(), Registration{Caller: from("w", "s1"), Address: "host:1"})
		r.wantErr("it registers", err, cluster.ErrBarred)
		if reply := r.join("w", "s2", running(ref, cluster.StateRunning)); !has(reply.Stop, ref) || len(reply.Keep) != 0 {
			t.Fatalf("a later process that still has a container: %+v", reply)
		}
		if err := r.c.RemoveWorker(t.Context(), admin, "w", false); !errors.Is(err, cluster.ErrNotFound) {
			t.Fatalf("removed twice: %v", err)
		}
	})
}

// A later process of a removed worker, which was told to stop what it had, counts
// its heartbeats from one; once it is registered again they count.
func TestHeartbeatsCountAfterRegisteringAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		r.submit()
		ref := r.client.order(t, 0).Ref
		if _, err := r.beat("w", "s1", 100); err != nil {
			t.Fatal(err)
		}
		if err := r.c.RemoveWorker(t.Context(), admin, "w", true); err != nil {
			t.Fatal(err)
		}
		r.join("w", "s2", running(ref, cluster.StateRunning)) // and is expelled
		r.client.intro = func(string) (Hello, error) {
			time.AfterFunc(time.Second, func() {
				_, _ = r.c.Register(t.Context(), Registration{Caller: from("w", "s2"), Address: "host:1"})
			})
			return Hello{WorkerID: "w", Session: "s2"}, nil
		}
		if _, err := r.c.RegisterWorker(t.Context(), admin, "w", "host:1"); err != nil {
			t.Fatal(err)
		}
		for n := range 5 {
			time.Sleep(5 * time.Second)
			if _, err := r.beat("w", "s2", uint64(n+1)); err != nil {
				t.Fatal(err)
			}
		}
		if v, err := r.c.Worker(t.Context(), admin, "w"); err != nil || v.Status != cluster.WorkerActive {
			t.Fatalf("%s (%s), %v", v.Status, v.Message, err)
		}
	})
}

// A removal that the store refused is not forgotten: repeating it writes it.
func TestRemovalIsWritten(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		r.store.set(func(s *shakyStore) { s.put = db.ErrUnavailable })
		r.wantErr("without the store", r.c.RemoveWorker(t.Context(), admin, "w", false), cluster.ErrUnavailable)
		r.store.set(func(s *shakyStore) { s.put = nil })
		if err := r.c.RemoveWorker(t.Context(), admin, "w", false); err != nil {
			t.Fatal(err)
		}
		r.restart()
		if _, err := r.c.Worker(t.Context(), admin, "w"); !errors.Is(err, cluster.ErrNotFound) {
			t.Fatalf("after a restart: %v", err)
		}
	})
}

func TestRegisterByAddress(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		if err := r.c.RemoveWorker(t.Context(), admin, "w", false); err != nil {
			t.Fatal(err)
		}
		// The worker registers a while after it was called.
		r.client.intro = func(string) (Hello, error) {
			time.AfterFunc(time.Second, func() {
				_, _ = r.c.Register(t.Context(), Registration{
					Caller: from("w", "s2"), Address: "host:1", Total: cluster.Resources{CPU: 1, Memory: 600, Storage: 4096},
				})
			})
			return Hello{WorkerID: "w", Session: "s2"}, nil
		}
		v, err := r.c.RegisterWorker(t.Context(), admin, "w", "host:1")
		if err != nil || v.Status != cluster.WorkerActive || v.Session != "s2" {
			t.Fatalf("%+v, %v", v, err)
		}
		id := r.submit()
		if task := r.task(id); task.WorkerID != "w" {
			t.Fatalf("%+v", task)
		}
	})
}

// Much may happen while a worker registers.
func TestRegisterByAddressInABusyCluster(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("busy", "s1")
		r.client.intro = func(string) (Hello, error) {
			time.AfterFunc(time.Second, func() {
				for n := range 3 * 4096 { // more than the hub holds
					_, _ = r.c.Heartbeat(t.Context(), Heartbeat{Caller: from("busy", "s1"), Number: uint64(n + 1), Healthy: true})
				}
				_, _ = r.c.Register(t.Context(), Registration{Caller: from("w", "s2"), Address: "host:1"})
			})
			return Hello{WorkerID: "w", Session: "s2"}, nil
		}
		if _, err := r.c.RegisterWorker(t.Context(), admin, "w", "host:1"); err != nil {
			t.Fatal(err)
		}
		// An answer that was on its way when the bar ended ends nothing.
		_, err := r.c.expel(t.Context(), Registration{Caller: from("w", "s3"), Running: []cluster.RunningAttempt{{}}})
		r.wantErr("expelled though registered again", err, cluster.ErrUnavailable)
	})
}

func TestRegisterByAddressRefused(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		answer := func(h Hello, err error) { r.client.intro = func(string) (Hello, error) { return h, err } }
		try := func(p cluster.Principal, id cluster.WorkerID, address string) error {
			_, err := r.c.RegisterWorker(t.Context(), p, id, address)
			return err
		}
		r.wantErr("by a user", try(ann, "w", "host:1"), cluster.ErrDenied)
		for _, address := range []string{"", "host", "host:", ":1", "host:0", "host:65536", "host:x", "a b:1", "::1:5", "http://host:1", "[]:1", "h\x00:1"} {
			r.wantErr(address, try(admin, "w", address), cluster.ErrInvalid)
		}
		var invalid *cluster.InvalidError
		if err := try(admin, "-", "x"); !errors.As(err, &invalid) || len(invalid.Fields) != 2 {
			t.Fatalf("%v", err)
		}
		answer(Hello{}, cluster.ErrDenied)
		r.wantErr("who does not know the token", try(admin, "w", "[::1]:1"), cluster.ErrConflict)
		if err := try(admin, "w", "host:1"); errors.Is(err, cluster.ErrDenied) {
			t.Fatalf("the caller is not the one denied: %v", err)
		}
		answer(Hello{WorkerID: "other", Session: "s"}, nil)
		r.wantErr("another one there", try(admin, "w", "host:1"), cluster.ErrConflict)
		answer(Hello{WorkerID: "w", Session: "s"}, nil)
		r.wantErr("who never registers", try(admin, "w", "host:1"), cluster.ErrUnavailable)
	})
}

// A master that was updated past its workers takes over no session of theirs:
// they register, and hear both versions.
func TestF26SessionOfAFarVersion(t *testing.T) {
	for version, want := range map[string]error{"v1.3.0": nil, "v1.2.0": cluster.ErrUnknownSession} {
		d := newDesk(t)
		d.m.Version = "v1.4.0"
		d.m.restoreWorker(d.now, cluster.Worker{ID: "w", Session: "s", Version: version})
		if _, _, err := d.m.heartbeat(d.now, Heartbeat{Caller: from("w", "s"), Number: 1}); !errors.Is(err, want) {
			t.Errorf("a worker of %s hears %v, want %v", version, err, want)
		}
	}
}

// A worker is taken out in steps, each of which waits for the disk.
func TestRemovalInSteps(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	s := spec()
	s.MaxReschedules = 1
	d.place("t", s)
	w := d.m.workers["w"]
	saves := func(st step, err error) int {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return len(st.workers)
	}
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, cluster.ErrUnavailable) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for range 2 {
		if saves(d.m.drain("w", true)) != 1 {
			t.Fatal("a drain that the store has not taken is not stored again")
		}
	}
	d.ok(step{})
	if saves(d.m.drain("w", true)) != 0 {
		t.Fatal("a drain is stored twice")
	}
	saves(d.m.remove("w", true))
	_, err := d.m.remove("w", true)
	refused("twice at once", err)
	_, err = d.m.readmit("w")
	refused("back before its bar is stored", err)
	d.m.removed(d.now, "w", db.ErrUnavailable)
	if w.removed() || !w.unsaved {
		t.Fatalf("removed %v without the store, unsaved %v", w.removed(), w.unsaved)
	}
	saves(d.m.remove("w", true))
	st := d.m.removed(d.now, "w", nil)
	_, err = d.m.readmit("w")
	refused("back before the loss of its tasks is stored", err)
	d.ok(st)
	if saves(d.m.readmit("w")) != 1 || w.worker.Draining || w.worker.Session != "" {
		t.Fatalf("%+v", w.worker)
	}
}
