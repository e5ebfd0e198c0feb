package transfer_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/embedded"
	"cloudai/master/internal/db/mongodb"
	"cloudai/master/internal/db/mongodb/mongotest"
	"cloudai/master/internal/db/storetest"
	"cloudai/master/internal/db/transfer"
)

// mongoURI is the server that MONGODB_TEST_URI names, else one that is started.
func mongoURI(t *testing.T) string {
	t.Helper()
	if uri := os.Getenv("MONGODB_TEST_URI"); uri != "" {
		return uri
	}
	server, err := mongotest.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server.URI()
}

// Both ways between the two backends: each gives back every row as the other
// has it, a half filled database opens for no master and is started over.
func TestMoveToMongoDBAndBack(t *testing.T) {
	uri, name := mongoURI(t), "cloudai_move_"+strconv.FormatInt(time.Now().UnixNano(), 36)
	t.Cleanup(func() { drop(t, uri, name) })
	openMongo := func(filling bool) (*mongodb.Store, error) {
		return mongodb.Open(t.Context(), mongodb.Options{URI: uri, Database: name, Dir: t.TempDir(), Filling: filling})
	}
	from := openEmbedded(t, t.TempDir(), false)
	if err := storetest.Populate(t.Context(), from, 150); err != nil {
		t.Fatal(err)
	}
	target, err := openMongo(true)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken off")
	if _, err := transfer.Move(t.Context(), failing{from, 145, broken}, target); !errors.Is(err, broken) {
		t.Fatalf("a source that fails: %v", err)
	}
	if len(dump(t, target)) == 0 {
		t.Fatal("nothing was loaded: the test shows nothing")
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := openMongo(false); !errors.Is(err, db.ErrHalfFilled) {
		t.Fatalf("a half filled database was opened: %v, %v", s, err)
	}
	if target, err = openMongo(true); err != nil {
		t.Fatal(err)
	}
	move(t, from, target)
	if _, err := transfer.Move(t.Context(), from, target); !errors.Is(err, db.ErrNotEmpty) {
		t.Errorf("a database that holds something was filled: %v", err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	if target, err = openMongo(false); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	}()
	want := dump(t, from)
	if diff := cmp.Diff(want, dump(t, target)); diff != "" {
		t.Errorf("moved (-embedded +mongodb):\n%s", diff)
	}
	back, err := embedded.Open(t.Context(), t.TempDir(), embedded.Options{Filling: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := back.Close(); err != nil {
			t.Error(err)
		}
	}()
	move(t, target, back)
	if diff := cmp.Diff(want, dump(t, back)); diff != "" {
		t.Errorf("and back (-embedded +embedded):\n%s", diff)
	}
}

// drop removes the database from a server that outlives the test.
func drop(t *testing.T, uri, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err == nil {
		err = errors.Join(client.Database(name).Drop(ctx), client.Disconnect(ctx))
	}
	if err != nil {
		t.Error(err)
	}
}
