package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// condition is the WHERE of a TaskFilter without its statuses, and the index
// that decides it.
type condition struct {
	index string
	terms []string
	args  []any
}

// add joins a term; its question marks become numbered, so that a term may
// stand in a statement several times.
func (c *condition) add(term string, args ...any) {
	for _, a := range args {
		c.args = append(c.args, a)
		term = strings.Replace(term, "?", c.number(len(c.args)), 1)
	}
	c.terms = append(c.terms, term)
}

// arg adds an argument alone and gives its place.
func (c *condition) arg(v any) string {
	c.args = append(c.args, v)
	return c.number(len(c.args))
}

func (c *condition) number(n int) string { return fmt.Sprintf("$%d", n) }

// filterCondition turns a filter into SQL. Prefixes are ranges: LIKE would fold
// case and know wildcards.
func filterCondition(f cluster.TaskFilter) *condition {
	c := &condition{index: "tasks_by_status"}
	if f.UserID != "" {
		c.index = "tasks_by_user"
		c.add("user_id = ?", string(f.UserID))
	}
	if f.WorkerID != "" {
		c.add("worker_id = ?", string(f.WorkerID))
	}
	if f.Failure != "" {
		c.add("failure = ?", string(f.Failure))
	}
	if f.NamePrefix != "" {
		c.addPrefix("name", f.NamePrefix)
	}
	for _, k := range slices.Sorted(maps.Keys(f.Labels)) {
		c.add("instr(labels, ?) > 0", labelPair(k, f.Labels[k]))
	}
	if !f.Since.IsZero() {
		c.add("created_at >= ?", document.Nanos(f.Since))
	}
	if !f.Until.IsZero() {
		c.add("created_at < ?", document.Nanos(f.Until))
	}
	if f.Text != "" {
		c.add("instr(search, ?) > 0", []byte(strings.ToLower(f.Text)))
	}
	return c
}

// addPrefix wants a text column to begin with the prefix.
func (c *condition) addPrefix(column, prefix string) {
	c.add(column+" >= ?", prefix)
	if end := prefixEnd(prefix); end != "" {
		c.add(column+" < ?", end)
	}
}

// prefixEnd is the first text after all that begin with the prefix, in byte
// order; empty when there is none.
func prefixEnd(prefix string) string {
	b := []byte(prefix)
	for len(b) > 0 {
		last := len(b) - 1
		if b[last] < 0xff {
			b[last]++
			return string(b)
		}
		b = b[:last]
	}
	return ""
}

// where joins the terms after one more.
func (c *condition) where(first string) string {
	return strings.Join(append([]string{first}, c.terms...), " AND ")
}

// after begins a page strictly behind a place in an order.
func (c *condition) after(place cluster.Cursor, order cluster.ListOrder) {
	if place.IsZero() {
		return
	}
	before, after := "<", ">"
	if order.Backward() {
		before, after = after, before
	}
	at := c.arg(document.Nanos(place.CreatedAt))
	behind := "created_at " + before + "= " + at + " AND (created_at " + before + " " + at + " OR id " + after + " " + c.arg(place.ID) + ")"
	if order.Named() {
		name := c.arg(place.Name)
		behind = "name " + after + "= " + name + " AND (name " + after + " " + name + " OR (" + behind + "))"
	}
	c.terms = append(c.terms, behind)
}

// wantedStatuses are the known ones of a filter, each once; all when it has
// none.
func wantedStatuses(f cluster.TaskFilter) []cluster.Status {
	if len(f.Statuses) == 0 {
		return cluster.Statuses
	}
	return slices.DeleteFunc(slices.Clone(cluster.Statuses), func(s cluster.Status) bool {
		return !slices.Contains(f.Statuses, s)
	})
}

// ListTasks implements db.Tasks.
func (s *Store) ListTasks(ctx context.Context, filter cluster.TaskFilter, page cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	if err := checkLimit(page); err != nil {
		return nil, cluster.Cursor{}, err
	}
	statuses := wantedStatuses(filter)
	if len(statuses) == 0 {
		return nil, cluster.Cursor{}, nil
	}
	c := filterCondition(filter)
	c.after(page.After, page.Order)
	limit := c.arg(page.Limit + 1)
	keys := c.byTime(statuses, page.Order, limit)
	if page.Order.Named() {
		keys = c.byName(statuses, page.Order, limit)
	}
	query := fmt.Sprintf("WITH k AS (%s) SELECT %s FROM k CROSS JOIN tasks t ON t.seq = k.seq ORDER BY %s",
		keys, taskColumns, orderBy(page.Order, "k."))
	return s.taskPage(ctx, query, c.args, page)
}

