package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/db"
)

// rowEpoch reads which epoch a row has; this one when it is not there.
func (w *writer) rowEpoch(ctx context.Context, in *mongo.Collection, id string) (epoch int64, there bool, err error) {
	var row grave
	there, err = w.s.findOne(ctx, in, bson.M{"_id": id}, &row, options.FindOne().SetProjection(bson.M{"epoch": 1}))
	if err != nil || !there {
		return w.epoch, false, err
	}
	return row.Epoch, true, nil
}

// put inserts or replaces a row by its key. What else of it has to be unique
// is looked for first, since not every server tells well that it is taken:
// db.ErrVersion. The index stands behind it.
func (w *writer) put(ctx context.Context, in *mongo.Collection, id string, row any, only bson.M) error {
	if err := w.ready(); err != nil {
		return err
	}
	epoch, _, err := w.rowEpoch(ctx, in, id)
	if err != nil {
		return err
	}
	if only != nil {
		var other grave
		found, err := w.s.findOne(ctx, in, only, &other, options.FindOne().SetProjection(bson.M{"_id": 1}))
		if err != nil {
			return err
		}
		if found && other.ID != id {
			return db.ErrVersion
		}
	}
	return w.send(func(ctx context.Context) error {
		_, err := in.ReplaceOne(ctx, bson.M{"_id": id, "epoch": epoch}, row, options.Replace().SetUpsert(true))
		return err
	}, place{in, id})
}

// remove deletes a row by its key; nil when it is not there.
func (w *writer) remove(ctx context.Context, in *mongo.Collection, id string) error {
	if err := w.ready(); err != nil {
		return err
	}
	epoch, there, err := w.rowEpoch(ctx, in, id)
	if err != nil || !there {
		return err
	}
	return w.send(func(ctx context.Context) error {
		_, err := in.DeleteOne(ctx, bson.M{"_id": id, "epoch": epoch})
		return err
	}, place{in, id})
}
