package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// commitOne inserts the n-th benchmark task.
func commitOne(ctx context.Context, s *Store, n int) error {
	return s.Commit(ctx, []db.Write{benchLife(n)[0]})[0]
}

func has(t *testing.T, s *Store, n int) bool {
	t.Helper()
	_, err := s.Task(t.Context(), benchLife(n)[0].Task.ID)
	if err != nil && !errors.Is(err, cluster.ErrNotFound) {
		t.Error(err)
	}
	return err == nil
}

// TestGroupCommit holds the first commit up until all other callers are on
// their way: they share few transactions.
func TestGroupCommit(t *testing.T) {
	s := open(t, t.TempDir())
	commits, release, first := 0, make(chan struct{}), make(chan struct{})
	s.commit = func(c *session) error {
		if commits++; commits == 1 {
			close(first)
			<-release
		}
		return c.commit()
	}
	const callers = 100
	var arrived, done sync.WaitGroup
	for i := range callers {
		arrived.Add(1)
		done.Go(func() {
			if i > 0 {
				<-first
			}
			arrived.Done()
			if err := commitOne(t.Context(), s, i); err != nil {
				t.Error(err)
			}
		})
	}
	<-first
	arrived.Wait()
	close(release)
	done.Wait()
	if commits > callers/2 {
		t.Errorf("%d callers took %d transactions", callers, commits)
	}
	t.Logf("%d callers took %d transactions", callers, commits)
}

// TestCommitFails lets COMMIT report a failure, after it was carried out or
// instead: all its callers hear that the outcome is unknown, the file is
// reopened, and what is read then stays so.
func TestCommitFails(t *testing.T) {
	for _, carriedOut := range []bool{true, false} {
		t.Run(fmt.Sprintf("carried out %v", carriedOut), func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			if err := commitOne(t.Context(), s, 1); err != nil {
				t.Fatal(err)
			}
			before := s.reads.Load()
			s.commit = func(c *session) error {
				s.commit = (*session).commit
				if carriedOut {
					if err := c.commit(); err != nil {
						return err
					}
				}
				return errors.New("the disk did not answer")
			}
			writes := []db.Write{benchLife(2)[0], benchLife(1)[0], benchLife(3)[0]}
			for i, err := range s.Commit(t.Context(), writes) {
				if !errors.Is(err, db.ErrOutcomeUnknown) {
					t.Errorf("answer %d: %v", i, err)
				}
			}
			if s.reads.Load() == before {
				t.Error("the file was not reopened")
			}
			for _, n := range []int{2, 3} {
				if has(t, s, n) != carriedOut {
					t.Errorf("task %d is there: %v", n, !carriedOut)
				}
			}
			if err := commitOne(t.Context(), s, 4); err != nil {
				t.Errorf("the next write: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir)
			if !has(t, s, 1) || !has(t, s, 4) || has(t, s, 2) != carriedOut {
				t.Error("another start sees something else")
			}
		})
	}
}

// TestReopenFails has no file to go back to for a while.
func TestReopenFails(t *testing.T) {
	s := open(t, t.TempDir())
	path := s.path
	s.commit = func(*session) error {
		s.commit, s.path = (*session).commit, path+"/no/such/folder"
		return errors.New("the disk did not answer")
	}
	if err := commitOne(t.Context(), s, 1); !errors.Is(err, db.ErrOutcomeUnknown) {
		t.Errorf("the failed commit: %v", err)
	}
	if err := commitOne(t.Context(), s, 2); !errors.Is(err, db.ErrUnavailable) {
		t.Errorf("a write meanwhile: %v", err)
	}
	if _, err := s.ListWorkers(t.Context()); !errors.Is(err, db.ErrUnavailable) {
		t.Errorf("a read meanwhile: %v", err)
	}
	s.path = path // the writer is idle: nobody else reads it now
	if has(t, s, 1) || has(t, s, 2) {
		t.Error("a write that did not happen is there")
	}
	if err := commitOne(t.Context(), s, 3); err != nil || !has(t, s, 3) {
		t.Errorf("a write afterwards: %v", err)
	}
}

// badChange fails inside the transaction.
type badChange struct{}

func (badChange) apply(s *session) (answer, failure error) {
	_, err := s.exec(`INSERT INTO meta (name, value) VALUES ('half', 'done')`)
	return nil, errors.Join(errors.New("bad item"), err)
}

// TestBadItem has an item that spoils its transaction: the others are carried
// out without it.
func TestBadItem(t *testing.T) {
	s := open(t, t.TempDir())
	var changes []change
	for n := range 5 {
		c, err := newTaskWrite(benchLife(n)[0])
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, c)
	}
	changes[2] = badChange{}
	changes = append(changes, changes[0]) // there by then
	for i, err := range s.queue.ChangeAll(t.Context(), changes) {
		switch i {
		case 2:
			if err == nil || errors.Is(err, db.ErrOutcomeUnknown) {
				t.Errorf("the bad item: %v", err)
			}
		case 5:
			if !errors.Is(err, db.ErrVersion) {
				t.Errorf("the second insert: %v", err)
			}
		default:
			if err != nil || !has(t, s, i) {
				t.Errorf("item %d: %v", i, err)
			}
		}
	}
	if got, err := s.MetaOnce(t.Context(), "half", "not done"); err != nil || got != "not done" {
		t.Errorf("half of the bad item is there: %q, %v", got, err)
	}
}

