package accounts

import (
	"context"
	"errors"
	"fmt"

	"cloudai/master/internal/cluster"
)

// NewUser is an account that an administrator adds.
type NewUser struct {
	Name     string
	Email    string
	Password string
	Role     cluster.Role // empty: user
}

// UserChange changes an account; nil leaves a field as it is.
type UserChange struct {
	Name     *string
	Role     *cluster.Role
	Disabled *bool
	Password *string
}

// Users gives all accounts, oldest first. For administrators, as are the
// methods below.
func (a *Accounts) Users(ctx context.Context, p cluster.Principal) ([]cluster.User, error) {
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return nil, err
	}
	list, err := a.store.ListUsers(ctx)
	return list, unavailable(err)
}

// HasUser is an ErrNotFound unless there is such an account.
func (a *Accounts) HasUser(ctx context.Context, id cluster.UserID) error {
	_, err := a.user(ctx, id)
	return err
}

// Check says what is wrong with it, all at once.
func (n NewUser) Check() error {
	var c check
	c.name("name", n.Name)
	c.email("email", n.Email)
	c.password("password", n.Password)
	if n.Role != "" {
		c.role("role", n.Role)
	}
	return c.err()
}

// AddUser adds an account. cluster.ErrConflict when the email is taken.
func (a *Accounts) AddUser(ctx context.Context, p cluster.Principal, n NewUser) (cluster.User, error) {
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return cluster.User{}, err
	}
	if err := n.Check(); err != nil {
		return cluster.User{}, err
	}
	if n.Role == "" {
		n.Role = cluster.RoleUser
	}
	hash, err := a.hasher.Hash(n.Password)
	if err != nil {
		return cluster.User{}, err
	}
	release, err := a.takeTurn(ctx)
	if err != nil {
		return cluster.User{}, err
	}
	defer release()
	u := cluster.User{
		ID: cluster.UserID(newID()), Name: n.Name, Email: n.Email, PasswordHash: hash, Role: n.Role, CreatedAt: a.now(),
	}
	if err := a.put(ctx, u); err != nil {
		return cluster.User{}, err
	}
	a.settled()
	a.log.Info("account added", "user_id", u.ID, "role", u.Role, "by", p.UserID)
	return u, nil
}

// Check says what is wrong with it, all at once.
func (u UserChange) Check() error {
	var c check
	if u.Name != nil {
		c.name("name", *u.Name)
	}
	if u.Role != nil {
		c.role("role", *u.Role)
	}
	if u.Password != nil {
		c.password("password", *u.Password)
	}
	return c.err()
}

// ChangeUser changes an account. Administrators cannot lock themselves out, and
// the last one stays: cluster.ErrConflict.
func (a *Accounts) ChangeUser(ctx context.Context, p cluster.Principal, id cluster.UserID, change UserChange) (cluster.User, error) {
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return cluster.User{}, err
	}
	if _, err := a.user(ctx, id); err != nil {
		return cluster.User{}, err
	}
	if err := change.Check(); err != nil {
		return cluster.User{}, err
	}
	demoted := change.Role != nil && *change.Role != cluster.RoleAdmin
	if id == p.UserID && (demoted || change.Disabled != nil && *change.Disabled) {
		return cluster.User{}, fmt.Errorf("%w: this is your own account; another administrator may do that", cluster.ErrConflict)
	}
	u, err := a.change(ctx, id, change, nil)
	if err != nil {
		return u, err
	}
	if change.Password != nil || change.Disabled != nil && *change.Disabled {
		if err := a.endTokens(ctx, id); err != nil {
			return u, err
		}
	}
	if change.Password != nil {
		a.guard.forgive(accountKey(id, ""))
	}
	a.log.Info("account changed", "user_id", id, "by", p.UserID)
	return u, nil
}

