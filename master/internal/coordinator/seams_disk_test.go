package coordinator

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// Seam 4: one document is the unit. The store crashes at every write in turn;
// what is there afterwards is the task before or after, with its files or
// without, and the story ends the same.
func TestSeam4OneDocument(t *testing.T) {
	for crash := 1; crash <= 6; crash++ {
		bubble(t, func(t *testing.T, r *rig) {
			r.store.CrashAt(crash)
			var id cluster.TaskID
			number, crashes := uint64(0), 0
			for range 30 {
				number++
				_, err := r.beat("w", "s", number)
				if errors.Is(err, cluster.ErrUnknownSession) {
					_, err = r.c.Register(t.Context(), Registration{Caller: from("w", "s"), Address: "host:1", Total: cluster.Resources{CPU: 4, Memory: 4096, Storage: 4096}})
				}
				if id == "" && err == nil {
					var v Created
					if v, err = r.c.Submit(t.Context(), ann, cluster.TaskRequest{Image: "i"}, Once{}); err == nil {
						id = v.ID
					}
				}
				synctest.Wait()
				now, readErr := r.store.Task(t.Context(), id)
				if err == nil && readErr == nil && now.State.Placed() {
					err = r.complete(now.Ref(), "s")
				}
				if err != nil || readErr != nil {
					crashes++
					r.restart()
					tasks, _, _ := r.c.Tasks(t.Context(), ann, cluster.TaskFilter{}, cluster.Page{Limit: 9})
					for _, v := range tasks {
						files, err := r.store.TaskFiles(t.Context(), v.ID)
						if err != nil || (len(files) > 0) != v.Terminal() {
							t.Fatalf("crash %d: %s has %d files, %v", crash, v.State, len(files), err)
						}
						if id == "" {
							id = v.ID // its submit was not answered
						}
					}
				}
				time.Sleep(time.Second)
			}
			got := r.task(id)
			results, _ := r.store.TaskResults(t.Context(), id)
			files, _ := r.store.TaskFiles(t.Context(), id)
			if got.Status() != cluster.StatusSucceeded || got.Attempt != 1 || len(results) != 1 || len(files) != 1 || got.Files.Count != 1 {
				t.Fatalf("crash %d: %s at attempt %d, %d results, %d files", crash, got.Status(), got.Attempt, len(results), len(files))
			}
			if counts, _ := r.store.CountTasks(t.Context(), cluster.TaskFilter{}); counts[cluster.StatusSucceeded] != 1 {
				t.Fatalf("crash %d: %v", crash, counts)
			}
			if crash <= 3 && crashes == 0 {
				t.Fatalf("crash %d did not happen", crash)
			}
		})
	}
}

// Seam 5: uploads. Files are published before the commit that refers to them,
// and taken back only when nothing can refer to them.
func TestSeam5Uploads(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error // of the result's commit
		kept    bool
		retract int
	}{
		{"committed", nil, false, 0},
		{"definitely not committed", db.ErrFull, false, 1},
		{"unknown, and not there", db.ErrOutcomeUnknown, false, 0},
		{"unknown, but there", db.ErrOutcomeUnknown, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.join("w", "s")
				id := r.submit()
				ref := r.client.order(t, 0).Ref
				if c.err != nil {
					r.store.fail(c.err, c.kept)
				}
				err := r.complete(ref, "s")
				if (err == nil) != (c.err == nil) {
					t.Fatal(err)
				}
				if n := r.keeper.count("retract 1"); n != c.retract {
					t.Fatalf("retracted %d times, want %d", n, c.retract)
				}
				time.Sleep(2 * time.Second)
				if err := r.complete(ref, "s"); err != nil {
					t.Fatal(err)
				}
				if got := r.task(id); got.Status() != cluster.StatusSucceeded || got.Files.Attempt != 1 {
					t.Fatalf("%s, %+v", got.Status(), got.Files)
				}
			})
		})
	}
	t.Run("another master's write", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			r.join("w", "s")
			r.submit()
			r.store.fail(db.ErrVersion, false)
			r.wantErr("completion", r.complete(r.client.order(t, 0).Ref, "s"), cluster.ErrUnavailable)
			if r.keeper.count("retract 1") > 0 {
				t.Fatal("it may have been the other's result")
			}
		})
	})
	t.Run("a retried attempt's files go with its requeue", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			r.join("w", "s")
			retries := 1
			v, err := r.c.Submit(t.Context(), ann, cluster.TaskRequest{Image: "i", MaxRetries: &retries}, Once{})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			failed := success(r.client.order(t, 0).Ref, "s")
			code := 7
			failed.Outcome, failed.Observation.Outcome = cluster.OutcomeFailed, cluster.OutcomeFailed
			failed.Observation.Failure, failed.Observation.ExitCode = cluster.FailureExit, &code
			failed.Observation.Usage.CPUSeconds = 3
			if _, err := r.c.Complete(t.Context(), failed); err != nil {
				t.Fatal(err)
			}
			if r.keeper.count("publish 1") != 0 || r.keeper.count("discard 1") != 1 {
				t.Fatal(r.keeper.noted())
			}
			if got := r.task(v.ID); got.Attempt != 2 || got.Retries != 1 || got.Files.Attempt != 0 {
				t.Fatalf("%+v", got)
			}
			results, err := r.store.TaskResults(t.Context(), v.ID)
			if err != nil || len(results) != 1 || results[0].Usage.CPUSeconds != 3 || *results[0].ExitCode != 7 {
				t.Fatalf("what the attempt used is not in its row: %+v, %v", results, err)
			}
		})
	})
	t.Run("files that never match end it as upload", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			r.join("w", "s")
			id := r.submit()
			ref := r.client.order(t, 0).Ref
			r.keeper.publish = cluster.ErrConflict
			for range conflictsMost - 1 {
				r.wantErr("completion", r.complete(ref, "s"), cluster.ErrConflict)
			}
			if err := r.complete(ref, "s"); err != nil {
				t.Fatal(err)
			}
			if got := r.task(id); got.Failure != cluster.FailureUpload || got.Files.Attempt != 0 {
				t.Fatalf("%s %s %+v", got.Status(), got.Failure, got.Files)
			}
		})
	})
	t.Run("at the start only live and committed files stay", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			r.join("w", "s")
			done := r.submit()
			live := r.submit()
			if err := r.complete(r.client.order(t, 0).Ref, "s"); err != nil {
				t.Fatal(err)
			}
			swept := false
			r.keeper.swept = func(isLive func(cluster.TaskID) (cluster.Placed, bool), committed func(context.Context, cluster.TaskID) (int64, bool, error)) {
				swept = true
				if now, ok := isLive(live); !ok || now.Ref != r.client.order(t, 1).Ref || now.Owner != ann.UserID {
					t.Errorf("%v, %v", now, ok)
				}
				if _, ok := isLive(done); ok {
					t.Error("a finished task is live")
				}
				for id, want := range map[cluster.TaskID]bool{done: true, live: false, "unknown": false} {
					if size, ok, err := committed(t.Context(), id); err != nil || ok != want || want && size != 3 {
						t.Errorf("%s: %d bytes, %v, %v", id, size, ok, err)
					}
				}
			}
			r.restart()
			if !swept {
				t.Fatal("no sweep")
			}
		})
	})
}
