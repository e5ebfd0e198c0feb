package embedded

import (
	"fmt"

	"cloudai/master/internal/db"
)

// statement is a change that is one statement and has no answer of its own.
type statement struct {
	query string
	args  []any
}

func (c statement) apply(s *session) (answer, failure error) {
	_, err := s.exec(c.query, c.args...)
	return nil, err
}

// statements are a change that is all of them or none.
type statements []statement

func (c statements) apply(s *session) (answer, failure error) {
	for _, one := range c {
		if _, err := one.apply(s); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// claim is a statement whose row must have something for itself; it is refused
// when another row has the same.
type claim struct {
	statement
	what string
}

func (c claim) apply(s *session) (answer, failure error) {
	_, err := c.statement.apply(s)
	if isUnique(err) {
		return fmt.Errorf("%w: %s is taken", db.ErrVersion, c.what), nil
	}
	return nil, err
}

// counted is a statement that tells how many rows it changed. The number is
// there when the change has been answered without an error.
type counted struct {
	statement
	rows int64
}

func (c *counted) apply(s *session) (answer, failure error) {
	var err error
	c.rows, err = s.exec(c.query, c.args...)
	return nil, err
}
