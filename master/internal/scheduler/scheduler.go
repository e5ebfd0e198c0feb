// Package scheduler decides which worker takes a task. Policies are pure
// functions of what they are given: no clock, no lock, no store. A new policy
// implements Policy and gets a name in New.
package scheduler

import (
	"fmt"
	"slices"
	"strings"

	"cloudai/master/internal/cluster"
)

// Need is what a task asks of a worker.
type Need struct {
	Resources   cluster.Resources
	Constraints map[string]string
	Target      cluster.WorkerID // empty: any
}

// NeedOf takes from a spec what placing looks at.
func NeedOf(s cluster.Spec) Need {
	return Need{Resources: s.Resources, Constraints: s.Constraints, Target: s.TargetWorker}
}

// Shape is equal for needs that every worker answers alike.
func (n Need) Shape() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%g/%d/%d/%d/%q", n.Resources.CPU, n.Resources.Memory, n.Resources.Storage, n.Resources.GPU, n.Target)
	keys := make([]string, 0, len(n.Constraints))
	for k := range n.Constraints {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		fmt.Fprintf(&b, "/%q=%q", k, n.Constraints[k])
	}
	return b.String()
}

// Candidate is a worker as placing sees it.
type Candidate struct {
	ID     cluster.WorkerID
	Closed string // why it takes nothing now; empty: open
	Total  cluster.Resources
	Free   cluster.Resources
	Labels map[string]string
}

// Policy chooses among candidates, which come sorted by id and are not to be
// kept. last is the worker chosen before, "" at first. ok is false when none
// can take the task now; then none can take one that asks for more.
type Policy interface {
	Place(need Need, candidates []Candidate, last cluster.WorkerID) (chosen int, ok bool)
}

// New gives the policy of that name.
func New(name string) (Policy, error) {
	switch name {
	case "round-robin":
		return RoundRobin{}, nil
	}
	return nil, fmt.Errorf("unknown scheduler %q, known is round-robin", name)
}

// Refusal is why this candidate does not take the task now; "" when it does.
// never is true when it could not even if it were idle and open.
func Refusal(need Need, c Candidate) (reason string, never bool) {
	if need.Target != "" && need.Target != c.ID {
		return "the task asks for worker " + string(need.Target), true
	}
	if reason := mismatch(need.Constraints, c.Labels); reason != "" {
		return reason, true
	}
	if lack := need.Resources.Lacking(c.Total, "has"); lack != "" {
		return lack, true
	}
	if c.Closed != "" {
		return c.Closed, false
	}
	return need.Resources.Lacking(c.Free, "free"), false
}

func mismatch(constraints, labels map[string]string) string {
	worst := ""
	for k, want := range constraints {
		have, ok := labels[k]
		if ok && have == want {
			continue
		}
		reason := fmt.Sprintf("label %s: asked %s, worker has none", k, want)
		if ok {
			reason = fmt.Sprintf("label %s: asked %s, worker has %s", k, want, have)
		}
		if worst == "" || reason < worst {
			worst = reason
		}
	}
	return worst
}

// fits is Refusal without words, for the hot path.
func fits(need Need, c *Candidate) bool {
	return c.Closed == "" && need.Resources.Fits(c.Free) && allowed(need, c)
}

// could reports whether the candidate would take it when idle and open.
func could(need Need, c *Candidate) bool {
	return need.Resources.Fits(c.Total) && allowed(need, c)
}

// allowed reports whether target and constraints let the task go there.
func allowed(need Need, c *Candidate) bool {
	if need.Target != "" && need.Target != c.ID {
		return false
	}
	for k, want := range need.Constraints {
		if have, ok := c.Labels[k]; !ok || have != want {
			return false
		}
	}
	return true
}
