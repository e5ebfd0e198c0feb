package accounts

import (
	"context"
	"crypto/subtle"
	"fmt"

	"cloudai/master/internal/cluster"
)

// Registration asks for an account of one's own.
type Registration struct {
	Name      string
	Email     string
	Password  string
	SetupCode string
}

// Check says what is wrong with it, all at once.
func (r Registration) Check() error {
	var c check
	c.name("name", r.Name)
	c.email("email", r.Email)
	c.password("password", r.Password)
	return c.err()
}

// Register makes an account and signs in. The first account is an
// administrator's: it must come from a trusted place, which is the master's
// own machine, or with the setup code. cluster.ErrDenied when one may not
// register, cluster.ErrConflict when the email is taken.
func (a *Accounts) Register(ctx context.Context, r Registration, trusted bool) (Session, error) {
	if _, err := a.mayRegister(r.SetupCode, trusted); err != nil {
		return Session{}, err
	}
	if err := r.Check(); err != nil {
		return Session{}, err
	}
	hash, err := a.hasher.Hash(r.Password)
	if err != nil {
		return Session{}, err
	}
	release, err := a.takeTurn(ctx)
	if err != nil {
		return Session{}, err
	}
	defer release()
	first, err := a.mayRegister(r.SetupCode, trusted) // another may have been first meanwhile
	if err != nil {
		return Session{}, err
	}
	u := cluster.User{
		ID: cluster.UserID(newID()), Name: r.Name, Email: r.Email, PasswordHash: hash, Role: cluster.RoleUser, CreatedAt: a.now(),
	}
	if first {
		u.Role = cluster.RoleAdmin
	}
	if err := a.put(ctx, u); err != nil {
		return Session{}, err
	}
	a.settled()
	a.log.Info("account registered", "user_id", u.ID, "role", u.Role)
	return a.signIn(u)
}

// MayRegister is an ErrDenied when nobody may.
func (a *Accounts) MayRegister() error {
	if a.SetupCode() == "" && !a.open {
		return fmt.Errorf("%w: registration is closed; an administrator adds accounts", cluster.ErrDenied)
	}
	return nil
}

// mayRegister reports whether this would be the first account.
func (a *Accounts) mayRegister(code string, trusted bool) (first bool, err error) {
	if err := a.MayRegister(); err != nil {
		return false, err
	}
	want := a.SetupCode()
	switch {
	case want == "":
		return false, nil
	case !trusted && subtle.ConstantTimeCompare([]byte(code), []byte(want)) != 1:
		return true, fmt.Errorf("%w: the first account becomes the administrator's: register on the master's own machine by its name localhost, "+
			"or send the setup_code that the master prints when it starts without an account", cluster.ErrDenied)
	}
	return true, nil
}

// settled ends the setup: there is an account.
func (a *Accounts) settled() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.setupCode = ""
}
