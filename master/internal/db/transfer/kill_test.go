package transfer_test

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
	"go.uber.org/goleak"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/embedded"
	"cloudai/master/internal/db/storetest"
	"cloudai/master/internal/db/transfer"
)

// killEnv makes the test program move one store into another, until it is
// killed, instead of testing: both folders, by line.
const killEnv = "TRANSFER_TEST_KILLED"

func TestMain(m *testing.M) {
	if dirs := strings.Split(os.Getenv(killEnv), "\n"); len(dirs) == 2 {
		if err := moveFolders(context.Background(), dirs[0], dirs[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func moveFolders(ctx context.Context, from, to string) error {
	source, err := embedded.Open(ctx, from, embedded.Options{})
	if err != nil {
		return err
	}
	target, err := embedded.Open(ctx, to, embedded.Options{Filling: true})
	if err != nil {
		return errors.Join(err, source.Close())
	}
	_, err = transfer.Move(ctx, source, target)
	return errors.Join(err, source.Close(), target.Close())
}

// A move that is killed leaves the source as it was, and a target that is
// refused as half filled, empty or whole; the next move of a target that is not
// whole makes it so.
func TestKilledMove(t *testing.T) {
	const seed, most = 20261203, 60
	r := rand.New(rand.NewPCG(seed, 10))
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	source := openEmbedded(t, from, false)
	if err := storetest.Populate(t.Context(), source, 400); err != nil {
		t.Fatal(err)
	}
	want := dump(t, source)
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	run(t, from, filepath.Join(dir, "first"), time.Minute)
	took := time.Since(began)
	seen := map[string]int{}
	// On a busy machine one takes now this long, now that: until some were hit.
	for n := 0; n < kills || seen["half filled"] == 0 && n < most; n++ {
		what := fmt.Sprintf("seed %d, kill %d", seed, n)
		to := filepath.Join(dir, fmt.Sprint("to-", n))
		run(t, from, to, time.Duration(r.Int64N(int64(took))))
		target, err := embedded.Open(t.Context(), to, embedded.Options{})
		switch {
		case errors.Is(err, db.ErrHalfFilled):
			seen["half filled"]++
		case err != nil:
			t.Fatalf("%s: %v", what, err)
		default:
			if records := dump(t, target); len(records) == 0 {
				seen["empty"]++
			} else if seen["whole"]++; len(records) != len(want) {
				t.Errorf("%s: a target with %d of %d records opens", what, len(records), len(want))
			}
			if err := target.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := moveFolders(t.Context(), from, to); err != nil && !errors.Is(err, db.ErrNotEmpty) {
			t.Fatalf("%s: the move after it: %v", what, err)
		}
		target = openEmbedded(t, to, false)
		if diff := cmp.Diff(want, dump(t, target)); diff != "" {
			t.Errorf("%s (-source +target):\n%s", what, diff)
		}
	}
	t.Logf("a move takes %s; after the kills the targets were %v", took, seen)
	if seen["half filled"] == 0 {
		t.Error("no target was half filled: the test shows nothing")
	}
	if diff := cmp.Diff(want, dump(t, openEmbedded(t, from, false))); diff != "" {
		t.Errorf("the source has changed:\n%s", diff)
	}
}

// run has a process of its own move, and kills it after the time.
func run(t *testing.T, from, to string, after time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+from+"\n"+to)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Exited()) {
		t.Fatalf("the move failed by itself: %v", err)
	}
}
