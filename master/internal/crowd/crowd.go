// Package crowd bounds the connections of a door that anybody may knock at. When
// there are too many, the one that has been quiet for the longest time goes: a
// flood pushes itself out, and whoever has something to say is heard. It knows
// nothing of what is said.
package crowd

import (
	"container/list"
	"net"
	"sync"
	"time"
)

// Config are the bounds of a door.
type Config struct {
	Quiet   int    // most connections on which nothing is going on
	All     int    // most connections
	Refusal []byte // what one hears that finds all others busy; may be empty
}

// Crowd is the connections of one door. Its methods are safe for concurrent
// use. Connections are known by their far ends' addresses.
type Crowd struct {
	cfg Config

	mu    sync.Mutex
	all   map[string]*guest
	quiet *list.List // of *guest, the longest quiet first
}

// guest is one connection.
type guest struct {
	net.Conn
	crowd *Crowd
	addr  string
	place *list.Element // nil: busy
	once  sync.Once
}

// New makes an empty crowd.
func New(cfg Config) *Crowd {
	return &Crowd{cfg: cfg, all: map[string]*guest{}, quiet: list.New()}
}

// Listen gives a listener whose connections belong to the crowd. They are quiet
// at first.
func (c *Crowd) Listen(l net.Listener) net.Listener { return &door{Listener: l, crowd: c} }

// Busy says that something is going on at a connection, or that it has shown
// that it may stay.
func (c *Crowd) Busy(addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.all[addr]; g != nil && g.place != nil {
		c.quiet.Remove(g.place)
		g.place = nil
	}
}

// Quiet says that nothing is going on at a connection any more.
func (c *Crowd) Quiet(addr string) {
	c.mu.Lock()
	g := c.all[addr]
	if g == nil || g.place != nil {
		c.mu.Unlock()
		return
	}
	g.place = c.quiet.PushBack(g)
	gone := c.surplusLocked()
	c.mu.Unlock()
	gone.leave(nil)
}

// Size is how many connections there are, and how many of them are quiet.
func (c *Crowd) Size() (all, quiet int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all), c.quiet.Len()
}

// enter takes a connection in; false when it had to go at once.
func (c *Crowd) enter(g *guest) bool {
	c.mu.Lock()
	c.all[g.addr] = g
	g.place = c.quiet.PushBack(g)
	gone := c.surplusLocked()
	c.mu.Unlock()
	if gone == g {
		gone.leave(c.cfg.Refusal)
		return false
	}
	gone.leave(nil)
	return true
}

// surplusLocked takes out who has to go, nil when there is room. One enters at a
// time, so one at most is too many.
func (c *Crowd) surplusLocked() *guest {
	if c.quiet.Len() <= c.cfg.Quiet && len(c.all) <= c.cfg.All || c.quiet.Len() == 0 {
		return nil
	}
	g := c.quiet.Remove(c.quiet.Front()).(*guest)
	g.place = nil
	delete(c.all, g.addr)
	return g
}

func (c *Crowd) remove(g *guest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[g.addr] == g {
		delete(c.all, g.addr)
	}
	if g.place != nil {
		c.quiet.Remove(g.place)
		g.place = nil
	}
}

// leave ends a connection, with some last words.
func (g *guest) leave(words []byte) {
	if g == nil {
		return
	}
	if len(words) > 0 {
		_ = g.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = g.Write(words) // into the kernel's buffer, or to nobody
	}
	_ = g.Close()
}

// Close ends the connection and takes it out of the crowd.
func (g *guest) Close() error {
	g.once.Do(func() { g.crowd.remove(g) })
	return g.Conn.Close()
}

// CloseWrite is for net/http, which says good-bye with it.
func (g *guest) CloseWrite() error {
	if half, ok := g.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type door struct {
	net.Listener
	crowd *Crowd
}

// Accept waits for the next connection that may stay.
func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g := &guest{Conn: conn, crowd: d.crowd, addr: conn.RemoteAddr().String()}
		if d.crowd.enter(g) {
			return g, nil
		}
	}
}
