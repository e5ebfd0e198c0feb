package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/embedded"
	"cloudai/master/internal/db/mongodb"
	"cloudai/master/internal/db/transfer"
)

// migrateLease is patient with a database under the load of a migration.
const migrateLease = 30 * time.Second

func (c *upkeepCall) migrate() (err error) {
	if c.from == "" || c.to == "" {
		return errors.New("--from and --to are needed, each of them embedded:DIR or a mongodb:// URI")
	}
	from, closeFrom, err := c.openURI(c.from, false)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	defer func() { err = errors.Join(err, closeFrom()) }()
	to, closeTo, err := c.openURI(c.to, true)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	defer func() { err = errors.Join(err, closeTo()) }()
	summary, err := transfer.Move(c.ctx, from, to)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "moved and compared: %s\n", summary)
	return nil
}

// claimFolder is the folder by which a database knows who fills or reads it. It
// lies beside the embedded side's and outlives a kill, so that the migration that
// is run again does not wait for the lease of the one that was killed.
func (c *upkeepCall) claimFolder() (string, error) {
	for _, uri := range []string{c.from, c.to} {
		if dir, ok := strings.CutPrefix(uri, "embedded:"); ok {
			return filepath.Clean(dir) + ".migrating", nil
		}
	}
	return os.MkdirTemp("", "cloudai-migrate-")
}

// openURI opens a store by its URI. It is refused when a master has it, and a
// source must be there.
func (c *upkeepCall) openURI(uri string, target bool) (db.Portable, func() error, error) {
	if dir, ok := strings.CutPrefix(uri, "embedded:"); ok {
		if dir == "" {
			return nil, nil, errors.New("embedded: names no folder; write embedded:DIR")
		}
		if there, err := embedded.Exists(dir); err != nil || !there && !target {
			return nil, nil, errors.Join(err, fmt.Errorf("there is no store in %s", dir))
		}
		store, err := embedded.Open(c.ctx, dir, embedded.Options{Filling: target})
		if err != nil {
			return nil, nil, err
		}
		return store, store.Close, nil
	}
	if !strings.HasPrefix(uri, "mongodb://") && !strings.HasPrefix(uri, "mongodb+srv://") {
		scheme, _, _ := strings.Cut(uri, ":") // the rest may hold a password
		return nil, nil, fmt.Errorf("%q is neither embedded:DIR nor mongodb://", scheme)
	}
	dir, err := c.claimFolder()
	if err != nil {
		return nil, nil, err
	}
	store, err := mongodb.Open(c.ctx, mongodb.Options{
		URI: uri, Database: c.cfg.Mongo.Database, Dir: dir, Lease: migrateLease, Filling: target,
	})
	if errors.Is(err, db.ErrLocked) { // the folder may be another one's
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return store, func() error { return errors.Join(store.Close(), os.RemoveAll(dir)) }, nil
}
