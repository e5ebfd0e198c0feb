package upkeep

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// killEnv makes the test program do something until it is killed, instead of
// testing: what, the folder of the master and the archive, by line.
const killEnv = "UPKEEP_TEST_KILLED"

// beKilled does what the environment says; false when it says nothing.
func beKilled() (bool, error) {
	task := strings.Split(os.Getenv(killEnv), "\n")
	if len(task) != 3 {
		return false, nil
	}
	ctx, of := context.Background(), foldersIn(task[1])
	var err error
	switch task[0] {
	case "backup":
		_, _, err = Backup(ctx, BackupConfig{Folders: of, Path: task[2], Files: true, Force: true})
	case "restore":
		of.Files = of.Data + "-files"
		_, err = Restore(ctx, task[2], of)
	case "write":
		err = writeOn(ctx, of)
	}
	return true, err
}

// written is the n-th task of writeOn.
func written(n int) cluster.Task {
	t := cluster.NewTask(cluster.TaskID(fmt.Sprintf("written-%05d", n)), "u1", cluster.Spec{Image: "x", Name: strings.Repeat("n", 500)}, time.Unix(int64(n), 0).UTC())
	t.Version = 1
	return t
}

// writeOn writes tasks as a master does, and says of each that it is stored.
func writeOn(ctx context.Context, of Folders) error {
	s, err := of.State.Open(ctx, of.Data)
	for n := 0; err == nil; n++ {
		if err = s.Commit(ctx, []db.Write{{Task: written(n)}})[0]; err == nil {
			fmt.Println(n)
		}
	}
	return err
}

// start runs this program for the task.
func start(t *testing.T, what string, of Folders, path string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+what+"\n"+of.Data+"\n"+path)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// killed runs it and kills it after the time, unless it has ended.
func killed(t *testing.T, what string, of Folders, path string, after time.Duration) (ended bool) {
	t.Helper()
	cmd, _ := start(t, what, of, path)
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Exited()) {
		t.Fatalf("%s failed by itself: %v", what, err)
	}
	return err == nil
}

// whole restores an archive and compares it.
func whole(t *testing.T, what, path string, want map[string]any) {
	t.Helper()
	to := foldersIn(filepath.Join(t.TempDir(), "back"))
	if _, err := Restore(t.Context(), path, to); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if diff := cmp.Diff(want, content(t, to)); diff != "" {
		t.Errorf("%s (-master +restored):\n%s", what, diff)
	}
}

// A backup that is killed leaves the archive that was there, or a whole new one,
// and the master's folder as it was.
func TestKilledBackup(t *testing.T) {
	const seed = 20261130
	r := rand.New(rand.NewPCG(seed, 7))
	dir := t.TempDir()
	of := makeMaster(t, filepath.Join(dir, "data"), 40)
	want := content(t, of)
	path := filepath.Join(dir, "backup")
	began := time.Now()
	if !killed(t, "backup", of, path, time.Minute) {
		t.Fatal("a backup took more than a minute")
	}
	took, ended := time.Since(began), 0
	for n := range kills {
		if killed(t, "backup", of, path, time.Duration(r.Int64N(int64(took)))) {
			ended++
		}
		if n%4 == 0 {
			whole(t, fmt.Sprintf("seed %d, kill %d", seed, n), path, want)
		}
	}
	t.Logf("a backup takes %s; %d of %d ended before they were killed", took, ended, kills)
	mustBackup(t, BackupConfig{Folders: of, Path: path, Files: true, Force: true})
	whole(t, "the backup after them", path, want)
	if left, _ := filepath.Glob(filepath.Join(dir, ".*"+workSuffix)); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
	if diff := cmp.Diff(want, content(t, of)); diff != "" {
		t.Errorf("the master's folder has changed:\n%s", diff)
	}
}

