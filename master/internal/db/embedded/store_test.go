package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(dir))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// same compares what was read with what was written.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// backend is a folder; a crash copies what is in the files and goes on with
// the copy, as if the process had ended there.
type backend struct {
	dir   string
	store *Store
}

func (b *backend) Open(t testing.TB) db.Store {
	b.store = open(t, b.dir)
	return b.store
}

func (b *backend) Crash(t testing.TB) {
	dir := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(b.store.path + suffix)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fileName+suffix), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b.dir = dir
}

func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend { return &backend{dir: t.TempDir()} })
}
