package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// Folder is a store seen from outside of a master, by who backs it up or looks
// through it. Methods with a folder of their own are about that one.
type Folder string

// Snapshot is the function of that name for this folder.
func (f Folder) Snapshot(ctx context.Context, into string) error {
	return Snapshot(ctx, string(f), into)
}

// FilesPublished reports whether the task's output files are said to be there
// now, read beside the master that may have the store open.
func (f Folder) FilesPublished(ctx context.Context, task cluster.TaskID) (there bool, err error) {
	err = onlyReading(ctx, string(f), func(conn *sql.Conn) error {
		return conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM tasks WHERE id = ? AND files_attempt > 0)", string(task)).Scan(&there)
	})
	return there, err
}

// Open is the function of that name.
func (Folder) Open(ctx context.Context, dir string) (db.Portable, error) {
	s, err := Open(ctx, dir, Options{})
	if err != nil { // not the nil of its type, which would be a store
		return nil, err
	}
	return s, nil
}

// Check is the function of that name.
func (Folder) Check(ctx context.Context, dir string, report func(db.Finding), published Published) error {
	return Check(ctx, dir, report, published)
}

// Schema is what this program writes.
func (Folder) Schema() int { return len(migrations) }

// FileName is the store's file within its folder. Closed, it is all of it.
func (Folder) FileName() string { return fileName }

// Snapshot writes what the folder's store holds at one moment into a new file of
// another folder, whether or not a master has it open: a reader holds nobody up,
// and nobody holds up a reader. Errors: db.ErrTooNew, db.ErrDamaged,
// db.ErrFull.
func Snapshot(ctx context.Context, dir, into string) error {
	return onlyReading(ctx, dir, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, "VACUUM INTO ?", filepath.Join(into, fileName))
		return err
	})
}

// onlyReading opens the folder's file for reading, beside whoever has it.
func onlyReading(ctx context.Context, dir string, read func(*sql.Conn) error) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("no store: %w", err)
	}
	defer func() { err = explainAt(path, err) }()
	q := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)"}}
	pool, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := schemaVersion(ctx, conn); err != nil {
		return err
	}
	return read(conn)
}

// schemaVersion is the file's, unless it is not ours or a newer program's.
func schemaVersion(ctx context.Context, conn *sql.Conn) (int, error) {
	var version, app int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, err
	}
	if err := conn.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return 0, err
	}
	if app != applicationID && (app != 0 || version != 0) {
		return 0, fmt.Errorf("%w: not a file of this program (application id %#x)", db.ErrDamaged, app)
	}
	if version > len(migrations) {
		return 0, fmt.Errorf("%w: its schema is %d, this program knows %d", db.ErrTooNew, version, len(migrations))
	}
	return version, nil
}

// Exists reports whether the folder has a store.
func Exists(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, fileName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
