package coordinator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/faultstore"
	"cloudai/master/internal/events"
	"cloudai/master/internal/retention"
)

func ageOf(d time.Duration) *time.Duration { return &d }

// finished is one more task that has ended so long ago and left a log and a file.
func (r *rig) finished(ago time.Duration) cluster.TaskID {
	r.t.Helper()
	w := endedWrite(r.c.newID(), time.Now().Add(-ago))
	w.Task.Files = cluster.FilesSummary{Attempt: 1, Count: 1, TotalSize: 3}
	w.Files = []cluster.File{{Path: "f", Size: 3}}
	if err := r.store.Memory.Commit(r.t.Context(), []db.Write{w})[0]; err != nil {
		r.t.Fatal(err)
	}
	return w.Task.ID
}

// removed are the notes about what went from the disks.
func (r *rig) removed() (notes []string) {
	for _, n := range r.keeper.noted() {
		if what, ok := strings.CutPrefix(n, "remove "); ok {
			notes = append(notes, what)
		}
	}
	slices.Sort(notes)
	return notes
}

// heard is what a subscription has heard last of each task.
func (r *rig) heard(s *events.Subscription[Event]) map[cluster.TaskID]Event {
	r.t.Helper()
	synctest.Wait()
	last := map[cluster.TaskID]Event{}
	for n := r.c.hub.Publish(Event{}) - s.Start(); n > 1; n-- {
		e, err := s.Next(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		switch v := e.Value; {
		case v.Task != nil:
			last[v.Task.Task.ID] = v
		case v.Removed != nil:
			last[v.Removed.ID] = v
		}
	}
	return last
}

func (r *rig) prune(p retention.Policy, dry bool) PruneReport {
	r.t.Helper()
	report, err := r.c.Prune(r.t.Context(), admin, &p, dry)
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

// Each kind goes at its own age, and with a task all of it.
func TestPruneByAge(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		id, running := r.finished(time.Hour), r.submit()
		if got := r.prune(retention.Policy{Tasks: ageOf(2 * time.Hour), Logs: ageOf(61 * time.Minute), Files: ageOf(2 * time.Hour)}, false); got != (PruneReport{}) {
			t.Errorf("went too early: %+v", got)
		}
		want := PruneReport{Logs: PruneCount{Tasks: 1, Bytes: 77}}
		for _, dry := range []bool{true, true, false} {
			if got := r.prune(retention.Policy{Logs: ageOf(time.Hour)}, dry); got != want {
				t.Errorf("dry %v: logs: %+v, want %+v", dry, got, want)
			}
		}
		if v := r.task(id); !v.LogsDeleted || v.Files.Deleted {
			t.Errorf("the record says %v, %+v", v.LogsDeleted, v.Files)
		}
		want = PruneReport{Tasks: 1, Files: PruneCount{Tasks: 1, Bytes: 3}}
		for _, dry := range []bool{true, false} { // what goes with the task is counted once
			if got := r.prune(retention.Policy{Tasks: ageOf(0), Logs: ageOf(0), Files: ageOf(0)}, dry); got != want {
				t.Errorf("dry %v: all of it: %+v, want %+v", dry, got, want)
			}
		}
		_, err := r.c.Task(t.Context(), admin, id)
		r.wantErr("a pruned task", err, cluster.ErrNotFound)
		if v := r.task(running); v.Terminal() {
			t.Errorf("the running task is %s", v.Status())
		}
		if got := r.prune(retention.Policy{Tasks: ageOf(0)}, false); got != (PruneReport{}) {
			t.Errorf("again: %+v", got)
		}
		_, err = r.c.Prune(t.Context(), ann, nil, true)
		r.wantErr("somebody's", err, cluster.ErrDenied)
	})
}

// What is read stays as it is, and so does a task that an active one repeats.
func TestPruneKeepsWhatIsUsed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		read, repeated := r.finished(0), r.finished(0)
		again, err := r.c.Retry(t.Context(), ann, repeated, Once{})
		if err != nil {
			t.Fatal(err)
		}
		r.keeper.reading = read
		all := retention.Policy{Tasks: ageOf(0)}
		for _, dry := range []bool{true, false} {
			if got := r.prune(all, dry); got != (PruneReport{Kept: 2}) {
				t.Errorf("dry %v: %+v, want two that are kept", dry, got)
			}
		}
		if got := r.prune(retention.Policy{Bytes: new(int64)}, false); got.Logs.Tasks != 1 || r.task(read).LogsDeleted || !r.task(repeated).LogsDeleted {
			t.Errorf("no bytes at all: %+v", got)
		}
		r.keeper.mu.Lock()
		r.keeper.reading = ""
		r.keeper.mu.Unlock()
		synctest.Wait()
		if err := r.complete(r.task(again.ID).Ref(), "s1"); err != nil {
			t.Fatal(err)
		}
		if got := r.prune(all, false); got.Tasks != 3 || got.Kept != 0 {
			t.Errorf("once nobody uses them: %+v", got)
		}
	})
}

