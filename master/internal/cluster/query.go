package cluster

import (
	"cmp"
	"strings"
	"time"
)

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

// ListOrder is how a list of tasks is sorted.
type ListOrder string

// Orders. Texts are compared byte by byte.
const (
	NewestFirst   ListOrder = ""           // ids ascending within one time
	OldestFirst   ListOrder = "created_at" // NewestFirst from its end
	ByName        ListOrder = "name"       // NewestFirst within one name
	ByNameFromEnd ListOrder = "-name"      // ByName from its end
)

// ListOrders are all of them.
var ListOrders = []ListOrder{NewestFirst, OldestFirst, ByName, ByNameFromEnd}

// Named reports whether the name decides first.
func (o ListOrder) Named() bool { return o == ByName || o == ByNameFromEnd }

// Backward reports whether the order is another one's from its end.
func (o ListOrder) Backward() bool { return o == OldestFirst || o == ByNameFromEnd }

// Place is where a task stands in the order.
func (o ListOrder) Place(t Task) Cursor {
	c := Cursor{CreatedAt: t.CreatedAt, ID: string(t.ID)}
	if o.Named() {
		c.Name = t.Spec.Name
	}
	return c
}

// Compare says which of two places comes first.
func (o ListOrder) Compare(a, b Cursor) int {
	if o.Backward() {
		a, b = b, a
	}
	newest := cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(a.ID, b.ID))
	if o.Named() {
		return cmp.Or(strings.Compare(a.Name, b.Name), newest)
	}
	return newest
}

// Cursor is a place in a list ordered by creation time, newest first, ids
// breaking ties, or as the page says. Rows strictly after it come next,
// so inserts do not shift it.
type Cursor struct {
	CreatedAt time.Time
	ID        string
	Name      string // where the name decides first
}

// IsZero reports whether the cursor is the beginning.
func (c Cursor) IsZero() bool { return c.ID == "" }

// Page asks for at most Limit rows after the cursor.
type Page struct {
	Limit int
	After Cursor
	Order ListOrder // of lists of tasks; all others have one order
}
