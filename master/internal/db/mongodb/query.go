package mongodb

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// condition is a filter for the server, and what it cannot say.
type condition struct {
	filter bson.M
	// rest decides what the server lets through; nil: all of it is meant.
	rest func(cluster.Task) bool
}

// maxPattern bounds the text that the server looks for: it takes no regular
// expression beyond 32 KiB.
const maxPattern = 1000

// taskCondition turns a filter into a query; ok is false when nothing can match.
func taskCondition(f cluster.TaskFilter) (c condition, ok bool) {
	statuses := wantedStatuses(f)
	if len(statuses) == 0 {
		return c, false
	}
	var and bson.A
	c.filter = bson.M{"status": bson.M{"$in": statuses}}
	for name, value := range map[string]string{"user_id": string(f.UserID), "worker_id": string(f.WorkerID), "failure": string(f.Failure)} {
		if value != "" {
			c.filter[name] = value
		}
	}
	if f.NamePrefix != "" {
		c.filter["name"] = prefixRange(f.NamePrefix)
	}
	for k, v := range f.Labels {
		and = append(and, bson.M{"labels": labelPair(k, v)})
	}
	if !f.Since.IsZero() {
		and = append(and, bson.M{"created_at": bson.M{"$gte": document.Nanos(f.Since)}})
	}
	if !f.Until.IsZero() {
		and = append(and, bson.M{"created_at": bson.M{"$lt": document.Nanos(f.Until)}})
	}
	if f.Text != "" {
		text := strings.ToLower(f.Text)
		c.filter["search"] = bson.M{"$regex": pattern(text)}
		if len(text) > maxPattern {
			c.rest = func(t cluster.Task) bool {
				return slices.ContainsFunc(searched(&t), func(s string) bool { return strings.Contains(s, text) })
			}
		}
	}
	if len(and) > 0 {
		c.filter["$and"] = and
	}
	return c, true
}

