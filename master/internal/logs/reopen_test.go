package logs

import (
	"testing"

	"cloudai/master/internal/cluster"
)

// A result that completed the log was not recorded, and the next process of the
// worker goes on with the container: the log grows on, also after a restart.
func TestCompleteLogGoesOnForALongerOne(t *testing.T) {
	for name, first := range map[string][]cluster.LogChunk{
		"empty": nil,
		"pack":  {stdout(0, "one\n")},
		"pair":  {stdout(0, "one\n")},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				k := newKeeper(t, dir)
				start := int64(0)
				for _, c := range first {
					start = int64(len(c.Data))
				}
				short := cluster.LogEnd{Length: cluster.LogOffsets{Stdout: start}, Tail: first}
				if name == "pair" {
					mustAppend(t, k, anyRef, first...)
				}
				mustFinish(t, k, anyRef, short)
				if restart {
					k = newKeeper(t, dir)
				}
				const more, last = "two\n", "three\n"
				long := cluster.LogEnd{Length: cluster.LogOffsets{Stdout: start + int64(len(more)+len(last))}}
				need, err := k.Finish(t.Context(), anyRef, long)
				if err != nil || need == nil || need.Stdout != start {
					t.Fatalf("need %v, %v", need, err)
				}
				mustAppend(t, k, anyRef, stdout(start, more))
				if restart {
					k = newKeeper(t, dir)
				}
				long.Tail = []cluster.LogChunk{stdout(start, more+last)}
				mustFinish(t, k, anyRef, long)
				mustFinish(t, k, anyRef, short) // the old report comes once more
				want := more + last
				if first != nil {
					want = "one\n" + want
				}
				for range 2 {
					if got := text(t, k, anyRef, ReadOptions{Follow: true}); got != want {
						t.Fatalf("%q, want %q", got, want)
					}
					k = newKeeper(t, dir)
				}
			})
		}
	}
}
