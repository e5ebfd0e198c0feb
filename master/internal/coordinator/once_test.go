package coordinator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// named is a request with a key; its reply says which task it was for.
func named(key, print string) Once {
	return Once{Key: key, Print: print, Reply: func(v TaskView) ([]byte, error) {
		return []byte(fmt.Sprintf("%s %s %d %d", v.ID, v.Status(), v.Version, v.Waiting.QueuePosition)), nil
	}}
}

// send submits with a key and gives the reply, the first or the kept one.
func (r *rig) send(p cluster.Principal, key, print string) (cluster.TaskID, string, error) {
	made, err := r.c.Submit(r.t.Context(), p, cluster.TaskRequest{Image: "i", Name: key}, named(key, print))
	if err != nil {
		return "", "", err
	}
	if made.Kept != nil {
		return made.ID, string(made.Kept), nil
	}
	reply, _ := named(key, print).Reply(made.TaskView)
	return made.ID, string(reply), nil
}

func (r *rig) tasks() int {
	r.t.Helper()
	tasks, _, err := r.c.Tasks(r.t.Context(), admin, cluster.TaskFilter{}, cluster.Page{Limit: 1000})
	if err != nil {
		r.t.Fatal(err)
	}
	return len(tasks)
}

func TestF02Repeat(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		send := func(p cluster.Principal, key, print string) (cluster.TaskID, string) {
			t.Helper()
			id, reply, err := r.send(p, key, print)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return id, reply
		}
		id, reply := send(ann, "k", "x")
		r.join("w", "s") // what has become of the task meanwhile changes no reply
		if !r.task(id).State.Placed() {
			t.Fatal("the task was not placed")
		}
		for range 3 {
			if again, kept := send(ann, "k", "x"); again != id || kept != reply {
				t.Fatalf("%s %q, first %s %q", again, kept, id, reply)
			}
		}
		_, _, err := r.send(ann, "k", "y")
		r.wantErr("another request", err, cluster.ErrInvalid)
		if other, _ := send(bob, "k", "y"); other == id {
			t.Fatal("another user's key")
		}
		if err := r.complete(r.client.order(t, 0).Ref, "s"); err != nil {
			t.Fatal(err)
		}
		retry := func(key string) (Created, error) {
			made, err := r.c.Retry(t.Context(), ann, id, named(key, ""))
			synctest.Wait()
			return made, err
		}
		second, err := retry("k") // another route
		if err != nil || second.ID == id || second.Kept != nil {
			t.Fatalf("%+v, %v", second, err)
		}
		if third, err := retry("k"); err != nil || third.ID != second.ID || third.Kept == nil {
			t.Fatalf("%+v, %v", third, err)
		}
		if err := r.complete(r.client.order(t, 2).Ref, "s"); err != nil {
			t.Fatal(err)
		}
		_, err = r.c.Retry(t.Context(), ann, second.ID, named("k", ""))
		r.wantErr("the key for another task's retry", err, cluster.ErrInvalid)
		_, err = r.c.Retry(t.Context(), bob, id, named("k", ""))
		r.wantErr("another's task", err, cluster.ErrNotFound)

		r.restart()
		if again, kept := send(ann, "k", "x"); again != id || kept != reply {
			t.Fatalf("in the next life %s %q, first %s %q", again, kept, id, reply)
		}
		if n := r.tasks(); n != 3 {
			t.Fatalf("%d tasks", n)
		}
	})
}

// What was refused is not kept: the same key may then be used for what was
// meant.
func TestF02RefusedIsNotKept(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		_, err := r.c.Submit(t.Context(), ann, cluster.TaskRequest{}, named("k", "x"))
		r.wantErr("an invalid one", err, cluster.ErrInvalid)
		r.store.fail(db.ErrFull, false)
		_, _, err = r.send(ann, "k", "y")
		r.wantErr("the disk is full", err, cluster.ErrUnavailable)
		unwritten := named("k", "y")
		unwritten.Reply = func(TaskView) ([]byte, error) { return nil, errors.New("no reply") }
		if _, err = r.c.Submit(t.Context(), ann, cluster.TaskRequest{Image: "i"}, unwritten); err == nil {
			t.Fatal("a reply that could not be written")
		}
		id, reply, err := r.send(ann, "k", "z")
		if err != nil {
			t.Fatal(err)
		}
		if again, kept, err := r.send(ann, "k", "z"); err != nil || again != id || kept != reply || r.tasks() != 1 {
			t.Fatalf("%s %q, %v; %d tasks", again, kept, err, r.tasks())
		}
		if n := r.c.m.entering; len(n.tasks)+len(n.keys)+n.bytes != 0 {
			t.Fatalf("left behind: %+v", n)
		}
	})
}

