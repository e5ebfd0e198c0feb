package coordinator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// What a request with a key means to cancel is stored before its first task
// changes, as a key of a route of its own: it is no reply. A repeat goes on with
// that, whatever its filter would take by then.
const (
	routeCancelBegun = "cancel-begun"
	routeCancelMore  = "cancel-begun-more"
	begunIDs         = 10_000 // ids in one row: 200 kilobytes
)

// begun is what such a key holds. It is stored last, and what it refers to counts
// only with it.
type begun struct {
	IDs  []cluster.TaskID `json:"ids"`
	More []string         `json:"more,omitempty"` // keys of the rows with the other ids
}

// meant are the tasks that a request is about; again: an earlier one with its key
// has begun with them. With a key they are on the disk by then, unless there are
// none or they are only to be counted.
func (c *Coordinator) meant(ctx context.Context, p cluster.Principal, r CancelRequest, once Named[CancelReport]) (ids []cluster.TaskID, again bool, err error) {
	name := db.KeyName{UserID: p.UserID, Route: routeCancelBegun, Key: once.Key}
	if once.Key != "" {
		switch first, known, err := c.keyOf(ctx, name, c.now()); {
		case err != nil:
			return nil, false, err
		case known && first.Print != once.Print:
			return nil, false, errOtherRequest
		case known:
			ids, err = c.begunWith(ctx, first)
			return ids, true, err
		}
	}
	ids, err = c.stoppable(ctx, p, r)
	if err == nil && once.Key != "" && len(ids) > 0 && !r.Dry {
		err = c.begin(context.WithoutCancel(ctx), name, once.Print, ids)
	}
	return ids, false, err
}

// begin stores what a request means.
func (c *Coordinator) begin(ctx context.Context, name db.KeyName, print string, ids []cluster.TaskID) error {
	now := c.now()
	put := func(name db.KeyName, what any) error {
		content, err := json.Marshal(what)
		if err != nil {
			return fmt.Errorf("writing what is to be cancelled: %w", err)
		}
		return unavailable(c.store.PutKey(ctx, db.Key{Name: name, Print: print, Reply: content, StoredAt: now, ExpiresAt: now.Add(KeyLifetime)}))
	}
	first := begun{IDs: ids[:min(len(ids), begunIDs)]}
	for rest := range slices.Chunk(ids[len(first.IDs):], begunIDs) {
		more := db.KeyName{UserID: name.UserID, Route: routeCancelMore, Key: c.newID()}
		if err := put(more, rest); err != nil {
			return err
		}
		first.More = append(first.More, more.Key)
	}
	return put(name, first)
}

// begunWith reads what begin has stored.
func (c *Coordinator) begunWith(ctx context.Context, key db.Key) ([]cluster.TaskID, error) {
	var first begun
	if err := json.Unmarshal(key.Reply, &first); err != nil {
		return nil, fmt.Errorf("reading what was to be cancelled: %w", err)
	}
	ids := first.IDs
	for _, more := range first.More {
		row, err := c.store.Key(ctx, db.KeyName{UserID: key.Name.UserID, Route: routeCancelMore, Key: more})
		if err != nil {
			return nil, unavailable(err)
		}
		var rest []cluster.TaskID
		if err := json.Unmarshal(row.Reply, &rest); err != nil {
			return nil, fmt.Errorf("reading what was to be cancelled: %w", err)
		}
		ids = append(ids, rest...)
	}
	return ids, nil
}

// goOn stops what an earlier request has left, and counts that one's tasks too.
func (m *cancelling) goOn(ctx context.Context, ids []cluster.TaskID) error {
	if err := m.run(ctx, ids); err != nil {
		return err
	}
	for _, id := range m.over {
		switch t, err := m.c.stored(ctx, m.p, id); {
		case isNotFound(err): // pruned since: what became of it nobody knows
		case err != nil:
			return err
		case t.Status() == cluster.StatusCancelled: // none was over when the request began
			m.count(t.Current() == nil)
		}
	}
	return nil
}
