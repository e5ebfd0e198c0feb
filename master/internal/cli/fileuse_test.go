package cli

import (
	"strings"
	"testing"
)

// A person at the prompt sees how full the quota is and can make room.
func TestMakingRoom(t *testing.T) {
	w := populate(t)
	w.core.SetQuota(3 << 10)
	ann := func(args ...string) spoken { return w.cli(t, append([]string{"--user", "ann"}, args...)...) }
	if got := ann("files"); got.code != 0 || !strings.Contains(got.stderr, "your files take 2.9 KiB of 3 KiB") {
		t.Errorf("%+v", got)
	}
	if got := ann("task-files", "task0003", "--delete", "--yes"); got.code != 0 || !strings.Contains(got.stderr, "deleted: 2 files of task task0003, 2.9 KiB") {
		t.Errorf("%+v", got)
	}
	if got := ann("files"); got.code != 0 || !strings.Contains(got.stderr, "your files take 0 B of 3 KiB") {
		t.Errorf("%+v", got)
	}
	if got := ann("task-files", "task0002", "--delete", "--yes"); got.code != 1 || !strings.Contains(got.stderr, "running") {
		t.Errorf("of a task that runs: %+v", got)
	}
}
