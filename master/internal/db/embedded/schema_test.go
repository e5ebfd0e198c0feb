package embedded

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// TestMigration goes from one version to the next, keeps the rows, and leaves
// the old version when a step fails.
func TestMigration(t *testing.T) {
	released := migrations
	defer func() { migrations = released }()
	dir := t.TempDir()
	s := open(t, dir)
	if err := commitOne(t.Context(), s, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	migrations = append(slices.Clone(released), `CREATE TABLE extra (x TEXT); INSERT INTO nowhere VALUES (1)`)
	if _, err := Open(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a step that fails: %v", err)
	}
	migrations[len(released)] = `CREATE TABLE extra (x TEXT); INSERT INTO extra VALUES ('y')`
	s = open(t, dir)
	if !has(t, s, 1) {
		t.Error("the migration lost a task")
	}
	var x string
	if err := s.reads.Load().db.QueryRowContext(t.Context(), "SELECT x FROM extra").Scan(&x); err != nil || x != "y" {
		t.Errorf("extra %q, %v", x, err)
	}
}

// TestSchema1 opens a file of the first released schema: its rows are there,
// and what came later can be written beside them.
func TestSchema1(t *testing.T) {
	released := migrations
	defer func() { migrations = released }()
	dir := t.TempDir()
	migrations = released[:1]
	s := open(t, dir)
	life := benchLife(1)
	placed := *life[1].Assignment // its row has a column more now
	life[1].Assignment = nil
	if err := errors.Join(append(s.Commit(t.Context(), life), s.Close())...); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, `INSERT INTO assignments VALUES (?, ?, ?, ?, ?); INSERT INTO meta VALUES ('cluster_id', 'c1')`,
		string(placed.Ref.TaskID), placed.Ref.Attempt, placed.Ref.Lease, string(placed.WorkerID), document.Nanos(placed.AssignedAt))
	edit(t, dir, `INSERT INTO users (id, name, email, email_key, password_hash, role, disabled, created_at) VALUES
('u1', 'Ada', 'Ada@example.org', 'ada@example.org', 'h1', 'admin', 0, ?), ('u2', 'Bob', 'bob@example.org', 'bob@example.org', 'h2', 'user', 1, ?)`,
		document.Nanos(benchTime), document.Nanos(benchTime.Add(1)))

	migrations = released
	s = open(t, dir)
	ada := cluster.User{ID: "u1", Name: "Ada", Email: "Ada@example.org", PasswordHash: "h1", Role: cluster.RoleAdmin, CreatedAt: benchTime}
	bob := cluster.User{
		ID: "u2", Name: "Bob", Email: "bob@example.org", PasswordHash: "h2", Role: cluster.RoleUser, Disabled: true, CreatedAt: benchTime.Add(1),
	}
	users, err := s.ListUsers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "users", users, []cluster.User{ada, bob})
	attempts, _, err := s.WorkerAttempts(t.Context(), placed.WorkerID, cluster.Page{Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "placements", attempts, []db.Assignment{placed})
	if id, err := s.MetaOnce(t.Context(), "cluster_id", "another"); err != nil || id != "c1" {
		t.Errorf("the cluster's id is %q, %v", id, err)
	}
	results, err := s.TaskResults(t.Context(), life[2].Task.ID)
	if err != nil || len(results) != 1 {
		t.Fatalf("results %v, %v", results, err)
	}
	same(t, "result", results[0], *life[2].Result)

	ada.Generation = 1
	token := cluster.APIToken{ID: "k1", UserID: "u1", SecretHash: "h"}
	err = errors.Join(s.PutUser(t.Context(), ada), s.PutToken(t.Context(), token), s.EndSession(t.Context(), "s1", benchTime))
	if err != nil {
		t.Fatal(err)
	}
	user, err := s.UserByEmail(t.Context(), "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "user with a new field", user, ada)
	keyed := killLife(0, 6)
	if err := s.Commit(t.Context(), []db.Write{keyed})[0]; err != nil {
		t.Fatal(err)
	}
	key, err := s.Key(t.Context(), keyed.Key.Name)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "key", key, *keyed.Key)
}

