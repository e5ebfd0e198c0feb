package cluster

import "time"

// User is an account. The socket's user "local" is none.
type User struct {
	ID           UserID
	Name         string // for people
	Email        string // as given; unique without regard to case
	PasswordHash string
	Role         Role
	Disabled     bool
	// Generation grows when all sign-ins of the account end at once; a sign-in
	// counts only while it carries the present one.
	Generation int64
	CreatedAt  time.Time
}

// Scope is something that a principal may do.
type Scope string

// The scopes. A role has all that it may do; an API token narrows it further.
const (
	ScopeRead   Scope = "read"   // see one's own tasks, logs and files, and the cluster
	ScopeSubmit Scope = "submit" // submit, change, cancel and retry tasks, delete files
	ScopeAdmin  Scope = "admin"  // see and do so for everyone, and manage workers and users
	ScopeAgent  Scope = "agent"  // place tasks as a scheduling agent
)

// Scopes lists all scopes.
var Scopes = []Scope{ScopeRead, ScopeSubmit, ScopeAdmin, ScopeAgent}

// APIToken is a credential for programs.
type APIToken struct {
	ID         string
	UserID     UserID // for whom it speaks
	Name       string // for people
	Scopes     []Scope
	SecretHash string    // SHA-256 of the secret, lower-case hexadecimal
	ExpiresAt  time.Time // zero: never
	CreatedAt  time.Time
	LastUsedAt time.Time // to the minute; zero: not yet
}

// UsageSample is one measurement of a container.
type UsageSample struct {
	Time   time.Time
	CPU    float64 // cores
	Memory float64 // MiB
}
