package embedded

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// killEnv makes the test program write to the folder it names instead of
// testing, until it is killed.
const killEnv = "EMBEDDED_TEST_WRITE_TO"

const killWriters = 8

// killLife is the n-th write of a writer: every task is inserted, placed, and
// ended with a result and files, so that each third write has rows of all
// kinds.
func killLife(writer, n int) db.Write {
	life := benchLife(writer*1_000_000 + n/3)
	w := life[n%3]
	if n%3 == 0 {
		w.Key = &db.Key{
			Name: db.KeyName{UserID: w.Task.UserID, Route: "submit", Key: string(w.Task.ID)}, TaskID: w.Task.ID,
			Reply: []byte("the reply"), StoredAt: benchTime, ExpiresAt: benchTime.Add(time.Hour),
		}
	}
	if n%3 == 2 {
		w.Task.Files = cluster.FilesSummary{Attempt: 1, Count: 2, TotalSize: 2 * int64(n)}
		w.Files = []cluster.File{{Path: "a", Size: int64(n)}, {Path: "b", Size: int64(n)}}
	}
	return w
}

// writeUntilKilled writes with several writers and says of each write that it
// was acknowledged, after it was.
func writeUntilKilled(dir string) error {
	s, err := Open(context.Background(), dir, Options{})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var done sync.WaitGroup
	for writer := range killWriters {
		done.Go(func() {
			for n := 0; ; n++ {
				if err := s.Commit(context.Background(), []db.Write{killLife(writer, n)})[0]; err != nil {
					panic(err)
				}
				mu.Lock()
				fmt.Printf("%d %d\n", writer, n)
				mu.Unlock()
			}
		})
	}
	done.Wait()
	return nil
}

// TestKilled ends a writing process at 25 random moments. What it acknowledged
// is there, each write whole; of a write that it had not acknowledged, all is
// there or nothing.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts 25 processes")
	}
	const seed = 20260203
	r := rand.New(rand.NewPCG(seed, 1))
	total := 0
	for round := range kills {
		dir := t.TempDir()
		acked := killAfter(t, dir, r.IntN(300))
		for _, n := range acked {
			total += n
		}
		s := open(t, dir)
		for writer, n := range acked {
			checkWriter(t, s, fmt.Sprintf("seed %d, round %d, writer %d", seed, round, writer), writer, n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged writes checked", total)
}

// killAfter runs a writing process, kills it after so many acknowledgements
// and gives the number of those of each writer.
func killAfter(t *testing.T, dir string, acks int) (acked [killWriters]int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		if n == acks {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // half a line is no acknowledgement
		}
		writer, count, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		i, err1 := strconv.Atoi(writer)
		c, err2 := strconv.Atoi(count)
		if err != nil || err1 != nil || err2 != nil || c != acked[i] {
			t.Fatalf("the process wrote %q (%v)", line, err)
		}
		acked[i]++
	}
	if err := cmd.Wait(); err == nil || ctx.Err() != nil {
		t.Fatalf("the process was not killed: %v", err)
	}
	return acked
}

// checkWriter looks at the tasks of one writer with n acknowledged writes; one
// more may be there.
func checkWriter(t *testing.T, s *Store, what string, writer, n int) {
	t.Helper()
	for i := 0; i <= n; i += 3 {
		insert := killLife(writer, i)
		id := insert.Task.ID
		task, err := s.Task(t.Context(), id)
		if _, keyErr := s.Key(t.Context(), insert.Key.Name); (keyErr == nil) != (err == nil) {
			t.Errorf("%s: task %s: %v, and its key: %v", what, id, err, keyErr)
		}
		least := min(n-i, 3) // writes of this task that were acknowledged
		if err != nil {
			if least > 0 {
				t.Errorf("%s: acknowledged task %s: %v", what, id, err)
			}
			continue
		}
		stage := int(task.Version)
		if stage < least || stage > least+1 || stage > 3 {
			t.Errorf("%s: task %s is at version %d, acknowledged %d", what, id, stage, least)
			continue
		}
		same(t, what, task, killLife(writer, i+stage-1).Task)
		results, err := s.TaskResults(t.Context(), id)
		files, err2 := s.TaskFiles(t.Context(), id)
		if err != nil || err2 != nil {
			t.Errorf("%s: %v, %v", what, err, err2)
		}
		if whole := stage == 3; (len(results) == 1) != whole || (len(files) == 2) != whole {
			t.Errorf("%s: task %s at version %d has %d results and %d files", what, id, stage, len(results), len(files))
		}
		if got := assignmentsOf(t, s, id); got != min(stage-1, 1) {
			t.Errorf("%s: task %s at version %d has %d assignments", what, id, stage, got)
		}
	}
}

func assignmentsOf(t *testing.T, s *Store, id cluster.TaskID) (n int) {
	t.Helper()
	err := s.reads.Load().db.QueryRowContext(t.Context(), `SELECT count(*) FROM assignments WHERE task_id = ?`, string(id)).Scan(&n)
	if err != nil {
		t.Error(err)
	}
	return n
}
