package document

import (
	"encoding/json"
	"fmt"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// each converts a list and keeps nil apart from empty.
func each[A, B any](list []A, f func(A) B) []B {
	if list == nil {
		return nil
	}
	out := make([]B, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

// Marshal writes JSON; it fails only for what no document can say, such as a number that is
// not a number.
func Marshal(table, id string, doc any) ([]byte, error) {
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("%w: table %s, row %q: %w", cluster.ErrInvalid, table, id, err)
	}
	return b, nil
}

// unmarshal checks a document against its checksum, then decodes it.
func unmarshal(table, id string, number, sum int64, b []byte, doc any) error {
	if sum != Sum(id, number, b) {
		return Damaged(table, id, "checksum does not match")
	}
	if err := json.Unmarshal(b, doc); err != nil {
		return Damaged(table, id, err.Error())
	}
	return nil
}

// EncodeTask writes all of a task but its id and version. The error is a
// cluster.ErrInvalid.
func EncodeTask(t *cluster.Task) ([]byte, error) {
	return Marshal("tasks", string(t.ID), &taskDoc{
		User: t.UserID, Spec: toSpec(&t.Spec), RetryOf: t.RetryOf, State: t.State, Attempt: t.Attempt,
		Worker: t.WorkerID, Lease: t.Lease, Cancel: t.CancelRequested, CancelledBy: t.CancelledBy,
		Retries: t.Retries, Reschedules: t.Reschedules, NotBefore: toStamp(t.NotBefore),
		Outcome: t.Outcome, ExitCode: t.ExitCode, Failure: t.Failure, Message: t.Message,
		Created: toStamp(t.CreatedAt), Queued: toStamp(t.QueuedAt),
		Started: toStamp(t.StartedAt), Finished: toStamp(t.FinishedAt),
		Attempts: each(t.Attempts, toAttempt), Events: each(t.Events, toEvent), Usage: usageDoc(t.Usage),
		Files: filesDoc{
			Attempt: t.Files.Attempt, Count: t.Files.Count, TotalSize: t.Files.TotalSize, Deleted: t.Files.Deleted,
			Skipped: each(t.Files.Skipped, func(f cluster.SkippedFile) skippedDoc { return skippedDoc(f) }),
		},
		LogsDeleted: t.LogsDeleted,
	})
}

// DecodeTask reads what EncodeTask wrote, after a look at its checksum; a
// db.ErrDamaged.
func DecodeTask(id string, version, sum int64, b []byte) (cluster.Task, error) {
	var d taskDoc
	if err := unmarshal("tasks", id, version, sum, b, &d); err != nil {
		return cluster.Task{}, err
	}
	return cluster.Task{
		ID: cluster.TaskID(id), UserID: d.User, Spec: fromSpec(&d.Spec), RetryOf: d.RetryOf, Version: version,
		State: d.State, Attempt: d.Attempt, WorkerID: d.Worker, Lease: d.Lease,
		CancelRequested: d.Cancel, CancelledBy: d.CancelledBy, Retries: d.Retries, Reschedules: d.Reschedules,
		NotBefore: d.NotBefore.time(), Outcome: d.Outcome, ExitCode: d.ExitCode, Failure: d.Failure, Message: d.Message,
		CreatedAt: d.Created.time(), QueuedAt: d.Queued.time(),
		StartedAt: d.Started.time(), FinishedAt: d.Finished.time(),
		Attempts: each(d.Attempts, fromAttempt), Events: each(d.Events, fromEvent), Usage: cluster.Usage(d.Usage),
		Files: cluster.FilesSummary{
			Attempt: d.Files.Attempt, Count: d.Files.Count, TotalSize: d.Files.TotalSize, Deleted: d.Files.Deleted,
			Skipped: each(d.Files.Skipped, func(f skippedDoc) cluster.SkippedFile { return cluster.SkippedFile(f) }),
		},
		LogsDeleted: d.LogsDeleted,
	}, nil
}

func toSpec(s *cluster.Spec) specDoc {
	return specDoc{
		Image: s.Image, Command: s.Command, Args: s.Args, Name: s.Name, Resources: resourcesDoc(s.Resources),
		Env: s.Env, Workdir: s.Workdir, Timeout: s.Timeout, GracePeriod: s.GracePeriod, Priority: s.Priority,
		MaxRetries: s.MaxRetries, MaxReschedules: s.MaxReschedules, Labels: s.Labels, Constraints: s.Constraints,
		TargetWorker: s.TargetWorker, Network: s.Network, ShmSize: s.ShmSize,
		Inputs: each(s.Inputs, func(f cluster.InputFile) inputDoc { return inputDoc(f) }),
	}
}

func fromSpec(d *specDoc) cluster.Spec {
	return cluster.Spec{
		Image: d.Image, Command: d.Command, Args: d.Args, Name: d.Name, Resources: cluster.Resources(d.Resources),
		Env: d.Env, Workdir: d.Workdir, Timeout: d.Timeout, GracePeriod: d.GracePeriod, Priority: d.Priority,
		MaxRetries: d.MaxRetries, MaxReschedules: d.MaxReschedules, Labels: d.Labels, Constraints: d.Constraints,
		TargetWorker: d.TargetWorker, Network: d.Network, ShmSize: d.ShmSize,
		Inputs: each(d.Inputs, func(f inputDoc) cluster.InputFile { return cluster.InputFile(f) }),
	}
}

func toAttempt(a cluster.Attempt) attemptDoc {
	return attemptDoc{
		Number: a.Number, Worker: a.WorkerID, Lease: a.Lease, State: a.State, Reported: a.Reported,
		Outcome: a.Outcome, ExitCode: a.ExitCode, Failure: a.Failure, Message: a.Message,
		Assigned: toStamp(a.AssignedAt), Started: toStamp(a.StartedAt), Finished: toStamp(a.FinishedAt),
		Pulled: a.PulledBytes,
	}
}

func fromAttempt(d attemptDoc) cluster.Attempt {
	return cluster.Attempt{
		Number: d.Number, WorkerID: d.Worker, Lease: d.Lease, State: d.State, Reported: d.Reported,
		Outcome: d.Outcome, ExitCode: d.ExitCode, Failure: d.Failure, Message: d.Message,
		AssignedAt: d.Assigned.time(), StartedAt: d.Started.time(), FinishedAt: d.Finished.time(),
		PulledBytes: d.Pulled,
	}
}

func toEvent(e cluster.Event) eventDoc {
	return eventDoc{
		Seq: e.Seq, Time: toStamp(e.Time), WorkerTime: toStamp(e.WorkerTime), Attempt: e.Attempt, State: e.State,
		Worker: e.WorkerID, Cause: e.Cause, Outcome: e.Outcome, ExitCode: e.ExitCode, Failure: e.Failure, Message: e.Message,
	}
}

func fromEvent(d eventDoc) cluster.Event {
	return cluster.Event{
		Seq: d.Seq, Time: d.Time.time(), WorkerTime: d.WorkerTime.time(), Attempt: d.Attempt, State: d.State,
		WorkerID: d.Worker, Cause: d.Cause, Outcome: d.Outcome, ExitCode: d.ExitCode, Failure: d.Failure, Message: d.Message,
	}
}

// EncodeResult writes all of a result but its task and attempt.
func EncodeResult(r *db.Result) ([]byte, error) {
	return Marshal("results", string(r.Ref.TaskID), &resultDoc{
		Lease: r.Ref.Lease, Worker: r.WorkerID, Outcome: r.Outcome, ExitCode: r.ExitCode, Failure: r.Failure,
		Message: r.Message, Stored: toStamp(r.StoredAt), Usage: usageDoc(r.Usage), Samples: each(r.Samples, toSample),
	})
}

// DecodeResult reads what EncodeResult wrote.
func DecodeResult(id string, attempt, sum int64, b []byte) (db.Result, error) {
	var d resultDoc
	if err := unmarshal("results", id, attempt, sum, b, &d); err != nil {
		return db.Result{}, err
	}
	return db.Result{
		Ref:      cluster.AttemptRef{TaskID: cluster.TaskID(id), Attempt: int(attempt), Lease: d.Lease},
		WorkerID: d.Worker, Outcome: d.Outcome, ExitCode: d.ExitCode, Failure: d.Failure,
		Message: d.Message, StoredAt: d.Stored.time(), Usage: cluster.Usage(d.Usage), Samples: each(d.Samples, fromSample),
	}, nil
}

func toSample(m cluster.UsageSample) sampleDoc {
	return sampleDoc{Time: toStamp(m.Time), CPU: m.CPU, Memory: m.Memory}
}

func fromSample(d sampleDoc) cluster.UsageSample {
	return cluster.UsageSample{Time: d.Time.time(), CPU: d.CPU, Memory: d.Memory}
}

// EncodeWorker writes all of a worker but its id.
func EncodeWorker(w *cluster.Worker) ([]byte, error) {
	return Marshal("workers", string(w.ID), &workerDoc{
		Address: w.Address, Session: w.Session, Fingerprint: w.Fingerprint, Version: w.Version, Labels: w.Labels,
		Total: resourcesDoc(w.Total), Draining: w.Draining, Lost: w.Lost, Barred: w.Barred,
		Registered: toStamp(w.RegisteredAt), LeftUntil: toStamp(w.LeftUntil),
	})
}

// DecodeWorker reads what EncodeWorker wrote.
func DecodeWorker(id string, sum int64, b []byte) (cluster.Worker, error) {
	var d workerDoc
	if err := unmarshal("workers", id, 0, sum, b, &d); err != nil {
		return cluster.Worker{}, err
	}
	return cluster.Worker{
		ID: cluster.WorkerID(id), Address: d.Address, Session: d.Session, Fingerprint: d.Fingerprint, Version: d.Version,
		Labels: d.Labels, Total: cluster.Resources(d.Total), Draining: d.Draining, Lost: d.Lost, Barred: d.Barred,
		RegisteredAt: d.Registered.time(), LeftUntil: d.LeftUntil.time(),
	}, nil
}
