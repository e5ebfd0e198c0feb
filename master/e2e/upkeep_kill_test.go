//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/embedded"
	"cloudai/master/internal/db/mongodb/mongotest"
	"cloudai/master/internal/db/storetest"
	"cloudai/master/internal/db/transfer"
)

// upkeepKills is how often each command is killed after the first time.
const upkeepKills = 5

// killable is a command of the master's own that is killed at random times.
type killable struct {
	rng  *rand.Rand
	args []string
	took time.Duration // a run that nobody killed
	busy time.Duration // what the last run used of the processors
	cut  int           // runs that were killed under way
	// done is what it says when a run that was killed had done all already: the kill
	// came as it ended. Empty for one that can be run again.
	done string
}

// run runs the command and kills it after the time, unless it has ended.
func (k *killable) run(t *testing.T, after time.Duration, args ...string) (said string, ended bool) {
	t.Helper()
	program, err := filepath.Abs(filepath.Join(binaries(), "master"))
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...) // killed when the time is over
	cmd.Dir, cmd.Env = t.TempDir(), []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	state := cmd.ProcessState // the error may be the context's though the command has ended well in that moment
	if state == nil && ctx.Err() != nil {
		return "", false // the time was over before it began
	}
	if state != nil && k.cut > 0 && k.done != "" && strings.Contains(string(out), k.done) {
		return string(out), true
	}
	if state == nil || state.Exited() && !state.Success() {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
	k.busy = state.UserTime() + state.SystemTime()
	return string(out), state.Success()
}

// kills runs the command to its end somewhere else, to learn how long it takes,
// then kills it again and again. look sees what each of them has left.
func (k *killable) kills(t *testing.T, elsewhere []string, look func(what string, ended bool)) {
	t.Helper()
	began := time.Now()
	if said, ended := k.run(t, verdict, elsewhere...); !ended {
		t.Fatalf("%v has not ended: %s", elsewhere, said)
	}
	k.took = time.Since(began)
	slot := k.took / (upkeepKills + 1)
	// The first is surely under way: that run may have waited for others most of
	// its time. Then each is a little later than the one before.
	after := k.busy / 8
	after += time.Duration(k.rng.Int64N(int64(after)))
	for n := range 1 + upkeepKills {
		_, ended := k.run(t, after, k.args...)
		after = time.Duration(n)*slot + slot/2 + time.Duration(k.rng.Int64N(int64(slot)))
		if !ended {
			k.cut++
		}
		look(fmt.Sprintf("%s, kill %d", k.args[0], n), ended)
		if ended {
			break
		}
	}
	t.Logf("%s takes %s; %d were killed under way", k.args[0], k.took.Round(time.Millisecond), k.cut)
	if k.cut == 0 {
		t.Error("none was killed under way: the test shows nothing")
	}
}

// holds is all that an embedded store holds, in sums.
func holds(t *testing.T, dir string) transfer.Summary {
	t.Helper()
	s, err := embedded.Open(t.Context(), dir, embedded.Options{})
	must(t, err)
	sum, err := transfer.Summarize(t.Context(), s)
	must(t, errors.Join(err, s.Close()))
	return sum
}

func populatedFolder(t *testing.T, dir string, tasks int) transfer.Summary {
	t.Helper()
	s, err := embedded.Open(t.Context(), dir, embedded.Options{})
	must(t, err)
	must(t, errors.Join(storetest.Populate(t.Context(), s, tasks), s.Close()))
	return holds(t, dir)
}

