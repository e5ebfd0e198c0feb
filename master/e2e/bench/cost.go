package main

import (
	"fmt"
	"syscall"
	"time"

	"cloudai/master/e2e/rig"
)

// cost is processor time by who used it. Unlike times on the clock it hardly
// depends on what else the machine does.
type cost struct{ master, workers, self time.Duration }

// costOf is what the cluster's processes and this one have used so far.
func costOf(r *rig.Rig) (c cost, err error) {
	if c.master, err = r.Master.CPU(); err != nil {
		return c, err
	}
	for _, w := range r.Workers() {
		used, err := w.CPU()
		if err != nil {
			return c, err
		}
		c.workers += used
	}
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return c, err
	}
	c.self = time.Duration(use.Utime.Nano() + use.Stime.Nano())
	return c, nil
}

// since is what was used after the earlier cost, per one of n.
func (c cost) since(before cost, n int) string {
	each := func(now, then time.Duration) float64 { return float64(now-then) / float64(n) / 1e6 }
	return fmt.Sprintf("master %.2f ms, workers %.2f ms, clients %.2f ms",
		each(c.master, before.master), each(c.workers, before.workers), each(c.self, before.self))
}
