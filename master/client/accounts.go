package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// User is an account.
type User struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Role      string    `json:"role" enum:"user,admin"`
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
	Files     *FileUse  `json:"files,omitempty" doc:"What the output files of the account's tasks take. Absent in the reply to a sign-in."`
}

// FileUse is what one user's output files take, and may take.
type FileUse struct {
	Used  int64  `json:"used" doc:"Bytes, with what running tasks are uploading."`
	Quota *int64 `json:"quota,omitempty" doc:"Bytes; beyond them files are not kept (skipped says so) and, once they are used up, tasks are refused with 507. Absent: no bound."`
}

// Session is what signing in gives.
type Session struct {
	User      User      `json:"user"`
	Token     string    `json:"token" doc:"For the header Authorization: Bearer."`
	ExpiresAt time.Time `json:"expires_at"`
}

// Registration asks for an account.
type Registration struct {
	Name      string `json:"name" doc:"For people." minLength:"1" maxLength:"256"`
	Email     string `json:"email" doc:"Compared without regard to case." maxLength:"254" example:"ann@example.org"`
	Password  string `json:"password" doc:"8 to 128 characters." minLength:"8" maxLength:"128"`
	SetupCode string `json:"setup_code,omitempty" doc:"What the master prints while no account exists; needed for the first account from another machine."`
}

// RegistrationState says who may make an account of their own.
type RegistrationState struct {
	Open      bool `json:"open" doc:"Anybody may."`
	First     bool `json:"first" doc:"There is none yet; the first one is the administrator's."`
	SetupCode bool `json:"setup_code" doc:"The caller must send the setup_code."`
}

// Credentials sign in.
type Credentials struct {
	Email    string `json:"email" maxLength:"254" example:"ann@example.org"`
	Password string `json:"password"`
}

// PasswordChange sets another password for the caller.
type PasswordChange struct {
	OldPassword string `json:"old_password"`
	NewPassword string `json:"new_password" doc:"8 to 128 characters." minLength:"8" maxLength:"128"`
}

// APIToken is a credential for programs.
type APIToken struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes" enum:"read,submit,admin,agent"`
	ExpiresAt  *time.Time `json:"expires_at" doc:"null: never." nullable:"true"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at" doc:"To the minute; null: not yet." nullable:"true"`
}

// NewAPIToken is an API token that was just made, with its secret, which is
// shown this once.
type NewAPIToken struct {
	APIToken
	Secret string `json:"secret" doc:"For the header Authorization: Bearer; shown only now."`
}

// TokenRequest asks for an API token.
type TokenRequest struct {
	Name      string   `json:"name" doc:"For people." minLength:"1" maxLength:"256"`
	Scopes    []string `json:"scopes,omitempty" doc:"Default read and submit." enum:"read,submit,admin,agent"`
	ExpiresAt string   `json:"expires_at,omitempty" doc:"RFC 3339 time; or expires_in; default never." example:"2027-01-31T00:00:00Z"`
	ExpiresIn string   `json:"expires_in,omitempty" doc:"Go style duration from now." example:"720h"`
}

// UserRequest is an account that an administrator adds.
type UserRequest struct {
	Name     string `json:"name" minLength:"1" maxLength:"256"`
	Email    string `json:"email" maxLength:"254" example:"ann@example.org"`
	Password string `json:"password" doc:"8 to 128 characters." minLength:"8" maxLength:"128"`
	Role     string `json:"role,omitempty" enum:"user,admin" default:"user"`
}

// UserChange changes an account; nil leaves a field as it is.
type UserChange struct {
	Name     *string `json:"name,omitempty" minLength:"1" maxLength:"256"`
	Role     *string `json:"role,omitempty" enum:"user,admin"`
	Disabled *bool   `json:"disabled,omitempty" doc:"A disabled account cannot sign in, and its sign-ins and API tokens end."`
	Password *string `json:"password,omitempty" doc:"A new one, 8 to 128 characters; ends the account's sign-ins and API tokens." minLength:"8" maxLength:"128"`
}

// Register makes an account and signs in.
func (c *Client) Register(ctx context.Context, r Registration) (Session, error) {
	return post[Session](ctx, c, "/api/auth/register", r)
}

// Login signs in. The client itself goes on with the token it was made with.
func (c *Client) Login(ctx context.Context, r Credentials) (Session, error) {
	return post[Session](ctx, c, "/api/auth/login", r)
}

// Logout ends the sign-in whose token the client has.
func (c *Client) Logout(ctx context.Context) error {
	_, err := post[struct{}](ctx, c, "/api/auth/logout", nil)
	return err
}

// Me says who calls.
func (c *Client) Me(ctx context.Context) (User, error) {
	return get[User](ctx, c, "/api/auth/me", nil)
}

// ChangePassword sets the caller's password; all other sign-ins of the account
// end. The session that comes back takes the place of the caller's own.
func (c *Client) ChangePassword(ctx context.Context, r PasswordChange) (Session, error) {
	return post[Session](ctx, c, "/api/auth/password", r)
}

// APITokens gives the caller's API tokens, the oldest first.
func (c *Client) APITokens(ctx context.Context) iter.Seq2[APIToken, error] {
	return all[APIToken](ctx, c, "/api/auth/tokens", url.Values{})
}

// CreateAPIToken makes an API token of the caller's.
func (c *Client) CreateAPIToken(ctx context.Context, r TokenRequest) (NewAPIToken, error) {
	return post[NewAPIToken](ctx, c, "/api/auth/tokens", r)
}

// DeleteAPIToken ends an API token.
func (c *Client) DeleteAPIToken(ctx context.Context, id string) error {
	return remove(ctx, c, "/api/auth/tokens/"+url.PathEscape(id), nil)
}

// Users gives all accounts, the oldest first. For administrators, as are the
// calls below.
func (c *Client) Users(ctx context.Context) iter.Seq2[User, error] {
	return all[User](ctx, c, "/api/users", url.Values{})
}

// CreateUser adds an account.
func (c *Client) CreateUser(ctx context.Context, r UserRequest) (User, error) {
	return post[User](ctx, c, "/api/users", r)
}

// ChangeUser changes an account.
func (c *Client) ChangeUser(ctx context.Context, id string, change UserChange) (User, error) {
	return call[User](ctx, c, request{method: http.MethodPatch, path: "/api/users/" + url.PathEscape(id), body: change})
}

// DeleteUser removes an account with its sign-ins and API tokens. Its tasks
// stay.
func (c *Client) DeleteUser(ctx context.Context, id string) error {
	return remove(ctx, c, "/api/users/"+url.PathEscape(id), nil)
}