// pattern matches the text, or its beginning when that is long.
func pattern(text string) string {
	if len(text) > maxPattern {
		text = text[:maxPattern]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	return strings.ReplaceAll(regexp.QuoteMeta(text), "\x00", `\x00`)
}

// prefixRange matches texts that begin with the prefix, in byte order.
func prefixRange(prefix string) bson.M {
	m := bson.M{"$gte": prefix}
	if end := prefixEnd(prefix); end != "" {
		m["$lt"] = end
	}
	return m
}

// prefixEnd is the first text after all that begin with the prefix; empty when
// there is none. The order of UTF-8 is that of its characters.
func prefixEnd(prefix string) string {
	runes := []rune(prefix)
	for len(runes) > 0 {
		last := len(runes) - 1
		switch {
		case runes[last] == 0xD7FF: // the surrogates come next, which are no characters
			runes[last] = 0xE000
			return string(runes)
		case runes[last] < utf8.MaxRune:
			runes[last]++
			return string(runes)
		}
		runes = runes[:last]
	}
	return ""
}

// wantedStatuses are the known ones of a filter, each once; all when it has
// none.
func wantedStatuses(f cluster.TaskFilter) []string {
	var names []string
	for _, s := range cluster.Statuses {
		if len(f.Statuses) == 0 || slices.Contains(f.Statuses, s) {
			names = append(names, string(s))
		}
	}
	return names
}

// ListTasks implements db.Tasks.
func (s *Store) ListTasks(ctx context.Context, filter cluster.TaskFilter, page cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	if err := checkLimit(page); err != nil {
		return nil, cluster.Cursor{}, err
	}
	c, ok := taskCondition(filter)
	if !ok {
		return nil, cluster.Cursor{}, nil
	}
	return s.taskPage(ctx, c, page)
}

// pageStep is how many tasks are asked for at first: they are in memory at once. It
// grows while they are small.
const pageStep = 64

// taskPage reads at most one task more than the page has, which tells whether
// there is a next one.
func (s *Store) taskPage(ctx context.Context, c condition, page cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	var list []cluster.Task
	place, size := page.After, 0
	for step := pageStep; ; {
		ask, came := min(page.Limit+1-len(list), step), 0
		rows, err := findAll[taskRow](ctx, s, s.in.tasks, behind(c.filter, place, page.Order),
			options.Find().SetProjection(taskFields).SetSort(sortBy(page.Order)).SetLimit(int64(ask)))
		if err != nil {
			return nil, cluster.Cursor{}, err
		}
		tasks, err := decodeTasks(rows)
		if err != nil {
			return nil, cluster.Cursor{}, err
		}
		for _, t := range tasks {
			place = page.Order.Place(t)
			came += t.Spec.Size()
			if c.rest != nil && !c.rest(t) {
				continue
			}
			size += t.Spec.Size()
			if len(list) == page.Limit || len(list) > 0 && size > db.PageBytes {
				return list, page.Order.Place(list[len(list)-1]), nil
			}
			list = append(list, t)
		}
		if len(rows) < ask {
			return list, cluster.Cursor{}, nil
		}
		if came < db.PageBytes/4 {
			step *= 2
		}
	}
}

// sortBy is an order in the server's terms.
func sortBy(by cluster.ListOrder) bson.D {
	switch by {
	case cluster.NewestFirst:
	case cluster.OldestFirst:
		return order("created_at", "-_id")
	case cluster.ByName:
		return order("name", "-created_at", "_id")
	case cluster.ByNameFromEnd:
		return order("-name", "created_at", "-_id")
	}
	return order("-created_at", "_id")
}

// behind adds to a filter that rows come strictly after a place in an order.
func behind(filter bson.M, place cluster.Cursor, by cluster.ListOrder) bson.M {
	if place.IsZero() {
		return filter
	}
	before, after := "$lt", "$gt"
	if by.Backward() {
		before, after = after, before
	}
	at := document.Nanos(place.CreatedAt)
	rest := bson.M{
		"created_at": bson.M{before + "e": at},
		"$or":        bson.A{bson.M{"created_at": bson.M{before: at}}, bson.M{"_id": bson.M{after: place.ID}}},
	}
	if by.Named() {
		rest = bson.M{"name": bson.M{after + "e": place.Name}, "$or": bson.A{bson.M{"name": bson.M{after: place.Name}}, rest}}
	}
	return bson.M{"$and": bson.A{filter, rest}}
}

// CountTasks implements db.Tasks.
func (s *Store) CountTasks(ctx context.Context, filter cluster.TaskFilter) (map[cluster.Status]int, error) {
	counts := make(map[cluster.Status]int, len(cluster.Statuses))
	for _, status := range cluster.Statuses {
		counts[status] = 0
	}
	c, ok := taskCondition(filter)
	if !ok {
		return counts, ctx.Err()
	}
	if c.rest != nil {
		return counts, s.countOneByOne(ctx, c, counts)
	}
	var groups []struct {
		Status cluster.Status `bson:"_id"`
		N      int            `bson:"n"`
	}
	err := s.read(ctx, func(ctx context.Context) error {
		cursor, err := s.in.tasks.Aggregate(ctx, bson.A{
			bson.M{"$match": c.filter}, bson.M{"$group": bson.M{"_id": "$status", "n": bson.M{"$sum": int32(1)}}},
		})
		if err != nil {
			return err
		}
		return cursor.All(ctx, &groups)
	})
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		counts[g.Status] = g.N
	}
	return counts, nil
}

func (s *Store) countOneByOne(ctx context.Context, c condition, counts map[cluster.Status]int) error {
	rows, err := findAll[taskRow](ctx, s, s.in.tasks, c.filter, options.Find().SetProjection(taskFields))
	if err != nil {
		return err
	}
	tasks, err := decodeTasks(rows)
	for _, t := range tasks {
		if c.rest(t) {
			counts[t.Status()]++
		}
	}
	return err
}

// TasksWithPrefix implements db.Tasks.
func (s *Store) TasksWithPrefix(ctx context.Context, prefix string, user cluster.UserID, limit int) ([]cluster.TaskID, error) {
	if limit < 1 {
		return nil, ctx.Err()
	}
	filter := bson.M{"_id": prefixRange(prefix), "version": bson.M{"$gt": int64(0)}}
	if user != "" {
		filter["user_id"] = string(user)
	}
	rows, err := findAll[taskRow](ctx, s, s.in.tasks, filter,
		options.Find().SetProjection(bson.M{"_id": 1}).SetSort(order("_id")).SetLimit(int64(limit)))
	var ids []cluster.TaskID
	for _, row := range rows {
		ids = append(ids, cluster.TaskID(row.ID))
	}
	return ids, err
}
