// Package auth recognises callers: it hashes passwords, signs and reads the
// tokens of sign-ins, makes the secrets of API tokens, and carries the
// principal in a request's context. It keeps nothing and knows no accounts;
// those are accounts' business, and what a principal may do is the core's.
package auth

import (
	"context"

	"cloudai/master/internal/cluster"
)

type principalKey struct{}

// WithPrincipal is the context of a call made by p.
func WithPrincipal(ctx context.Context, p cluster.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// Principal is the caller; ok is false when nobody has been identified.
func Principal(ctx context.Context) (p cluster.Principal, ok bool) {
	p, ok = ctx.Value(principalKey{}).(cluster.Principal)
	return p, ok
}
