package mongotest

import (
	"errors"
	"io"
	"net"
	"sync"
)

// Proxy stands between a client and a server and can be a bad network.
type Proxy struct {
	listener net.Listener
	target   string
	all      sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[*pair]bool
}

// pair is one connection through the proxy.
type pair struct {
	client, server net.Conn
	mu             sync.Mutex // held while what the client sends is kept back
	held           bool
}

// NewProxy listens on a free port of this machine.
func NewProxy(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l, target: target, conns: map[*pair]bool{}}
	p.all.Go(p.accept)
	return p, nil
}

// URI is where it is.
func (p *Proxy) URI() string {
	return "mongodb://" + p.listener.Addr().String() + "/?directConnection=true"
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		c := &pair{client: client, server: server}
		if !p.enter(c) {
			_, _ = client.Close(), server.Close()
			continue
		}
		p.all.Go(func() { c.forward(); p.forget(c) })
		p.all.Go(func() {
			_, _ = io.Copy(client, server)
			_ = client.Close()
		})
	}
}

// enter takes a connection in, unless the network is cut.
func (p *Proxy) enter(c *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return false
	}
	p.conns[c] = true
	return true
}

// forward carries what the client sends, also after the client has gone.
func (c *pair) forward() {
	buf := make([]byte, 64<<10)
	for {
		n, err := c.client.Read(buf)
		if n > 0 {
			c.mu.Lock()
			_, failed := c.server.Write(buf[:n])
			c.mu.Unlock()
			err = errors.Join(err, failed)
		}
		if err != nil {
			c.end()
			return
		}
	}
}

// end tells the server that no more comes, not before what was kept back has
// gone out.
func (c *pair) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.server.(*net.TCPConn).CloseWrite()
}

func (p *Proxy) forget(c *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// Hold keeps back what is sent on the connections of now; new ones are good.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if !c.held {
			c.held = true
			c.mu.Lock()
		}
	}
}

// Release delivers what was kept back and waits until all of it is out.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if c.held {
			c.held = false
			c.mu.Unlock()
		}
	}
}

// Cut ends all connections and refuses new ones, until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		_, _ = c.client.Close(), c.server.Close()
	}
}

// Heal lets connections through again.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

// Close ends everything and waits for it.
func (p *Proxy) Close() error {
	p.Release()
	p.Cut()
	err := p.listener.Close()
	p.all.Wait()
	return err
}
