package mongodb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

type assignmentRow struct {
	ID         bson.ObjectID `bson:"_id"`
	Write      bson.ObjectID `bson:"write"`
	TaskID     string        `bson:"task_id"`
	Attempt    int           `bson:"attempt"`
	Lease      string        `bson:"lease"`
	WorkerID   string        `bson:"worker_id"`
	AssignedAt int64         `bson:"assigned_at"` // nanoseconds since 1970
	Sum        *int64        `bson:"sum,omitempty"`
}

func (c *taskWrite) assignmentRow() assignmentRow {
	a := c.w.Assignment
	return assignmentRow{
		ID: bson.NewObjectID(), Write: c.id, TaskID: string(a.Ref.TaskID), Attempt: a.Ref.Attempt, Lease: a.Ref.Lease,
		WorkerID: string(a.WorkerID), AssignedAt: document.Nanos(a.AssignedAt), Sum: carry(document.AssignmentSum(a)),
	}
}

// assignment decodes a row after a look at its checksum.
func (r *assignmentRow) assignment() (db.Assignment, error) {
	a := db.Assignment{
		Ref:      cluster.AttemptRef{TaskID: cluster.TaskID(r.TaskID), Attempt: r.Attempt, Lease: r.Lease},
		WorkerID: cluster.WorkerID(r.WorkerID), AssignedAt: document.FromNanos(r.AssignedAt),
	}
	return a, matches(r.Sum, document.AssignmentSum(&a), "assignments", r.TaskID, strconv.Itoa(r.Attempt))
}

// WorkerAttempts implements db.Tasks. Rows that their task does not refer to
// are passed over.
func (s *Store) WorkerAttempts(ctx context.Context, worker cluster.WorkerID, page cluster.Page) ([]db.Assignment, cluster.Cursor, error) {
	if err := checkLimit(page); err != nil {
		return nil, cluster.Cursor{}, err
	}
	var list []db.Assignment
	place := page.After
	for {
		filter := bson.M{"worker_id": string(worker)}
		if !place.IsZero() {
			if err := behindAttempt(filter, place); err != nil {
				return nil, cluster.Cursor{}, err
			}
		}
		ask := page.Limit + 1 - len(list)
		rows, err := findAll[assignmentRow](ctx, s, s.in.assignments, filter,
			options.Find().SetSort(order("-assigned_at", "task_id", "attempt")).SetLimit(int64(ask)))
		if err != nil {
			return nil, cluster.Cursor{}, err
		}
		counting, err := s.counting(ctx, rows)
		if err != nil {
			return nil, cluster.Cursor{}, err
		}
		list = append(list, counting...)
		if len(list) > page.Limit {
			return list[:page.Limit], attemptCursor(list[page.Limit-1]), nil
		}
		if len(rows) < ask {
			return list, cluster.Cursor{}, nil
		}
		last, err := rows[len(rows)-1].assignment()
		if err != nil {
			return nil, cluster.Cursor{}, err
		}
		place = attemptCursor(last)
	}
}

// counting are the rows that their tasks refer to.
func (s *Store) counting(ctx context.Context, rows []assignmentRow) ([]db.Assignment, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	var ids []string
	refs := map[string][]rowRef{}
	for _, row := range rows {
		if _, ok := refs[row.TaskID]; !ok {
			ids, refs[row.TaskID] = append(ids, row.TaskID), nil
		}
	}
	tasks, err := findAll[taskRow](ctx, s, s.in.tasks, among(ids), options.Find().SetProjection(bson.M{"rows": 1}))
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		refs[t.ID] = t.Rows
	}
	var list []db.Assignment
	for _, row := range rows {
		if write, ok := refOf(refs[row.TaskID], kindAssignment, row.Attempt); ok && write == row.Write {
			a, err := row.assignment()
			if err != nil {
				return nil, err
			}
			list = append(list, a)
		}
	}
	return list, nil
}

func attemptCursor(a db.Assignment) cluster.Cursor {
	return cluster.Cursor{CreatedAt: a.AssignedAt, ID: string(a.Ref.TaskID) + "/" + strconv.Itoa(a.Ref.Attempt)}
}

// behindAttempt begins a page strictly behind a place.
func behindAttempt(filter bson.M, place cluster.Cursor) error {
	cut := strings.LastIndexByte(place.ID, '/')
	attempt, err := 0, error(nil)
	if cut >= 0 {
		attempt, err = strconv.Atoi(place.ID[cut+1:])
	}
	if cut < 0 || err != nil {
		return fmt.Errorf("%w: cursor %q is not of this list", cluster.ErrInvalid, place.ID)
	}
	at, task := document.Nanos(place.CreatedAt), place.ID[:cut]
	filter["assigned_at"] = bson.M{"$lte": at}
	filter["$or"] = bson.A{
		bson.M{"assigned_at": bson.M{"$lt": at}},
		bson.M{"task_id": bson.M{"$gt": task}},
		bson.M{"task_id": task, "attempt": bson.M{"$gt": attempt}},
	}
	return nil
}
