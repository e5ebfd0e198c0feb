package document

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// RowSum is the checksum of a row that is no document: over its table's name and
// its fields in a fixed order, each a text or a whole number. A field's length
// goes with it, so that nothing can move from one into the next.
func RowSum(table string, fields ...any) int64 {
	var b []byte
	for _, field := range append([]any{table}, fields...) {
		var text string
		switch v := field.(type) {
		case string:
			text = v
		case int64:
			text = strconv.FormatInt(v, 10)
		default:
			panic(fmt.Sprintf("a checksum over %T", field))
		}
		b = strconv.AppendInt(b, int64(len(text)), 10)
		b = append(append(b, ':'), text...)
	}
	return int64(crc32.Checksum(b, castagnoli))
}

// Flag is how a row keeps yes and no.
func Flag(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// UserSum is the checksum of a user's row.
func UserSum(u *cluster.User) int64 {
	return RowSum("users", string(u.ID), u.Name, u.Email, u.PasswordHash, string(u.Role), Flag(u.Disabled), u.Generation, Nanos(u.CreatedAt))
}

// Scopes is how a row keeps what a token may do: JSON, a list or null.
func Scopes(list []cluster.Scope) string {
	b, err := json.Marshal(list)
	if err != nil { // texts can always be said
		panic(err)
	}
	return string(b)
}

// TokenSum is the checksum of an API token's row.
func TokenSum(t *cluster.APIToken) int64 {
	return RowSum("tokens", t.ID, string(t.UserID), t.Name, Scopes(t.Scopes), t.SecretHash, Nanos(t.ExpiresAt), Nanos(t.CreatedAt), Nanos(t.LastUsedAt))
}

// EndedSum is the checksum of an ended sign-in's row.
func EndedSum(e db.EndedSession) int64 { return RowSum("ended_sessions", e.ID, Nanos(e.Until)) }

// MetaSum is the checksum of a named value's row.
func MetaSum(m db.MetaValue) int64 { return RowSum("meta", m.Name, m.Value) }

// AssignmentSum is the checksum of a placement's row.
func AssignmentSum(a *db.Assignment) int64 {
	return RowSum("assignments", string(a.Ref.TaskID), int64(a.Ref.Attempt), a.Ref.Lease, string(a.WorkerID), Nanos(a.AssignedAt))
}

// Matches is nil when the checksum that a row carries is that of its content;
// else db.ErrDamaged with the row's table and key.
func Matches(carried, is int64, table string, key ...string) error {
	if carried == is {
		return nil
	}
	return Damaged(table, strings.Join(key, "/"), "checksum does not match")
}
