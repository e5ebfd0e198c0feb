package embedded

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"

	"cloudai/master/internal/db/document"
)

// migrations lead from schema version n (their index) to n + 1. One that has
// been released is never edited.
//
// A task is one row: its document, and beside it the columns that lists filter
// by. The two indexes hold all these columns, so that a filter is decided
// without touching the row, and begin so that "newest first" within one status
// (of one user) is their own order.
var migrations = []string{`
CREATE TABLE tasks (
	seq           INTEGER PRIMARY KEY,
	id            TEXT    NOT NULL UNIQUE,
	version       INTEGER NOT NULL,
	created_at    INTEGER NOT NULL, -- nanoseconds since 1970, as all times
	status        TEXT    NOT NULL,
	user_id       TEXT    NOT NULL,
	worker_id     TEXT    NOT NULL, -- of the present, else the last attempt
	failure       TEXT    NOT NULL,
	name          TEXT    NOT NULL,
	labels        TEXT    NOT NULL, -- see labelsColumn
	files_attempt INTEGER NOT NULL, -- whose files are published; 0: nobody's
	files_shown   INTEGER NOT NULL, -- 1: listed under files
	search        BLOB    NOT NULL, -- lower case, see searchColumn
	sum           INTEGER NOT NULL, -- of id, version and doc
	doc           BLOB    NOT NULL  -- JSON, see convert.go
) STRICT;
CREATE INDEX tasks_by_status ON tasks (status, created_at DESC, id, worker_id, failure, name, labels);
CREATE INDEX tasks_by_user ON tasks (user_id, status, created_at DESC, id, worker_id, failure, name, labels);
CREATE INDEX tasks_with_files ON tasks (created_at DESC, id, user_id) WHERE files_shown = 1;

-- How many tasks a user has in each status, kept by the triggers.
CREATE TABLE task_counts (
	user_id TEXT    NOT NULL,
	status  TEXT    NOT NULL,
	n       INTEGER NOT NULL,
	PRIMARY KEY (user_id, status)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER tasks_counted AFTER INSERT ON tasks BEGIN
	INSERT INTO task_counts VALUES (NEW.user_id, NEW.status, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER tasks_recounted AFTER UPDATE ON tasks
WHEN OLD.status <> NEW.status OR OLD.user_id <> NEW.user_id BEGIN
	UPDATE task_counts SET n = n - 1 WHERE user_id = OLD.user_id AND status = OLD.status;
	INSERT INTO task_counts VALUES (NEW.user_id, NEW.status, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER tasks_uncounted AFTER DELETE ON tasks BEGIN
	UPDATE task_counts SET n = n - 1 WHERE user_id = OLD.user_id AND status = OLD.status;
END;

CREATE TABLE assignments (
	task_id     TEXT    NOT NULL,
	attempt     INTEGER NOT NULL,
	lease       TEXT    NOT NULL,
	worker_id   TEXT    NOT NULL,
	assigned_at INTEGER NOT NULL,
	PRIMARY KEY (task_id, attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX assignments_by_worker ON assignments (worker_id, assigned_at DESC, task_id, attempt);

CREATE TABLE results (
	task_id TEXT    NOT NULL,
	attempt INTEGER NOT NULL,
	sum     INTEGER NOT NULL,
	doc     BLOB    NOT NULL,
	PRIMARY KEY (task_id, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE file_metadata (
	task_id      TEXT    NOT NULL,
	attempt      INTEGER NOT NULL,
	path         TEXT    NOT NULL,
	user_id      TEXT    NOT NULL,
	size         INTEGER NOT NULL,
	sha256       TEXT    NOT NULL,
	content_type TEXT    NOT NULL,
	created_at   INTEGER NOT NULL,
	sum          INTEGER NOT NULL,
	PRIMARY KEY (task_id, attempt, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
	id  TEXT    NOT NULL PRIMARY KEY,
	sum INTEGER NOT NULL,
	doc BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
	id            TEXT    NOT NULL PRIMARY KEY,
	name          TEXT    NOT NULL,
	email         TEXT    NOT NULL,
	email_key     TEXT    NOT NULL UNIQUE, -- lower case
	password_hash TEXT    NOT NULL,
	role          TEXT    NOT NULL,
	disabled      INTEGER NOT NULL,
	created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
	name  TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`, `
ALTER TABLE users ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

CREATE TABLE tokens (
	id           TEXT    NOT NULL PRIMARY KEY,
	user_id      TEXT    NOT NULL,
	name         TEXT    NOT NULL,
	scopes       TEXT    NOT NULL, -- JSON: a list or null
	secret_hash  TEXT    NOT NULL UNIQUE,
	expires_at   INTEGER NOT NULL,
	created_at   INTEGER NOT NULL,
	last_used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_user ON tokens (user_id, created_at, id);

-- Without an index by time: who forgets old rows reads all others.
CREATE TABLE ended_sessions (
	id          TEXT    NOT NULL PRIMARY KEY,
	valid_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`, `
-- Requests that have taken effect, with what was replied. With a row id, since
-- replies are long.
CREATE TABLE keys (
	seq        INTEGER PRIMARY KEY,
	user_id    TEXT    NOT NULL,
	route      TEXT    NOT NULL,
	key        TEXT    NOT NULL,
	print      TEXT    NOT NULL,
	task_id    TEXT    NOT NULL,
	stored_at  INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	sum        INTEGER NOT NULL, -- of all the above but seq, and the reply
	reply      BLOB,
	UNIQUE (user_id, route, key)
) STRICT;
CREATE INDEX keys_by_expiry ON keys (expires_at);
`, `
-- Checksums of the rows that had none, see document.RowSum.
ALTER TABLE assignments ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE assignments SET sum = cloudai_sum('assignments', task_id, attempt, lease, worker_id, assigned_at);
ALTER TABLE users ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE users SET sum = cloudai_sum('users', id, name, email, password_hash, role, disabled, generation, created_at);
ALTER TABLE tokens ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE tokens SET sum = cloudai_sum('tokens', id, user_id, name, scopes, secret_hash, expires_at, created_at, last_used_at);
ALTER TABLE ended_sessions ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE ended_sessions SET sum = cloudai_sum('ended_sessions', id, valid_until);
ALTER TABLE meta ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE meta SET sum = cloudai_sum('meta', name, value);
`, `
-- Who did what. Rows are only added; while the store is being filled from
-- another one, what an earlier try has left may go.
CREATE TABLE audit (
	seq     INTEGER NOT NULL PRIMARY KEY,
	time    INTEGER NOT NULL,
	user_id TEXT    NOT NULL,
	action  TEXT    NOT NULL,
	target  TEXT    NOT NULL,
	outcome TEXT    NOT NULL,
	sum     INTEGER NOT NULL,
	doc     BLOB    NOT NULL
) STRICT;
CREATE INDEX audit_by_user ON audit (user_id, seq);
CREATE INDEX audit_by_action ON audit (action, seq);
CREATE INDEX audit_by_target ON audit (target, seq);
CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit BEGIN
	SELECT raise(ABORT, 'entries of the audit log are not changed');
END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit WHEN NOT EXISTS (SELECT 1 FROM meta WHERE name = 'being_filled') BEGIN
	SELECT raise(ABORT, 'entries of the audit log are not removed');
END;
`, `
-- Everyone's tasks by name, with all that filters decide by.
CREATE INDEX tasks_by_name ON tasks (name, created_at DESC, id, status, user_id, worker_id, failure, labels);
`, `
-- Entries of the audit log may go once an entry says so, see db.AuditPruned.
DROP TRIGGER audit_stays;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM meta WHERE name = 'being_filled') AND
	OLD.seq > coalesce((SELECT CAST(target AS INTEGER) FROM audit WHERE action = 'pruneAudit' ORDER BY seq DESC LIMIT 1), 0) BEGIN
	SELECT raise(ABORT, 'entries of the audit log are not removed before one says so');
END;
`}

// The migrations' cloudai_sum is document.RowSum of its arguments. Nothing of the
// file's schema refers to it, so any SQLite opens the file.
func init() {
	sqlite.MustRegisterDeterministicScalarFunction("cloudai_sum", -1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		fields := make([]any, len(args))
		for i, arg := range args {
			fields[i] = arg
		}
		table, ok := fields[0].(string)
		if !ok {
			return nil, errors.New("cloudai_sum: the first argument is a table's name")
		}
		return document.RowSum(table, fields[1:]...), nil
	})
}

// applicationID marks the file as ours ("CLAI").
const applicationID = 0x434c4149

// migrate brings the file from its schema version to this program's, one
// transaction per step.
func migrate(ctx context.Context, conn *sql.Conn) error {
	version, err := schemaVersion(ctx, conn)
	if err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		if err := step(ctx, conn, version); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", version+1, err)
		}
	}
	return nil
}

func step(ctx context.Context, conn *sql.Conn, version int) error {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	script := fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d", migrations[version], applicationID, version+1)
	_, err := conn.ExecContext(ctx, script)
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, undo := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, undo)
	}
	return nil
}
