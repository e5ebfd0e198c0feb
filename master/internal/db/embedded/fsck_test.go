package embedded

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// check runs Check and holds it to its promise that no byte changes.
func check(t *testing.T, what, dir string) (found []db.Finding) {
	t.Helper()
	before := contents(t, dir)
	if err := Check(t.Context(), dir, func(f db.Finding) { found = append(found, f) }, nil); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if after := contents(t, dir); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("%s: a check changed the folder:\n%v\n%v", what, before, after)
	}
	return found
}

// contents are the sums of all files of a folder but the lock.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".lock") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = fmt.Sprintf("%x", sha256.Sum256(b))
	}
	return out
}

// walWrites is how many transactions are in the log of TestF25DamagedLog.
const walWrites = 24

// logOf makes a store whose transactions are all in its log, and gives both
// files and how long the log was after each transaction.
func logOf(t *testing.T) (file, wal []byte, ends []int64) {
	t.Helper()
	s := open(t, t.TempDir())
	for n := range walWrites {
		if err := s.Commit(t.Context(), []db.Write{killLife(0, n)})[0]; err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(s.path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, info.Size())
	}
	file, err := os.ReadFile(s.path)
	wal, err2 := os.ReadFile(s.path + "-wal")
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return file, wal, ends
}

// F25: a log that is cut off or has a flipped bit, wherever it is, opens at its
// last whole transaction before that place with nothing half applied; a check
// and the log of the start name the place; and nothing is changed by the check.
func TestF25DamagedLog(t *testing.T) {
	const seed = 20261126
	r := rand.New(rand.NewPCG(seed, 3))
	file, wal, ends := logOf(t)
	for range damages {
		at, bad := r.IntN(len(wal)), bytes.Clone(wal)
		cut := r.IntN(2) == 0
		what := fmt.Sprintf("seed %d, bit flipped in byte %d of %d", seed, at, len(wal))
		if cut {
			bad, what = bad[:at], fmt.Sprintf("seed %d, cut off at byte %d of %d", seed, at, len(wal))
		} else {
			bad[at] ^= 1 << r.IntN(8)
		}
		dir := t.TempDir()
		err := errors.Join(os.WriteFile(filepath.Join(dir, fileName), file, 0o600), os.WriteFile(filepath.Join(dir, fileName+"-wal"), bad, 0o600))
		if err != nil {
			t.Fatal(err)
		}
		whole := 0 // transactions before the place
		for whole < len(ends) && ends[whole] <= int64(at) {
			whole++
		}
		found := check(t, what, dir)
		named := len(found) > 0 && strings.Contains(found[0].File, "-wal") && found[0].Place != ""
		// A log cut off behind a page cannot be told from one that ends there.
		if atPage := (at-walHeaderSize)%(frameHeader+4096) == 0 || at == 0; !named && !(cut && atPage) {
			t.Errorf("%s: not named: %+v", what, found)
		}
		var log bytes.Buffer
		s, err := Open(t.Context(), dir, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if len(found) > 0 && !found[0].Leftover && !strings.Contains(log.String(), "log is damaged") {
			t.Errorf("%s: the start says nothing: %s", what, log.String())
		}
		checkWriter(t, s, what, 0, whole)
		if whole < walWrites {
			next := killLife(0, whole) // is not there
			if task, err := s.Task(t.Context(), next.Task.ID); err == nil && task.Version >= next.Task.Version {
				t.Errorf("%s: write %d is there although it ended behind the place", what, whole)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A process killed between the pages of a transaction leaves something that is
// no damage.
func TestCheckUnfinishedTransaction(t *testing.T) {
	file, wal, ends := logOf(t)
	dir := t.TempDir()
	err := errors.Join(os.WriteFile(filepath.Join(dir, fileName), file, 0o600),
		os.WriteFile(filepath.Join(dir, fileName+"-wal"), wal[:ends[walWrites-2]+frameHeader+4096], 0o600))
	if err != nil {
		t.Fatal(err)
	}
	found := check(t, "unfinished", dir)
	if len(found) != 1 || !found[0].Leftover {
		t.Errorf("found %+v", found)
	}
}

// Each kind of damage within the file is found with its place, and a whole store
// has none.
func TestCheckFindings(t *testing.T) {
	for _, tt := range []struct{ name, edit, place, what string }{
		{"whole", "", "", ""},
		{"a task's document", `UPDATE tasks SET doc = CAST(doc || ' ' AS BLOB) WHERE seq = 1`, "table tasks", "checksum"},
		{"a result's document", `UPDATE results SET sum = sum + 1`, "table results", "checksum"},
		{"a file's size", `UPDATE file_metadata SET size = size + 1 WHERE path = 'a'`, "table file_metadata", "checksum"},
		{"a key's reply", `UPDATE keys SET reply = x'00'`, "table keys", "checksum"},
		{"a worker", `UPDATE workers SET doc = x'7b207d'`, "table workers", "checksum"},
		{"an assignment of nothing", `INSERT INTO assignments VALUES ('ghost', 1, 'l', 'w', 1, 0)`, "table assignments", "ghost"},
		{"a placement", `UPDATE assignments SET worker_id = 'other'`, "table assignments", "checksum"},
		{"a user's role", `UPDATE users SET role = 'admin'`, "table users", "checksum"},
		{"a user's email", `UPDATE users SET email_key = 'b'`, "table users", "belong together"},
		{"a token's user", `UPDATE tokens SET user_id = 'u2'`, "table tokens", "checksum"},
		{"an ended sign-in", `UPDATE ended_sessions SET valid_until = 1`, "table ended_sessions", "checksum"},
		{"the cluster's id", `UPDATE meta SET value = 'c2'`, "table meta", "checksum"},
		{"an audit entry", unguarded(`UPDATE audit SET doc = CAST(doc || ' ' AS BLOB)`), "table audit", "checksum"},
		{"what an audit entry is found by", unguarded(`UPDATE audit SET outcome = 'failed'`), "table audit", "columns"},
		{"a result of nothing", `UPDATE results SET task_id = 'ghost'`, "table results", "ghost"},
		{"a file of nothing", `UPDATE file_metadata SET task_id = 'ghost'`, "table file_metadata", "ghost"},
		{"a file's row is gone", `DELETE FROM file_metadata WHERE path = 'b'`, "table file_metadata", "2 files"},
		{"a token of nobody", `INSERT INTO tokens VALUES ('t', 'nobody', '', 'null', 'g', 0, 0, 0, 0)`, "table tokens", "no user"},
		{"counts", `UPDATE task_counts SET n = n + 1`, "table task_counts", "counts"},
		{"an index", `DROP INDEX tasks_by_user`, "schema", "tasks_by_user"},
		{"newer", `PRAGMA user_version = 1000`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			for n := range 3 {
				if err := s.Commit(t.Context(), []db.Write{killLife(0, n)})[0]; err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(s.PutWorker(t.Context(), cluster.Worker{ID: "w"}), fillAccounts(t.Context(), s), s.Close()); err != nil {
				t.Fatal(err)
			}
			if tt.edit != "" {
				edit(t, dir, tt.edit)
			}
			if tt.name == "newer" {
				if err := Check(t.Context(), dir, func(db.Finding) {}, nil); !errors.Is(err, db.ErrTooNew) {
					t.Errorf("a newer store: %v", err)
				}
				return
			}
			found := check(t, tt.name, dir)
			named := false
			for _, f := range found {
				named = named || f.Place == tt.place && strings.Contains(f.What, tt.what) && !f.Leftover
			}
			if named == (tt.edit == "") || tt.edit == "" && len(found) > 0 {
				t.Errorf("found %+v", found)
			}
		})
	}
}

// A flipped bit anywhere in the file is found, or makes no difference to what is
// read.
func TestCheckFlippedBits(t *testing.T) {
	const seed = 20261127
	r := rand.New(rand.NewPCG(seed, 4))
	dir := t.TempDir()
	s := open(t, dir)
	for n := range 60 {
		if err := s.Commit(t.Context(), []db.Write{killLife(0, n)})[0]; err != nil {
			t.Fatal(err)
		}
	}
	want, err := everything(s)
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for range damages {
		at, bad := r.IntN(len(whole)), bytes.Clone(whole)
		bad[at] ^= 1 << r.IntN(8)
		what := fmt.Sprintf("seed %d, byte %d of %d", seed, at, len(whole))
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		found := 0
		err := Check(t.Context(), dir, func(db.Finding) { found++ }, nil)
		if found > 0 || err != nil {
			named++
			continue
		}
		s := open(t, dir)
		got, err := everything(s)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the check says nothing, and what is read is different (%v)", what, err)
		}
	}
	t.Logf("%d of %d flipped bits were named, the others changed nothing", named, damages)
}
