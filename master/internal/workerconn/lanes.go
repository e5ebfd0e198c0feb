package workerconn

import (
	"context"
	"slices"
	"sync"

	"cloudai/master/internal/cluster"
)

// lane is what must stay in order: the calls about one task at one worker. The
// same task at another worker does not wait for a worker that is silent.
type lane struct {
	worker cluster.WorkerID
	task   cluster.TaskID
}

// lanes lets one caller at a time into each lane, first come, first served. The
// zero value is ready.
type lanes struct {
	mu sync.Mutex
	// waiting holds the callers behind the one inside, in order. A lane
	// without an entry is free.
	waiting map[lane][]chan struct{}
}

// enter returns when it is the caller's turn, or with ctx's error. After nil
// the caller must leave.
func (l *lanes) enter(ctx context.Context, key lane) error {
	turn := l.join(key)
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		l.giveUp(key, turn)
		return ctx.Err()
	}
}

// join takes a place in the lane and returns what is closed when its turn has
// come.
func (l *lanes) join(key lane) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	turn := make(chan struct{})
	if queue, busy := l.waiting[key]; busy {
		l.waiting[key] = append(queue, turn)
		return turn
	}
	if l.waiting == nil {
		l.waiting = make(map[lane][]chan struct{})
	}
	l.waiting[key] = nil
	close(turn)
	return turn
}

// giveUp leaves the queue; when the turn has come meanwhile, it is passed on.
func (l *lanes) giveUp(key lane, turn chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.waiting[key], turn); i >= 0 {
		l.waiting[key] = slices.Delete(l.waiting[key], i, i+1)
		return
	}
	l.passOnLocked(key)
}

// leave lets the next one in.
func (l *lanes) leave(key lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.passOnLocked(key)
}

func (l *lanes) passOnLocked(key lane) {
	queue := l.waiting[key]
	if len(queue) == 0 {
		delete(l.waiting, key)
		return
	}
	close(queue[0])
	l.waiting[key] = queue[1:]
}