// gated lets commits wait until they are let through.
func (r *rig) gated() (open func()) {
	gate := make(chan struct{})
	r.store.set(func(s *shakyStore) {
		s.commit = func([]db.Write) []error {
			<-gate
			return nil
		}
	})
	return func() {
		r.store.set(func(s *shakyStore) { s.commit = nil })
		close(gate)
		synctest.Wait()
	}
}

// Of fifty at once one makes the task; those that come while it is under way
// hear so, and the first reply afterwards.
func TestF02Twins(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		open := r.gated()
		var mu sync.Mutex
		var ids []cluster.TaskID
		var errs []error
		for range 50 {
			go func() {
				id, _, err := r.send(ann, "k", "x")
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					ids = append(ids, id)
				} else {
					errs = append(errs, err)
				}
			}()
		}
		synctest.Wait()
		_, _, err := r.send(ann, "k", "y")
		r.wantErr("another request meanwhile", err, cluster.ErrInvalid)
		open()
		for _, err := range errs {
			r.wantErr("a twin", err, cluster.ErrInFlight)
		}
		if len(ids) != 1 || len(errs) != 49 || r.tasks() != 1 {
			t.Fatalf("%d made it, %d did not, %d tasks", len(ids), len(errs), r.tasks())
		}
		if id, _, err := r.send(ann, "k", "x"); err != nil || id != ids[0] {
			t.Fatalf("%s, %v; the first was %s", id, err, ids[0])
		}
	})
}

// A commit of unknown outcome: until the store has told, the key is under way;
// then it is there with its task, or both are not.
func TestF01UnknownOutcomeOfAKey(t *testing.T) {
	for _, there := range []bool{true, false} {
		t.Run(fmt.Sprintf("written %v", there), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.store.set(func(s *shakyStore) { s.read = db.ErrUnavailable })
				r.store.fail(db.ErrOutcomeUnknown, there)
				_, _, err := r.send(ann, "k", "x")
				r.wantErr("the first", err, cluster.ErrUnavailable)
				_, _, err = r.send(ann, "k", "x")
				r.wantErr("while nobody knows", err, cluster.ErrInFlight)
				r.store.set(func(s *shakyStore) { s.read = nil })
				time.Sleep(10 * time.Second)
				id, _, err := r.send(ann, "k", "x")
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if again, _, err := r.send(ann, "k", "x"); err != nil || again != id || r.tasks() != 1 {
					t.Fatalf("%s, then %s, %v; %d tasks", id, again, err, r.tasks())
				}
			})
		})
	}
}

func TestKeysRunOut(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first, _, err := r.send(ann, "k", "x")
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		for n := range 1200 { // more than two steps' worth, of tasks that are over
			over, _, err := cluster.NewTask(cluster.TaskID(fmt.Sprint(n)), "bob", cluster.Spec{}, now).RequestCancel("bob", now)
			if err != nil {
				t.Fatal(err)
			}
			over.Version = 1
			key := db.Key{
				Name: db.KeyName{UserID: "bob", Route: routeSubmit, Key: fmt.Sprint(n)}, TaskID: over.ID,
				StoredAt: now, ExpiresAt: now.Add(KeyLifetime),
			}
			if err := r.store.Commit(t.Context(), []db.Write{{Task: over, Key: &key}})[0]; err != nil {
				t.Fatal(err)
			}
		}
		_ = r.stop() // it looks at all tasks again and again, and a day is long
		time.Sleep(KeyLifetime - time.Second)
		r.restart()
		if again, _, err := r.send(ann, "k", "x"); err != nil || again != first {
			t.Fatalf("just before: %s, %v", again, err)
		}
		time.Sleep(time.Second)
		second, _, err := r.send(ann, "k", "y") // it gives way also before it is forgotten
		if err != nil || second == first {
			t.Fatalf("after a day: %s, %v", second, err)
		}
		time.Sleep(forgetEvery)
		synctest.Wait()
		for n := range 1200 {
			_, err := r.store.Key(t.Context(), db.KeyName{UserID: "bob", Route: routeSubmit, Key: fmt.Sprint(n)})
			r.wantErr("an old key", err, cluster.ErrNotFound)
		}
		if again, _, err := r.send(ann, "k", "y"); err != nil || again != second {
			t.Fatalf("the new one: %s, %v", again, err)
		}
	})
}

