package coordinator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// trail watches the commits of a task: each must add to what was told before, and
// tell of every change it makes.
type trail struct {
	last   cluster.Task
	faults []string
}

func (w *trail) see(writes []db.Write) []error {
	for _, write := range writes {
		next := write.Task
		before, now := w.last.Events, next.Events
		if len(now) < len(before) || len(before) > 0 && fmt.Sprint(now[:len(before)]) != fmt.Sprint(before) {
			w.faults = append(w.faults, fmt.Sprintf("version %d changes what was told before", next.Version))
			continue
		}
		added := now[len(before):]
		moved := next.State != w.last.State || next.Attempt != w.last.Attempt
		told := slices.ContainsFunc(added, func(e cluster.Event) bool { return e.State == next.State && e.Attempt == next.Attempt })
		asked := slices.ContainsFunc(added, func(e cluster.Event) bool { return e.Cause == "cancel_requested" })
		if moved && !told || next.CancelRequested && !w.last.CancelRequested && !asked {
			w.faults = append(w.faults, fmt.Sprintf("version %d, attempt %d %s, adds only %v", next.Version, next.Attempt, next.State, added))
		}
		w.last = next
	}
	return nil
}

// The trail of a task is complete: over a retry, a loss, a restart of the master
// and a cancel each change has an event with its time, attempt, worker and cause,
// which no later one takes back.
func TestTrailIsComplete(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var watched trail
		r.store.set(func(s *shakyStore) { s.commit = watched.see })
		r.join("w", "s1")
		retries, reschedules := 1, 1
		v, err := r.c.Submit(t.Context(), ann, cluster.TaskRequest{Image: "i", MaxRetries: &retries, MaxReschedules: &reschedules}, Once{})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		report := func(last cluster.State, session string) {
			t.Helper()
			if err := r.c.Progress(t.Context(), ProgressReport{
				Caller: from("w", session), Ref: r.task(v.ID).Ref(), Observation: cluster.Observation{States: upTo(last, time.Now())},
			}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // progress rides in a batch
			synctest.Wait()
		}
		end := func(failure cluster.Failure, code int, session string) {
			t.Helper()
			done := success(r.task(v.ID).Ref(), session)
			done.Outcome, done.Observation.Outcome, done.Observation.ExitCode = cluster.OutcomeFailed, cluster.OutcomeFailed, &code
			done.Observation.Failure, done.Manifest = failure, Manifest{}
			if _, err := r.c.Complete(t.Context(), done); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		report(cluster.StateRunning, "s1")
		end(cluster.FailureExit, 3, "s1") // attempt 1 fails and is tried again
		time.Sleep(8 * time.Second)
		synctest.Wait()
		report(cluster.StateContainerCreated, "s1")
		time.Sleep(20 * time.Second) // attempt 2 is lost with its worker
		synctest.Wait()
		r.restart()
		r.join("w", "s2")
		time.Sleep(8 * time.Second)
		synctest.Wait()
		report(cluster.StateRunning, "s2")
		for range 2 { // asked twice, told once
			if _, err := r.c.Cancel(t.Context(), ann, v.ID); err != nil {
				t.Fatal(err)
			}
		}
		end(cluster.FailureExit, 143, "s2") // attempt 3 ends as it was told to
		got, err := r.c.Task(t.Context(), ann, v.ID)
		if err != nil || got.Status() != cluster.StatusCancelled {
			t.Fatalf("%s, %v", got.Status(), err)
		}
		want := strings.Split(`1 created  submit
1 queued  submit
1 assigned w dispatch
1 image_pulled w progress
1 container_created w progress
1 running w progress
1 collect_output w progress exit 3
1 upload_files w progress
1 report_result w progress
2 queued w result exit 3 failure exit
2 assigned w dispatch
2 image_pulled w progress
2 container_created w progress
3 queued w worker_lost failure worker_lost
3 assigned w dispatch
3 image_pulled w progress
3 container_created w progress
3 running w progress
3 running w cancel_requested
3 collect_output w progress exit 143
3 upload_files w progress
3 report_result w progress
3 stored w result exit 143`, "\n")
		var told []string
		for n, e := range got.Events {
			line := fmt.Sprintf("%d %s %s %s", e.Attempt, e.State, e.WorkerID, e.Cause)
			if e.ExitCode != nil {
				line += fmt.Sprintf(" exit %d", *e.ExitCode)
			}
			if e.Failure != "" && e.State != cluster.StateCollectOutput {
				line += " failure " + string(e.Failure)
			}
			told = append(told, line)
			if e.Seq != n+1 || e.Time.IsZero() || n > 0 && e.Time.Before(got.Events[n-1].Time) || e.Cause == "progress" && e.WorkerTime.IsZero() {
				t.Errorf("event %d is %+v", n+1, e)
			}
		}
		if !slices.Equal(told, want) {
			t.Errorf("told is\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
		}
		if len(watched.faults) > 0 || watched.last.Version < 6 {
			t.Errorf("in %d versions: %v", watched.last.Version, watched.faults)
		}
	})
}
