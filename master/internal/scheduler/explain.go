package scheduler

import (
	"fmt"
	"strings"

	"cloudai/master/internal/cluster"
)

// Reason is why one worker does not take a task.
type Reason struct {
	WorkerID cluster.WorkerID
	Text     string
}

// Explanation says why a task waits.
type Explanation struct {
	Unschedulable bool // no worker could take it even when idle
	Summary       string
	Suggestion    string
	Reasons       []Reason // at most the asked number, by worker id
}

// Explain says in words why a task waits, naming at most limit workers.
func Explain(need Need, candidates []Candidate, limit int) Explanation {
	if len(candidates) == 0 {
		return Explanation{
			Summary:    "no worker is registered",
			Suggestion: "start a worker with ./runWorker.sh",
		}
	}
	e := Explanation{Unschedulable: true}
	free, open := false, false
	for n := range candidates {
		c := &candidates[n]
		able := could(need, c)
		e.Unschedulable = e.Unschedulable && !able
		free = free || fits(need, c)
		open = open || able && c.Closed == ""
		if len(e.Reasons) < limit {
			text, _ := Refusal(need, *c)
			if text == "" {
				text = "has room; the task's turn has not come"
			}
			e.Reasons = append(e.Reasons, Reason{WorkerID: c.ID, Text: text})
		} else if free && !e.Unschedulable {
			break // nothing to learn from the others
		}
	}
	switch {
	case e.Unschedulable:
		e.Summary, e.Suggestion = unschedulable(need, candidates)
	case free:
		e.Summary = "its turn comes next"
	case !open:
		e.Summary, e.Suggestion = "no worker that could take it takes tasks now", "look at what each worker says, or add another one like it"
	default:
		e.Summary = "no worker has room now"
	}
	return e
}

// unschedulable names what is asked and the largest that any worker has.
func unschedulable(need Need, candidates []Candidate) (summary, suggestion string) {
	var largest cluster.Resources
	var cpuAt, memoryAt, storageAt, gpuAt cluster.WorkerID
	matching := 0
	for _, c := range candidates {
		if (need.Target != "" && need.Target != c.ID) || mismatch(need.Constraints, c.Labels) != "" {
			continue
		}
		matching++
		if c.Total.CPU > largest.CPU || cpuAt == "" {
			largest.CPU, cpuAt = c.Total.CPU, c.ID
		}
		if c.Total.Memory > largest.Memory || memoryAt == "" {
			largest.Memory, memoryAt = c.Total.Memory, c.ID
		}
		if c.Total.Storage > largest.Storage || storageAt == "" {
			largest.Storage, storageAt = c.Total.Storage, c.ID
		}
		if c.Total.GPU > largest.GPU || gpuAt == "" {
			largest.GPU, gpuAt = c.Total.GPU, c.ID
		}
	}
	if matching == 0 {
		if need.Target != "" {
			return fmt.Sprintf("unschedulable: no worker %s is registered, or its labels differ", need.Target),
				"register that worker, or submit without target_worker_id"
		}
		return "unschedulable: no worker has the labels that the constraints ask for",
			"give a worker these labels (WORKER_LABELS), or submit with other constraints"
	}
	var lacks []string
	r := need.Resources
	if r.CPU > largest.CPU {
		lacks = append(lacks, fmt.Sprintf("cpu: asked %g, largest %s has %g", r.CPU, cpuAt, largest.CPU))
	}
	if r.Memory > largest.Memory {
		lacks = append(lacks, fmt.Sprintf("memory: asked %d MiB, largest %s has %d MiB", r.Memory, memoryAt, largest.Memory))
	}
	if r.Storage > largest.Storage {
		lacks = append(lacks, fmt.Sprintf("storage: asked %d MiB, largest %s has %d MiB", r.Storage, storageAt, largest.Storage))
	}
	if r.GPU > largest.GPU {
		lacks = append(lacks, fmt.Sprintf("gpu: asked %d, largest %s has %d", r.GPU, gpuAt, largest.GPU))
	}
	if len(lacks) == 0 {
		lacks = append(lacks, "no single worker has all that is asked together")
	}
	return "unschedulable: " + strings.Join(lacks, "; "), "ask for less, or add a larger worker"
}
