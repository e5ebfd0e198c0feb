package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"cloudai/master/internal/auth"
	"cloudai/master/internal/cluster"
)

// Session is what signing in gives.
type Session struct {
	User      cluster.User
	Token     string
	ExpiresAt time.Time
}

// signIn makes the token of a new sign-in.
func (a *Accounts) signIn(u cluster.User) (Session, error) {
	now := a.now()
	in := auth.SignIn{
		ID: newID(), UserID: u.ID, Generation: u.Generation,
		IssuedAt: now, ExpiresAt: now.Add(a.ttl).Truncate(time.Second).UTC(),
	}
	token, err := a.signer.Sign(in)
	if err != nil {
		return Session{}, fmt.Errorf("signing the token: %w", err)
	}
	return Session{User: u, Token: token, ExpiresAt: in.ExpiresAt}, nil
}

// CheckCredentials says what is missing for a sign-in.
func CheckCredentials(email, password string) error {
	var c check
	if email == "" {
		c.add("email", "is required")
	}
	if password == "" {
		c.add("password", "is required")
	}
	return c.err()
}

// Login signs in from an address, which is empty on the master's own machine.
// cluster.ErrUnauthenticated does not tell whether the account or the password
// is wrong, and takes as long for either. After too many failures it is a
// *cluster.WaitError, whatever the password.
func (a *Accounts) Login(ctx context.Context, email, password, address string) (Session, error) {
	if err := CheckCredentials(email, password); err != nil {
		return Session{}, err
	}
	wrong := fmt.Errorf("%w: the email or the password is wrong", cluster.ErrUnauthenticated)
	if len(email) > mostEmail || utf8.RuneCountInString(password) > mostPassword {
		return Session{}, wrong
	}
	u, err := a.store.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, cluster.ErrNotFound) {
		return Session{}, unavailable(err)
	}
	try, err := a.guard.begin(accountKey(u.ID, email), address, a.now())
	if err != nil {
		return Session{}, err
	}
	ok, err := a.hasher.Verify(u.PasswordHash, password)
	switch {
	case err != nil:
		try.takeBack()
		return Session{}, err
	case !ok:
		return Session{}, wrong
	case u.Disabled:
		try.takeBack()
		return Session{}, fmt.Errorf("%w: this account is disabled; an administrator can enable it", cluster.ErrDenied)
	}
	try.succeeded()
	return a.signIn(u)
}

// Identify says for whom a credential speaks: the token of a sign-in or the
// secret of an API token. until is when it stops to; zero: never.
// cluster.ErrUnauthenticated says why it speaks for nobody.
func (a *Accounts) Identify(ctx context.Context, credential string) (p cluster.Principal, until time.Time, err error) {
	if auth.IsSecret(credential) {
		return a.identifyToken(ctx, credential)
	}
	in, err := a.signer.Read(credential)
	if err != nil {
		return p, until, err
	}
	a.mu.Lock()
	_, over := a.ended[in.ID]
	a.mu.Unlock()
	if over {
		return p, until, ended()
	}
	u, err := a.user(ctx, in.UserID)
	switch {
	case errors.Is(err, cluster.ErrNotFound):
		return p, until, ended()
	case err != nil:
		return p, until, err
	case u.Disabled || u.Generation != in.Generation:
		return p, until, ended()
	}
	return cluster.Principal{UserID: u.ID, Role: u.Role}, in.ExpiresAt, nil
}

func ended() error {
	return fmt.Errorf("%w: the sign-in is over; sign in again", cluster.ErrUnauthenticated)
}

// MayLogout is an ErrDenied for what is no sign-in.
func (a *Accounts) MayLogout(credential string) error {
	if auth.IsSecret(credential) {
		return fmt.Errorf("%w: an API token is no sign-in; delete it to end it", cluster.ErrDenied)
	}
	return nil
}

// Logout ends the sign-in that the credential belongs to.
func (a *Accounts) Logout(ctx context.Context, credential string) error {
	if err := a.MayLogout(credential); err != nil {
		return err
	}
	in, err := a.signer.Read(credential)
	if err != nil {
		return err
	}
	if err := a.store.EndSession(context.WithoutCancel(ctx), in.ID, in.ExpiresAt); err != nil {
		return unavailable(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended[in.ID] = in.ExpiresAt
	for id, until := range a.ended { // those that would be over by now anyway
		if until.Before(a.now()) {
			delete(a.ended, id)
		}
	}
	return nil
}

// CheckPasswordChange says what is wrong with a change of a password, before
// the old one is looked at.
func CheckPasswordChange(before, after string) error {
	var c check
	if before == "" {
		c.add("old_password", "is required")
	}
	c.password("new_password", after)
	return c.err()
}

// ChangePassword gives the principal's account another password and ends all
// its sign-ins; the session that comes back is the only one left. Wrong present
// passwords are bounded as in Login, for each address alone: who has taken over
// a sign-in neither guesses on nor keeps its owner from changing the password.
func (a *Accounts) ChangePassword(ctx context.Context, p cluster.Principal, before, after, address string) (Session, error) {
	u, err := a.withPassword(ctx, p)
	if err != nil {
		return Session{}, err
	}
	if err := CheckPasswordChange(before, after); err != nil {
		return Session{}, err
	}
	try, err := a.guard.beginSignedIn(accountKey(u.ID, ""), address, a.now())
	if err != nil {
		return Session{}, err
	}
	ok, err := a.hasher.Verify(u.PasswordHash, before)
	if err != nil {
		try.takeBack()
		return Session{}, err
	}
	if !ok {
		return Session{}, cluster.Invalid("old_password", "is not the present password")
	}
	try.succeeded()
	u, err = a.change(ctx, u.ID, UserChange{Password: &after}, &u)
	if err != nil {
		return Session{}, err
	}
	return a.signIn(u)
}

// withPassword is the principal's account, when it may change its password.
func (a *Accounts) withPassword(ctx context.Context, p cluster.Principal) (cluster.User, error) {
	if p.Scopes != nil {
		return cluster.User{}, fmt.Errorf("%w: an API token cannot change the password; sign in", cluster.ErrDenied)
	}
	u, err := a.user(ctx, p.UserID)
	if errors.Is(err, cluster.ErrNotFound) {
		return u, fmt.Errorf("%w: %s has no account and so no password", cluster.ErrDenied, p.UserID)
	}
	return u, err
}

// MayChangePassword is an ErrDenied unless the principal has a password.
func (a *Accounts) MayChangePassword(ctx context.Context, p cluster.Principal) error {
	_, err := a.withPassword(ctx, p)
	return err
}

// Me is the principal's account; for one without it what is known.
func (a *Accounts) Me(ctx context.Context, p cluster.Principal) (cluster.User, error) {
	u, err := a.user(ctx, p.UserID)
	if errors.Is(err, cluster.ErrNotFound) {
		return cluster.User{ID: p.UserID, Name: string(p.UserID), Role: p.Role}, nil
	}
	return u, err
}