// TestF25FullStore lets the file not grow beyond its size: refused writes say so, what
// fits goes on.
func TestF25FullStore(t *testing.T) {
	s := open(t, t.TempDir())
	limit := func(pages int) statement {
		return statement{query: fmt.Sprintf("PRAGMA max_page_count = %d", pages)}
	}
	if err := s.queue.Change(t.Context(), limit(1)); err != nil { // no less than it has
		t.Fatal(err)
	}
	big := benchLife(1)[0]
	big.Task.Spec.Inputs = []cluster.InputFile{{Path: "big", Content: make([]byte, 1<<20)}}
	errs := s.Commit(t.Context(), []db.Write{benchLife(2)[0], big, benchLife(3)[0]})
	if errs[0] != nil || !errors.Is(errs[1], db.ErrFull) || errs[2] != nil {
		t.Errorf("answers: %v", errs)
	}
	if has(t, s, 1) || !has(t, s, 2) || !has(t, s, 3) {
		t.Error("what is there is not what was answered")
	}
	if err := s.queue.Change(t.Context(), limit(1<<30)); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), []db.Write{big})[0]; err != nil || !has(t, s, 1) {
		t.Errorf("with space again: %v", err)
	}
}

// TestGiveUp lets a caller stop waiting for a write that is under way: only it
// does not know the outcome.
func TestGiveUp(t *testing.T) {
	s := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	s.commit = func(c *session) error {
		cancel()
		<-release
		return c.commit()
	}
	if err := commitOne(ctx, s, 1); !errors.Is(err, db.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("the caller who gave up: %v", err)
	}
	late, stop := context.WithCancel(t.Context())
	stop()
	if err := commitOne(late, s, 2); !errors.Is(err, db.ErrUnavailable) || errors.Is(err, db.ErrOutcomeUnknown) {
		t.Errorf("a caller whose turn never came: %v", err)
	}
	close(release)
	if err := commitOne(t.Context(), s, 3); err != nil {
		t.Error(err)
	}
	if !has(t, s, 1) || has(t, s, 2) || !has(t, s, 3) {
		t.Error("the writes taken and only they should be there")
	}
}

// TestGiveUpOnACount lets a caller stop waiting for a write that tells how many
// rows it changed: there is no number yet.
func TestGiveUpOnACount(t *testing.T) {
	s := open(t, t.TempDir())
	key := db.Key{Name: db.KeyName{UserID: "u", Route: "r", Key: "k"}, StoredAt: benchTime, ExpiresAt: benchTime.Add(time.Hour)}
	if err := s.PutKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	s.commit = func(c *session) error {
		cancel()
		<-release
		return c.commit()
	}
	if n, err := s.ForgetKeys(ctx, key.ExpiresAt, 5); n != 0 || !errors.Is(err, db.ErrOutcomeUnknown) {
		t.Errorf("the caller who gave up: %d keys, %v", n, err)
	}
}

// TestCloseWaits closes while a commit is under way.
func TestCloseWaits(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	under, release := make(chan struct{}), make(chan struct{})
	s.commit = func(c *session) error {
		close(under)
		<-release
		return c.commit()
	}
	var write, closing error
	var done sync.WaitGroup
	done.Go(func() { write = commitOne(t.Context(), s, 1) })
	<-under
	done.Go(func() { closing = s.Close() })
	<-s.queue.Closing()
	if err := commitOne(t.Context(), s, 2); !errors.Is(err, db.ErrUnavailable) {
		t.Errorf("a write while closing: %v", err)
	}
	close(release)
	done.Wait()
	if write != nil || closing != nil {
		t.Errorf("write %v, close %v", write, closing)
	}
	if s := open(t, dir); !has(t, s, 1) || has(t, s, 2) {
		t.Error("what was answered is not what is there")
	}
}
