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

// An administrator names whose files are meant by email or id; who is nobody is
// told so.
func TestFilesOfAUser(t *testing.T) {
	w := populate(t)
	w.person(t, "bob")
	for _, tt := range []struct {
		user, out, err string
		code           int
	}{
		{"ann", "task0003", "", 0}, // has files, and no account
		{"BOB@example.org", "", "no task has left files; what a container puts into /output is kept\nthe files of BOB@example.org take 0 B", 0},
		{"nobody@example.org", "", "there is no user nobody@example.org", 1},
	} {
		got := w.cli(t, "files", tt.user)
		if got.code != tt.code || !strings.Contains(got.stdout, tt.out) || !strings.Contains(got.stderr, tt.err) {
			t.Errorf("%s: %+v", tt.user, got)
		}
	}
	if got := w.cli(t, "--user", "bob@example.org", "files", "ann"); got.code != 0 || got.stdout != "" {
		t.Errorf("another's files: %+v", got)
	}
}