// A restore that is killed leaves no data folder or a whole one, and the next
// one starts over.
func TestKilledRestore(t *testing.T) {
	const seed = 20261201
	r := rand.New(rand.NewPCG(seed, 8))
	dir := t.TempDir()
	of := makeMaster(t, filepath.Join(dir, "data"), 40)
	want := content(t, of)
	path := filepath.Join(dir, "backup")
	mustBackup(t, BackupConfig{Folders: of, Path: path, Files: true})
	to := func(n int) Folders {
		f := foldersIn(filepath.Join(dir, fmt.Sprint("to-", n)))
		f.Files = f.Data + "-files"
		return f
	}
	began := time.Now()
	if !killed(t, "restore", to(kills), path, time.Minute) {
		t.Fatal("a restore took more than a minute")
	}
	took, ended := time.Since(began), 0
	for n := range kills {
		what := fmt.Sprintf("seed %d, kill %d", seed, n)
		killed(t, "restore", to(n), path, time.Duration(r.Int64N(int64(took))))
		_, err := os.Stat(to(n).Data)
		if err == nil {
			ended++
		} else if _, err := Restore(t.Context(), path, to(n)); err != nil {
			t.Errorf("%s: the restore after it: %v", what, err)
			continue
		}
		if diff := cmp.Diff(want, content(t, to(n))); diff != "" {
			t.Errorf("%s (-master +restored):\n%s", what, diff)
		}
	}
	t.Logf("a restore takes %s; %d of %d were whole when they were killed", took, ended, kills)
}

// A restore that was killed between the two renames gives the output files a
// second time.
func TestRestoreKilledBetweenRenames(t *testing.T) {
	dir := t.TempDir()
	of := makeMaster(t, filepath.Join(dir, "data"), 10)
	want := content(t, of)
	path := filepath.Join(dir, "backup")
	mustBackup(t, BackupConfig{Folders: of, Path: path, Files: true})
	to := foldersIn(filepath.Join(dir, "to"))
	to.Files = filepath.Join(dir, "elsewhere")
	if _, err := Restore(t.Context(), path, to); err != nil {
		t.Fatal(err)
	}
	work := to.Data + restoring
	err := errors.Join(os.Mkdir(work, 0o700), os.Rename(to.Data, filepath.Join(work, "data")), os.WriteFile(filepath.Join(work, movedName), nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), path, to); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, content(t, to)); diff != "" {
		t.Errorf("restored (-master +restored):\n%s", diff)
	}
	if _, err := os.Stat(work); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left over: %v", err)
	}
}

// A master that is killed while it is backed up has all that it acknowledged, and
// its backup all that was acknowledged before it began.
func TestKilledMasterWhileBackedUp(t *testing.T) {
	const seed = 20261202
	r := rand.New(rand.NewPCG(seed, 9))
	for n := range kills / 3 {
		what := fmt.Sprintf("seed %d, kill %d", seed, n)
		dir := t.TempDir()
		of := foldersIn(filepath.Join(dir, "data"))
		cmd, out := start(t, "write", of, "-")
		lines := bufio.NewScanner(out)
		acked := 0
		for acked < 20 && lines.Scan() {
			acked++
		}
		before := acked
		kill := time.AfterFunc(time.Duration(r.IntN(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		path := filepath.Join(dir, "backup")
		_, _, err := Backup(t.Context(), BackupConfig{Folders: of, Path: path})
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		for lines.Scan() {
			acked, err = strconv.Atoi(lines.Text())
			acked++
		}
		if kill.Stop() || err != nil {
			t.Fatalf("%s: was not killed: %v", what, err)
		}
		_ = cmd.Wait() // killed
		to := foldersIn(filepath.Join(dir, "back"))
		if _, err := Restore(t.Context(), path, to); err != nil {
			t.Fatal(err)
		}
		for folder, least := range map[string]int{of.Data: acked, to.Data: before} {
			f := foldersIn(folder)
			// First the next start, which drops what the killed one was writing.
			if got := writtenIn(t, f); got < least {
				t.Errorf("%s: %s has %d tasks, %d were acknowledged", what, f.Data, got, least)
			}
			if damage := fsck(t, f); damage != nil {
				t.Errorf("%s: %q", what, damage)
			}
		}
	}
}

// writtenIn counts the tasks of writeOn, which have no gap.
func writtenIn(t *testing.T, of Folders) int {
	t.Helper()
	s, err := of.State.Open(t.Context(), of.Data)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = errors.Join(s.Dump(t.Context(), func(r db.Record) error {
		if r.Task == nil {
			return nil
		}
		if diff := cmp.Diff(written(n), r.Task.Task); diff != "" {
			t.Errorf("task %d:\n%s", n, diff)
		}
		n++
		return nil
	}), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	return n
}
