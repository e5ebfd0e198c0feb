package mongodb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/mongodb/mongotest"
	"cloudai/master/internal/db/storetest"
)

// uriEnv names a server to be tested against; without it one is started.
const uriEnv = "MONGODB_TEST_URI"

// testURI is the server of all tests of this package.
var testURI string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	testURI = os.Getenv(uriEnv)
	stop := func() error { return nil }
	if testURI == "" {
		dir, err := os.MkdirTemp("", "cloudai-ferretdb-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		server, err := mongotest.Start(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		stop = server.Stop
		testURI = server.URI()
	}
	var err error
	if able, err = probe(testURI); err != nil {
		fmt.Fprintln(os.Stderr, "asking the server what it can do:", err)
		return 1
	}
	fmt.Printf("the server says it is %s\n", able.version)
	for _, line := range able.leftOut() {
		fmt.Println(line)
	}
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// testDatabase is an empty database of its own, dropped when the test ends from
// a server that outlives it.
func testDatabase(t testing.TB) string {
	t.Helper()
	name := "cloudai_test_" + strings.ToLower(rand.Text()[:12])
	if os.Getenv(uriEnv) == "" {
		return name
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		client, err := mongo.Connect(options.Client().ApplyURI(testURI))
		if err != nil {
			t.Error(err)
			return
		}
		if err := client.Database(name).Drop(ctx); err != nil {
			t.Error(err)
		}
		if err := client.Disconnect(ctx); err != nil {
			t.Error(err)
		}
	})
	return name
}

// backend is a database and a folder; a crash leaves the lease as it is, as
// SIGKILL does.
type backend struct {
	uri, database, dir string
	monitor            *event.CommandMonitor
	store              *Store
}

func (b *backend) Open(t testing.TB) db.Store {
	t.Helper()
	// Patient: what stands for a MongoDB is slow on a busy machine.
	opts := Options{URI: b.uri, Database: b.database, Dir: b.dir, Lease: 3 * time.Minute, Timeout: time.Minute, monitor: b.monitor}
	s, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	b.store = s
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// open opens a store that has time enough.
func open(t testing.TB, database, dir string) *Store {
	t.Helper()
	b := &backend{uri: testURI, database: database, dir: dir}
	b.Open(t)
	return b.store
}

// Crash implements storetest.Crasher.
func (b *backend) Crash(t testing.TB) {
	t.Helper()
	crash(t, b.store)
}

// crash ends a store without giving its lease back.
func crash(t testing.TB, s *Store) {
	t.Helper()
	err := s.change(t.Context(), func(_ context.Context, w *writer) error {
		w.lost = errors.New("crashed")
		return nil
	})
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
}

var _ storetest.Crasher = (*backend)(nil)

// Slow implements storetest.Slow: FerretDB reads a whole collection for almost
// every query.
func (b *backend) Slow() bool { return !able.indexed }

func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		t.Parallel() // each has a database of its own
		return &backend{uri: testURI, database: testDatabase(t), dir: t.TempDir()}
	})
}
