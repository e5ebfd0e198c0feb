package agent

import (
	"math"
	"testing"
)

// A disk without an end is large, not full.
func TestBytesOf(t *testing.T) {
	for _, c := range []struct {
		blocks, size uint64
		want         int64
	}{
		{0, 4096, 0},
		{10, 4096, 40960},
		{10, 0, 0},
		{math.MaxUint64, 4096, math.MaxInt64},
		{1 << 51, 4096, math.MaxInt64},
		{1<<51 - 1, 4096, math.MaxInt64 - 4095},
	} {
		if got := bytesOf(c.blocks, c.size); got != c.want {
			t.Errorf("%d blocks of %d: %d, want %d", c.blocks, c.size, got, c.want)
		}
	}
}
