package mongodb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"cloudai/master/internal/db"
)

// selectLimit is how long a call looks for a server to be sent to, unless the
// URI says something else.
const selectLimit = 2 * time.Second

// collections of the database.
type collections struct {
	tasks, assignments, results, files  *mongo.Collection
	keys, users, tokens, ended, workers *mongo.Collection
	meta, lock, schema, audit           *mongo.Collection
}

// client are the settings of the connection.
func (o Options) client() *options.ClientOptions {
	journal := true
	return options.Client().SetAppName("cloudai-master").SetConnectTimeout(selectLimit).SetServerSelectionTimeout(selectLimit).
		ApplyURI(o.URI).
		// What is acknowledged is on the disks of a majority, and what is read
		// is not rolled back; a URI cannot weaken that.
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journal}).
		SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary()).
		SetMonitor(o.monitor)
}

// connect waits a little for a server to answer.
func (s *Store) connect(ctx context.Context) error {
	opts := s.opts.client()
	client, err := mongo.Connect(opts)
	if err != nil {
		return fmt.Errorf("MONGODB_URI: %w", err)
	}
	s.client = client
	in := client.Database(s.opts.Database)
	s.in = collections{
		tasks: in.Collection("tasks"), assignments: in.Collection("assignments"), results: in.Collection("results"),
		files: in.Collection("file_metadata"), keys: in.Collection("keys"), users: in.Collection("users"), tokens: in.Collection("tokens"),
		ended: in.Collection("ended_sessions"), workers: in.Collection("workers"), audit: in.Collection("audit"),
		meta: in.Collection("meta"), lock: in.Collection("lock"), schema: in.Collection("schema"),
	}
	ctx, cancel := context.WithTimeout(ctx, 2*s.opts.Timeout)
	defer cancel()
	// Not a ping, which needs no right to anything.
	if _, err := s.highest(ctx); err != nil {
		return fmt.Errorf("%w: MONGODB_URI: %s does not answer as it should: %w", db.ErrUnavailable, hosts(opts), err)
	}
	return nil
}

// hosts names the servers without the password that the URI may hold.
func hosts(opts *options.ClientOptions) string { return fmt.Sprint(opts.Hosts) }

// schemaVersion is what this program writes. A step forward from each older one
// stands in makeSchema. Schema 2 adds checksums to rows that are no documents;
// older rows stay without one until they are written again. Schema 3 adds the audit
// log, schema 4 the notes of tasks that go into it.
const schemaVersion = 4

type schemaRow struct {
	ID      string `bson:"_id"`
	Version int    `bson:"version"`
}

// checkSchema refuses a database that a newer program has written.
func (s *Store) checkSchema(ctx context.Context) error {
	var row schemaRow
	found, err := s.findOne(ctx, s.in.schema, bson.M{"_id": "version"}, &row)
	if err == nil && found && row.Version > schemaVersion {
		err = fmt.Errorf("%w: database %s: its schema is %d, this program knows %d", db.ErrTooNew, s.opts.Database, row.Version, schemaVersion)
	}
	return err
}

// makeSchema makes the indexes that are missing. Why each is there stands in
// database/README.md.
func (s *Store) makeSchema(ctx context.Context) error {
	for _, of := range []struct {
		in      *mongo.Collection
		indexes []mongo.IndexModel
	}{
		{s.in.tasks, []mongo.IndexModel{
			index("tasks_by_status", "status", "-created_at", "_id"),
			index("tasks_by_user", "user_id", "status", "-created_at", "_id"),
			index("tasks_by_name", "name", "-created_at", "_id"),
			index("tasks_with_files", "files_shown", "-created_at", "_id"),
			sparse("tasks_with_notes", "noted"),
		}},
		{s.in.assignments, []mongo.IndexModel{
			index("assignments_by_worker", "worker_id", "-assigned_at", "task_id", "attempt"),
		}},
		{s.in.results, []mongo.IndexModel{index("results_by_task", "task_id", "attempt")}},
		{s.in.files, []mongo.IndexModel{index("files_by_write", "task_id", "write", "path")}},
		{s.in.keys, []mongo.IndexModel{index("keys_by_name", "user_id", "route", "key"), index("keys_by_expiry", "expires_at")}},
		{s.in.users, []mongo.IndexModel{unique("users_by_email", "email_key")}},
		{s.in.tokens, []mongo.IndexModel{unique("tokens_by_hash", "secret_hash"), index("tokens_by_user", "user_id")}},
		{s.in.audit, []mongo.IndexModel{
			index("audit_by_user", "user_id", "_id"), index("audit_by_action", "action", "_id"), index("audit_by_target", "target", "_id"),
		}},
		{s.in.ended, []mongo.IndexModel{index("ended_by_time", "valid_until")}},
	} {
		if err := makeIndexes(ctx, of.in, of.indexes); err != nil {
			return fmt.Errorf("%w: indexes of %s: %w", db.ErrUnavailable, of.in.Name(), err)
		}
	}
	_, err := s.in.schema.ReplaceOne(ctx, bson.M{"_id": "version"}, schemaRow{"version", schemaVersion}, options.Replace().SetUpsert(true))
	return s.readError(ctx, err)
}

// makeIndexes makes those whose name is not there yet.
func makeIndexes(ctx context.Context, in *mongo.Collection, wanted []mongo.IndexModel) error {
	there, err := in.Indexes().ListSpecifications(ctx)
	if err != nil {
		return err
	}
	for _, model := range wanted {
		var named options.IndexOptions
		for _, set := range model.Options.List() {
			if err := set(&named); err != nil {
				return err
			}
		}
		if slices.ContainsFunc(there, func(s mongo.IndexSpecification) bool { return s.Name == *named.Name }) {
			continue
		}
		if _, err := in.Indexes().CreateOne(ctx, model); err != nil {
			return err
		}
	}
	return nil
}

// index orders by fields; a dash before one turns it round.
func index(name string, fields ...string) mongo.IndexModel {
	return mongo.IndexModel{Keys: order(fields...), Options: options.Index().SetName(name)}
}

// sparse is an index of those rows that have the field.
func sparse(name, field string) mongo.IndexModel {
	return mongo.IndexModel{Keys: order(field), Options: options.Index().SetName(name).SetSparse(true)}
}

// unique is an index in which a row without the field, a grave, has no place.
func unique(name, field string) mongo.IndexModel {
	return mongo.IndexModel{Keys: order(field), Options: options.Index().SetName(name).SetUnique(true).SetSparse(true)}
}

func order(fields ...string) bson.D {
	d := make(bson.D, len(fields))
	for i, f := range fields {
		d[i] = bson.E{Key: f, Value: int32(1)}
		if f[0] == '-' {
			d[i] = bson.E{Key: f[1:], Value: int32(-1)}
		}
	}
	return d
}
