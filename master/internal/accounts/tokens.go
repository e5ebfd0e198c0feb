package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloudai/master/internal/auth"
	"cloudai/master/internal/cluster"
)

// mostTokens is how many API tokens one account may have.
const mostTokens = 100

// NewToken asks for an API token.
type NewToken struct {
	Name      string
	Scopes    []cluster.Scope // nil: read and submit
	ExpiresAt time.Time       // zero: never
}

// MayHoldTokens refuses those who must not make or end API tokens: a narrowed
// credential would widen or outlive itself.
func MayHoldTokens(p cluster.Principal) error {
	if p.Scopes != nil && !p.Admin() {
		return fmt.Errorf("%w: an API token cannot manage API tokens, unless it has the scope admin; sign in", cluster.ErrDenied)
	}
	return nil
}

// AddToken makes an API token of the principal's; the secret is shown this
// once and not kept.
func (a *Accounts) AddToken(ctx context.Context, p cluster.Principal, n NewToken) (t cluster.APIToken, secret string, err error) {
	if err := MayHoldTokens(p); err != nil {
		return t, "", err
	}
	now := a.now()
	if err := n.Check(p, now); err != nil {
		return t, "", err
	}
	if n.Scopes == nil {
		n.Scopes = []cluster.Scope{cluster.ScopeRead, cluster.ScopeSubmit}
	}
	release, err := a.takeTurn(ctx)
	if err != nil {
		return t, "", err
	}
	defer release()
	if p.UserID != cluster.LocalUser {
		if _, err := a.user(ctx, p.UserID); errors.Is(err, cluster.ErrNotFound) {
			return t, "", fmt.Errorf("%w: %s has no account, which an API token needs", cluster.ErrConflict, p.UserID)
		} else if err != nil {
			return t, "", err
		}
	}
	have, err := a.store.ListTokens(ctx, p.UserID)
	if err != nil {
		return t, "", unavailable(err)
	}
	if len(have) >= mostTokens {
		return t, "", fmt.Errorf("%w: there are %d API tokens already; delete some", cluster.ErrConflict, len(have))
	}
	secret = auth.NewSecret()
	t = cluster.APIToken{
		ID: newID(), UserID: p.UserID, Name: n.Name, Scopes: n.Scopes, SecretHash: auth.SecretHash(secret),
		ExpiresAt: n.ExpiresAt, CreatedAt: now,
	}
	if err := a.store.PutToken(context.WithoutCancel(ctx), t); err != nil {
		return t, "", unavailable(err)
	}
	a.log.Info("API token made", "user_id", p.UserID, "token_id", t.ID, "scopes", t.Scopes)
	return t, secret, nil
}

// Check says what is wrong with it when the principal asks for it, all at once.
func (n NewToken) Check(p cluster.Principal, now time.Time) error {
	var c check
	c.name("name", n.Name)
	if n.Scopes != nil && len(n.Scopes) == 0 {
		c.add("scopes", "must name at least one of read, submit, admin, agent")
	}
	for i, s := range n.Scopes {
		here := fmt.Sprintf("scopes[%d]", i)
		switch {
		case !slices.Contains(cluster.Scopes, s):
			c.add(here, "must be read, submit, admin or agent")
		case slices.Contains(n.Scopes[:i], s):
			c.add(here, "is there more than once")
		case !p.May(s):
			c.add(here, "is more than you may do yourself")
		}
	}
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now) {
		c.add("expires_at", "must be in the future")
	}
	return c.err()
}

// Tokens gives the principal's API tokens, oldest first.
func (a *Accounts) Tokens(ctx context.Context, p cluster.Principal) ([]cluster.APIToken, error) {
	list, err := a.store.ListTokens(ctx, p.UserID)
	return list, unavailable(err)
}

// HasToken is an ErrNotFound unless the principal has such an API token.
func (a *Accounts) HasToken(ctx context.Context, p cluster.Principal, id string) error {
	have, err := a.store.ListTokens(ctx, p.UserID)
	if err != nil {
		return unavailable(err)
	}
	if !slices.ContainsFunc(have, func(t cluster.APIToken) bool { return t.ID == id }) {
		return fmt.Errorf("%w: no API token %s", cluster.ErrNotFound, id)
	}
	return nil
}

// RemoveToken ends an API token of the principal's.
func (a *Accounts) RemoveToken(ctx context.Context, p cluster.Principal, id string) error {
	if err := MayHoldTokens(p); err != nil {
		return err
	}
	release, err := a.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := a.HasToken(ctx, p, id); err != nil {
		return err
	}
	if err := a.store.DeleteToken(context.WithoutCancel(ctx), id); err != nil {
		return unavailable(err)
	}
	a.log.Info("API token ended", "user_id", p.UserID, "token_id", id)
	return nil
}

// identifyToken says for whom the secret of an API token speaks.
func (a *Accounts) identifyToken(ctx context.Context, secret string) (p cluster.Principal, until time.Time, err error) {
	t, err := a.store.TokenByHash(ctx, auth.SecretHash(secret))
	if errors.Is(err, cluster.ErrNotFound) {
		return p, until, fmt.Errorf("%w: there is no such API token (any more)", cluster.ErrUnauthenticated)
	}
	if err != nil {
		return p, until, unavailable(err)
	}
	if !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(a.now()) {
		return p, until, fmt.Errorf("%w: the API token has expired", cluster.ErrUnauthenticated)
	}
	role := cluster.RoleAdmin
	if t.UserID != cluster.LocalUser {
		u, err := a.user(ctx, t.UserID)
		switch {
		case errors.Is(err, cluster.ErrNotFound) || err == nil && u.Disabled:
			return p, until, fmt.Errorf("%w: the account of this API token is closed", cluster.ErrUnauthenticated)
		case err != nil:
			return p, until, err
		}
		role = u.Role
	}
	a.touch(ctx, t)
	return cluster.Principal{UserID: t.UserID, Role: role, Scopes: nonNil(t.Scopes), Token: t.ID}, t.ExpiresAt, nil
}

// nonNil keeps a token without scopes from having all.
func nonNil(scopes []cluster.Scope) []cluster.Scope {
	if scopes == nil {
		return []cluster.Scope{}
	}
	return scopes
}

// touch notes that a token is in use, to the minute. It waits for nobody: when
// something is being changed, the next use notes it.
func (a *Accounts) touch(ctx context.Context, t cluster.APIToken) {
	minute := a.now().Truncate(time.Minute)
	if !t.LastUsedAt.Before(minute) {
		return
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	default:
		return
	}
	now, err := a.store.TokenByHash(ctx, t.SecretHash) // it may have been deleted
	if err == nil && now.LastUsedAt.Before(minute) {
		now.LastUsedAt = minute
		err = a.store.PutToken(context.WithoutCancel(ctx), now)
	}
	if err != nil && !errors.Is(err, cluster.ErrNotFound) {
		a.log.Warn("the use of an API token was not noted", "token_id", t.ID, "error", err)
	}
}
