package cluster

import (
	"fmt"
	"slices"
)

// Role decides what a principal may do.
type Role string

// The roles.
const (
	RoleUser  Role = "user"
	RoleAdmin Role = "admin"
)

// Scopes are what the role may do at most.
func (r Role) Scopes() []Scope {
	switch r {
	case RoleAdmin:
		return Scopes
	case RoleUser:
		return []Scope{ScopeRead, ScopeSubmit}
	}
	return nil
}

// LocalUser is who speaks over the Unix socket.
const LocalUser UserID = "local"

// Principal is the caller of an operation.
type Principal struct {
	UserID UserID
	Role   Role
	Scopes []Scope // of an API token; nil: all that the role has
	Token  string  // the API token's id; empty for other credentials
}

// May reports whether the principal has the scope. Who may do everything may
// do each single thing.
func (p Principal) May(s Scope) bool {
	if !slices.Contains(p.Role.Scopes(), s) {
		return false
	}
	return p.Scopes == nil || slices.Contains(p.Scopes, s) ||
		slices.Contains(p.Scopes, ScopeAdmin) && s != ScopeAgent
}

// Require is an ErrDenied that says what is lacking, unless the principal has
// the scope.
func (p Principal) Require(s Scope) error {
	switch {
	case p.May(s):
		return nil
	case slices.Contains(p.Role.Scopes(), s):
		return fmt.Errorf("%w: the API token lacks the scope %s", ErrDenied, s)
	}
	return fmt.Errorf("%w: only administrators may do this", ErrDenied)
}

// Admin reports whether the principal may act for everyone.
func (p Principal) Admin() bool { return p.May(ScopeAdmin) }

// MaySee reports whether the principal may know that something of this owner
// exists.
func (p Principal) MaySee(owner UserID) bool { return p.Admin() || p.UserID == owner }
