package coordinator

import "time"

// decide runs one step of the machine under the lock and publishes what it
// has applied, in that order for every subscriber.
func (c *Coordinator) decide(next func(time.Time) step) step {
	st, _ := c.try(func(now time.Time) (step, error) { return next(now), nil })
	return st
}

// try is decide for a step that may refuse; who observes hears of what it has
// applied once the lock is free.
func (c *Coordinator) try(next func(time.Time) (step, error)) (step, error) {
	st, err := c.underLock(next)
	if c.observe != nil {
		for _, e := range st.events {
			if e.Task != nil {
				c.observe(*e.Task)
			}
		}
	}
	return st, err
}

// underLock runs one step of the machine under the lock, and publishes.
func (c *Coordinator) underLock(next func(time.Time) (step, error)) (step, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.m.next
	st, err := next(c.now())
	for _, e := range st.events {
		c.hub.Publish(e)
	}
	if st.wake || !c.m.next.Equal(before) {
		c.nudge()
	}
	return st, err
}
