package agent

import (
	"os"
	"slices"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

// swept sweeps and gives the attempts that had begun and have no container.
func swept(t *testing.T, a *Agent, containers []executor.Container) []Ref {
	t.Helper()
	gone, err := a.sweep(containers)
	must(t, err)
	return gone
}

// An attempt whose container was started and then removed behind the worker's
// back leaves the mark of its folder; one that was only created leaves nothing,
// and a folder that is used again carries no mark of the one before.
func TestStartedLeavesATrace(t *testing.T) {
	a := New(Config{Dir: t.TempDir()})
	swept(t, a, nil)
	begun, created := Ref{TaskID: "task-1", Attempt: 12, Lease: "l2"}, Ref{TaskID: "task-2", Attempt: 1, Lease: "l3"}
	for _, ref := range []Ref{begun, created} {
		must(t, a.makeOutputDir(ref))
	}
	a.markStarted(begun)
	key := executor.Key{ClusterID: "c", TaskID: "task-1", Attempt: 12, Lease: "l2"}
	if gone := swept(t, a, []executor.Container{{Spec: executor.Spec{Key: key}}}); len(gone) > 0 {
		t.Errorf("its container is there: %v", gone)
	}
	must(t, a.makeOutputDir(created))
	for range 2 { // it stays until the master knows
		if gone := swept(t, a, nil); !slices.Equal(gone, []Ref{begun}) {
			t.Fatalf("gone: %v", gone)
		}
	}
	a.removeFolders(t.Context(), RemoveFolders{Refs: []Ref{begun}})
	if gone := swept(t, a, nil); len(gone) > 0 {
		t.Errorf("gone: %v", gone)
	}
	left, err := os.ReadDir(a.attemptsDir())
	if must(t, err); len(left) > 0 {
		t.Errorf("left: %v", left)
	}

	must(t, a.makeOutputDir(begun))
	awaitTick(t, a.outputDir(begun))
	a.markStarted(begun)
	must(t, a.removeOutput(begun))
	if len(a.spares.names) != 1 {
		t.Fatal("the folder was not kept for another")
	}
	must(t, a.makeOutputDir(created))
	if wasStarted(a.attemptDir(created)) {
		t.Error("a folder that was used before carries its mark")
	}
}

func TestAttemptNames(t *testing.T) {
	for _, ref := range []Ref{ref1, {TaskID: "a-b-3", Attempt: 7, Lease: "x"}} {
		if got, ok := parseAttemptName(attemptName(ref)); !ok || got != ref {
			t.Errorf("%v: %v %v", ref, got, ok)
		}
	}
	for _, name := range []string{"", "-", "--", "a-b-c", "a-0-l", "a-1-", "x", "a-1-../../b", "-1-l"} {
		if ref, ok := parseAttemptName(name); ok {
			t.Errorf("%q is %v", name, ref)
		}
	}
}

// What has begun and is gone is named as such in the registration, and is said
// to be absent after that; its trace goes when the master has stored that, or
// when it does not want it anyway.
func TestGoneIsTold(t *testing.T) {
	live, over := Ref{TaskID: "live", Attempt: 1, Lease: "l"}, Ref{TaskID: "over", Attempt: 1, Lease: "l"}
	b := &bench{t: t, m: NewMachine(Params{Interval: time.Hour}), now: time.Unix(1000, 0)}
	b.m.Gone([]Ref{live, over})
	b.in(b.m.Found(b.now, nil, nil))
	said := b.out[0].(Register).Running
	if len(said) != 2 || said[0].Ref != live || !said[0].HasContainer || said[0].State >= StateRunning {
		t.Fatalf("registered with %+v", said)
	}
	b.want("Register")
	// A master that has started anew sends it once more. It has begun, and does
	// not begin again.
	again := executor.Key{ClusterID: "c1", TaskID: live.TaskID, Attempt: live.Attempt, Lease: live.Lease}
	if actions, err := b.m.Assign(b.now, spec1(func(s *executor.Spec) { s.Key = again })); err != nil || len(actions) > 0 {
		t.Errorf("%v, %v", actions, err)
	}
	b.in(b.m.Registered(b.now, Joined{ClusterID: "c1", Stop: []Ref{over}}))
	if x := b.out[0].(RemoveFolders); !slices.Equal(x.Refs, []Ref{over}) {
		t.Errorf("%+v", x)
	}
	if h := b.out[1].(SendHeartbeat).Heartbeat; len(h.Running) != 1 || h.Running[0] != said[0] || !slices.Equal(h.Absent, []Ref{live}) {
		t.Errorf("%+v", h)
	}
	b.want("RemoveFolders", "SendHeartbeat", "ListContainers")
	b.in(b.m.HeartbeatAnswered(b.now, 1, Beat{Reply: Reply{Code: ReplyRetry}})) // not stored
	b.pass(beatAgain)
	b.want("SendHeartbeat")
	b.in(b.m.HeartbeatAnswered(b.now, 1, Beat{ClusterID: "c1"}))
	if x := b.out[0].(RemoveFolders); !slices.Equal(x.Refs, []Ref{live}) || len(b.m.link.gone) > 0 {
		t.Errorf("%+v, left %v", x, b.m.link.gone)
	}
}