// Random faults, restarts and repeats: whoever hears of success hears the same
// of the same key ever after, and no key has two tasks.
func TestF01F02RandomFaults(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				rng := rand.New(rand.NewPCG(seed, 2))
				replies := map[string]string{}
				for range 60 {
					switch rng.IntN(12) {
					case 0:
						r.store.fail(db.ErrUnavailable, false)
					case 1, 2:
						r.store.fail(db.ErrOutcomeUnknown, rng.IntN(2) == 0)
					case 3:
						r.restart()
					case 4:
						time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
					default:
						key := fmt.Sprint("k", rng.IntN(5))
						_, reply, err := r.send(ann, key, key)
						if first, known := replies[key]; err == nil && known && reply != first {
							t.Fatalf("key %s: %q after %q", key, reply, first)
						} else if err == nil {
							replies[key] = reply
						} else if !errors.Is(err, cluster.ErrUnavailable) && !errors.Is(err, cluster.ErrInFlight) {
							t.Fatalf("key %s: %v", key, err)
						}
					}
				}
				time.Sleep(time.Minute)
				tasks, _, err := r.c.Tasks(t.Context(), ann, cluster.TaskFilter{}, cluster.Page{Limit: 100})
				if err != nil {
					t.Fatal(err)
				}
				seen := map[string]bool{}
				for _, v := range tasks {
					if seen[v.Spec.Name] {
						t.Errorf("key %s has two tasks", v.Spec.Name)
					}
					seen[v.Spec.Name] = true
				}
				for key := range replies {
					if !seen[key] {
						t.Errorf("the task of key %s is lost", key)
					}
				}
			})
		})
	}
}

// A burst beyond what the store takes: so many wait, the rest is refused at
// once, and when the store moves again so does everything.
func TestF27BurstIsBounded(t *testing.T) {
	big := []cluster.InputFile{{Path: "f", Content: make([]byte, 1<<20)}}
	for _, tt := range []struct {
		name   string
		inputs []cluster.InputFile
		room   int
	}{{"in number", nil, maxEntering}, {"in memory", big, maxEnteringBytes / (1 << 20)}} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				open := r.gated()
				var mu sync.Mutex
				var answers []error
				burst := tt.room + 500
				submit := func() error {
					_, err := r.c.Submit(context.Background(), ann, cluster.TaskRequest{Image: "i", Inputs: tt.inputs}, Once{})
					return err
				}
				for range burst {
					go func() {
						err := submit()
						mu.Lock()
						defer mu.Unlock()
						answers = append(answers, err)
					}()
				}
				synctest.Wait()
				refused := len(answers)
				if refused < 500 || refused > 510 { // a spec is a little more than its files
					t.Fatalf("%d of %d were refused, want about 500", refused, burst)
				}
				for _, err := range answers {
					r.wantErr("beyond the bound", err, cluster.ErrBusy)
				}
				open()
				if slices.ContainsFunc(answers[refused:], func(err error) bool { return err != nil }) || len(answers) != burst {
					t.Fatalf("%d of %d were answered, the last with %v", len(answers), burst, answers[len(answers)-1])
				}
				if err := submit(); err != nil {
					t.Fatalf("after the burst: %v", err)
				}
				if n := r.c.m.entering; len(n.tasks)+n.bytes != 0 {
					t.Fatalf("left behind: %+v", n)
				}
			})
		})
	}
}
