package cluster

import "time"

// TaskFilter narrows a list; zero fields do not narrow. Filters apply before
// the page's limit.
type TaskFilter struct {
	Statuses   []Status // any of them
	WorkerID   WorkerID // of the present or last attempt
	UserID     UserID
	NamePrefix string
	Labels     map[string]string // all of them
	Failure    Failure
	Since      time.Time // created at or after
	Until      time.Time // created before
	Text       string    // contained in name, image, command or id, without case
}

// Cursor is a place in a list ordered by creation time, newest first, ids
// breaking ties. Rows strictly after it come next, so inserts do not shift it.
type Cursor struct {
	CreatedAt time.Time
	ID        string
}

// IsZero reports whether the cursor is the beginning.
func (c Cursor) IsZero() bool { return c.ID == "" }

// Page asks for at most Limit rows after the cursor.
type Page struct {
	Limit int
	After Cursor
}
