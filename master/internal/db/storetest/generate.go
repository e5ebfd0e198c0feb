package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"cloudai/master/internal/cluster"
)

// queued is a plain task that waits.
func queued(id string, created time.Time) cluster.Task {
	return cluster.NewTask(cluster.TaskID(id), "u1", cluster.Spec{
		Image: "busybox", Args: []string{"true"}, Name: "task " + id,
		Resources: cluster.Resources{CPU: 1, Memory: 512, Storage: 1024},
	}, created)
}

// assigned is the task placed on a worker.
func assigned(task cluster.Task, worker cluster.WorkerID, at time.Time) cluster.Task {
	return sure(task.Assign(worker, fmt.Sprintf("lease-%s-%d", task.ID, task.Attempt), at))
}

// running is the placed task with its container started.
func running(task cluster.Task, at time.Time) cluster.Task {
	next, _, err := task.Observe(cluster.Observation{States: []cluster.StateTime{
		{State: cluster.StateImagePulled, Time: at}, {State: cluster.StateContainerCreated, Time: at}, {State: cluster.StateRunning, Time: at},
	}}, at)
	return sure(next, err)
}

// failed is the placed task ended with a failure.
func failed(task cluster.Task, failure cluster.Failure, at time.Time) cluster.Task {
	code := 1
	return sure(task.Finish(cluster.Verdict{
		Outcome: cluster.OutcomeFailed, ExitCode: &code, Failure: failure, Message: "it ended badly", Cause: "result",
	}, at))
}

// succeeded is the running task ended well, with a summary of its files.
func succeeded(task cluster.Task, files cluster.FilesSummary, at time.Time) cluster.Task {
	zero := 0
	next, _, err := task.Observe(cluster.Observation{Outcome: cluster.OutcomeSuccess, ExitCode: &zero, States: []cluster.StateTime{
		{State: cluster.StateCollectOutput, Time: at}, {State: cluster.StateUploadFiles, Time: at}, {State: cluster.StateReportResult, Time: at},
	}}, at)
	return sure(sure(next, err).Finish(cluster.Verdict{Outcome: cluster.OutcomeSuccess, ExitCode: &zero, Cause: "result", Files: files}, at))
}

// cancelled is the waiting task called off.
func cancelled(task cluster.Task, at time.Time) cluster.Task {
	next, _, err := task.RequestCancel("u1", at)
	return sure(next, err)
}

// sure is for transitions that the suite knows to be legal.
func sure(task cluster.Task, err error) cluster.Task {
	if err != nil {
		panic(err)
	}
	return task
}

// randomTask is a task somewhere in its life, from few enough names that
// filters find several.
func randomTask(r *rand.Rand, n int) cluster.Task {
	at := minute(r.IntN(20)) // times are shared by several tasks
	task := queued(fmt.Sprintf("t%04d", r.IntN(10_000)*1000+n), at)
	task.UserID = pick(r, cluster.UserID("u1"), "u2", "u3")
	task.Spec.Name = pick(r, "", "a", "ab", "ab%", "ab_c", "abc", "Abc", "ähre", "b")
	task.Spec.Image = pick(r, "busybox", "Alpine:3", "local/x")
	task.Spec.Command = pick(r, "", "echo ABC", "sleep 5 && echo Ä")
	task.Spec.Labels = pick(r, nil, map[string]string{}, map[string]string{"team": "a"},
		map[string]string{"team": "b", "env": "x"}, map[string]string{"team": "a", "env": "x"}, map[string]string{"team": "a\":\"b"})
	if r.IntN(6) == 0 {
		return task
	}
	if r.IntN(6) == 0 {
		return cancelled(task, at)
	}
	task = assigned(task, pick(r, cluster.WorkerID("w1"), "w2", "w3"), at)
	switch r.IntN(5) {
	case 0:
		return running(task, at)
	case 1:
		return failed(task, pick(r, cluster.Failures...), at)
	case 2:
		return succeeded(running(task, at), cluster.FilesSummary{}, at)
	case 3:
		return sure(task.Requeue(cluster.Verdict{Failure: cluster.FailureWorkerLost, Cause: "worker_lost"}, cluster.BudgetFree, time.Time{}, at))
	}
	return task
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// fill sets every field of a value, however deep, to something that is not
// zero, so that a field that a backend forgets is noticed.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(base.Add(time.Duration(*n) * time.Nanosecond)))
		return
	}
	switch v.Kind() { // the domain has no other kinds
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("storetest: cannot fill a " + v.Type().String())
	}
}

// Filled is a value with every field set.
func Filled[T any]() T {
	var v T
	n := 0
	fill(reflect.ValueOf(&v).Elem(), &n)
	return v
}
