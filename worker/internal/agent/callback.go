package agent

import (
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"
)

// callPatience is how long after a registration the master's first call may
// take: it tries again for as long as it cannot get through.
const callPatience = 10 * time.Second

// callback watches whether the master can call this worker. Only the master
// sees why it can't; that no call comes shows here, too. The zero value is
// ready.
type callback struct {
	saying saying

	mu      sync.Mutex
	address string    // that the master was given
	since   time.Time // when
	called  bool      // at that address
	missed  bool      // that no call comes has been said
}

// registering begins to watch for calls to the address that the master is about
// to be given: one may come before the master's answer does. Who has called
// there before need not do it again.
func (c *callback) registering(host string, port int) {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.address != address {
		c.address, c.called = address, false
	}
}

// registered begins the wait for the call.
func (c *callback) registered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since = time.Now()
}

// came notes the master's call.
func (c *callback) came(log *slog.Logger) {
	c.mu.Lock()
	missed := c.missed
	c.called, c.missed = true, false
	c.mu.Unlock()
	if missed {
		c.saying.over()
		log.Info("the master has called back: it can give this worker tasks")
	}
}

// check says when a call is overdue.
func (c *callback) check(log *slog.Logger) {
	c.mu.Lock()
	address := c.address
	overdue := address != "" && !c.called && time.Since(c.since) >= callPatience
	c.missed = c.missed || overdue
	c.mu.Unlock()
	if overdue {
		c.saying.say("joined, but the master does not call back, and so gives this worker no task: let it through this host's "+
			"firewall, or set ADVERTISE_ADDR to a host or host:port at which the master can call",
			errors.New("no call at "+address), log.Warn)
	}
}
