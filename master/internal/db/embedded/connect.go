package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/groupcommit"
)

const (
	readConns    = 4
	maxReadStmts = 128 // prepared statements kept by the read pool
)

// dataSource is the file's name and settings. Full synchronisation flushes the
// write-ahead log at every commit; NORMAL could lose the last ones.
func dataSource(path string, more ...string) string {
	q := url.Values{"_pragma": append([]string{
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}, more...)}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// session is the one connection that writes, with its prepared statements. It
// belongs to the writer.
type session struct {
	db    *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func openSession(ctx context.Context, path string) (*session, error) {
	pool, err := sql.Open("sqlite", dataSource(path, "wal_autocheckpoint(4000)"))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &session{db: pool, conn: conn, stmts: map[string]*sql.Stmt{}}, nil
}

func (s *session) close() error {
	var errs []error
	for _, stmt := range s.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, s.conn.Close(), s.db.Close())...)
}

// stmt prepares a statement once. The writer's statements are a fixed few.
func (s *session) stmt(query string) (*sql.Stmt, error) {
	if stmt, ok := s.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	s.stmts[query] = stmt
	return stmt, nil
}

// exec carries a statement out and gives the number of rows it changed. It
// cannot be interrupted: a batch is not one caller's.
func (s *session) exec(query string, args ...any) (int64, error) {
	stmt, err := s.stmt(query) //nolint:sqlclosecheck // kept until the session is closed
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// queryRow reads one row; sql.ErrNoRows.
func (s *session) queryRow(query string, args []any, into ...any) error {
	stmt, err := s.stmt(query) //nolint:sqlclosecheck // kept until the session is closed
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(context.Background(), args...).Scan(into...)
}

func (s *session) begin() error {
	_, err := s.exec("BEGIN IMMEDIATE")
	return err
}

func (s *session) commit() error {
	_, err := s.exec("COMMIT")
	return err
}

func (s *session) rollback() error {
	_, err := s.exec("ROLLBACK")
	return err
}

// readPool is the connections for reading, with their prepared statements.
type readPool struct {
	db    *sql.DB
	mu    sync.Mutex
	stmts map[string]*sql.Stmt
}

func openReadPool(path string) (*readPool, error) {
	pool, err := sql.Open("sqlite", dataSource(path, "query_only(1)"))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(readConns)
	pool.SetMaxIdleConns(readConns)
	return &readPool{db: pool, stmts: map[string]*sql.Stmt{}}, nil
}

// stmt prepares a statement once; done gives up one that was not kept.
func (p *readPool) stmt(ctx context.Context, query string) (stmt *sql.Stmt, done func(), err error) {
	p.mu.Lock()
	stmt, ok := p.stmts[query]
	p.mu.Unlock()
	if ok {
		return stmt, func() {}, nil
	}
	if stmt, err = p.db.PrepareContext(ctx, query); err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, twin := p.stmts[query]; twin || len(p.stmts) >= maxReadStmts {
		return stmt, func() { _ = stmt.Close() }, nil
	}
	p.stmts[query] = stmt
	return stmt, func() {}, nil
}

// close waits for nobody: reads under way end with an error.
func (p *readPool) close() error { return p.db.Close() }

// query runs a read and calls scan for each row.
func (s *Store) query(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	pool, err := s.readPool(ctx)
	if err != nil {
		return err
	}
	stmt, done, err := pool.stmt(ctx, query) //nolint:sqlclosecheck // done closes what is not kept
	if err != nil {
		return s.readError(ctx, pool, err)
	}
	defer done()
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return s.readError(ctx, pool, err)
	}
	if err := scanAll(rows, scan); err != nil {
		return s.readError(ctx, pool, err)
	}
	return nil
}

// scanAll calls scan for each row until its first error.
func scanAll(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// readPool is the present pool; when the file could not be reopened before, the
// writer is asked to try again.
func (s *Store) readPool(ctx context.Context) (*readPool, error) {
	if pool := s.reads.Load(); pool != nil {
		return pool, nil
	}
	if err := s.queue.Pass(ctx); err != nil {
		return nil, err
	}
	if pool := s.reads.Load(); pool != nil {
		return pool, nil
	}
	return nil, groupcommit.ErrClosed
}

// readError explains a failed read: the caller gave up, the pool was replaced
// under it, or what SQLite says.
func (s *Store) readError(ctx context.Context, pool *readPool, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.reads.Load() != pool:
		return fmt.Errorf("%w: the store was closed meanwhile: %w", db.ErrUnavailable, err)
	}
	return s.explain(err)
}
