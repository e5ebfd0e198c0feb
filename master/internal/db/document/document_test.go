package document_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
	"cloudai/master/internal/db/storetest"
)

// Every field comes back, also one that is added to the domain and forgotten
// here.
func TestEveryFieldComesBack(t *testing.T) {
	task, result, worker := storetest.Filled[cluster.Task](), storetest.Filled[db.Result](), storetest.Filled[cluster.Worker]()
	comesBack(t, task, func() ([]byte, error) { return document.EncodeTask(&task) }, func(b []byte) (cluster.Task, error) {
		id := string(task.ID)
		return document.DecodeTask(id, task.Version, document.Sum(id, task.Version, b), b)
	})
	comesBack(t, result, func() ([]byte, error) { return document.EncodeResult(&result) }, func(b []byte) (db.Result, error) {
		id, attempt := string(result.Ref.TaskID), int64(result.Ref.Attempt)
		return document.DecodeResult(id, attempt, document.Sum(id, attempt, b), b)
	})
	comesBack(t, worker, func() ([]byte, error) { return document.EncodeWorker(&worker) }, func(b []byte) (cluster.Worker, error) {
		id := string(worker.ID)
		return document.DecodeWorker(id, document.Sum(id, 0, b), b)
	})
	entry := storetest.Filled[cluster.AuditEntry]()
	comesBack(t, entry, func() ([]byte, error) { return nil, nil }, func([]byte) (cluster.AuditEntry, error) {
		row, err := document.EncodeAudit(&entry)
		if err != nil {
			return entry, err
		}
		return row.Entry()
	})
}

func comesBack[T any](t *testing.T, want T, encode func() ([]byte, error), decode func([]byte) (T, error)) {
	t.Helper()
	for v, i := reflect.ValueOf(want), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("%T: %s is not filled: the test shows nothing of it", want, v.Type().Field(i).Name)
		}
	}
	b, err := encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%T (-written +read):\n%s", want, diff)
	}
}
