package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

type endedRow struct {
	ID    string `bson:"_id"`
	Until int64  `bson:"valid_until"` // nanoseconds since 1970
	Sum   *int64 `bson:"sum,omitempty"`
}

func newEndedRow(e db.EndedSession) endedRow {
	return endedRow{e.ID, document.Nanos(e.Until), carry(document.EndedSum(e))}
}

// ended decodes a row after a look at its checksum.
func (r *endedRow) ended() (db.EndedSession, error) {
	e := db.EndedSession{ID: r.ID, Until: document.FromNanos(r.Until)}
	return e, matches(r.Sum, document.EndedSum(e), "ended_sessions", r.ID)
}

// EndSession implements db.Tokens. A late repetition changes nothing, so it
// needs no fence.
func (s *Store) EndSession(ctx context.Context, id string, until time.Time) error {
	return s.change(ctx, func(_ context.Context, w *writer) error {
		return w.insertOnce(s.in.ended, newEndedRow(db.EndedSession{ID: id, Until: until}))
	})
}

// insertOnce inserts a row unless there is one with its key.
func (w *writer) insertOnce(in *mongo.Collection, row any) error {
	return w.send(func(ctx context.Context) error {
		_, err := in.InsertOne(ctx, row)
		if mongo.IsDuplicateKeyError(err) {
			return nil
		}
		return err
	})
}

// EndedSessions implements db.Tokens.
func (s *Store) EndedSessions(ctx context.Context, now time.Time) (map[string]time.Time, error) {
	at := document.Nanos(now)
	err := s.change(ctx, func(_ context.Context, w *writer) error {
		return w.send(func(ctx context.Context) error {
			_, err := s.in.ended.DeleteMany(ctx, bson.M{"valid_until": bson.M{"$lte": at}})
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	// The condition again, for what was noted since.
	rows, err := findAll[endedRow](ctx, s, s.in.ended, bson.M{"valid_until": bson.M{"$gt": at}})
	if err != nil {
		return nil, err
	}
	ended := make(map[string]time.Time, len(rows))
	for _, row := range rows {
		e, err := row.ended()
		if err != nil {
			return nil, err
		}
		ended[e.ID] = e.Until
	}
	return ended, nil
}
