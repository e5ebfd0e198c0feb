package cluster

import (
	"errors"
	"testing"
)

func TestScopes(t *testing.T) {
	for _, c := range []struct {
		role   Role
		scopes []Scope
		may    []Scope
	}{
		{RoleUser, nil, []Scope{ScopeRead, ScopeSubmit}},
		{RoleAdmin, nil, Scopes},
		{RoleUser, []Scope{}, nil},
		{RoleUser, []Scope{ScopeRead}, []Scope{ScopeRead}},
		{RoleUser, []Scope{ScopeAdmin, ScopeAgent}, []Scope{ScopeRead, ScopeSubmit}}, // the role bounds it
		{RoleAdmin, []Scope{ScopeRead}, []Scope{ScopeRead}},
		{RoleAdmin, []Scope{ScopeAdmin}, []Scope{ScopeRead, ScopeSubmit, ScopeAdmin}},
		{RoleAdmin, []Scope{ScopeAgent}, []Scope{ScopeAgent}},
		{"", nil, nil},
	} {
		p := Principal{UserID: "ann", Role: c.role, Scopes: c.scopes}
		for _, s := range Scopes {
			want := false
			for _, m := range c.may {
				want = want || m == s
			}
			err := p.Require(s)
			if p.May(s) != want || (err == nil) != want || err != nil && !errors.Is(err, ErrDenied) {
				t.Errorf("%s with %v, %s: %v, %v; want %v", c.role, c.scopes, s, p.May(s), err, want)
			}
		}
	}
	reader := Principal{UserID: "root", Role: RoleAdmin, Scopes: []Scope{ScopeRead}}
	if reader.MaySee("ann") || !reader.MaySee("root") {
		t.Error("a token that may only read sees others' things")
	}
}

func TestValidAddress(t *testing.T) {
	for address, want := range map[string]bool{
		"host:1": true, "10.0.0.7:50052": true, "[fe80::1]:65535": true, "a-b.example:80": true,
		"": false, "host": false, ":1": false, "host:": false, "host:0": false, "host:65536": false, "host:-1": false,
		"::1:5": false, "[]:5": false, "[::1:5": false, "a b:1": false, "a\n:1": false, "http://host:1": false, "ü:1": false,
	} {
		if ValidAddress(address) != want {
			t.Errorf("%q: %v", address, !want)
		}
	}
}
