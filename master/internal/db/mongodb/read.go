package mongodb

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db/groupcommit"
)

// read runs a read within the time of one call.
func (s *Store) read(ctx context.Context, do func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.queue.Closing():
		return groupcommit.ErrClosed
	default:
	}
	bounded, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	return s.readError(ctx, do(bounded))
}

// findOne reads one row into the value; it reports whether there is one.
func (s *Store) findOne(ctx context.Context, in *mongo.Collection, filter any, row any, opts ...options.Lister[options.FindOneOptions]) (bool, error) {
	err := s.read(ctx, func(ctx context.Context) error { return in.FindOne(ctx, filter, opts...).Decode(row) })
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, err
}

// findAll reads rows in order.
func findAll[Row any](ctx context.Context, s *Store, in *mongo.Collection, filter any, opts ...options.Lister[options.FindOptions]) (rows []Row, err error) {
	err = s.read(ctx, func(ctx context.Context) error {
		cursor, err := in.Find(ctx, filter, opts...)
		if err != nil {
			return err
		}
		return cursor.All(ctx, &rows)
	})
	return rows, err
}

func checkLimit(page cluster.Page) error {
	if page.Limit < 1 {
		return fmt.Errorf("%w: limit %d", cluster.ErrInvalid, page.Limit)
	}
	return nil
}

// among matches any of the ids.
func among[ID ~string](ids []ID) bson.M {
	if len(ids) == 1 { // found by key everywhere
		return bson.M{"_id": string(ids[0])}
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	return bson.M{"_id": bson.M{"$in": texts}}
}
