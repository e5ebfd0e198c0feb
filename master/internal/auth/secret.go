package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// secretPrefix tells API tokens from sign-ins, and lets people and scanners see
// what they have found.
const secretPrefix = "cloudai_"

// NewSecret makes the secret of an API token: 130 random bits.
func NewSecret() string { return secretPrefix + strings.ToLower(rand.Text()) }

// IsSecret reports whether a credential is an API token's secret rather than
// a sign-in's token.
func IsSecret(credential string) bool { return strings.HasPrefix(credential, secretPrefix) }

// SecretHash is what is kept of a secret. It is random enough for a hash
// without salt and cost.
func SecretHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
