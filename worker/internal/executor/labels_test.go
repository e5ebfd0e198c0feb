package executor

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLabelsRoundTrip(t *testing.T) {
	want := Spec{
		Key:      Key{ClusterID: "c1", TaskID: "t1", Attempt: 2, Lease: "l1"},
		WorkerID: "w1", Image: "busybox", UserID: "u1", CPU: 0.5, Memory: 64, Storage: 10, GPU: 1,
		Network: "none", Timeout: time.Minute, Grace: 10 * time.Second, LogLimit: 1 << 30, OutputDir: "/data/out",
	}
	labels, err := want.Labels()
	if err != nil {
		t.Fatal(err)
	}
	if len(labels) != 6 {
		t.Errorf("%d labels, want 6", len(labels))
	}
	got, err := SpecFromLabels(labels)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	delete(labels, LabelAttempt)
	if _, err := SpecFromLabels(labels); err == nil {
		t.Error("a missing attempt is no error")
	}
}

func TestName(t *testing.T) {
	key := Key{ClusterID: "c1", TaskID: "t1", Attempt: 2, Lease: "l1"}
	if got, err := key.Name(); err != nil || got != "cloudai-c1-t1-2" {
		t.Errorf("Name() = %q, %v", got, err)
	}
	for _, bad := range []Key{
		{},
		{ClusterID: "c1", TaskID: "a/b", Attempt: 1, Lease: "l"},
		{ClusterID: "c1", TaskID: "t1", Attempt: 0, Lease: "l"},
		{ClusterID: "c1", TaskID: "t1", Attempt: 1},
	} {
		if got, err := bad.Name(); err == nil {
			t.Errorf("%+v: name %q, want an error", bad, got)
		}
	}
}