// byTime finds the page's rows. Within one status the index has the wanted
// order, so they are merged from the first rows of each status.
func (c *condition) byTime(statuses []cluster.Status, order cluster.ListOrder, limit string) string {
	arms := make([]string, len(statuses))
	for i, status := range statuses {
		arms[i] = fmt.Sprintf("SELECT * FROM (SELECT seq, name, created_at, id FROM tasks INDEXED BY %s WHERE %s ORDER BY %s LIMIT %s)",
			c.index, c.where("status = '"+string(status)+"'"), orderBy(order, ""), limit)
	}
	return strings.Join(arms, " UNION ALL ") + " ORDER BY " + orderBy(order, "") + " LIMIT " + limit
}

// byName finds the page's rows. Everyone's stand in an index in this order; one
// user's are sorted, which costs as many as the user has.
func (c *condition) byName(statuses []cluster.Status, order cluster.ListOrder, limit string) string {
	index := c.index
	if index == "tasks_by_status" {
		index = "tasks_by_name"
	}
	return fmt.Sprintf("SELECT seq, name, created_at, id FROM tasks INDEXED BY %s WHERE %s ORDER BY %s LIMIT %s",
		index, c.where("status IN ("+quoted(statuses)+")"), orderBy(order, ""), limit)
}

// orderBy is the order in SQL, of columns of a table.
func orderBy(order cluster.ListOrder, table string) string {
	up, down := "", " DESC"
	if order.Backward() {
		up, down = down, up
	}
	by := table + "created_at" + down + ", " + table + "id" + up
	if order.Named() {
		by = table + "name" + up + ", " + by
	}
	return by
}

func quoted(statuses []cluster.Status) string {
	names := make([]string, len(statuses))
	for i, status := range statuses {
		names[i] = "'" + string(status) + "'"
	}
	return strings.Join(names, ", ")
}

// errPageFull ends the reading of a page.
var errPageFull = errors.New("the page is full")

// taskPage reads at most one row more than the page has, which tells whether there
// is a next one.
func (s *Store) taskPage(ctx context.Context, query string, args []any, page cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	var list []cluster.Task
	full, size := false, 0
	err := s.query(ctx, query, args, func(rows *sql.Rows) error {
		t, err := scanTask(rows)
		if err != nil {
			return err
		}
		size += t.Spec.Size()
		if full = len(list) == page.Limit || len(list) > 0 && size > db.PageBytes; full {
			return errPageFull
		}
		list = append(list, t)
		return nil
	})
	switch {
	case full:
		return list, page.Order.Place(list[len(list)-1]), nil
	case err != nil:
		return nil, cluster.Cursor{}, err
	}
	return list, cluster.Cursor{}, nil
}

func checkLimit(page cluster.Page) error {
	if page.Limit < 1 {
		return fmt.Errorf("%w: limit %d", cluster.ErrInvalid, page.Limit)
	}
	return nil
}

// CountTasks implements db.Tasks.
func (s *Store) CountTasks(ctx context.Context, filter cluster.TaskFilter) (map[cluster.Status]int, error) {
	counts := make(map[cluster.Status]int, len(cluster.Statuses))
	for _, status := range cluster.Statuses {
		counts[status] = 0
	}
	statuses := wantedStatuses(filter)
	if len(statuses) == 0 {
		return counts, nil
	}
	query, args := countQuery(filter, statuses)
	err := s.query(ctx, query, args, func(rows *sql.Rows) error {
		var status string
		var n int
		err := rows.Scan(&status, &n)
		counts[cluster.Status(status)] = n
		return err
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// countQuery counts by status. A filter by user and status only is answered by
// the counts kept beside the tasks; others walk the index.
func countQuery(filter cluster.TaskFilter, statuses []cluster.Status) (query string, args []any) {
	c := filterCondition(filter)
	count, from := "count(*)", "tasks INDEXED BY "+c.index
	if kept := (cluster.TaskFilter{UserID: filter.UserID}); len(c.terms) == len(filterCondition(kept).terms) {
		count, from = "sum(n)", "task_counts"
	}
	where := c.where("status IN (" + quoted(statuses) + ")")
	return "SELECT status, " + count + " FROM " + from + " WHERE " + where + " GROUP BY status", c.args
}

// TasksWithPrefix implements db.Tasks.
func (s *Store) TasksWithPrefix(ctx context.Context, prefix string, user cluster.UserID, limit int) ([]cluster.TaskID, error) {
	c := &condition{}
	c.addPrefix("id", prefix)
	if user != "" {
		c.add("user_id = ?", string(user))
	}
	query := "SELECT id FROM tasks WHERE " + c.where("true") + " ORDER BY id LIMIT " + c.arg(max(limit, 0))
	var ids []cluster.TaskID
	err := s.query(ctx, query, c.args, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, cluster.TaskID(id))
		return err
	})
	return ids, err
}
