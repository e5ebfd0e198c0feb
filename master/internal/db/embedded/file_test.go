package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/dirlock"
)

// edit changes the file of a closed store with SQL.
func edit(t *testing.T, dir, query string, args ...any) {
	t.Helper()
	s, err := openSession(t.Context(), filepath.Join(dir, fileName))
	if err == nil {
		_, err = s.conn.ExecContext(t.Context(), query, args...)
		err = errors.Join(err, s.close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestF25TwoMastersOnOneStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := Open(t.Context(), dir, Options{})
	if !errors.Is(err, db.ErrLocked) {
		t.Fatalf("a second master: %v", err)
	}
	for _, want := range []string{dir, fmt.Sprintf("process %d", os.Getpid())} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %q", err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestFolders(t *testing.T) {
	for _, name := range []string{"plain", "with space", "question?mode=memory", "percent%20", "hash#", "ünï/nested/deep", "a&b=c;d"} {
		dir := filepath.Join(t.TempDir(), name)
		s := open(t, dir)
		if err := commitOne(t.Context(), s, 1); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		for _, file := range []string{fileName, fileName + "-wal", dirlock.Name} {
			info, err := os.Stat(filepath.Join(dir, file))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%q: %v, %v", name, info, err)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), file, Options{}); err == nil {
		t.Error("a file was taken for a folder")
	}
}

func TestSettings(t *testing.T) {
	s := open(t, t.TempDir())
	for name, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "foreign_keys": "1",
		"user_version": fmt.Sprint(len(migrations)), "application_id": fmt.Sprint(applicationID),
	} {
		var got string
		if err := s.reads.Load().db.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", name, got, want, err)
		}
	}
	if _, err := s.reads.Load().db.ExecContext(t.Context(), `DELETE FROM tasks`); err == nil {
		t.Error("the read pool can write")
	}
}

func TestTooNew(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, "PRAGMA user_version = 1000")
	if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, db.ErrTooNew) || !strings.Contains(err.Error(), "1000") {
		t.Errorf("a newer file: %v", err)
	}
}

func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, db.ErrDamaged) {
		t.Errorf("a text file: %v", err)
	}
	dir = t.TempDir()
	edit(t, dir, "PRAGMA application_id = 7; CREATE TABLE theirs (x)")
	if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, db.ErrDamaged) {
		t.Errorf("another program's file: %v", err)
	}
}

// TestF25FlippedByteInARow damages the content of each kind of row that has a checksum.
func TestF25FlippedByteInARow(t *testing.T) {
	life := benchLife(7)
	last := life[2]
	last.Task.Files = cluster.FilesSummary{Attempt: 1, Count: 1}
	last.Files = []cluster.File{{Path: "out.txt", Size: 5, SHA256: "abc"}}
	id := last.Task.ID
	page := cluster.Page{Limit: 5}
	for name, tt := range map[string]struct {
		damage string
		names  []string
		read   func(*Store) error
	}{
		"task": {
			`UPDATE tasks SET doc = CAST(replace(CAST(doc AS TEXT), 'train', 'brain') AS BLOB)`,
			[]string{"tasks", string(id)},
			func(s *Store) error { _, err := s.Task(context.Background(), id); return err },
		},
		"listed task": {
			`UPDATE tasks SET doc = CAST(replace(CAST(doc AS TEXT), 'train', 'brain') AS BLOB)`,
			[]string{"tasks", string(id)},
			func(s *Store) error {
				_, _, err := s.ListTasks(context.Background(), cluster.TaskFilter{}, page)
				return err
			},
		},
		"task's version": {
			`UPDATE tasks SET version = 9`,
			[]string{"tasks", string(id)},
			func(s *Store) error { _, err := s.Task(context.Background(), id); return err },
		},
		"result": {
			`UPDATE results SET doc = CAST(replace(CAST(doc AS TEXT), 'worker-1', 'worker-2') AS BLOB)`,
			[]string{"results", string(id)},
			func(s *Store) error { _, err := s.TaskResults(context.Background(), id); return err },
		},
		"file": {
			`UPDATE file_metadata SET size = 6`,
			[]string{"file_metadata", string(id), "out.txt"},
			func(s *Store) error { _, err := s.TaskFiles(context.Background(), id); return err },
		},
		"worker": {
			`UPDATE workers SET doc = CAST(replace(CAST(doc AS TEXT), 'host', 'most') AS BLOB)`,
			[]string{"workers", "w1"},
			func(s *Store) error { _, err := s.ListWorkers(context.Background()); return err },
		},
		"assignment": {
			`UPDATE assignments SET lease = 'other'`,
			[]string{"assignments", string(id)},
			func(s *Store) error {
				_, _, err := s.WorkerAttempts(context.Background(), life[1].Assignment.WorkerID, page)
				return err
			},
		},
		"user": {
			`UPDATE users SET role = 'admin'`,
			[]string{"users", "u1"},
			func(s *Store) error { _, err := s.UserByEmail(context.Background(), "a@example.org"); return err },
		},
		"user's email": {
			`UPDATE users SET email_key = 'b@example.org'`,
			[]string{"users", "u1"},
			func(s *Store) error { _, err := s.UserByEmail(context.Background(), "b@example.org"); return err },
		},
		"token": {
			`UPDATE tokens SET expires_at = expires_at + 1`,
			[]string{"tokens", "k1"},
			func(s *Store) error { _, err := s.TokenByHash(context.Background(), "h"); return err },
		},
		"ended sign-in": {
			`UPDATE ended_sessions SET valid_until = valid_until + 1`,
			[]string{"ended_sessions", "s1"},
			func(s *Store) error { _, err := s.EndedSessions(context.Background(), benchTime); return err },
		},
		"audit entry": {
			unguarded(`UPDATE audit SET doc = CAST(replace(CAST(doc AS TEXT), 'login', 'logon') AS BLOB)`),
			[]string{"audit", `"1"`},
			func(s *Store) error {
				_, err := s.ListAudit(context.Background(), cluster.AuditFilter{}, 0, 1)
				return err
			},
		},
		"what an audit entry is found by": {
			unguarded(`UPDATE audit SET user_id = 'u2'`),
			[]string{"audit", `"1"`},
			func(s *Store) error {
				_, err := s.ListAudit(context.Background(), cluster.AuditFilter{UserID: "u2"}, 0, 1)
				return err
			},
		},
		"meta": {
			`UPDATE meta SET value = 'c2'`,
			[]string{"meta", "cluster_id"},
			func(s *Store) error { _, err := s.MetaOnce(context.Background(), "cluster_id", "c3"); return err },
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			errs := s.Commit(t.Context(), []db.Write{life[0], life[1], last})
			errs = append(errs, s.PutWorker(t.Context(), cluster.Worker{ID: "w1", Address: "host:1"}), fillAccounts(t.Context(), s), s.Close())
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			edit(t, dir, tt.damage)
			err := tt.read(open(t, dir))
			if !errors.Is(err, db.ErrDamaged) {
				t.Fatalf("read: %v", err)
			}
			for _, want := range tt.names {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %q", err, want)
				}
			}
		})
	}
}

