package coordinator

import (
	"errors"
	"testing"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// What a worker says of an attempt's end is read with distrust.
func TestVerdictOfACompletion(t *testing.T) {
	said := func(outcome cluster.Outcome, failure cluster.Failure, code int) Completion {
		return Completion{Outcome: outcome, Observation: cluster.Observation{Failure: failure, ExitCode: &code}}
	}
	for name, c := range map[string]struct {
		said      Completion
		cancelled bool
		outcome   cluster.Outcome
		failure   cluster.Failure
	}{
		"success":                         {said: said(cluster.OutcomeSuccess, "", 0), outcome: cluster.OutcomeSuccess},
		"success with a failure":          {said: said(cluster.OutcomeSuccess, cluster.FailureOOM, 0), outcome: cluster.OutcomeSuccess},
		"success with an exit code":       {said: said(cluster.OutcomeSuccess, "", 3), outcome: cluster.OutcomeFailed, failure: cluster.FailureExit},
		"a failure":                       {said: said(cluster.OutcomeFailed, cluster.FailureOOM, 137), outcome: cluster.OutcomeFailed, failure: cluster.FailureOOM},
		"a failure of no class":           {said: said(cluster.OutcomeFailed, "bad luck", 1), outcome: cluster.OutcomeFailed, failure: cluster.FailureRuntime},
		"the loss of itself":              {said: said(cluster.OutcomeFailed, cluster.FailureWorkerLost, 1), outcome: cluster.OutcomeFailed, failure: cluster.FailureRuntime},
		"cancelled, which nobody ordered": {said: said(cluster.OutcomeCancelled, "", 143), outcome: cluster.OutcomeFailed, failure: cluster.FailureRuntime},
		"success of a cancelled one":      {said: said(cluster.OutcomeSuccess, "", 0), cancelled: true, outcome: cluster.OutcomeCancelled},
		"failure of a cancelled one":      {said: said(cluster.OutcomeFailed, cluster.FailureExit, 1), cancelled: true, outcome: cluster.OutcomeCancelled},
	} {
		v := verdictOf(cluster.Task{CancelRequested: c.cancelled}, c.said)
		if v.Outcome != c.outcome || v.Failure != c.failure || v.Message == "" && v.Outcome == cluster.OutcomeFailed {
			t.Errorf("%s: %s, %s (%q); want %s, %s", name, v.Outcome, v.Failure, v.Message, c.outcome, c.failure)
		}
	}
}

// A success has been through every state, and an attempt that was given up has no
// result, also while the store does not take its loss.
func TestResultThatIsNotTaken(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	e, a := d.place("t", spec())
	d.answer(a, nil)
	early := d.completion(e, cluster.OutcomeSuccess, "")
	early.Observation.States = upTo(cluster.StateUploadFiles, d.now)
	if _, _, err := d.m.judge(d.now, early); !errors.Is(err, cluster.ErrIllegalTransition) {
		t.Errorf("before its report: %v", err)
	}
	d.settle(d.m.lose(d.now, e, d.m.lostWorker(e)), db.ErrUnavailable)
	if _, _, err := d.m.judge(d.now, d.completion(e, cluster.OutcomeSuccess, "")); !errors.Is(err, cluster.ErrUnavailable) {
		t.Errorf("given up: %v", err)
	}
}

// A read-back finds another master's write, though version and state are alike.
func TestReadBackOfAnothersAssignment(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	d.submit("t", spec())
	w := d.m.dispatch(d.now).writes[0]
	stored := w.Task
	stored.Lease = "another"
	if st := d.m.readBack(d.now, w, stored, false); !errors.Is(st.fatal, db.ErrVersion) {
		t.Fatalf("%v", st.fatal)
	}
}
