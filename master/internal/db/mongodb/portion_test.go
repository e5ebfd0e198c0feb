package mongodb

import (
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// serverOf writes so many rows of a kind and says how long each takes, until the
// call's time is over.
func serverOf(p *portion, rows int, limit, each time.Duration) (calls, failed int, longest time.Duration) {
	for rows > 0 {
		n := min(rows, p.size)
		took := time.Duration(n) * each
		whole := took < limit
		p.after(n, min(took, limit), limit, whole)
		calls, longest = calls+1, max(longest, took)
		if rows -= n; !whole {
			failed++
		}
	}
	return calls, failed, longest
}

// What goes into one call follows the server: as much as a quick one can take, and
// of a slow one's no call comes near its end, also when it becomes slow.
func TestPortionsFollowTheServer(t *testing.T) {
	const limit = 5 * time.Second
	for _, tt := range []struct {
		name  string
		each  time.Duration
		calls int // for 10,000 rows
		size  int // afterwards
		fails int // calls that outlast their time
	}{
		{"quick", 50 * time.Microsecond, 25, maxBatch, 0},
		{"a disk that is busy", 5 * time.Millisecond, 170, 64, 0},
		{"sixty milliseconds each", 60 * time.Millisecond, 625, 16, 0},
		{"slower than the first guess", 200 * time.Millisecond, 1700, 6, 0},
		{"a second each", time.Second, 10_000, 1, 1},
	} {
		p := portion{firstPortion}
		calls, failed, longest := serverOf(&p, 10_000, limit, tt.each)
		if calls > tt.calls || p.size != tt.size || failed != tt.fails {
			t.Errorf("%s: %d calls, %d of them too long, the longest %v; size %d, want %d calls, %d too long, size %d",
				tt.name, calls, failed, longest, p.size, tt.calls, tt.fails, tt.size)
		}
	}
	p := portion{maxBatch}
	if _, failed, _ := serverOf(&p, 10_000, limit, 20*time.Millisecond); failed != 1 || p.size < 16 {
		t.Errorf("once it has become slow: %d calls too long, size %d", failed, p.size)
	}
	if _, failed, _ := serverOf(&p, 10_000, limit, 100*time.Microsecond); failed > 0 || p.size != maxBatch {
		t.Errorf("once it is quick again: %d calls too long, size %d", failed, p.size)
	}
	p = portion{firstPortion}
	p.after(firstPortion, time.Microsecond, limit, false) // a quick refusal says nothing about what stood behind it
	p.after(0, limit, limit, true)
	if p.size != firstPortion {
		t.Errorf("after a refusal, and calls with rows of other kinds: size %d", p.size)
	}
}

// A call has no more rows of any kind than its portion.
func TestPortionsOfMixedWrites(t *testing.T) {
	items := make([]*item, 40)
	for i := range items {
		w := db.Write{Task: cluster.Task{ID: "t"}}
		if i%4 == 3 {
			w.Expect = 1
		}
		items[i] = &item{change: change{task: &taskWrite{w: w}}}
	}
	for _, tt := range []struct{ inserts, replaces, want int }{
		{512, 512, 40}, {30, 10, 40}, {29, 10, 38}, {512, 1, 7}, {1, 512, 1}, {3, 1, 4},
	} {
		p := portions{inserts: portion{tt.inserts}, replaces: portion{tt.replaces}}
		if n := p.next(items); n != tt.want {
			t.Errorf("%d inserts, %d replaces at most: %d of 40, want %d", tt.inserts, tt.replaces, n, tt.want)
		}
	}
}
