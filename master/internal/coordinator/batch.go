package coordinator

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// MaxBatch is how many tasks one request may bring.
const MaxBatch = 10_000

// A batch is stored in steps, so that others come in between.
const (
	batchStep      = 256     // tasks in one commit
	batchStepBytes = 8 << 20 // of specs in one commit
	batchFaults    = 100     // named in one refusal
	itemFaults     = 10_000  // named in the items of one reply
)

// The routes of a batch's keys: one comes with its first task, the other with
// its last. Between the two a repeat stores what is missing.
const (
	routeBatch    = "batch"
	routeBatchEnd = "batch-end"
)

// Named makes a request that makes a T take effect once; the zero value is a
// request without a key.
type Named[T any] struct {
	Key   string // the caller's name for the request
	Print string // equal for equal requests
	// Reply writes the reply that is kept with the key, before the last of the
	// effect is stored.
	Reply func(T) ([]byte, error)
	// Done hears what is made at that moment, with a key or without; nil: nobody
	// does.
	Done func(T)
}

// BatchEntry is one task of a batch; with faults it has been refused already.
type BatchEntry struct {
	Request cluster.TaskRequest
	Faults  []cluster.FieldError
}

// BatchItem is what became of it: an id, or what is wrong with it.
type BatchItem struct {
	ID     cluster.TaskID
	Faults []cluster.FieldError
}

// batch is one request's tasks on their way to the store.
type batch struct {
	c     *Coordinator
	user  cluster.UserID
	items []BatchItem
	specs []cluster.Spec // of those that are taken
	at    []int          // their places among the items
	since time.Time      // when the first came; each is a nanosecond younger than the one before
	begin *db.Key        // goes with the first task; nil: none
	end   *db.Key        // goes with the last
	done  func([]BatchItem)
}

// SubmitBatch stores many tasks. When atomic, one that is wrong refuses all;
// otherwise the others are taken, if there are any. What is wrong is a
// cluster.ErrInvalid. The entries are used up. Once a request with a key has begun
// to take effect, a repeat of it completes it, with the same ids. kept is the reply
// to the first request with the key, or nil. cluster.ErrQuota and cluster.ErrBusy as
// for Submit.
func (c *Coordinator) SubmitBatch(ctx context.Context, p cluster.Principal, entries []BatchEntry, atomic bool,
	once Named[[]BatchItem],
) (items []BatchItem, kept []byte, err error) {
	if err := p.Require(cluster.ScopeSubmit); err != nil {
		return nil, nil, err
	}
	b := &batch{c: c, user: p.UserID, done: once.Done}
	if b.done == nil {
		b.done = func([]BatchItem) {}
	}
	if err := b.judge(entries, atomic); err != nil {
		return nil, nil, err
	}
	name := db.KeyName{UserID: p.UserID, Route: routeBatch, Key: once.Key}
	if once.Key != "" {
		if err := c.reserve(name, once.Print); err != nil {
			return nil, nil, err
		}
		defer func() { c.release(name, b.items[b.at[0]].ID) }()
	}
	done, err := c.turns.batching.take(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	b.since = c.now()
	if once.Key == "" {
		if err := c.mayAdd(b.user); err != nil {
			return nil, nil, err
		}
		b.name(func(int) cluster.TaskID { return cluster.TaskID(c.newID()) })
		return b.items, nil, b.store(ctx, b.all())
	}
	return b.storeOnce(ctx, name, once)
}

// judge sorts the entries into those that are taken and those that are not.
func (b *batch) judge(entries []BatchEntry, atomic bool) error {
	if len(entries) == 0 || len(entries) > MaxBatch {
		return cluster.Invalid("tasks", fmt.Sprintf("must be 1 to %d tasks", MaxBatch))
	}
	b.items = make([]BatchItem, len(entries))
	var all cluster.InvalidError
	named := 0
	for i, entry := range entries {
		spec, faults := entry.judge()
		entries[i] = BatchEntry{} // its memory may go
		if len(faults) == 0 {
			b.specs, b.at = append(b.specs, spec), append(b.at, i)
			continue
		}
		faults = FewFaults(faults, &named)
		b.items[i].Faults = faults
		for _, f := range faults {
			if len(all.Fields) < batchFaults {
				f.Location = InBatch(i, f.Location)
				all.Fields = append(all.Fields, f)
			}
		}
	}
	if len(b.specs) == 0 || atomic && len(b.specs) < len(entries) {
		return &all
	}
	return nil
}

// InBatch locates a field of the i-th task in its batch.
func InBatch(i int, location string) string {
	return strings.TrimSuffix(fmt.Sprintf("tasks[%d].%s", i, location), ".")
}

// FewFaults keeps a reply to a few bytes for each of its tasks: once so many
// faults are named, only the first of each task is.
func FewFaults(faults []cluster.FieldError, named *int) []cluster.FieldError {
	if len(faults) > 1 && *named+len(faults) > itemFaults {
		faults = slices.Clone(faults[:1])
	}
	*named += len(faults)
	return faults
}

func (e BatchEntry) judge() (cluster.Spec, []cluster.FieldError) {
	if len(e.Faults) > 0 {
		return cluster.Spec{}, e.Faults
	}
	spec, err := e.Request.Spec()
	return spec, cluster.FaultsOf(err)
}

// name gives the tasks their ids.
func (b *batch) name(id func(n int) cluster.TaskID) {
	for n, i := range b.at {
		b.items[i].ID = id(n)
	}
}

// all are the numbers of all tasks that are taken.
func (b *batch) all() []int {
	all := make([]int, len(b.specs))
	for n := range all {
		all[n] = n
	}
	return all
}

// storeOnce stores the tasks unless a request with the key has done so; what it
// has not come to is stored now.
func (b *batch) storeOnce(ctx context.Context, name db.KeyName, once Named[[]BatchItem]) ([]BatchItem, []byte, error) {
	first, known, err := b.c.keyOf(ctx, name, b.since)
	switch {
	case err != nil:
		return nil, nil, err
	case known && first.Print != once.Print:
		return nil, nil, errOtherRequest
	case !known:
		if err := b.c.mayAdd(b.user); err != nil {
			return nil, nil, err
		}
		first = db.Key{Name: name, Print: once.Print, StoredAt: b.since, ExpiresAt: b.since.Add(KeyLifetime)}
	}
	b.name(func(n int) cluster.TaskID { return idIn(first, n) })
	last := first
	last.Name.Route, last.Reply = routeBatchEnd, nil
	if len(b.specs) > 1 {
		b.end = &last
	}
	if !known {
		if first.Reply, err = once.Reply(b.items); err != nil {
			return nil, nil, fmt.Errorf("writing the reply: %w", err)
		}
		b.begin = &first
		return b.items, nil, b.store(ctx, b.all())
	}
	missing, err := b.missing(ctx)
	if err == nil {
		err = b.store(ctx, missing)
	}
	return b.items, first.Reply, err
}

// keyOf finds a key that still counts.
func (c *Coordinator) keyOf(ctx context.Context, name db.KeyName, now time.Time) (db.Key, bool, error) {
	k, err := c.store.Key(ctx, name)
	if isNotFound(err) || err == nil && !k.ExpiresAt.After(now) {
		return db.Key{}, false, nil
	}
	return k, err == nil, unavailable(err)
}

// idIn is the id of a batch's n-th task: the same for each repeat of the
// request, and another one once the key is used anew.
func idIn(k db.Key, n int) cluster.TaskID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %s %d %d", k.Name.UserID, k.Name.Key, k.Print, k.StoredAt.UnixNano(), n))
	return cluster.TaskID(strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10])))
}

