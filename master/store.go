package main

import (
	"context"
	"log/slog"

	"cloudai/master/internal/config"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/embedded"
	"cloudai/master/internal/db/mongodb"
)

// openStore opens the store that the settings name. The channel gets an error
// when another master has taken it over; it is nil where that cannot be.
func openStore(ctx context.Context, cfg config.Config, log *slog.Logger) (db.Store, <-chan error, error) {
	if cfg.Mongo.URI == "" {
		store, err := embedded.Open(ctx, cfg.DataDir, embedded.Options{Logger: log})
		if err != nil { // not the nil of its type, which would be a store
			return nil, nil, err
		}
		return store, nil, nil
	}
	store, err := mongodb.Open(ctx, mongodb.Options{
		URI: cfg.Mongo.URI, Database: cfg.Mongo.Database, Dir: cfg.DataDir, Logger: log, Lease: cfg.Mongo.Lease,
	})
	if err != nil {
		return nil, nil, err
	}
	return store, store.Lost(), nil
}

// untilLost ends with an error when another master has taken the store over.
func untilLost(lost <-chan error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case err := <-lost:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}
