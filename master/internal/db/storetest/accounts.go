package storetest

import (
	"fmt"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

func testUsers(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	ada := cluster.User{ID: "2", Name: "Ada", Email: "Ada@Example.org", PasswordHash: "h1", Role: cluster.RoleAdmin, Generation: 1 << 40, CreatedAt: minute(2)}
	bob := cluster.User{ID: "1", Name: "Bob", Email: "bob@example.org", PasswordHash: "h2", Role: cluster.RoleUser, CreatedAt: minute(3)}
	cy := cluster.User{ID: "3", Name: "", Email: "ÇY@example.org", Disabled: true, CreatedAt: minute(2)}
	for _, u := range []cluster.User{bob, ada, cy} {
		isErr(t, "put", s.PutUser(ctx, u), nil)
	}
	check := func() {
		t.Helper()
		all, err := s.ListUsers(ctx)
		isErr(t, "list", err, nil)
		same(t, "by creation, then id", all, []cluster.User{ada, cy, bob})
		n, err := s.CountUsers(ctx)
		if err != nil || n != 3 {
			t.Errorf("%d users counted, %v", n, err)
		}
		for email, want := range map[string]cluster.User{
			ada.Email: ada, "ADA@EXAMPLE.ORG": ada, "ada@example.org": ada, "BOB@example.org": bob, "çy@EXAMPLE.org": cy,
		} {
			u, err := s.UserByEmail(ctx, email)
			isErr(t, email, err, nil)
			same(t, email, u, want)
		}
		u, err := s.UserByID(ctx, "1")
		isErr(t, "by id", err, nil)
		same(t, "by id", u, bob)
	}
	check()
	isErr(t, "email taken by a new user", s.PutUser(ctx, cluster.User{ID: "4", Email: "aDA@example.org"}), db.ErrVersion)
	thief := bob
	thief.Email = "ADA@example.org"
	isErr(t, "email taken by an old user", s.PutUser(ctx, thief), db.ErrVersion)
	check()
	ada.Email, ada.Name, ada.Generation = "ADA@example.org", "Ada L.", 0
	isErr(t, "own email in another case", s.PutUser(ctx, ada), nil)
	check()
	ada.Email = "new@example.org"
	isErr(t, "a new email", s.PutUser(ctx, ada), nil)
	_, err := s.UserByEmail(ctx, "ada@example.org")
	isErr(t, "the old email", err, cluster.ErrNotFound)
	bob.Email = "Ada@example.org"
	isErr(t, "an email given up by another", s.PutUser(ctx, bob), nil)

	onlyOneWins(t, "the same email", func(i int) error {
		return s.PutUser(ctx, cluster.User{ID: cluster.UserID(fmt.Sprint("r", i)), Email: "race@example.org"})
	})
}

// testDeleteUser looks for what is left of an account and what another one
// lost with it.
func testDeleteUser(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	ada, bob := cluster.User{ID: "u1", Email: "ada@example.org"}, cluster.User{ID: "u2", Email: "bob@example.org"}
	kept := cluster.APIToken{ID: "k3", UserID: "u2", SecretHash: "h3"}
	for _, u := range []cluster.User{ada, bob} {
		isErr(t, "put user", s.PutUser(ctx, u), nil)
	}
	for _, k := range []cluster.APIToken{{ID: "k1", UserID: "u1", SecretHash: "h1"}, {ID: "k2", UserID: "u1", SecretHash: "h2"}, kept} {
		isErr(t, "put token", s.PutToken(ctx, k), nil)
	}
	for range 2 {
		isErr(t, "delete", s.DeleteUser(ctx, "u1"), nil)
		all, err := s.ListUsers(ctx)
		isErr(t, "users", err, nil)
		same(t, "users", all, []cluster.User{bob})
		_, err = s.UserByEmail(ctx, ada.Email)
		isErr(t, "its email", err, cluster.ErrNotFound)
		for _, hash := range []string{"h1", "h2"} {
			_, err := s.TokenByHash(ctx, hash)
			isErr(t, "its token "+hash, err, cluster.ErrNotFound)
		}
		checkTokens(t, s, "u1")
		checkTokens(t, s, "u2", kept)
		isErr(t, "close", s.Close(), nil)
		s = b.Open(t)
	}
	ada.ID = "u3"
	isErr(t, "its email for a new user", s.PutUser(ctx, ada), nil)
}

// checkTokens reads a user's tokens and finds each by its hash.
func checkTokens(t testing.TB, s db.Store, user cluster.UserID, want ...cluster.APIToken) {
	t.Helper()
	list, err := s.ListTokens(t.Context(), user)
	isErr(t, "tokens", err, nil)
	if len(list)+len(want) > 0 {
		same(t, "tokens of "+string(user), list, want)
	}
	for _, k := range want {
		got, err := s.TokenByHash(t.Context(), k.SecretHash)
		isErr(t, "by hash", err, nil)
		same(t, "by hash", got, k)
	}
}

func testTokens(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	first := cluster.APIToken{ID: "z", UserID: "u1", Name: "laptop", SecretHash: "h1", CreatedAt: minute(1)}
	second := cluster.APIToken{
		ID: "a", UserID: "u1", Scopes: []cluster.Scope{}, SecretHash: "h2",
		ExpiresAt: minute(9), CreatedAt: minute(2), LastUsedAt: minute(3),
	}
	third := cluster.APIToken{
		ID: "b", UserID: "u1", Name: "laptop", Scopes: []cluster.Scope{cluster.ScopeSubmit, cluster.ScopeRead},
		SecretHash: "h3", CreatedAt: minute(2),
	}
	other := cluster.APIToken{ID: "c", UserID: "u2", Scopes: []cluster.Scope{""}, SecretHash: "H1"}
	for _, k := range []cluster.APIToken{third, other, first, second} {
		isErr(t, "put", s.PutToken(ctx, k), nil)
	}
	check := func() {
		t.Helper()
		checkTokens(t, s, "u1", first, second, third)
		checkTokens(t, s, "u2", other)
		checkTokens(t, s, "u9")
	}
	check()
	isErr(t, "hash taken by a new token", s.PutToken(ctx, cluster.APIToken{ID: "d", UserID: "u1", SecretHash: "h1"}), db.ErrVersion)
	thief := other
	thief.Name, thief.SecretHash = "thief", "h2"
	isErr(t, "hash taken by an old token", s.PutToken(ctx, thief), db.ErrVersion)
	check()
	first.Scopes, second.Scopes, third.Scopes = []cluster.Scope{cluster.ScopeAgent}, nil, []cluster.Scope{}
	second.Name, second.ExpiresAt, second.LastUsedAt = "renamed", time.Time{}, minute(4)
	third.SecretHash = "h4"
	for _, k := range []cluster.APIToken{first, second, third} {
		isErr(t, "put again", s.PutToken(ctx, k), nil)
	}
	check()
	_, err := s.TokenByHash(ctx, "h3")
	isErr(t, "the old hash", err, cluster.ErrNotFound)
	other.SecretHash = "h3"
	isErr(t, "a hash given up by another", s.PutToken(ctx, other), nil)
	isErr(t, "close", s.Close(), nil)
	s = b.Open(t)
	check()
	for range 2 {
		isErr(t, "delete", s.DeleteToken(ctx, "a"), nil)
		checkTokens(t, s, "u1", first, third)
		_, err = s.TokenByHash(ctx, "h2")
		isErr(t, "a deleted token", err, cluster.ErrNotFound)
	}
	onlyOneWins(t, "the same hash", func(i int) error {
		return s.PutToken(ctx, cluster.APIToken{ID: fmt.Sprint("r", i), UserID: "u3", SecretHash: "race"})
	})
}

// testAwkwardTokens has texts that trip quoting, matching or encoding.
func testAwkwardTokens(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	want := map[string]time.Time{}
	for i, text := range awkward {
		k := cluster.APIToken{ID: text, UserID: cluster.UserID(text), Name: text, Scopes: []cluster.Scope{cluster.Scope(text)}, SecretHash: text}
		isErr(t, "put", s.PutToken(ctx, k), nil)
		checkTokens(t, s, k.UserID, k)
		isErr(t, "end", s.EndSession(ctx, text, minute(i+1)), nil)
		want[text] = minute(i + 1)
	}
	ended, err := s.EndedSessions(ctx, base)
	isErr(t, "ended", err, nil)
	same(t, "ended", ended, want)
}

func testSessions(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	type sessions = map[string]time.Time
	check := func(now time.Time, want sessions) {
		t.Helper()
		got, err := s.EndedSessions(ctx, now)
		isErr(t, "ended", err, nil)
		same(t, fmt.Sprint("ended at ", now), got, want)
	}
	check(base, sessions{})
	end := func(id string, until time.Time) {
		t.Helper()
		isErr(t, "end "+id, s.EndSession(ctx, id, until), nil)
	}
	end("b", minute(2))
	end("a", minute(1))
	end("c", minute(2).Add(1))
	end("past", minute(-1))
	end("b", minute(2))
	end("b", minute(9)) // the first one stays
	isErr(t, "close", s.Close(), nil)
	s = b.Open(t)
	check(base, sessions{"a": minute(1), "b": minute(2), "c": minute(2).Add(1)})
	check(minute(-5), sessions{"a": minute(1), "b": minute(2), "c": minute(2).Add(1)}) // "past" is forgotten
	check(minute(1), sessions{"b": minute(2), "c": minute(2).Add(1)})
	isErr(t, "close", s.Close(), nil)
	s = b.Open(t)
	check(base, sessions{"b": minute(2), "c": minute(2).Add(1)})
	end("a", minute(3)) // forgotten, so it is new
	check(minute(2), sessions{"a": minute(3), "c": minute(2).Add(1)})
	race(func(int) { end("race", minute(4)) })
	check(minute(3), sessions{"race": minute(4)})
	check(minute(4), sessions{})
}
