package scheduler

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

func worker(id string, cpu, free float64) Candidate {
	return Candidate{
		ID:    cluster.WorkerID(id),
		Total: cluster.Resources{CPU: cpu, Memory: 1024, Storage: 4096},
		Free:  cluster.Resources{CPU: free, Memory: 1024, Storage: 4096},
	}
}

func need(cpu float64) Need {
	return Need{Resources: cluster.Resources{CPU: cpu, Memory: 64, Storage: 64}}
}

func TestRoundRobinSpreads(t *testing.T) {
	candidates := []Candidate{worker("a", 8, 8), worker("b", 8, 8), worker("c", 8, 8)}
	var last cluster.WorkerID
	var got []string
	for range 6 {
		at, ok := RoundRobin{}.Place(need(1), candidates, last)
		if !ok {
			t.Fatal("nobody takes it")
		}
		last = candidates[at].ID
		got = append(got, string(last))
	}
	if s := strings.Join(got, ""); s != "abcabc" {
		t.Fatalf("order %s", s)
	}
}

func TestRoundRobinPassesOver(t *testing.T) {
	gpu := worker("d", 8, 8)
	gpu.Labels = map[string]string{"zone": "b"}
	candidates := []Candidate{worker("a", 8, 0.5), {ID: "b", Closed: "draining", Free: cluster.Resources{CPU: 9, Memory: 999, Storage: 999}}, worker("c", 8, 8), gpu}
	for _, c := range []struct {
		name string
		need Need
		last cluster.WorkerID
		want string
	}{
		{"full and closed ones", need(1), "", "c"},
		{"one that left", need(1), "bb", "c"},
		{"around the end", need(0.5), "d", "a"},
		{"to the target", Need{Resources: need(1).Resources, Target: "d"}, "", "d"},
		{"to the label", Need{Resources: need(1).Resources, Constraints: map[string]string{"zone": "b"}}, "", "d"},
		{"nobody", need(100), "", ""},
	} {
		at, ok := RoundRobin{}.Place(c.need, candidates, c.last)
		got := ""
		if ok {
			got = string(candidates[at].ID)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	candidates := []Candidate{worker("w1", 64, 1), worker("w2", 8, 8)}
	e := Explain(need(4096), candidates, 20)
	if !e.Unschedulable || !strings.Contains(e.Summary, "cpu: asked 4096, largest w1 has 64") {
		t.Fatalf("%+v", e)
	}
	e = Explain(need(32), candidates, 20)
	if e.Unschedulable || len(e.Reasons) != 2 || e.Reasons[0].Text != "cpu: asked 32, free 1" || e.Reasons[1].Text != "cpu: asked 32, has 8" {
		t.Fatalf("%+v", e)
	}
	if e = Explain(Need{Resources: need(1).Resources, Target: "nobody"}, candidates, 1); !e.Unschedulable || len(e.Reasons) != 1 {
		t.Fatalf("%+v", e)
	}
	if e = Explain(need(1), nil, 20); e.Unschedulable || e.Suggestion == "" {
		t.Fatalf("%+v", e)
	}
}

// Whatever Place chooses has no Refusal, and when it chooses nobody all have.
// What only workers could take that take nothing now says so; one that is
// merely full is no reason to look for anything else.
func TestExplainNamesClosedWorkers(t *testing.T) {
	need := Need{Resources: cluster.Resources{CPU: 1}, Constraints: map[string]string{"disk": "ssd"}}
	ssd := Candidate{ID: "a", Closed: "lost", Total: cluster.Resources{CPU: 2}, Free: cluster.Resources{CPU: 2}, Labels: map[string]string{"disk": "ssd"}}
	plain := Candidate{ID: "b", Total: cluster.Resources{CPU: 2}}
	got := Explain(need, []Candidate{ssd, plain}, 20)
	if got.Unschedulable || got.Summary != "no worker that could take it takes tasks now" || got.Suggestion == "" {
		t.Errorf("%+v", got)
	}
	ssd.Closed, ssd.Free = "", cluster.Resources{}
	if got := Explain(need, []Candidate{ssd, plain}, 20); got.Summary != "no worker has room now" || got.Suggestion != "" {
		t.Errorf("%+v", got)
	}
}

func TestPlaceAgreesWithRefusal(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	for range 2000 {
		var candidates []Candidate
		for n := range rng.IntN(8) {
			c := worker(fmt.Sprintf("w%d", n), 8, float64(rng.IntN(9)))
			if rng.IntN(4) == 0 {
				c.Closed = "draining"
			}
			c.Labels = map[string]string{"zone": fmt.Sprint(rng.IntN(2))}
			candidates = append(candidates, c)
		}
		n := need(float64(rng.IntN(10)))
		if rng.IntN(3) == 0 {
			n.Constraints = map[string]string{"zone": "1"}
		}
		at, ok := RoundRobin{}.Place(n, candidates, cluster.WorkerID(fmt.Sprintf("w%d", rng.IntN(9))))
		if ok {
			if reason, _ := Refusal(n, candidates[at]); reason != "" {
				t.Fatalf("placed on %s, which refuses: %s", candidates[at].ID, reason)
			}
			continue
		}
		for _, c := range candidates {
			if reason, _ := Refusal(n, c); reason == "" {
				t.Fatalf("%s would take it", c.ID)
			}
		}
	}
}

// What Misses covers, Place refuses.
func TestMissesAgreeWithPlace(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	covered := 0
	for range 200 {
		var candidates []Candidate
		for n := range 3 {
			c := worker(fmt.Sprintf("w%d", n), 8, float64(rng.IntN(6)))
			c.Free.Memory = int64(rng.IntN(6)) * 32
			c.Labels = map[string]string{"zone": fmt.Sprint(rng.IntN(3))}
			candidates = append(candidates, c)
		}
		var missed Misses
		for range 200 {
			n := need(float64(rng.IntN(8)))
			n.Resources.Memory = int64(rng.IntN(8)) * 32
			if rng.IntN(2) == 0 {
				n.Constraints = map[string]string{"zone": fmt.Sprint(rng.IntN(3))}
			}
			if rng.IntN(4) == 0 {
				n.Target = cluster.WorkerID(fmt.Sprintf("w%d", rng.IntN(3)))
			}
			_, ok := RoundRobin{}.Place(n, candidates, "")
			switch cover := missed.Cover(n); {
			case cover && ok:
				t.Fatalf("%+v could be placed", n)
			case cover:
				covered++
			case !ok:
				missed.Add(n)
			}
		}
	}
	if covered < 1000 {
		t.Fatalf("covered only %d", covered)
	}
}
