package workerconn

import (
	"context"
	"errors"
	"slices"
	"sync"

	"cloudai/master/internal/cluster"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

var errClosed = errors.New("the connections to workers are closed")

// Config is who calls.
type Config struct {
	Identity  transport.Identity
	ClusterID string
	MasterID  string
	// MasterAddress is the host:port that workers are told. An unspecified
	// host, like 0.0.0.0, stands for the address of ours on the way to the
	// worker that is called.
	MasterAddress string
	// JoinSecret is what a worker has to know; it is not sent.
	JoinSecret string
}

// Pool holds the connections to all workers. It is safe for concurrent use.
//
// A worker has one connection, to the target that was called last. When the
// target changes, the old connection ends with the last call on it: a late
// call to a former session must not cut off the present one.
type Pool struct {
	config Config
	lanes  lanes

	mu     sync.Mutex
	links  map[cluster.WorkerID][]*link // the last one is to the latest target
	closed bool
}

// New returns a pool without connections. Close it.
func New(config Config) *Pool {
	return &Pool{config: config, links: make(map[cluster.WorkerID][]*link)}
}

// Close ends all connections and the calls on them. Later calls fail.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	all := p.links
	p.links = nil
	p.mu.Unlock()
	for _, links := range all {
		closeAll(links)
	}
}

// Forget closes the connections to a worker and ends the calls on them. A later
// call to it connects anew.
func (p *Pool) Forget(worker cluster.WorkerID) {
	p.mu.Lock()
	links := p.links[worker]
	delete(p.links, worker)
	p.mu.Unlock()
	closeAll(links)
}

// do makes one call to a worker. With redial a connection that waits for its
// next attempt is replaced, so that the answer is about now.
func (p *Pool) do(ctx context.Context, to cluster.Target, redial bool, call func(pb.WorkerClient) error) error {
	l, err := p.acquire(to, redial)
	if err != nil {
		return err
	}
	defer p.release(l)
	return l.explain(ctx, call(l.client))
}

// doInOrder makes one call about a task after those made before it have ended.
func (p *Pool) doInOrder(ctx context.Context, to cluster.Target, task cluster.TaskID, call func(pb.WorkerClient) error) error {
	key := lane{worker: to.WorkerID, task: task}
	if err := p.lanes.enter(ctx, key); err != nil {
		return err
	}
	defer p.lanes.leave(key)
	return p.do(ctx, to, false, call)
}

// acquire returns the link to a target, which stays open until it is released.
func (p *Pool) acquire(to cluster.Target, redial bool) (*link, error) {
	p.mu.Lock()
	l, err := p.linkLocked(to, redial)
	if err != nil {
		p.mu.Unlock()
		return nil, err
	}
	l.calls++
	retired := p.retireLocked(to.WorkerID)
	p.mu.Unlock()
	closeAll(retired)
	return l, nil
}

func (p *Pool) release(l *link) {
	p.mu.Lock()
	l.calls--
	retired := p.retireLocked(l.target.WorkerID)
	p.mu.Unlock()
	closeAll(retired)
}

// linkLocked finds or makes the link to a target and puts it last.
func (p *Pool) linkLocked(to cluster.Target, redial bool) (*link, error) {
	if p.closed {
		return nil, errClosed
	}
	links := p.links[to.WorkerID]
	i := slices.IndexFunc(links, func(l *link) bool { return l.target == to && (!redial || !l.failing()) })
	if i >= 0 {
		l := links[i]
		p.links[to.WorkerID] = append(slices.Delete(links, i, i+1), l)
		return l, nil
	}
	l, err := newLink(p.config.Identity, to)
	if err != nil {
		return nil, err
	}
	p.links[to.WorkerID] = append(links, l)
	return l, nil
}

// retireLocked takes out the links to former targets that nobody uses. They are
// closed by the caller, outside the lock.
func (p *Pool) retireLocked(worker cluster.WorkerID) []*link {
	links := p.links[worker]
	if len(links) < 2 {
		return nil
	}
	var kept, retired []*link
	for i, l := range links {
		if l.calls > 0 || i == len(links)-1 {
			kept = append(kept, l)
		} else {
			retired = append(retired, l)
		}
	}
	p.links[worker] = kept
	return retired
}

func closeAll(links []*link) {
	for _, l := range links {
		l.close()
	}
}
