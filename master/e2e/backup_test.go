//go:build engine

package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// upkeep runs a command of the master's own on the folder, as a person in a
// shell would.
func (w *world) upkeep(t *testing.T, args ...string) spoken {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), verdict)
	defer cancel()
	_, env := w.Command()
	program, err := filepath.Abs(filepath.Join(binaries(), "master")) // it runs in another folder
	must(t, err)
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, t.TempDir(), &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", args, err)
	}
	return spoken{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// A master is backed up while it takes tasks, is lost with its whole folder, and
// is restored: what had ended has its log and files, what was running goes on,
// and every task acknowledged before the backup is there.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	w, _ := newCluster(t, "4")
	ended := w.submit(t, w.small("echo said; echo kept >/output/kept"))
	w.succeeded(t, ended)
	running := w.submit(t, w.gated("echo begun", "echo over"))
	w.becomes(t, running, "running")
	w.logHas(t, running, "begun\n")

	submits := w.keepSubmitting(t)
	before := submits.some(t, 20)
	path := filepath.Join(w.Dir(), "backup")
	if got := w.upkeep(t, "backup", "--files", path); got.code != 0 || !strings.Contains(got.stdout, w.ClusterID()) {
		t.Fatalf("backup: %+v", got)
	}
	submits.some(t, 20) // nobody was held up
	if got := w.upkeep(t, "backup", path); got.code != 1 || !strings.Contains(got.stderr, "--force") {
		t.Errorf("a second one: %+v", got)
	}
	if got := w.upkeep(t, "fsck"); got.code != 2 || !strings.Contains(got.stderr, w.MasterDir()) {
		t.Errorf("fsck of a master that runs: %+v", got)
	}
	if got := w.upkeep(t, "restore", path); got.code != 1 || !strings.Contains(got.stderr, w.MasterDir()) {
		t.Errorf("restore into a master that runs: %+v", got)
	}
	must(t, w.Master.Kill())
	submits.stop()
	if got := w.upkeep(t, "fsck"); got.code != 0 {
		t.Errorf("fsck of a killed master: %+v", got)
	}
	lost := w.MasterDir() + ".lost"
	must(t, os.Rename(w.MasterDir(), lost))
	kept, err := filepath.Glob(filepath.Join(lost, "files", "*", ended, "kept"))
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	must(t, os.WriteFile(kept[0], []byte("kepT\n"), 0o600))
	if got := w.upkeep(t, "fsck", "--master-data-dir", lost, "--json"); got.code != 1 || !strings.Contains(got.stdout, kept[0]) {
		t.Errorf("fsck of a changed output file: %+v", got)
	}
	if got := w.upkeep(t, "restore", path); got.code != 0 {
		t.Fatalf("restore: %+v", got)
	}
	if got := w.upkeep(t, "fsck"); got.code != 0 {
		t.Errorf("fsck of what was restored: %+v", got)
	}
	must(t, w.StartMaster(t.Context()))
	w.useRestored(t, ended, running, before)
}

// useRestored looks at what a restored master has.
func (w *world) useRestored(t *testing.T, ended, running string, before []string) {
	t.Helper()
	if log, file := w.log(t, ended, ""), w.output(t, ended, "kept"); log != "said\n" || file != "kept\n" {
		t.Errorf("the task that had ended has log %q and file %q", log, file)
	}
	for _, id := range before {
		w.task(t, id)
	}
	w.open(t, w.containerOf(t, running))
	if task := w.succeeded(t, running); task.Attempt != 1 {
		t.Errorf("what was running was not adopted: %s", describe(task))
	}
	if log := w.log(t, running, ""); log != "begun\nover\n" {
		t.Errorf("the log of what was running: %q", log)
	}
}

// submits are tasks that nobody can run, one after the other.
type submits struct {
	ids  chan string
	stop context.CancelFunc
}

func (w *world) keepSubmitting(t *testing.T) submits {
	ctx, cancel := context.WithCancel(t.Context())
	s, ended := submits{ids: make(chan string, 100_000)}, make(chan struct{})
	s.stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(s.stop)
	r := w.small("true")
	r.Constraints = map[string]string{"there": "is-none"}
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if task, err := w.API().Submit(ctx, r); err == nil {
				s.ids <- task.TaskID
			}
		}
	}()
	return s
}

// some waits for so many more submits to be acknowledged.
func (s submits) some(t *testing.T, n int) (ids []string) {
	t.Helper()
	for len(ids) < n {
		select {
		case id := <-s.ids:
			ids = append(ids, id)
		case <-t.Context().Done():
			t.Fatal("no submits")
		}
	}
	return ids
}
