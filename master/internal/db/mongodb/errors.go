package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// Codes of the server.
const (
	codeOutOfDisk = 14031
	codeTooLarge  = 10334
)

// writeError gives a failed write the contract's name for it. What is not known
// to have had no effect is of unknown outcome.
func writeError(err error) error {
	var selection topology.ServerSelectionError
	switch {
	case err == nil:
		return nil
	case known(err):
		return err
	case errors.As(err, &selection):
		return fmt.Errorf("%w: nothing was written: %w", db.ErrUnavailable, err)
	case mongo.IsDuplicateKeyError(err):
		return fmt.Errorf("%w: %w", db.ErrVersion, err)
	case hasCode(err, codeOutOfDisk):
		return fmt.Errorf("%w: %w", db.ErrFull, err)
	case hasCode(err, codeTooLarge):
		return fmt.Errorf("%w: %w", cluster.ErrInvalid, err)
	}
	return fmt.Errorf("%w: %w", db.ErrOutcomeUnknown, err)
}

// answered reports whether the server has refused single writes, so that
// nothing of the call is still under way.
func answered(err error) bool {
	var bulk mongo.BulkWriteException
	if errors.As(err, &bulk) {
		return bulk.WriteConcernError == nil && len(bulk.WriteErrors) > 0
	}
	var one mongo.WriteException
	return errors.As(err, &one) && one.WriteConcernError == nil && len(one.WriteErrors) > 0
}

func hasCode(err error, code int) bool {
	var server mongo.ServerError
	return errors.As(err, &server) && server.HasErrorCode(code)
}

// known reports whether the error is one of the contract's already.
func known(err error) bool {
	return slices.ContainsFunc([]error{
		db.ErrVersion, db.ErrOutcomeUnknown, db.ErrUnavailable, db.ErrFull, db.ErrLocked, db.ErrTooNew, db.ErrDamaged,
		cluster.ErrInvalid, cluster.ErrNotFound,
	}, func(sentinel error) bool { return errors.Is(err, sentinel) })
}

// readError explains a failed read: the caller gave up, or the server does not
// answer.
func (s *Store) readError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case known(err):
		return err
	}
	return fmt.Errorf("%w: %w", db.ErrUnavailable, err)
}

// sideError is what the failure of a write that nothing refers to yet means for
// the whole: never an unknown outcome.
func sideError(err error) error {
	for _, sentinel := range []error{db.ErrFull, db.ErrLocked, cluster.ErrInvalid} {
		if errors.Is(err, sentinel) {
			return sentinel
		}
	}
	return db.ErrUnavailable
}