// The logs and files of the tasks that ended first make room, no more than
// needed; the tasks stay.
func TestPruneBySize(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		var ids []cluster.TaskID
		for n := range 5 {
			ids = append(ids, r.finished(time.Duration(5-n)*time.Minute))
		}
		bound := int64(3*80 + 20) // of five times 77 + 3
		want := PruneReport{Logs: PruneCount{2, 2 * 77}, Files: PruneCount{2, 2 * 3}}
		for _, dry := range []bool{true, false} {
			if got := r.prune(retention.Policy{Bytes: &bound}, dry); got != want {
				t.Errorf("dry %v: %+v, want %+v", dry, got, want)
			}
		}
		for n, id := range ids {
			if v := r.task(id); v.LogsDeleted != (n < 2) || v.Files.Deleted != (n < 2) {
				t.Errorf("task %d: logs deleted %v, files %v", n, v.LogsDeleted, v.Files.Deleted)
			}
		}
	})
}

// By itself the master removes what is due, in steps, and reads what it has
// settled no more.
func TestRetainByItself(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		_ = r.stop()
		r.keep = retention.Policy{Logs: ageOf(10 * time.Second), Tasks: ageOf(time.Minute)}
		r.start()
		r.join("w", "s1")
		for range 2*pruneStep + 1 {
			r.store.Memory.Commit(t.Context(), []db.Write{endedWrite(r.c.newID(), time.Now())})
		}
		left := func() (tasks, logs int) {
			views, _, err := r.c.Tasks(t.Context(), admin, cluster.TaskFilter{}, cluster.Page{Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range views {
				if !v.LogsDeleted {
					logs++
				}
			}
			return len(views), logs
		}
		const n = 2*pruneStep + 1
		for _, c := range []struct {
			after       time.Duration
			tasks, logs int
		}{{9 * time.Second, n, n}, {5 * time.Second, n, 0}, {45 * time.Second, n, 0}, {10 * time.Second, 0, 0}} {
			time.Sleep(c.after)
			synctest.Wait()
			if tasks, logs := left(); tasks != c.tasks || logs != c.logs {
				t.Fatalf("after %v more: %d tasks and %d logs, want %d and %d", c.after, tasks, logs, c.tasks, c.logs)
			}
		}
		if got := len(r.removed()); got != 2*n*2 { // each time both disks are told what no record refers to
			t.Errorf("%d removals", got)
		}
	})
}

// endedWrite is a task that has ended, as the store has it.
func endedWrite(id string, now time.Time) db.Write {
	task := cluster.NewTask(cluster.TaskID(id), "ann", cluster.Spec{Image: "i"}, now)
	task, err := task.Assign("w", "l", now)
	if err == nil {
		task, err = task.Finish(cluster.Verdict{Outcome: cluster.OutcomeFailed, Failure: cluster.FailureExit}, now)
	}
	if err != nil {
		panic(err)
	}
	task.Version = 1
	return db.Write{Task: task}
}

// Whatever call of the store fails, and however, no disk loses what a record
// still refers to; the next look finishes it, and those who watch have heard of
// all by then.
func TestPruneWithAStoreThatFails(t *testing.T) {
	all := retention.Policy{Tasks: ageOf(time.Hour), Logs: ageOf(0), Files: ageOf(0)}
	for _, fault := range []faultstore.Fault{faultstore.Refused, faultstore.UnknownLost, faultstore.UnknownDone} {
		for n := 1; ; n++ {
			failed := false
			t.Run(fmt.Sprintf("%v done %d at %d", fault.Err, fault.Done, n), func(t *testing.T) {
				bubble(t, func(t *testing.T, r *rig) {
					r.join("w", "s1")
					old, young := []cluster.TaskID{r.finished(time.Hour), r.finished(2 * time.Hour)}, r.finished(0)
					faulty := faultstore.New(r.store)
					r.through(faulty)
					watch := r.c.hub.Subscribe(0)
					defer watch.Close()
					synctest.Wait() // the start reads the store too
					before := faulty.Calls()
					faulty.FailAt(n, fault)
					_, err := r.c.Prune(t.Context(), admin, &all, false)
					faulty.Use(nil)
					failed = faulty.Calls()-before >= n
					if failed && err == nil {
						t.Error("the failure was not told")
					}
					for _, what := range r.removed() {
						kind, id, _ := strings.Cut(what, " of ")
						v, err := r.c.stored(t.Context(), admin, cluster.TaskID(id))
						if err == nil && (kind == "logs" && !v.LogsDeleted || kind == "files" && !v.Files.Deleted) {
							t.Errorf("%s went before the record said so", what)
						}
					}
					if _, err := r.c.Prune(t.Context(), admin, &all, false); err != nil {
						t.Error(err)
					}
					for _, id := range append(old, young) {
						if !slices.Contains(r.removed(), "logs of "+string(id)) || !slices.Contains(r.removed(), "files of "+string(id)) {
							t.Errorf("%v: log and files of %s are left", r.removed(), id)
						}
					}
					heard := r.heard(watch)
					for _, id := range old {
						if heard[id].Removed == nil {
							t.Errorf("nobody heard that %s is gone: %+v", id, heard[id])
						}
					}
					if e := heard[young]; e.Task == nil || !e.Task.Task.LogsDeleted || !e.Task.Task.Files.Deleted {
						t.Errorf("what was heard last of %s: %+v", young, e)
					}
					if v := r.task(young); !v.LogsDeleted || !v.Files.Deleted || len(r.c.remains) != 0 {
						t.Errorf("logs deleted %v, files %v, %d remains", v.LogsDeleted, v.Files.Deleted, len(r.c.remains))
					}
				})
			})
			if !failed {
				break
			}
		}
	}
}

