package mongodb

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// capabilities are what tests find out about their server.
type capabilities struct {
	version string
	atomic  bool // an update compares and sets as one
	indexed bool // a query by an index does not read the collection
}

// able is the server of this package's tests.
var able capabilities

const (
	probeRounds  = 8
	probeWriters = 8
)

// probe asks the server what it can do by trying it.
func probe(uri string) (c capabilities, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return c, err
	}
	defer func() { _ = client.Disconnect(ctx) }()
	var about struct {
		Version  string `bson:"version"`
		FerretDB string `bson:"ferretdbVersion"`
	}
	if err := client.Database("admin").RunCommand(ctx, bson.M{"buildInfo": 1}).Decode(&about); err != nil {
		return c, err
	}
	c.version = about.Version
	in := client.Database("cloudai_test_probe").Collection("rows")
	for round := range probeRounds {
		wins, err := raceUpdate(ctx, in, fmt.Sprint(round))
		if err != nil {
			return c, err
		}
		c.atomic = wins == 1 && about.FerretDB == "" // which is by luck at times
		if !c.atomic {
			break
		}
	}
	c.indexed = usesIndex(ctx, in)
	return c, in.Database().Drop(ctx)
}

// usesIndex asks the server how it would look for a row by an index.
func usesIndex(ctx context.Context, in *mongo.Collection) bool {
	if _, err := in.Indexes().CreateOne(ctx, index("by_version", "version")); err != nil {
		return false
	}
	plan, err := in.Database().RunCommand(ctx, bson.D{
		{Key: "explain", Value: bson.D{{Key: "find", Value: in.Name()}, {Key: "filter", Value: bson.M{"version": 1}}}},
		{Key: "verbosity", Value: "queryPlanner"},
	}).Raw()
	return err == nil && strings.Contains(plan.String(), "IXSCAN")
}

// raceUpdate lets several writers follow the same version; it counts those that
// are told that they did.
func raceUpdate(ctx context.Context, in *mongo.Collection, id string) (int, error) {
	if _, err := in.InsertOne(ctx, bson.M{"_id": id, "version": 1}); err != nil {
		return 0, err
	}
	var wins atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for writer := range probeWriters {
		all.Go(func() {
			res, err := in.ReplaceOne(ctx, bson.M{"_id": id, "version": 1}, bson.M{"version": 2, "writer": writer})
			if err != nil {
				failed.Store(&err)
				return
			}
			wins.Add(res.MatchedCount)
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return int(wins.Load()), nil
}

// leftOut says what the tests cannot show on this server, and why.
func (c capabilities) leftOut() []string {
	var lines []string
	if !c.atomic {
		lines = append(lines, "left out: two writers on one row (TestTwoWriters): the server lets several writers follow one version, which MongoDB does not")
	}
	if !c.indexed {
		lines = append(lines, "left out: 100,000 tasks and long races; 2,000 and short ones instead: the server reads a whole collection for a query by an index")
	}
	return lines
}

// The server itself compares and sets: with that a master that was overtaken
// without noticing changes nothing.
func TestTwoWriters(t *testing.T) {
	if !able.atomic {
		t.Skip(able.leftOut()[0])
	}
	s := open(t, testDatabase(t), t.TempDir())
	in := s.in.tasks.Database().Collection("race")
	for round := range 50 {
		if wins, err := raceUpdate(t.Context(), in, fmt.Sprint(round)); err != nil || wins != 1 {
			t.Fatalf("round %d: %d writers followed one version, %v", round, wins, err)
		}
	}
}
