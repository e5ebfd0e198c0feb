//go:build engine

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// acknowledged submits tasks that wait, each with so many bytes in it, until one
// is refused or the number is reached, and gives those that were taken.
func (w *world) acknowledged(t *testing.T, n, size int) (ids []string, refusal error) {
	t.Helper()
	impatient, err := client.New(client.Options{Socket: w.Socket(), Patience: time.Millisecond})
	must(t, err)
	for range n {
		task, err := impatient.Submit(t.Context(), client.TaskRequest{
			DockerImage: "busybox", Inputs: []client.Input{{Path: "x", Content: strings.Repeat("x", size)}},
		})
		if err != nil {
			return ids, err
		}
		ids = append(ids, task.TaskID)
	}
	return ids, nil
}

// holds checks that the master has all these tasks.
func (w *world) holds(t *testing.T, ids []string) {
	t.Helper()
	for _, id := range ids {
		if _, err := w.API().Task(t.Context(), id); err != nil {
			t.Errorf("acknowledged task %s: %v", id, err)
		}
	}
}

// refusesToStart starts a master that must not come up, and gives its words.
func (w *world) refusesToStart(t *testing.T) string {
	t.Helper()
	p, err := w.LaunchMaster()
	must(t, err)
	if err := p.Await(20 * time.Second); err != nil {
		t.Fatalf("%v; %v", err, p.Kill())
	}
	if p.ExitCode() == 0 {
		t.Error("the master ended as if all were well")
	}
	return p.Tail(4 << 10)
}

// F25: a store whose tail is torn is mended and has every task that was
// acknowledged; one in which a byte has flipped keeps the master from starting,
// which says the file and the place; with the byte put right all is there.
func TestF25DamagedStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids, err := w.acknowledged(t, 20, 500)
	must(t, err)
	store := filepath.Join(w.MasterDir(), "cloudai.db")

	must(t, w.Master.Kill())
	log, err := os.OpenFile(store+"-wal", os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	_, err = log.Write(bytes.Repeat([]byte("torn"), 700)) // a frame has 4120 bytes
	must(t, errors.Join(err, log.Close()))
	must(t, w.StartMaster(t.Context()))
	w.holds(t, ids)

	must(t, w.Master.Term(15*time.Second)) // all is in the one file now
	whole, err := os.ReadFile(store)
	must(t, err)
	flip := func(at int) func([]byte) { return func(bad []byte) { bad[at] ^= 1 } }
	for name, spoil := range map[string]func([]byte){
		"the head of a page": flip(100), // of the first, after the file's own
		"a table's definition": func(bad []byte) { // there are old copies of it, that nobody reads
			definition := []byte("CREATE INDEX tasks_by_status")
			for at := bytes.Index(bad, definition); at >= 0; at = bytes.Index(bad, definition) {
				bad[at+len("CREATE ")] ^= 1
			}
		},
		"a task": flip(bytes.LastIndex(whole, []byte("busybox"))),
	} {
		bad := bytes.Clone(whole)
		spoil(bad)
		must(t, os.WriteFile(store, bad, 0o600))
		said := w.refusesToStart(t)
		line := regexp.MustCompile(`(?m)^.*damaged.*$`).FindString(said[strings.LastIndex(said[:len(said)-1], "\n")+1:])
		if line == "" || !strings.Contains(line, store) && !strings.Contains(line, "table tasks, row") {
			t.Errorf("%s: the master says %q", name, said)
		}
		t.Logf("%s: %s", name, line)
	}
	must(t, os.WriteFile(store, whole, 0o600))
	must(t, w.StartMaster(t.Context()))
	w.holds(t, ids)
	w.cancelAll(t)
}

// F25: a second master on the same folder does not start, and says who has it;
// the first goes on.
func TestF25TwoMasters(t *testing.T) {
	w := newWorld(t)
	ids, err := w.acknowledged(t, 3, 0)
	must(t, err)
	said := w.refusesToStart(t)
	if !strings.Contains(said, w.MasterDir()) || !strings.Contains(said, fmt.Sprintf("process %d", w.Master.PID())) {
		t.Errorf("the second master says %q", said)
	}
	more, err := w.acknowledged(t, 3, 0)
	must(t, err)
	w.holds(t, append(ids, more...))
	w.cancelAll(t)
}

// F25: the disk with the store is full. What was acknowledged is there, what is
// refused hears 507 and when to come again, and with room all goes on.
func TestF25FullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m", "none", disk).CombinedOutput(); err != nil {
		t.Skipf("a small disk cannot be made here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", disk).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	w := newWorldAt(t, func(r *rig.Rig) { must(t, os.Symlink(disk, r.MasterDir())) })
	ann := w.register(t, "ann")
	ids, refusal := w.acknowledged(t, 1000, 200<<10)
	var problem *client.Error
	if !errors.As(refusal, &problem) || problem.Status != 507 {
		t.Fatalf("%d were taken, then: %v", len(ids), refusal)
	}
	full := ann.as(t, "POST", "/api/tasks", fmt.Sprintf(`{"docker_image":"busybox","inputs":[{"path":"x","content":%q}]}`, strings.Repeat("x", 200<<10)))
	if full.status != 507 || full.header.Get("Retry-After") == "" || strings.Contains(full.body, disk) {
		t.Errorf("%d %v %s", full.status, full.header, full.body)
	}
	if len(ids) < 5 {
		t.Errorf("only %d were taken", len(ids))
	}
	t.Logf("%d tasks of 200 KiB were taken, then: %v", len(ids), refusal)
	must(t, w.API().Ready(t.Context())) // reading goes on
	w.holds(t, ids)
	must(t, w.Master.Kill())
	must(t, w.StartMaster(t.Context())) // it starts on the full disk, too
	w.holds(t, ids)
	out, err := exec.Command("mount", "-o", "remount,size=200m", disk).CombinedOutput()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	more, err := w.acknowledged(t, 10, 1000)
	must(t, err)
	must(t, w.Master.Kill())
	must(t, w.StartMaster(t.Context()))
	w.holds(t, append(ids, more...))
	w.cancelAll(t)
}
