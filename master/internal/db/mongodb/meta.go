package mongodb

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

type metaRow struct {
	Name  string `bson:"_id"`
	Value string `bson:"value"`
	Sum   *int64 `bson:"sum,omitempty"`
}

func newMetaRow(m db.MetaValue) metaRow { return metaRow{m.Name, m.Value, carry(document.MetaSum(m))} }

// value decodes a row after a look at its checksum.
func (r *metaRow) value() (db.MetaValue, error) {
	m := db.MetaValue{Name: r.Name, Value: r.Value}
	return m, matches(r.Sum, document.MetaSum(m), "meta", r.Name)
}

// MetaOnce implements db.Meta.
func (s *Store) MetaOnce(ctx context.Context, name, value string) (string, error) {
	err := s.change(ctx, func(_ context.Context, w *writer) error {
		return w.insertOnce(s.in.meta, newMetaRow(db.MetaValue{Name: name, Value: value}))
	})
	if err != nil {
		return "", err
	}
	var row metaRow
	found, err := s.findOne(ctx, s.in.meta, bson.M{"_id": name}, &row)
	if err == nil && !found {
		err = fmt.Errorf("meta %q has vanished", name)
	}
	if err != nil {
		return "", err
	}
	m, err := row.value()
	return m.Value, err
}
