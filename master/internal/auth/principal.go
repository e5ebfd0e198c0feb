// Package auth knows who calls. For now it carries the principal in the
// request's context; what the principal may do is decided in the core.
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