// At the start the logs go to which no record refers.
func TestSweepOfLogs(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		kept, pruned := r.finished(0), r.finished(0)
		v := r.task(pruned)
		v.LogsDeleted = true
		v.Version++
		if err := r.store.Commit(t.Context(), []db.Write{{Task: v, Expect: v.Version - 1}})[0]; err != nil {
			t.Fatal(err)
		}
		got := map[cluster.TaskID]bool{}
		r.keeper.sweptLogs = func(ctx context.Context, keeps func(context.Context, cluster.TaskID) (bool, error)) {
			for _, id := range []cluster.TaskID{kept, pruned, "nobody's"} {
				ok, err := keeps(ctx, id)
				if err != nil {
					t.Error(err)
				}
				got[id] = ok
			}
		}
		r.restart()
		synctest.Wait()
		if !got[kept] || got[pruned] || got["nobody's"] || len(got) != 3 {
			t.Errorf("kept are %v", got)
		}
	})
}

// F25: a clock that is set forward makes nothing old at once; one that is set
// back does not make the master forget what comes to its end from then on.
func TestF25RetentionWhenTheClockIsSet(t *testing.T) {
	base := time.Now() // in a bubble there is no monotonic time
	bubble(t, func(t *testing.T, r *rig) {
		_ = r.stop()
		began := time.Now()
		var by atomic.Int64
		r.keep = retention.Policy{Tasks: ageOf(24 * time.Hour)}
		r.now = func() time.Time { return jump(base.Add(time.Since(began)), time.Duration(by.Load())) }
		r.start()
		r.join("w", "s1")
		finished := func(ago time.Duration) cluster.TaskID {
			w := endedWrite(r.c.newID(), r.now().Round(0).Add(-ago)) // a store keeps no monotonic time
			if err := r.store.Memory.Commit(t.Context(), []db.Write{w})[0]; err != nil {
				t.Fatal(err)
			}
			return w.Task.ID
		}
		there := func(id cluster.TaskID) bool {
			t.Helper()
			_, err := r.c.Task(t.Context(), admin, id)
			if err != nil && !isNotFound(err) {
				t.Fatal(err)
			}
			return err == nil
		}
		after := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		young, old := finished(0), finished(24*time.Hour-time.Minute)
		after(3 * time.Minute)
		if !there(young) || there(old) {
			t.Fatalf("at first: young %v, old %v", there(young), there(old))
		}
		by.Store(int64(365 * 24 * time.Hour)) // by mistake, and put right in time
		after(50 * time.Minute)
		by.Store(0)
		after(20 * time.Minute)
		if !there(young) {
			t.Fatal("a clock that was set forward for a while has removed a young task")
		}
		next := finished(24*time.Hour - time.Minute)
		after(3 * time.Minute)
		if there(next) {
			t.Fatal("with the clock put right an old task stays")
		}
		by.Store(int64(365 * 24 * time.Hour)) // for good
		after(2 * time.Hour)
		if there(young) {
			t.Fatal("with the clock set forward for good, nothing goes")
		}
		by.Store(-int64(48 * time.Hour))
		after(2 * time.Minute)
		last := finished(24*time.Hour - time.Minute)
		after(3 * time.Minute)
		if there(last) {
			t.Fatal("with the clock set back, an old task stays")
		}
	})
}