// A migration that is killed leaves its source as it was and a target that no
// master opens; the same command then makes it whole. From the embedded store to
// a MongoDB, and from there to another embedded one.
func TestKilledMigration(t *testing.T) {
	t.Parallel()
	server, err := mongotest.Start(t.TempDir())
	must(t, err)
	defer func() { must(t, server.Stop()) }()
	rng, dir := seeded(t), t.TempDir()
	from, back := "embedded:"+filepath.Join(dir, "from"), filepath.Join(dir, "back")
	want := populatedFolder(t, filepath.Join(dir, "from"), 120)
	args := func(from, to, database string) []string {
		return []string{"migrate", "--mongodb-database", database, "--from", from, "--to", to}
	}
	whole := func(k *killable) {
		t.Helper()
		said, ended := k.run(t, verdict, k.args...)
		if !ended || !strings.Contains(said, "moved and compared") && !strings.Contains(said, k.done) {
			t.Fatalf("the migration after the kills: %v %s", ended, said)
		}
	}

	// What is there then is compared at the end.
	full := db.ErrNotEmpty.Error()
	there := &killable{rng: rng, args: args(from, server.URI(), "there"), done: full}
	over := false
	there.kills(t, args(from, server.URI(), "elsewhere"), func(what string, ended bool) {
		over = ended
		if diff := cmp.Diff(want, holds(t, filepath.Join(dir, "from"))); diff != "" {
			t.Errorf("%s: the source has changed:\n%s", what, diff)
		}
	})
	if !over {
		whole(there)
	}

	again := &killable{rng: rng, args: args(server.URI(), "embedded:"+back, "there"), done: full}
	over = false
	again.kills(t, args(server.URI(), "embedded:"+filepath.Join(dir, "elsewhere"), "there"), func(what string, ended bool) {
		over = ended
		if there, err := embedded.Exists(back); err != nil || !there {
			must(t, err)
			return
		}
		s, err := embedded.Open(t.Context(), back, embedded.Options{})
		if errors.Is(err, db.ErrHalfFilled) {
			return
		}
		must(t, err)
		must(t, s.Close())
		if got := holds(t, back); got["tasks"].Count != 0 && !cmp.Equal(want, got) {
			t.Errorf("%s: a target opens that is neither empty nor whole: %s", what, got)
		}
	})
	if !over {
		whole(again)
	}
	if diff := cmp.Diff(want, holds(t, back)); diff != "" {
		t.Errorf("there and back (-before +after):\n%s", diff)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.migrating")); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
}

// A backup that is killed leaves the older archive or a whole new one; a restore
// that is killed leaves no data folder or a whole one.
func TestKilledBackupAndRestore(t *testing.T) {
	t.Parallel()
	rng, dir := seeded(t), t.TempDir()
	data, file, to := filepath.Join(dir, "data"), filepath.Join(dir, "backup"), filepath.Join(dir, "to")
	want := populatedFolder(t, data, 3000)
	backup := &killable{rng: rng, args: []string{"backup", "--force", "--master-data-dir", data, file}}
	backup.kills(t, backup.args, func(what string, _ bool) {
		into := filepath.Join(dir, strings.ReplaceAll(what, " ", "-"))
		if said, ended := backup.run(t, verdict, "restore", "--master-data-dir", into, file); !ended {
			t.Fatalf("%s: the archive is not whole: %s", what, said)
		}
		if diff := cmp.Diff(want, holds(t, into)); diff != "" {
			t.Errorf("%s (-master +restored):\n%s", what, diff)
		}
	})
	if diff := cmp.Diff(want, holds(t, data)); diff != "" {
		t.Errorf("the backed up folder has changed:\n%s", diff)
	}
	restore := &killable{rng: rng, args: []string{"restore", "--master-data-dir", to, file}}
	restore.kills(t, []string{"restore", "--master-data-dir", filepath.Join(dir, "elsewhere"), file}, func(what string, _ bool) {
		if _, err := os.Stat(to); errors.Is(err, os.ErrNotExist) {
			return
		}
		if diff := cmp.Diff(want, holds(t, to)); diff != "" {
			t.Errorf("%s (-master +restored):\n%s", what, diff)
		}
		must(t, os.RemoveAll(to))
	})
	if said, ended := restore.run(t, verdict, restore.args...); !ended {
		t.Fatalf("the restore after the kills: %s", said)
	}
	if diff := cmp.Diff(want, holds(t, to)); diff != "" {
		t.Errorf("restored after the kills (-master +restored):\n%s", diff)
	}
}
