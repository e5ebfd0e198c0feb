// Package transfer moves all that one store holds into another one, and makes
// sure that it is the same there. It must not know what either is made of.
package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"cloudai/master/internal/db"
)

// portion is how many records are loaded at a time, and portionRows bounds the
// rows in them.
const (
	portion     = 128
	portionRows = 2048
)

var (
	// ErrDiffers: what the target gives back is not what it was given.
	ErrDiffers = errors.New("the copy is not what was copied")
	// ErrEmpty: there is nothing to move.
	ErrEmpty = errors.New("the store holds nothing")
)

// Kinds are what a summary counts, in the order in which it is told.
var Kinds = []string{
	"meta", "users", "tokens", "ended_sessions", "workers", "audit", "tasks", "assignments", "results", "file_metadata", "keys",
}

// Summary is what a store holds: for each kind how many rows, and a sum over
// the content of all of them.
type Summary map[string]Kind

// Kind is one line of a summary.
type Kind struct {
	Count int
	Sum   string // equal for equal rows in any order
}

// Move fills the target with all that the source holds, compares both row by
// row through their sums, and lets the target be opened then. An error leaves
// the source as it was and the target half filled, unless it is db.ErrNotEmpty or
// ErrEmpty, which leave both.
func Move(ctx context.Context, from, to db.Portable) (Summary, error) {
	if err := refuseEmpty(ctx, from); err != nil {
		return nil, err
	}
	if err := to.Fill(ctx); err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	read := newSummer()
	var waiting []db.Record
	rows := 0
	load := func() error {
		if len(waiting) == 0 {
			return nil
		}
		err := to.Load(ctx, waiting)
		waiting, rows = waiting[:0], 0
		if err != nil {
			return fmt.Errorf("target: %w", err)
		}
		return nil
	}
	err := from.Dump(ctx, func(r db.Record) error {
		n, err := read.add(r)
		if err != nil {
			return err
		}
		waiting, rows = append(waiting, r), rows+n
		if len(waiting) >= portion || rows >= portionRows {
			return load()
		}
		return nil
	})
	if err == nil {
		err = load()
	}
	if err != nil {
		return nil, err
	}
	want := read.summary()
	got, err := Summarize(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("reading the target back: %w", err)
	}
	if err := compare(want, got); err != nil {
		return nil, err
	}
	return want, to.Filled(ctx)
}

// refuseEmpty keeps a mistyped name from being taken for a store to move.
func refuseEmpty(ctx context.Context, from db.Portable) error {
	found := errors.New("found")
	err := from.Dump(ctx, func(db.Record) error { return found })
	if err == nil {
		return fmt.Errorf("source: %w", ErrEmpty)
	}
	if !errors.Is(err, found) {
		return fmt.Errorf("source: %w", err)
	}
	return nil
}

// compare names the first kind that differs.
func compare(want, got Summary) error {
	for _, kind := range Kinds {
		if want[kind] != got[kind] {
			return fmt.Errorf("%w: %s: %d rows with sum %.12s were read, %d with sum %.12s are there now",
				ErrDiffers, kind, want[kind].Count, want[kind].Sum, got[kind].Count, got[kind].Sum)
		}
	}
	return nil
}

// Summarize reads all that a store holds.
func Summarize(ctx context.Context, s db.Portable) (Summary, error) {
	sums := newSummer()
	err := s.Dump(ctx, func(r db.Record) error {
		_, err := sums.add(r)
		return err
	})
	return sums.summary(), err
}

// summer adds up rows. The sum of a kind is that of the SHA-256 of its rows,
// each as JSON, as numbers: no order is needed, and a row that is missing,
// doubled or changed changes it.
type summer struct {
	counts map[string]int
	sums   map[string]*big.Int
}

func newSummer() *summer {
	s := &summer{counts: map[string]int{}, sums: map[string]*big.Int{}}
	for _, kind := range Kinds {
		s.sums[kind] = new(big.Int)
	}
	return s
}

var modulus = new(big.Int).Lsh(big.NewInt(1), 8*sha256.Size)

func (s *summer) row(kind string, row any) error {
	b, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	digest := sha256.Sum256(b)
	sum := s.sums[kind]
	sum.Add(sum, new(big.Int).SetBytes(digest[:]))
	sum.Mod(sum, modulus)
	s.counts[kind]++
	return nil
}

// add counts a record and gives how many rows it has.
func (s *summer) add(r db.Record) (int, error) {
	switch {
	case r.Meta != nil:
		return 1, s.row("meta", r.Meta)
	case r.User != nil:
		return 1, s.row("users", r.User)
	case r.Token != nil:
		return 1, s.row("tokens", r.Token)
	case r.Ended != nil:
		return 1, s.row("ended_sessions", r.Ended)
	case r.Worker != nil:
		return 1, s.row("workers", r.Worker)
	case r.Audit != nil:
		return 1, s.row("audit", r.Audit)
	case r.Key != nil:
		return 1, s.row("keys", r.Key)
	case r.Task != nil:
		return s.addTask(r.Task)
	}
	return 0, errors.New("a record of nothing")
}

// addTask counts a task and the rows beside it. These are apart, so that a
// difference is named by its collection.
func (s *summer) addTask(t *db.TaskRecord) (rows int, err error) {
	errs := []error{s.row("tasks", t.Task)}
	for _, a := range t.Assignments {
		errs = append(errs, s.row("assignments", a))
	}
	for _, r := range t.Results {
		errs = append(errs, s.row("results", r))
	}
	for _, p := range t.Files {
		for _, f := range p.Files {
			errs = append(errs, s.row("file_metadata", []any{t.Task.ID, p.Attempt, f}))
		}
	}
	for _, k := range t.Keys {
		errs = append(errs, s.row("keys", k))
	}
	return len(errs), errors.Join(errs...)
}

func (s *summer) summary() Summary {
	out := make(Summary, len(Kinds))
	for _, kind := range Kinds {
		out[kind] = Kind{Count: s.counts[kind], Sum: fmt.Sprintf("%064x", s.sums[kind])}
	}
	return out
}

// String is the counts in one line.
func (s Summary) String() string {
	parts := make([]string, 0, len(s))
	for _, kind := range Kinds {
		if s[kind].Count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", s[kind].Count, strings.ReplaceAll(kind, "_", " ")))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(slices.Clip(parts), ", ")
}
