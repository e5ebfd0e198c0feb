package mongodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/storetest"
)

// call is one command as it went to the server.
type call struct {
	name, in string
	at       time.Time
	command  bson.Raw
}

// wire hears what a store sends.
type wire struct {
	before func(call) // may be nil

	mu    sync.Mutex
	calls []call
}

func (w *wire) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		c := call{name: e.CommandName, at: time.Now(), command: slices.Clone(e.Command)}
		c.in, _ = e.Command.Lookup(e.CommandName).StringValueOK()
		w.mu.Lock()
		w.calls = append(w.calls, c)
		w.mu.Unlock()
		if w.before != nil {
			w.before(c)
		}
	}}
}

// heard are the calls so far, and forgets them.
func (w *wire) heard() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

// writes are those of the calls that change rows, as "insert tasks".
func writes(calls []call) (names []string) {
	for _, c := range calls {
		if slices.Contains([]string{"insert", "update", "delete"}, c.name) {
			names = append(names, c.name+" "+c.in)
		}
	}
	return names
}

// last is the latest such call.
func last(t testing.TB, calls []call, name, in string) call {
	t.Helper()
	for _, c := range slices.Backward(calls) {
		if c.name == name && c.in == in {
			return c
		}
	}
	t.Fatalf("no %s of %s among %d calls", name, in, len(calls))
	return call{}
}

// listenedTo opens a store with time enough, whose calls are heard.
func listenedTo(t testing.TB, uri string) (*Store, *wire) {
	t.Helper()
	heard := new(wire)
	b := &backend{uri: uri, database: testDatabase(t), dir: t.TempDir(), monitor: heard.monitor()}
	b.Open(t)
	return b.store, heard
}

// weakened is the server's URI with settings that would lose writes.
func weakened() string {
	uri := testURI
	switch {
	case strings.Contains(uri, "?"):
		uri += "&"
	case strings.Count(uri, "/") < 3:
		uri += "/?"
	default:
		uri += "?"
	}
	return uri + "w=1&journal=false&readConcernLevel=local&readPreference=secondaryPreferred"
}

