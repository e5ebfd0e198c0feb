package http

import (
	"encoding/base64"
	"fmt"
	"time"
	"unicode/utf8"

	"cloudai/master/client"
	"cloudai/master/internal/accounts"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

// requestOf turns the wire's task into the core's; faults are inputs that do
// not decode.
func requestOf(b client.TaskRequest) (cluster.TaskRequest, []cluster.FieldError) {
	r := cluster.TaskRequest{
		Image: b.DockerImage, Command: b.Command, Args: b.Args, Name: b.Name,
		CPU: b.CPURequired, Memory: b.MemoryRequired, Storage: b.StorageRequired, GPU: b.GPURequired,
		Env: b.Env, Workdir: b.Workdir, Timeout: b.Timeout, GracePeriod: b.GracePeriod,
		Priority: b.Priority, MaxRetries: b.MaxRetries, MaxReschedules: b.MaxReschedules,
		Labels: b.Labels, Constraints: b.Constraints, TargetWorker: b.TargetWorkerID,
		Network: b.Network, ShmSize: b.ShmSize,
	}
	var faults []cluster.FieldError
	for i, in := range b.Inputs {
		content := []byte(in.Content)
		switch in.Encoding {
		case "", "utf-8":
		case "base64":
			var err error
			if content, err = base64.StdEncoding.DecodeString(in.Content); err != nil {
				faults = append(faults, cluster.FieldError{Location: fmt.Sprintf("inputs[%d].content", i), Message: "is not base64"})
			}
		default:
			faults = append(faults, cluster.FieldError{Location: fmt.Sprintf("inputs[%d].encoding", i), Message: "must be utf-8 or base64"})
		}
		r.Inputs = append(r.Inputs, cluster.InputFile{Path: in.Path, Content: content})
	}
	return r, faults
}

// specOf is the wire's task that asks for the same; requestOf backwards.
func specOf(s cluster.Spec) client.TaskRequest {
	b := client.TaskRequest{
		DockerImage: s.Image, Command: s.Command, Args: s.Args, Name: s.Name,
		CPURequired: &s.Resources.CPU, MemoryRequired: &s.Resources.Memory, StorageRequired: &s.Resources.Storage, GPURequired: &s.Resources.GPU,
		Env: s.Env, Workdir: s.Workdir, Timeout: durationOf(s.Timeout), GracePeriod: s.GracePeriod.String(),
		Priority: &s.Priority, MaxRetries: &s.MaxRetries, MaxReschedules: &s.MaxReschedules,
		Labels: s.Labels, Constraints: s.Constraints, TargetWorkerID: string(s.TargetWorker), Network: s.Network,
	}
	if s.ShmSize > 0 {
		b.ShmSize = &s.ShmSize
	}
	for _, f := range s.Inputs {
		in := client.Input{Path: f.Path, Content: string(f.Content)}
		if !utf8.Valid(f.Content) {
			in.Content, in.Encoding = base64.StdEncoding.EncodeToString(f.Content), "base64"
		}
		b.Inputs = append(b.Inputs, in)
	}
	return b
}

// taskOf is a task as replies carry it.
func taskOf(v coordinator.TaskView) client.Task {
	t := v.Task
	return client.Task{
		TaskID: string(t.ID), Name: t.Spec.Name, UserID: string(t.UserID), DockerImage: t.Spec.Image,
		Command: t.Spec.Command, Args: t.Spec.Args,
		Status: string(t.Status()), State: string(t.State), Attempt: t.Attempt, WorkerID: string(t.WorkerID),
		ExitCode: t.ExitCode, Failure: string(t.Failure), Message: t.Message, CancelRequested: t.CancelRequested,
		Waiting: waitingOf(v.Waiting), QueuePosition: positionOf(v.Waiting), Progress: progressOf(v.Progress),
		CPURequired: t.Spec.Resources.CPU, MemoryRequired: t.Spec.Resources.Memory,
		StorageRequired: t.Spec.Resources.Storage, GPURequired: t.Spec.Resources.GPU,
		CPUUsage: v.CPU, MemoryUsage: v.Memory,
		Env: present(t.Spec.Env), Workdir: t.Spec.Workdir, Priority: t.Spec.Priority,
		Labels: present(t.Spec.Labels), Constraints: present(t.Spec.Constraints),
		TargetWorkerID: string(t.Spec.TargetWorker), Network: t.Spec.Network, ShmSize: t.Spec.ShmSize,
		Inputs:  each(t.Spec.Inputs, inputOf),
		Timeout: durationOf(t.Spec.Timeout), GracePeriod: t.Spec.GracePeriod.String(),
		MaxRetries: t.Spec.MaxRetries, MaxReschedules: t.Spec.MaxReschedules,
		CreatedAt: t.CreatedAt.UTC(), StartedAt: timeOf(t.StartedAt), FinishedAt: timeOf(t.FinishedAt),
		Attempts: each(t.Attempts, attemptOf), Usage: usageOf(t.Usage), RetryOf: string(t.RetryOf), Version: t.Version,
		LogsDeleted: t.LogsDeleted, FilesDeleted: t.Files.Deleted,
	}
}

func inputOf(f cluster.InputFile) client.InputSummary {
	return client.InputSummary{Path: f.Path, Size: len(f.Content)}
}

func attemptOf(a cluster.Attempt) client.Attempt {
	return client.Attempt{
		Attempt: a.Number, WorkerID: string(a.WorkerID), State: string(a.State), Outcome: string(a.Outcome),
		ExitCode: a.ExitCode, Failure: string(a.Failure), Message: a.Message,
		AssignedAt: a.AssignedAt.UTC(), StartedAt: timeOf(a.StartedAt), FinishedAt: timeOf(a.FinishedAt),
		PulledBytes: a.PulledBytes,
	}
}

func eventOf(e cluster.Event) client.Event {
	return client.Event{
		Seq: e.Seq, Time: e.Time.UTC(), WorkerTime: timeOf(e.WorkerTime), Attempt: e.Attempt, State: string(e.State),
		WorkerID: string(e.WorkerID), Cause: e.Cause, Outcome: string(e.Outcome), ExitCode: e.ExitCode,
		Failure: string(e.Failure), Message: e.Message,
	}
}

// waitingOf is nil where nobody has looked for the reason, as in lists.
func waitingOf(w *coordinator.Waiting) *client.Waiting {
	if w == nil || w.Reason == "" {
		return nil
	}
	return &client.Waiting{
		Reason: w.Reason, QueuePosition: w.QueuePosition, Suggestion: w.Suggestion,
		Workers: each(w.Workers, func(r coordinator.WorkerReason) client.WorkerReason {
			return client.WorkerReason{WorkerID: string(r.WorkerID), Reason: r.Reason}
		}),
	}
}

func positionOf(w *coordinator.Waiting) *int {
	if w == nil || w.QueuePosition == 0 {
		return nil
	}
	return &w.QueuePosition
}

func progressOf(p *coordinator.Progress) *client.Progress {
	if p == nil {
		return nil
	}
	return &client.Progress{DoneBytes: p.DoneBytes, TotalBytes: p.TotalBytes}
}

// usageOf is nil for an attempt of which nothing has been measured.
func usageOf(u cluster.Usage) *client.Usage {
	if u == (cluster.Usage{}) {
		return nil
	}
	return &client.Usage{CPUSeconds: u.CPUSeconds, MemoryPeak: u.MemoryPeak, LogBytes: u.LogBytes, OutputBytes: u.OutputBytes}
}

func workerOf(w coordinator.WorkerView) client.Worker {
	out := client.Worker{
		WorkerID: string(w.ID), Address: w.Address, Status: string(w.Status), Message: w.Message, Version: w.Version,
		Labels: present(w.Labels), Total: resourcesOf(w.Total), Allocated: resourcesOf(w.Allocated),
		RunningTasks: each(w.Running, runningOf), RunningCount: w.RunningCount,
		RegisteredAt: w.RegisteredAt.UTC(), LastHeartbeat: timeOf(w.LastHeartbeat),
	}
	if u := w.Used; u != nil {
		out.Used = &client.Resources{CPU: u.CPU, Memory: u.Memory, Storage: u.Storage, GPU: u.GPU}
	}
	return out
}

func telemetryOf(w coordinator.WorkerView) client.Telemetry {
	out := client.Telemetry{
		WorkerID: string(w.ID), IsActive: w.Status != cluster.WorkerLost && w.LeftUntil.IsZero() && !w.LastHeartbeat.IsZero(),
		RunningTasks: each(w.Running, runningOf), LastUpdate: timeOf(w.LastHeartbeat),
	}
	if u := w.Used; u != nil {
		out.CPUUsage, out.MemoryUsage, out.StorageUsage, out.GPUUsage = &u.CPU, &u.Memory, &u.Storage, &u.GPU
	}
	return out
}

func runningOf(r coordinator.RunningView) client.Running {
	return client.Running{TaskID: string(r.TaskID), Attempt: r.Attempt}
}

func resourcesOf(r cluster.Resources) client.Resources {
	return client.Resources{CPU: r.CPU, Memory: r.Memory, Storage: r.Storage, GPU: r.GPU}
}

func clusterOf(c coordinator.ClusterView) client.Cluster {
	return client.Cluster{
		ClusterID: c.ClusterID, Tasks: counts(c.Tasks), OwnTasks: counts(c.OwnTasks), Workers: counts(c.Workers),
		Total: resourcesOf(c.Total), Allocated: resourcesOf(c.Allocated), QueueLength: c.QueueLen,
		Mismatches: mismatchesOf(c.Mismatches),
	}
}

func mismatchesOf(list []coordinator.Mismatch) (out []client.Mismatch) {
	for _, x := range list {
		out = append(out, client.Mismatch{
			Invariant: string(x.Invariant), Message: x.Invariant.InWords(), TaskID: string(x.TaskID), Attempt: x.Attempt,
			WorkerID: string(x.WorkerID), Violation: x.Violation, Age: seconds(x.Age),
		})
	}
	return out
}

func seconds(d time.Duration) string { return d.Round(time.Second).String() }

// healthOf has kinds, counts and ages and nothing else: anybody may ask.
func healthOf(r coordinator.InvariantReport) client.Health {
	h := client.Health{Status: "ok", Invariants: &client.Invariants{
		Violations: r.Violations, Pending: r.Pending, CheckedAt: timeOf(r.CheckedAt), SweptAt: timeOf(r.SweptAt),
		Kinds: []client.InvariantCount{},
	}}
	if r.Violations > 0 {
		h.Status = "degraded"
	}
	for _, k := range r.Kinds {
		h.Invariants.Kinds = append(h.Invariants.Kinds, client.InvariantCount{
			Invariant: string(k.Invariant), Message: k.Invariant.InWords(),
			Violations: k.Violations, Pending: k.Pending, Oldest: seconds(k.Oldest),
		})
	}
	return h
}

func counts[K ~string](m map[K]int) map[string]int {
	out := make(map[string]int, len(m))
	for k, n := range m {
		out[string(k)] = n
	}
	return out
}

func fileOf(f cluster.File) client.File {
	return client.File{Path: f.Path, Size: f.Size, SHA256: f.SHA256, ContentType: f.ContentType}
}

func skippedOf(f cluster.SkippedFile) client.Skipped {
	return client.Skipped{Path: f.Path, Reason: f.Reason}
}

func taskFilesOf(t cluster.Task) client.TaskFiles {
	return client.TaskFiles{
		TaskID: string(t.ID), TaskName: t.Spec.Name, UserID: string(t.UserID),
		Files: t.Files.Count, TotalSize: t.Files.TotalSize, CreatedAt: t.CreatedAt.UTC(),
	}
}

// each converts a slice; what comes back is never nil, so that it is [] on the
// wire.
func each[A, B any](in []A, convert func(A) B) []B {
	out := make([]B, len(in))
	for i, v := range in {
		out[i] = convert(v)
	}
	return out
}

// present is the map, or an empty one, so that it is {} on the wire.
func present(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// timeOf is nil for a time that is not known.
func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// durationOf is empty for none.
func durationOf(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func taskMetricsOf(u coordinator.UsageView) client.TaskMetrics {
	return client.TaskMetrics{
		TaskID: string(u.TaskID), Attempt: u.Attempt, CPULimit: u.Limits.CPU, MemoryLimit: u.Limits.Memory,
		Samples: each(u.Samples, func(s cluster.UsageSample) client.TaskSample {
			return client.TaskSample{Time: s.Time.UTC(), CPU: s.CPU, Memory: s.Memory}
		}),
	}
}

func workerMetricsOf(w cluster.Worker, samples []cluster.Sample) client.WorkerMetrics {
	return client.WorkerMetrics{
		WorkerID: string(w.ID), Total: resourcesOf(w.Total),
		Samples: each(samples, func(s cluster.Sample) client.WorkerSample {
			return client.WorkerSample{Time: s.Time.UTC(), CPU: s.CPU, Memory: s.Memory, Storage: s.Storage, GPU: s.GPU}
		}),
	}
}

func userOf(u cluster.User) client.User {
	return client.User{
		ID: string(u.ID), Name: u.Name, Email: u.Email, Role: string(u.Role), Disabled: u.Disabled, CreatedAt: u.CreatedAt.UTC(),
	}
}

func fileUseOf(u cluster.FileUse) *client.FileUse {
	out := &client.FileUse{Used: u.Used}
	if u.Bounded() {
		out.Quota = &u.Quota
	}
	return out
}

func sessionOf(s accounts.Session) client.Session {
	return client.Session{User: userOf(s.User), Token: s.Token, ExpiresAt: s.ExpiresAt.UTC()}
}

func tokenOf(t cluster.APIToken) client.APIToken {
	return client.APIToken{
		ID: t.ID, Name: t.Name, Scopes: each(t.Scopes, func(s cluster.Scope) string { return string(s) }),
		ExpiresAt: timeOf(t.ExpiresAt), CreatedAt: t.CreatedAt.UTC(), LastUsedAt: timeOf(t.LastUsedAt),
	}
}