// TestSchema4 opens a file from before there was an audit log: what is in it is
// whole, the log begins, and nothing changes or removes what is in that.
func TestSchema4(t *testing.T) {
	released := migrations
	defer func() { migrations = released }()
	dir := t.TempDir()
	migrations = released[:4]
	s := open(t, dir)
	user := cluster.User{ID: "u1", Email: "A@example.org", Role: cluster.RoleUser}
	err := errors.Join(append(s.Commit(t.Context(), benchLife(1)), s.PutUser(t.Context(), user), s.Close())...)
	if err != nil {
		t.Fatal(err)
	}

	migrations = released
	s = open(t, dir)
	if !has(t, s, 1) {
		t.Error("the migration lost a task")
	}
	entry := cluster.AuditEntry{Seq: 1, Time: benchTime, UserID: "u1", Action: "login", Detail: "d", Outcome: cluster.AuditDenied, Status: 401}
	if err := errors.Join(s.AppendAudit(t.Context(), []cluster.AuditEntry{entry}), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	entries, err := s.ListAudit(t.Context(), cluster.AuditFilter{UserID: "u1", Outcome: cluster.AuditDenied}, 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "audit log", entries, []cluster.AuditEntry{entry})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{`UPDATE audit SET target = 'x'`, `DELETE FROM audit`} {
		raw, err := openSession(t.Context(), filepath.Join(dir, fileName))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := raw.conn.ExecContext(t.Context(), query); err == nil || !strings.Contains(err.Error(), "entries of the audit log are not") {
			t.Errorf("%s: %v", query, err)
		}
		if err := raw.close(); err != nil {
			t.Fatal(err)
		}
	}
	if found := check(t, "brought forward", dir); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}

// TestSchema6 opens a file from before entries of the audit log could go by age: they
// go after an entry that says so, and no other does.
func TestSchema6(t *testing.T) {
	released := migrations
	defer func() { migrations = released }()
	dir := t.TempDir()
	migrations = released[:6]
	s := open(t, dir)
	entry := cluster.AuditEntry{Time: benchTime, UserID: "u1", Action: "login", Outcome: cluster.AuditOK}
	if err := errors.Join(s.AppendAudit(t.Context(), []cluster.AuditEntry{entry, entry, entry}), s.Close()); err != nil {
		t.Fatal(err)
	}

	migrations = released
	s = open(t, dir)
	said := cluster.AuditEntry{Action: db.AuditPruned, Target: "2"}
	if err := errors.Join(s.AppendAudit(t.Context(), []cluster.AuditEntry{said}), s.Close()); err != nil {
		t.Fatal(err)
	}
	for query, refused := range map[string]bool{
		`DELETE FROM audit`: true, `DELETE FROM audit WHERE seq = 3`: true, `UPDATE audit SET target = '9' WHERE seq = 4`: true,
		`DELETE FROM audit WHERE seq = 2`: false,
	} {
		raw, err := openSession(t.Context(), filepath.Join(dir, fileName))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := raw.conn.ExecContext(t.Context(), query); (err != nil) != refused {
			t.Errorf("%s: %v", query, err)
		}
		if err := raw.close(); err != nil {
			t.Fatal(err)
		}
	}
	if found := check(t, "brought forward", dir); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}

// unguarded changes entries of the audit log as a fault of the disk would, and
// leaves the trigger that forbids it as it was.
func unguarded(query string) string {
	const name = "audit_stays_as_it_is"
	_, text, _ := strings.Cut(migrations[4], "CREATE TRIGGER "+name)
	text, _, _ = strings.Cut(text, "END;")
	return "DROP TRIGGER " + name + "; " + query + "; CREATE TRIGGER " + name + text + "END"
}