// missing are the numbers of the tasks that an earlier request with the key has
// not stored. When its last task is there, none are: what is not found has gone
// since.
func (b *batch) missing(ctx context.Context) ([]int, error) {
	if b.end == nil {
		return nil, nil
	}
	end, known, err := b.c.keyOf(ctx, b.end.Name, b.since)
	if err != nil || known && end.StoredAt.Equal(b.end.StoredAt) {
		return nil, err
	}
	var missing []int
	for n, i := range b.at {
		id := b.items[i].ID
		b.c.mu.Lock()
		e := b.c.m.tasks[id]
		unsettled := e != nil && e.task.Version == 0
		b.c.mu.Unlock()
		if unsettled {
			return nil, fmt.Errorf("%w: the first request with this key has not been answered yet", cluster.ErrInFlight)
		}
		if e != nil {
			continue
		}
		switch _, err := b.c.store.Task(ctx, id); {
		case isNotFound(err):
			missing = append(missing, n)
		case err != nil:
			return nil, unavailable(err)
		}
	}
	return missing, nil
}

// store stores the tasks of these numbers, step by step. Whether the caller is
// still there does not count any more.
func (b *batch) store(ctx context.Context, numbers []int) error {
	ctx = context.WithoutCancel(ctx)
	for done := 0; done < len(numbers); {
		n := b.stepFrom(numbers[done:])
		st := b.c.decide(func(now time.Time) step { return b.step(numbers[done : done+n]) })
		if b.begin != nil && done == 0 {
			st.writes[0].Key = keyFor(b.begin, st.writes[0])
		}
		if done+n == len(numbers) {
			last := st.writes[n-1]
			if b.end != nil {
				last.Key = keyFor(b.end, last)
			}
			b.done(b.items)
			last.sign(ctx, "", "")
		}
		if err := b.c.carryOut(ctx, st); err != nil {
			if done == 0 {
				return err
			}
			return &cluster.HiddenError{Sentinel: cluster.ErrUnavailable, Cause: err, Said: fmt.Sprintf(
				"%d of %d tasks are stored, and then the store did not answer as it should; with an Idempotency-Key the same request completes it",
				len(b.specs)-len(numbers)+done, len(b.specs))}
		}
		done += n
	}
	return nil
}

// stepFrom is how many of these tasks go into one commit.
func (b *batch) stepFrom(numbers []int) int {
	n, size := 0, 0
	for n < len(numbers) && n < batchStep && (n == 0 || size < batchStepBytes) {
		size += b.specs[numbers[n]].Size()
		n++
	}
	return n
}

// step takes the tasks in.
func (b *batch) step(numbers []int) (st step) {
	for _, n := range numbers {
		id, spec := b.items[b.at[n]].ID, b.specs[n]
		b.c.m.entering.take(admission{id: id, user: b.user, spec: spec})
		_, one := b.c.m.submit(b.since.Add(time.Duration(n)), id, b.user, spec, "")
		st.join(one)
	}
	return st
}

// keyFor is the key as it goes with the write.
func keyFor(k *db.Key, w *write) *db.Key {
	own := *k
	own.TaskID = w.Task.ID
	return &own
}

// reserve keeps a key for a request that is under way.
func (c *Coordinator) reserve(name db.KeyName, print string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.entering.reserve(name, print)
}

// release ends a reservation, unless nobody knows yet whether the write that
// carries the key is on the disk: then it ends with that write.
func (c *Coordinator) release(name db.KeyName, with cluster.TaskID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, open := c.m.entering.tasks[with]; open {
		e.key = &name
		c.m.entering.tasks[with] = e
		return
	}
	delete(c.m.entering.keys, name)
}
