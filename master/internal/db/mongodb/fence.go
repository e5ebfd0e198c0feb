package mongodb

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// A write of unknown outcome may lie in a socket and be carried out long after
// its sender has given up. Each write names the epoch that its row had; to make
// a late one miss, the row gets another epoch, and where there is no row a
// grave: a row of version 0 that only holds the place. After that, what a read
// finds is what will stay.

// place names one row.
type place struct {
	in *mongo.Collection
	id string
}

// doubt holds the rows whose last write is of unknown outcome.
type doubt struct {
	mu   sync.Mutex
	rows map[place]bool
}

func (d *doubt) add(places ...place) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rows == nil {
		d.rows = map[place]bool{}
	}
	for _, p := range places {
		d.rows[p] = true
	}
}

func (d *doubt) has(p place) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rows[p]
}

// byCollection lists the rows in doubt.
func (d *doubt) byCollection() map[*mongo.Collection][]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[*mongo.Collection][]string{}
	for p := range d.rows {
		all[p.in] = append(all[p.in], p.id)
	}
	return all
}

func (d *doubt) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows = nil
}

// settle makes late writes to the rows in doubt miss. Only the writer adds
// rows, so none comes meanwhile.
func (w *writer) settle(ctx context.Context) error {
	for in, ids := range w.s.doubt.byCollection() {
		if err := w.bury(ctx, in, ids); err != nil {
			return err
		}
	}
	w.s.doubt.clear()
	clear(w.rows)
	return nil
}

// grave holds the place of a row that is not there.
type grave struct {
	ID      string `bson:"_id"`
	Version int64  `bson:"version"` // 0
	Epoch   int64  `bson:"epoch"`
	Gone    bool   `bson:"gone"` // true
}

// bury gives each row this epoch, those that are not there a grave. A late
// write may come between two steps, so it goes round until all have the epoch.
func (w *writer) bury(ctx context.Context, in *mongo.Collection, ids []string) error {
	for range 3 {
		_, err := in.UpdateMany(ctx, among(ids), bson.M{"$set": bson.M{"epoch": w.epoch}})
		if err != nil {
			return writeError(err)
		}
		filter := bson.M{"_id": among(ids)["_id"], "epoch": w.epoch}
		there, err := findAll[grave](ctx, w.s, in, filter, options.Find().SetProjection(bson.M{"_id": 1}))
		if err != nil {
			return err
		}
		missing := make(map[string]bool, len(ids))
		for _, id := range ids {
			missing[id] = true
		}
		for _, row := range there {
			delete(missing, row.ID)
		}
		if len(missing) == 0 {
			return nil
		}
		graves := make([]grave, 0, len(missing))
		for id := range missing {
			graves = append(graves, grave{ID: id, Epoch: w.epoch, Gone: true})
		}
		_, err = in.InsertMany(ctx, graves, options.InsertMany().SetOrdered(false))
		if err == nil {
			return nil
		}
		if !mongo.IsDuplicateKeyError(err) {
			return writeError(err)
		}
	}
	return fmt.Errorf("%w: rows of %s change while they are settled", db.ErrUnavailable, in.Name())
}

// active are the statuses of tasks that are not over.
var (
	activeStatuses = []string{string(cluster.StatusQueued), string(cluster.StatusAssigned), string(cluster.StatusRunning)}
	active         = bson.M{"$in": activeStatuses}
)

// takeOver gives all active tasks the epoch of this master, so that what an
// earlier one may still have under way misses them.
func (w *writer) takeOver(ctx context.Context) error {
	w.s.base = w.epoch
	w.rescanUntil = time.Now().Add(2 * w.s.opts.Lease)
	w.rescanAt = time.Now().Add(w.s.opts.Lease / 2)
	_, err := w.s.in.tasks.UpdateMany(ctx, bson.M{"status": active, "epoch": bson.M{"$lt": w.epoch}}, bson.M{"$set": bson.M{"epoch": w.epoch}})
	if err != nil {
		return fmt.Errorf("%w: taking over the active tasks: %w", db.ErrUnavailable, err)
	}
	return nil
}

// rescan removes tasks that an earlier master inserted and nobody was told of:
// they came after the takeover, and what was acknowledged had come before. After
// two leases nothing of it is under way any more, and the graves of earlier
// outages go too.
func (w *writer) rescan(ctx context.Context) error {
	began := time.Now()
	late := bson.M{"status": active, "epoch": bson.M{"$lt": w.s.base}}
	rows, err := findAll[grave](ctx, w.s, w.s.in.tasks, late, options.Find().SetProjection(bson.M{"_id": 1, "epoch": 1}))
	if err != nil {
		return err
	}
	for _, row := range rows {
		w.s.log.Warn("an insert of an earlier master came late and is undone; nobody was told that it is stored", "task_id", row.ID, "epoch", row.Epoch)
		if _, err := w.s.in.tasks.DeleteOne(ctx, bson.M{"_id": row.ID, "epoch": row.Epoch}); err != nil {
			return writeError(err)
		}
	}
	w.rescanAt = began.Add(w.s.opts.Lease / 2)
	if began.Before(w.rescanUntil) {
		return nil
	}
	for _, in := range []*mongo.Collection{w.s.in.tasks, w.s.in.users, w.s.in.tokens, w.s.in.workers} {
		if _, err := in.DeleteMany(ctx, bson.M{"gone": true, "epoch": bson.M{"$lt": w.s.base}, "rows": bson.M{"$exists": false}}); err != nil {
			return writeError(err)
		}
	}
	w.rescanAt = time.Time{}
	return nil
}
