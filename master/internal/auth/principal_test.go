package auth

import (
	"context"
	"testing"

	"cloudai/master/internal/cluster"
)

func TestPrincipal(t *testing.T) {
	if _, ok := Principal(context.Background()); ok {
		t.Error("a bare context has a principal")
	}
	want := cluster.Principal{UserID: "ann", Role: cluster.RoleUser}
	ctx := WithPrincipal(context.Background(), want)
	if got, ok := Principal(ctx); !ok || got.UserID != want.UserID || got.Role != want.Role {
		t.Errorf("got %v %v", got, ok)
	}
}
