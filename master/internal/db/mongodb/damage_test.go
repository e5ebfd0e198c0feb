package mongodb

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// What somebody has changed behind the master's back is named, not believed.
func TestDamage(t *testing.T) {
	s := open(t, testDatabase(t), t.TempDir())
	commit(t, s, insert(newTask("a")), whole(insert(newTask("a")).Task, "x"))
	_, err := s.MetaOnce(t.Context(), "cluster_id", "c1")
	err = errors.Join(err,
		s.PutWorker(t.Context(), cluster.Worker{ID: "w", Address: "host:1"}),
		s.PutUser(t.Context(), cluster.User{ID: "u", Email: "A@example.org", Role: cluster.RoleUser}),
		s.PutToken(t.Context(), cluster.APIToken{ID: "k", UserID: "u", SecretHash: "h"}),
		s.EndSession(t.Context(), "s", time.Unix(2, 0)),
		s.AppendAudit(t.Context(), []cluster.AuditEntry{{Seq: 1, UserID: "u", Action: "login", Outcome: cluster.AuditOK}}))
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]func() error{
		"tasks":         func() error { _, err := s.Task(t.Context(), "a"); return err },
		"results":       func() error { _, err := s.TaskResults(t.Context(), "a"); return err },
		"file_metadata": func() error { _, err := s.TaskFiles(t.Context(), "a"); return err },
		"assignments": func() error {
			_, _, err := s.WorkerAttempts(t.Context(), "w", cluster.Page{Limit: 5})
			return err
		},
		"users":          func() error { _, err := s.UserByEmail(t.Context(), "a@example.org"); return err },
		"tokens":         func() error { _, err := s.TokenByHash(t.Context(), "h"); return err },
		"ended_sessions": func() error { _, err := s.EndedSessions(t.Context(), time.Unix(1, 0)); return err },
		"meta":           func() error { _, err := s.MetaOnce(t.Context(), "cluster_id", "c3"); return err },
		"workers":        func() error { _, err := s.ListWorkers(t.Context()); return err },
		"audit":          func() error { _, err := s.ListAudit(t.Context(), cluster.AuditFilter{}, 0, 1); return err },
	}
	for _, tt := range []struct {
		table  string
		damage bson.M
	}{ // the task last: the others are read by it
		{"results", bson.M{"doc": "{}"}},
		{"file_metadata", bson.M{"size": int64(2)}},
		{"workers", bson.M{"doc": "{}"}},
		{"assignments", bson.M{"lease": "other"}},
		{"users", bson.M{"role": "admin"}},
		{"tokens", bson.M{"user_id": "u2"}},
		{"ended_sessions", bson.M{"valid_until": time.Unix(3, 0).UnixNano()}},
		{"meta", bson.M{"value": "c2"}},
		{"audit", bson.M{"outcome": "failed"}},
		{"tasks", bson.M{"rows": bson.A{}}},
	} {
		table, damage := tt.table, tt.damage
		if err := read[table](); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		if _, err := s.in.tasks.Database().Collection(table).UpdateMany(t.Context(), bson.M{}, bson.M{"$set": damage}); err != nil {
			t.Fatal(err)
		}
		if err := read[table](); !errors.Is(err, db.ErrDamaged) || !strings.Contains(err.Error(), table) {
			t.Errorf("%s: %v", table, err)
		}
	}
}

func TestNewerSchema(t *testing.T) {
	database := testDatabase(t)
	s := open(t, database, t.TempDir())
	if _, err := s.in.schema.UpdateOne(t.Context(), bson.M{}, bson.M{"$set": bson.M{"version": schemaVersion + 1}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, testURI, database, t.TempDir()); !errors.Is(err, db.ErrTooNew) || !strings.Contains(err.Error(), fmt.Sprint(schemaVersion+1)) {
		t.Errorf("opening a newer database: %v", err)
	}
}

// Rows that schema 1 wrote have no checksum where schema 2 has one, and are read;
// written again they have it.
func TestSchema1(t *testing.T) {
	database := testDatabase(t)
	s := open(t, database, t.TempDir())
	user := cluster.User{ID: "u", Email: "A@example.org", Role: cluster.RoleUser}
	if err := s.PutUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	_, err := s.in.users.UpdateMany(t.Context(), bson.M{}, bson.M{"$unset": bson.M{"sum": ""}})
	_, err2 := s.in.schema.UpdateOne(t.Context(), bson.M{}, bson.M{"$set": bson.M{"version": 1}})
	if err := errors.Join(err, err2, s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, database, t.TempDir())
	if got, err := s.UserByID(t.Context(), "u"); err != nil || got.Email != user.Email {
		t.Errorf("a row of schema 1: %+v, %v", got, err)
	}
	if err := s.PutUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	var row userRow
	if found, err := s.findOne(t.Context(), s.in.users, bson.M{"_id": "u"}, &row); !found || err != nil || row.Sum == nil {
		t.Errorf("written again: %+v, %v", row, err)
	}
}

// A database of schema 2 gets the audit log with its indexes, and says what it is.
func TestSchema2(t *testing.T) {
	database := testDatabase(t)
	s := open(t, database, t.TempDir())
	if err := s.PutWorker(t.Context(), cluster.Worker{ID: "w", Address: "host:1"}); err != nil {
		t.Fatal(err)
	}
	_, err := s.in.schema.UpdateOne(t.Context(), bson.M{}, bson.M{"$set": bson.M{"version": 2}})
	if err := errors.Join(s.in.audit.Drop(t.Context()), err, s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, database, t.TempDir())
	workers, err := s.ListWorkers(t.Context())
	if err != nil || len(workers) != 1 {
		t.Errorf("workers of schema 2: %v, %v", workers, err)
	}
	entry := cluster.AuditEntry{Seq: 1, UserID: "u", Action: "login", Outcome: cluster.AuditOK}
	if err := s.AppendAudit(t.Context(), []cluster.AuditEntry{entry}); err != nil {
		t.Fatal(err)
	}
	list, err := s.ListAudit(t.Context(), cluster.AuditFilter{UserID: "u"}, 0, 5)
	if err != nil || len(list) != 1 || list[0] != entry {
		t.Errorf("the audit log: %+v, %v", list, err)
	}
	indexes, err := s.in.audit.Indexes().ListSpecifications(t.Context())
	if err != nil || len(indexes) != 4 {
		t.Errorf("%d indexes of the audit log, %v", len(indexes), err)
	}
	var row schemaRow
	if found, err := s.findOne(t.Context(), s.in.schema, bson.M{"_id": "version"}, &row); !found || err != nil || row.Version != schemaVersion {
		t.Errorf("the schema is %+v, %v", row, err)
	}
}