// Every write waits for the journals of a majority and every read reads what
// such a one has, whatever the URI says; every update of a task compares version
// and epoch.
func TestConcerns(t *testing.T) {
	s, heard := listenedTo(t, weakened())
	if err := storetest.Populate(t.Context(), s, 8); err != nil {
		t.Fatal(err)
	}
	commit(t, s, insert(newTask("a")))
	commit(t, s, update(get(t, s, "a"), "again"))
	if err := s.DeleteTasks(t.Context(), []db.TaskVersion{{ID: "a", Version: 2}})[0]; err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.ListTasks(t.Context(), cluster.TaskFilter{}, cluster.Page{Limit: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CountTasks(t.Context(), cluster.TaskFilter{}); err != nil {
		t.Fatal(err)
	}
	if got := s.opts.client().ReadPreference.Mode(); got != readpref.PrimaryMode {
		t.Errorf("reads prefer %s", got)
	}
	seen := map[string]int{}
	for _, c := range heard.heard() {
		seen[c.name]++
		switch c.name {
		case "insert", "update", "delete":
			var concern struct {
				W string `bson:"w"`
				J bool   `bson:"j"`
			}
			if err := c.command.Lookup("writeConcern").Unmarshal(&concern); err != nil || concern.W != "majority" || !concern.J {
				t.Errorf("%s of %s: write concern %+v, %v", c.name, c.in, concern, err)
			}
		case "find", "aggregate":
			if level, _ := c.command.Lookup("readConcern", "level").StringValueOK(); level != "majority" {
				t.Errorf("%s of %s: read concern %q", c.name, c.in, level)
			}
		}
		checkComparison(t, c)
	}
	for _, name := range []string{"insert", "update", "delete", "find", "aggregate"} {
		if seen[name] == 0 {
			t.Errorf("no %s was heard: the test shows nothing of them", name)
		}
	}
}

// checkComparison wants that who replaces or deletes one task names key, version
// and epoch.
func checkComparison(t *testing.T, c call) {
	t.Helper()
	var body struct {
		Updates, Deletes []struct {
			Q     bson.M `bson:"q"`
			Multi bool   `bson:"multi"`
			Limit int    `bson:"limit"`
		}
	}
	if c.in != "tasks" {
		return
	}
	if err := bson.Unmarshal(c.command, &body); err != nil {
		t.Error(err)
	}
	for _, change := range append(body.Updates, body.Deletes...) {
		if change.Multi || c.name == "delete" && change.Limit != 1 {
			continue
		}
		names := slices.Sorted(maps.Keys(change.Q))
		if fmt.Sprint(names) != "[_id epoch version]" {
			t.Errorf("%s of one task compares %v", c.name, names)
		}
	}
}

// A batch takes as many calls as one write does.
func TestBatchesAreBulks(t *testing.T) {
	s, heard := listenedTo(t, testURI)
	const n = 10
	var inserts, follow []db.Write
	for i := range n {
		inserts = append(inserts, insert(newTask(fmt.Sprintf("t%02d", i))))
		follow = append(follow, whole(inserts[i].Task, "l"))
	}
	heard.heard()
	commit(t, s, inserts...)
	commit(t, s, follow...)
	got := slices.DeleteFunc(writes(heard.heard()), func(name string) bool { return name == "update lock" })
	want := "[insert tasks insert assignments insert results insert file_metadata update tasks]"
	if fmt.Sprint(got) != want {
		t.Errorf("%d tasks in two batches took the writes %v, want %s", n, got, want)
	}
}

// Who gives up on a call that tells how many rows it removed hears of no number:
// the writer is counting still, which the race detector would see.
func TestGiveUpOnACount(t *testing.T) {
	at := time.Unix(1_700_000_000, 0).UTC()
	for in, remove := range map[string]func(context.Context, *testing.T, *Store) (int, error){
		"keys": func(ctx context.Context, t *testing.T, s *Store) (int, error) {
			t.Helper()
			key := db.Key{Name: db.KeyName{UserID: "u", Route: "r", Key: "k"}, StoredAt: at, ExpiresAt: at.Add(time.Hour)}
			if err := s.PutKey(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			return s.ForgetKeys(ctx, key.ExpiresAt, 5)
		},
		"audit": func(ctx context.Context, t *testing.T, s *Store) (int, error) {
			t.Helper()
			if err := s.AppendAudit(t.Context(), []cluster.AuditEntry{{}, {Action: db.AuditPruned, Target: "1"}}); err != nil {
				t.Fatal(err)
			}
			return s.RemoveAudit(ctx, 1, 5)
		},
	} {
		t.Run(in, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			heard := &wire{before: func(c call) {
				if c.name == "delete" && c.in == in {
					cancel()
				}
			}}
			b := &backend{uri: testURI, database: testDatabase(t), dir: t.TempDir(), monitor: heard.monitor()}
			b.Open(t)
			// The answer may be there before the caller has given up.
			if n, err := remove(ctx, t, b.store); err == nil && n != 1 || err != nil && (n != 0 || !errors.Is(err, db.ErrOutcomeUnknown)) {
				t.Errorf("%d rows, %v", n, err)
			}
		})
	}
}

// file_metadata has the fields that are written down for others to read.
func TestFileMetadata(t *testing.T) {
	s, _ := listenedTo(t, testURI)
	ended := time.Unix(1_700_000_100, 0).UTC()
	task := insert(newTask("a"))
	task.Task.FinishedAt, task.Task.Files = ended, cluster.FilesSummary{Attempt: 3, Count: 1, TotalSize: 5}
	task.Files = []cluster.File{{Path: "d/f", Size: 5, SHA256: "ab12", ContentType: "text/plain"}}
	commit(t, s, task)
	var row bson.M
	if err := s.in.tasks.Database().Collection("file_metadata").FindOne(t.Context(), bson.M{}).Decode(&row); err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"_id", "write", "sum"} { // of the store itself
		if _, ok := row[own]; !ok {
			t.Errorf("no %s in %v", own, row)
		}
		delete(row, own)
	}
	got, err := json.Marshal(row)
	want := `{"attempt":3,"content_type":"text/plain","created_at":"2023-11-14T22:15:00Z","path":"d/f","sha256":"ab12","size":5,"task_id":"a","user_id":"u1"}`
	if err != nil || string(got) != want {
		t.Errorf("a row is %s, %v; want %s", got, err, want)
	}
}

// The indexes are there after a start, and database/README.md tells of them.
func TestIndexes(t *testing.T) {
	s, _ := listenedTo(t, testURI)
	readme, err := os.ReadFile("../../../../database/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for collection, want := range map[string][]string{
		"tasks":          {"status, -created_at, _id", "user_id, status, -created_at, _id", "name, -created_at, _id", "files_shown, -created_at, _id", "noted"},
		"assignments":    {"worker_id, -assigned_at, task_id, attempt"},
		"results":        {"task_id, attempt"},
		"file_metadata":  {"task_id, write, path"},
		"keys":           {"user_id, route, key", "expires_at"},
		"users":          {"email_key unique"},
		"tokens":         {"secret_hash unique", "user_id"},
		"ended_sessions": {"valid_until"},
		"audit":          {"user_id, _id", "action, _id", "target, _id"},
	} {
		there, err := s.in.tasks.Database().Collection(collection).Indexes().ListSpecifications(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, spec := range there {
			if spec.Name != "_id_" {
				got = append(got, described(t, spec))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has the indexes %q, want %q", collection, got, want)
		}
		for _, index := range want {
			if fields, _ := strings.CutSuffix(index, " unique"); !strings.Contains(string(readme), "`"+fields+"`") {
				t.Errorf("database/README.md does not tell of the index of %s by %s", collection, fields)
			}
		}
	}
}

// described is an index as README writes it.
func described(t *testing.T, spec mongo.IndexSpecification) string {
	t.Helper()
	elements, err := spec.KeysDocument.Elements()
	if err != nil {
		t.Fatal(err)
	}
	fields := make([]string, len(elements))
	for i, e := range elements {
		fields[i] = e.Key()
		if e.Value().AsInt64() < 0 {
			fields[i] = "-" + fields[i]
		}
	}
	text := strings.Join(fields, ", ")
	if spec.Unique != nil && *spec.Unique {
		text += " unique"
	}
	return text
}