// endTokens ends all API tokens of an account that is not trusted as it was.
func (a *Accounts) endTokens(ctx context.Context, id cluster.UserID) error {
	release, err := a.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	tokens, err := a.store.ListTokens(ctx, id)
	if err != nil {
		return unavailable(err)
	}
	for _, t := range tokens {
		if err := a.store.DeleteToken(context.WithoutCancel(ctx), t.ID); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

// change carries out a change that has been checked. Another password and a
// disabled account end all sign-ins. seen is the account as the one who asks
// for the change knew it, nil for whatever it is: cluster.ErrUnauthenticated
// when its sign-ins have ended since.
func (a *Accounts) change(ctx context.Context, id cluster.UserID, change UserChange, seen *cluster.User) (cluster.User, error) {
	hash := ""
	if change.Password != nil {
		var err error
		if hash, err = a.hasher.Hash(*change.Password); err != nil {
			return cluster.User{}, err
		}
	}
	release, err := a.takeTurn(ctx)
	if err != nil {
		return cluster.User{}, err
	}
	defer release()
	u, err := a.user(ctx, id)
	if err != nil {
		return u, err
	}
	if seen != nil && (u.Generation != seen.Generation || u.Disabled) {
		return u, ended()
	}
	if change.Name != nil {
		u.Name = *change.Name
	}
	if change.Role != nil {
		u.Role = *change.Role
	}
	if hash != "" {
		u.PasswordHash = hash
		u.Generation++
	}
	if change.Disabled != nil && *change.Disabled != u.Disabled {
		u.Disabled = *change.Disabled
		u.Generation++
	}
	if !administers(u) {
		if err := a.keepsAdministrator(ctx, id); err != nil {
			return cluster.User{}, err
		}
	}
	return u, a.put(ctx, u)
}

func administers(u cluster.User) bool { return u.Role == cluster.RoleAdmin && !u.Disabled }

// keepsAdministrator is a cluster.ErrConflict when the account is the only one
// that administers. Its caller holds the turn.
func (a *Accounts) keepsAdministrator(ctx context.Context, without cluster.UserID) error {
	all, err := a.store.ListUsers(ctx)
	if err != nil {
		return unavailable(err)
	}
	is, others := false, false
	for _, u := range all {
		is = is || u.ID == without && administers(u)
		others = others || u.ID != without && administers(u)
	}
	if is && !others {
		return fmt.Errorf("%w: this is the last administrator; make another one first", cluster.ErrConflict)
	}
	return nil
}

// RemoveUser removes an account with its sign-ins and API tokens; its tasks
// stay. cluster.ErrConflict for one's own and for the last administrator's.
func (a *Accounts) RemoveUser(ctx context.Context, p cluster.Principal, id cluster.UserID) error {
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return err
	}
	if id == p.UserID {
		return fmt.Errorf("%w: this is your own account; another administrator may remove it", cluster.ErrConflict)
	}
	release, err := a.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	if _, err := a.user(ctx, id); err != nil {
		return err
	}
	if err := a.keepsAdministrator(ctx, id); err != nil {
		return err
	}
	if err := a.store.DeleteUser(context.WithoutCancel(ctx), id); err != nil {
		return unavailable(err)
	}
	a.guard.forget(accountKey(id, ""))
	a.log.Info("account removed", "user_id", id, "by", p.UserID)
	n, err := a.store.CountUsers(ctx)
	if err != nil || n > 0 {
		return nil // the account is gone; that nobody is left shows at the next start too
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.setupCode = newSetupCode()
	a.log.Warn("no account is left; the next one that registers on this machine becomes the administrator's")
	return nil
}

// Resolve gives the id of the account with this email; anything without an @
// is an id already.
func (a *Accounts) Resolve(ctx context.Context, email string) (cluster.UserID, error) {
	u, err := a.store.UserByEmail(ctx, email)
	if errors.Is(err, cluster.ErrNotFound) {
		return "", fmt.Errorf("%w: no account has the email %s", cluster.ErrNotFound, email)
	}
	return u.ID, unavailable(err)
}
