package accounts

import (
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

func TestAPITokens(t *testing.T) {
	o := newOffice(t)
	s := o.register("ann")
	ann, _ := o.who(s.Token)
	bob, _ := o.who(o.register("bob").Token)
	token, secret, err := o.AddToken(t.Context(), bob, NewToken{Name: "ci", ExpiresAt: o.now.Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	p, until, err := o.Identify(t.Context(), secret)
	if err != nil || p.UserID != bob.UserID || !p.May(cluster.ScopeSubmit) || p.Admin() || !until.Equal(token.ExpiresAt) {
		t.Fatalf("%+v until %v, %v", p, until, err)
	}
	used, _ := o.Tokens(t.Context(), bob)
	if len(used) != 1 || !used[0].LastUsedAt.Equal(o.now.Truncate(time.Minute)) {
		t.Fatalf("its use is not noted: %+v", used)
	}
	for name, n := range map[string]NewToken{
		"no name":   {},
		"no scopes": {Name: "x", Scopes: []cluster.Scope{}},
		"unknown":   {Name: "x", Scopes: []cluster.Scope{"root"}},
		"twice":     {Name: "x", Scopes: []cluster.Scope{"read", "read"}},
		"too much":  {Name: "x", Scopes: []cluster.Scope{"admin"}},
		"over":      {Name: "x", ExpiresAt: o.now},
	} {
		_, _, err := o.AddToken(t.Context(), bob, n)
		o.wantErr(name, err, cluster.ErrInvalid)
	}
	_, _, err = o.AddToken(t.Context(), p, NewToken{Name: "longer"})
	o.wantErr("a token that makes tokens", err, cluster.ErrDenied)
	o.wantErr("a token that ends tokens", o.RemoveToken(t.Context(), p, token.ID), cluster.ErrDenied)
	o.wantErr("another's", o.RemoveToken(t.Context(), ann, token.ID), cluster.ErrNotFound)
	o.wantErr("a token that signs out", o.Logout(t.Context(), secret), cluster.ErrDenied)
	_, _, err = o.AddToken(t.Context(), cluster.Principal{UserID: "ghost", Role: cluster.RoleUser}, NewToken{Name: "x"})
	o.wantErr("for nobody's account", err, cluster.ErrConflict)

	o.now = o.now.Add(time.Minute)
	_, err = o.who(secret)
	o.wantErr("expired", err, cluster.ErrUnauthenticated)
	_, secret, _ = o.AddToken(t.Context(), bob, NewToken{Name: "for ever", Scopes: []cluster.Scope{"read"}})
	o.restart()
	if p, err := o.who(secret); err != nil || p.May(cluster.ScopeSubmit) {
		t.Fatalf("%+v, %v", p, err)
	}
	list, _ := o.Tokens(t.Context(), bob)
	if err := o.RemoveToken(t.Context(), bob, list[1].ID); err != nil {
		t.Fatal(err)
	}
	_, err = o.who(secret)
	o.wantErr("deleted", err, cluster.ErrUnauthenticated)

	_, local, err := o.AddToken(t.Context(), root, NewToken{Name: "remote", Scopes: []cluster.Scope{"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := o.who(local); err != nil || p.UserID != cluster.LocalUser || !p.Admin() {
		t.Fatalf("%+v, %v", p, err)
	}
	_, secret, _ = o.AddToken(t.Context(), bob, NewToken{Name: "x"})
	if err := o.RemoveUser(t.Context(), root, bob.UserID); err != nil {
		t.Fatal(err)
	}
	_, err = o.who(secret)
	o.wantErr("of an account that is gone", err, cluster.ErrUnauthenticated)
	for _, s := range []string{"", "cloudai_", secret + "x", "x"} {
		_, err = o.who(s)
		o.wantErr(s, err, cluster.ErrUnauthenticated)
	}
}

// An account that is disabled, or whose password an administrator resets, is
// not trusted as it was: its API tokens end, and stay ended.
func TestTokensEndWithTrust(t *testing.T) {
	yes, no, fresh := true, false, "a fresh one"
	for name, change := range map[string]UserChange{"disabled": {Disabled: &yes}, "reset": {Password: &fresh}} {
		o := newOffice(t)
		o.register("root")
		in := o.register("bob")
		bob, _ := o.who(in.Token)
		_, secret, err := o.AddToken(t.Context(), bob, NewToken{Name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []UserChange{change, {Disabled: &no}} {
			if _, err := o.ChangeUser(t.Context(), root, bob.UserID, c); err != nil {
				t.Fatal(err)
			}
			_, err = o.who(secret)
			o.wantErr(name, err, cluster.ErrUnauthenticated)
		}
	}
}
