package mongodb

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

type metaRow struct {
	Name  string `bson:"_id"`
	Value string `bson:"value"`
}

// MetaOnce implements db.Meta.
func (s *Store) MetaOnce(ctx context.Context, name, value string) (string, error) {
	err := s.change(ctx, func(_ context.Context, w *writer) error { return w.insertOnce(s.in.meta, metaRow{name, value}) })
	if err != nil {
		return "", err
	}
	var row metaRow
	found, err := s.findOne(ctx, s.in.meta, bson.M{"_id": name}, &row)
	if err == nil && !found {
		err = fmt.Errorf("meta %q has vanished", name)
	}
	return row.Value, err
}
