package coordinator

import (
	"fmt"
	"reflect"
	"strings"

	"cloudai/master/internal/cluster"
)

// counts say what a number of runs contained, so that it shows what the model
// explores.
type counts struct {
	Runs, Events                              int
	MasterKills, WorkerKills, Leaves          int
	HostsGone, EngineStops, Vanished          int
	Cuts, Dropped, Delayed, Repeated          int
	Timeouts, BrokenStreams, StoreFaults      int
	Submits, Cancels, Starts, Refusals        int
	Adoptions, LostWorkers, LogPushes         int
	Requeues, RequeuesFree, AttemptsLost      int
	Verdicts, Succeeded, Cancelled            int
	Exit, OOM, Timeout, Image, Registry       int
	Runtime, WorkerLost, Upload, FilesOfTasks int
}

// verdict counts a task's end by its class.
func (c *counts) verdict(t cluster.Task) {
	c.Verdicts++
	c.FilesOfTasks += t.Files.Count
	switch t.Outcome {
	case cluster.OutcomeSuccess:
		c.Succeeded++
	case cluster.OutcomeCancelled:
		c.Cancelled++
	case cluster.OutcomeFailed:
	}
	switch t.Failure {
	case cluster.FailureExit:
		c.Exit++
	case cluster.FailureOOM:
		c.OOM++
	case cluster.FailureTimeout:
		c.Timeout++
	case cluster.FailureImage:
		c.Image++
	case cluster.FailureRegistry:
		c.Registry++
	case cluster.FailureRuntime:
		c.Runtime++
	case cluster.FailureWorkerLost:
		c.WorkerLost++
	case cluster.FailureUpload:
		c.Upload++
	case cluster.FailureStorage: // no container of the model writes so much
	}
}

// add adds up what several goroutines have counted.
func (c *counts) add(o counts) {
	sum, more := reflect.ValueOf(c).Elem(), reflect.ValueOf(o)
	for i := range sum.NumField() {
		sum.Field(i).SetInt(sum.Field(i).Int() + more.Field(i).Int())
	}
}

// each gives every count with its name.
func (c counts) each(yield func(name string, n int64)) {
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		yield(v.Type().Field(i).Name, v.Field(i).Int())
	}
}

func (c counts) String() string {
	var out []string
	c.each(func(name string, n int64) { out = append(out, fmt.Sprintf("%s %d", name, n)) })
	return strings.Join(out, ", ")
}
