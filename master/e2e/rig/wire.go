package rig

import (
	"io"
	"net"
	"sync"
)

// Wire is a network between a worker and its master that can be stopped, in
// both directions or in one, without either end noticing more than silence.
type Wire struct {
	listener net.Listener
	to       string
	wg       sync.WaitGroup

	mu     sync.Mutex
	moved  *sync.Cond
	budget [2]int64 // bytes that may still pass, by direction; negative: any
	passed [2]int64 // bytes
	conns  map[net.Conn]struct{}
	closed bool
}

// The directions of a wire.
const (
	ToMaster = iota
	ToWorker
)

// NewWire stretches a wire to an address.
func NewWire(to string) (*Wire, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &Wire{listener: listener, to: to, budget: [2]int64{-1, -1}, conns: map[net.Conn]struct{}{}}
	w.moved = sync.NewCond(&w.mu)
	w.wg.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			w.wg.Go(func() { w.join(near) })
		}
	})
	return w, nil
}

// Addr is the wire's near end.
func (w *Wire) Addr() string { return w.listener.Addr().String() }

// Stop lets so many more bytes pass in a direction.
func (w *Wire) Stop(direction int, after int64) { w.allow(direction, after) }

// Go lets everything pass again.
func (w *Wire) Go(direction int) { w.allow(direction, -1) }

func (w *Wire) allow(direction int, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.budget[direction] = bytes
	w.moved.Broadcast()
}

// Spent reports whether a stopped direction has let its last byte pass.
func (w *Wire) Spent(direction int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.budget[direction] == 0
}

// Passed is how many bytes have gone in a direction so far.
func (w *Wire) Passed(direction int) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.passed[direction]
}

// Cut breaks off every connection that there is; new ones are carried.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Close() // both ends notice
	}
}

func (w *Wire) join(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !w.keep(near, far) {
		return
	}
	defer w.drop(near, far)
	var both sync.WaitGroup
	for direction, ends := range [2][2]net.Conn{ToMaster: {near, far}, ToWorker: {far, near}} {
		both.Go(func() {
			w.carry(direction, ends[0], ends[1])
			_ = near.Close() // one end is gone: so is the other
			_ = far.Close()
			w.allowWake()
		})
	}
	both.Wait()
}

func (w *Wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		w.conns[c] = struct{}{}
	}
	return !w.closed
}

func (w *Wire) drop(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		delete(w.conns, c)
	}
}

func (w *Wire) allowWake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved.Broadcast()
}

// carry copies one direction for as long as it may.
func (w *Wire) carry(direction int, from io.Reader, to io.Writer) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		for at := 0; at < n; {
			some := w.spend(direction, n-at)
			if some == 0 {
				return
			}
			if _, err := to.Write(buffer[at : at+some]); err != nil {
				return
			}
			at += some
		}
		if err != nil {
			return
		}
	}
}

// spend waits until some of the bytes may pass; 0: the wire is closed.
func (w *Wire) spend(direction, want int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.budget[direction] == 0 && !w.closed {
		w.moved.Wait()
	}
	switch budget := w.budget[direction]; {
	case w.closed:
		return 0
	case budget >= 0:
		want = int(min(int64(want), budget))
		w.budget[direction] -= int64(want)
	}
	w.passed[direction] += int64(want)
	return want
}

// Close cuts the wire for good.
func (w *Wire) Close() error {
	err := w.listener.Close()
	w.mu.Lock()
	w.closed = true
	for c := range w.conns {
		_ = c.Close()
	}
	w.moved.Broadcast()
	w.mu.Unlock()
	w.wg.Wait()
	return err
}
