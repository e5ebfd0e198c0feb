package agent

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

// Whatever names the master gives an attempt, one that is accepted has a folder
// of its own among the attempts' and nowhere else, and is known by its names.
func FuzzAssign(f *testing.F) {
	f.Add("t1", 1, "l1", "c1")
	f.Add("../t1", 1, "l1", "")
	f.Add("t1", -1, "l1", "c1")
	f.Add("t\x00", 1, "..", "c1")
	f.Add("T.t-1_", 1<<30, "l.1", "c1")
	f.Fuzz(func(t *testing.T, task string, attempt int, lease, cluster string) {
		m := NewMachine(Params{Interval: time.Second})
		spec := executor.Spec{Key: executor.Key{ClusterID: cluster, TaskID: task, Attempt: attempt, Lease: lease}}
		actions, err := m.Assign(time.Now(), spec)
		ref := Ref{TaskID: task, Attempt: attempt, Lease: lease}
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrRefused) || len(actions) > 0 || m.Knows(ref) {
				t.Fatalf("%v with %v", err, actions)
			}
			return
		}
		name := attemptName(ref)
		if !m.Knows(ref) || !filepath.IsLocal(name) || name == "." || strings.ContainsAny(name, "/\\\x00") || len(name) > 255 {
			t.Fatalf("%+v has the folder %q", ref, name)
		}
		if _, err := m.Assign(time.Now(), spec); err != nil {
			t.Fatalf("again: %v", err)
		}
		if _, err := m.Cancel(time.Now(), ref, cluster+"x"); !errors.Is(err, ErrUnknown) {
			t.Fatalf("another cluster cancels it: %v", err)
		}
	})
}