// fillAccounts stores one row of each kind that is no document.
func fillAccounts(ctx context.Context, s *Store) error {
	_, err := s.MetaOnce(ctx, "cluster_id", "c1")
	return errors.Join(err,
		s.PutUser(ctx, cluster.User{ID: "u1", Name: "Ada", Email: "A@example.org", Role: cluster.RoleUser}),
		s.PutToken(ctx, cluster.APIToken{ID: "k1", UserID: "u1", SecretHash: "h", ExpiresAt: benchTime}),
		s.EndSession(ctx, "s1", benchTime.Add(time.Hour)),
		s.AppendAudit(ctx, []cluster.AuditEntry{{Seq: 1, Time: benchTime, UserID: "u1", Action: "login", Outcome: cluster.AuditOK}}))
}

// TestF25TornTail cuts the write-ahead log at every frame and at random places
// within: what is there are the first writes, each whole, in order.
func TestF25TornTail(t *testing.T) {
	const seed = 20260203
	r := rand.New(rand.NewPCG(seed, 2))
	dir := t.TempDir()
	s := open(t, dir)
	for n := range tears {
		if err := s.Commit(t.Context(), []db.Write{killLife(0, n)})[0]; err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(s.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	const header, frame = 32, 24 + 4096
	least, opened := 0, 0
	for cut := header; cut <= len(log); cut += frame * (1 + r.IntN(3)) {
		end := min(cut+r.IntN(2)*r.IntN(frame), len(log))
		torn := t.TempDir()
		err := errors.Join(os.WriteFile(filepath.Join(torn, fileName), file, 0o600),
			os.WriteFile(filepath.Join(torn, fileName+"-wal"), log[:end], 0o600))
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, torn)
		n := writesThere(t, s)
		if n < least {
			t.Errorf("seed %d: %d bytes of the log hold %d writes, fewer held %d", seed, end, n, least)
		}
		checkWriter(t, s, fmt.Sprintf("seed %d, %d bytes of the log", seed, end), 0, n)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		least, opened = n, opened+1
	}
	if least == 0 {
		t.Error("no cut showed any write")
	}
	t.Logf("opened %d torn logs, the last with %d of 30 writes", opened, least)
}

// writesThere counts the writes of writer 0 from the versions of its tasks.
func writesThere(t *testing.T, s *Store) (n int) {
	t.Helper()
	tasks, _, err := s.ListTasks(t.Context(), cluster.TaskFilter{}, cluster.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		n += int(task.Version)
	}
	return n
}

func TestPrefixEnd(t *testing.T) {
	for prefix, want := range map[string]string{"": "", "a": "b", "a\xff": "b", "\xff\xff": "", "ab": "ac"} {
		if got := prefixEnd(prefix); got != want {
			t.Errorf("prefixEnd(%q) = %q, want %q", prefix, got, want)
		}
	}
}

func TestForeignCursor(t *testing.T) {
	s := open(t, t.TempDir())
	for _, id := range []string{"x", "x/", "x/y", "/"} {
		_, _, err := s.WorkerAttempts(t.Context(), "w", cluster.Page{Limit: 1, After: cluster.Cursor{ID: id}})
		if !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("cursor %q: %v", id, err)
		}
	}
}

// TestCountsKept compares the counts kept beside the tasks with the tasks.
func TestCountsKept(t *testing.T) {
	s := open(t, t.TempDir())
	for n := range 90 {
		for _, w := range benchLife(n)[:1+n%3] {
			if err := s.Commit(t.Context(), []db.Write{w, w})[0]; err != nil { // the second is refused and counts for nothing
				t.Fatal(err)
			}
		}
	}
	for _, user := range []cluster.UserID{"", "user-00", "user-07"} {
		kept, err := s.CountTasks(t.Context(), cluster.TaskFilter{UserID: user})
		if err != nil {
			t.Fatal(err)
		}
		walked, err := s.CountTasks(t.Context(), cluster.TaskFilter{UserID: user, Since: time.Unix(0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		same(t, string(user), kept, walked)
	}
}
