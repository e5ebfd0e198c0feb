package cluster

// Role decides what a principal may do.
type Role string

// The roles.
const (
	RoleUser  Role = "user"
	RoleAdmin Role = "admin"
)

// LocalUser is who speaks over the Unix socket.
const LocalUser UserID = "local"

// Principal is the caller of an operation.
type Principal struct {
	UserID UserID
	Role   Role
}

// Admin reports whether the principal may act for everyone.
func (p Principal) Admin() bool { return p.Role == RoleAdmin }

// MaySee reports whether the principal may know that something of this owner
// exists.
func (p Principal) MaySee(owner UserID) bool { return p.Admin() || p.UserID == owner }
