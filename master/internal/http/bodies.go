package http

import (
	"fmt"
	"io"
	"sync/atomic"

	"cloudai/master/internal/cluster"
)

const (
	freeBody  = 4 << 10   // bytes of a body that always have room
	maxBodies = 128 << 20 // bytes beyond these, of all bodies that are in memory
)

// bodyRoom is what all bodies in memory may take together.
type bodyRoom struct {
	most int64
	used atomic.Int64
}

// meteredBody is a request's body, which takes room from all bodies together
// as it comes in. Bodies are read as a whole; without a bound of their sum many
// callers at once could take any amount of memory.
type meteredBody struct {
	io.ReadCloser
	room  *bodyRoom
	read  int64
	taken int64 // of the room
}

// Read refuses with cluster.ErrBusy what there is no room for.
func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if more := b.read - freeBody - b.taken; more > 0 {
		b.taken += more
		if b.room.used.Add(more) > b.room.most {
			return 0, fmt.Errorf("%w: too many large requests at once; try again in a moment", cluster.ErrBusy)
		}
	}
	return n, err
}

// release gives the room back once nobody looks at the body any more.
func (b *meteredBody) release() { b.room.used.Add(-b.taken) }
