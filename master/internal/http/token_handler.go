package http

import (
	"context"
	nethttp "net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/accounts"
	"cloudai/master/internal/cluster"
)

func (s *Server) tokenRoutes(api huma.API) {
	register(api, accessAnyone, mayHoldTokens(huma.Operation{
		OperationID: "createToken", Method: nethttp.MethodPost, Path: "/api/auth/tokens", DefaultStatus: nethttp.StatusCreated,
		Summary: "Make an API token", Tags: []string{"auth"},
		Description: "The secret is shown in this reply and never again. Scopes beyond what the caller may do are refused.",
	}), s.createToken)
	withBody[client.TokenRequest](api, nethttp.MethodPost, "/api/auth/tokens")
	register(api, accessAnyone, huma.Operation{
		OperationID: "listTokens", Method: nethttp.MethodGet, Path: "/api/auth/tokens",
		Summary: "One's own API tokens, oldest first", Tags: []string{"auth"},
	}, s.listTokens)
	register(api, accessAnyone, s.aboutToken(huma.Operation{
		OperationID: "deleteToken", Method: nethttp.MethodDelete, Path: "/api/auth/tokens/{id}", DefaultStatus: nethttp.StatusNoContent,
		Summary: "End an API token", Tags: []string{"auth"},
	}), s.deleteToken)
}

// mayHoldTokens guards what narrowed credentials must not do.
func mayHoldTokens(op huma.Operation) huma.Operation {
	return guarded(op, func(_ context.Context, p cluster.Principal, _ string) error { return accounts.MayHoldTokens(p) })
}

// aboutToken guards what needs the API token to be there, and to be the
// caller's.
func (s *Server) aboutToken(op huma.Operation) huma.Operation {
	return guarded(op, func(ctx context.Context, p cluster.Principal, id string) error {
		if err := accounts.MayHoldTokens(p); err != nil {
			return err
		}
		return s.accounts.HasToken(ctx, p, id)
	})
}

// IDPath is a field of inputs about one thing that has no more than an id.
type IDPath struct {
	ID string `path:"id" maxLength:"256"`
}

func (s *Server) createToken(ctx context.Context, in *BodyInput) (*struct {
	CacheControl string `header:"Cache-Control"`
	Body         client.NewAPIToken
}, error,
) {
	now := time.Now()
	body, err := decodeBody(ctx, in.RawBody, func(b client.TokenRequest) error {
		_, err := newToken(b, caller(ctx), now)
		return err
	})
	if err != nil {
		return nil, err
	}
	request, err := newToken(body, caller(ctx), now)
	if err != nil {
		return nil, err
	}
	token, secret, err := s.accounts.AddToken(ctx, caller(ctx), request)
	noteTarget(ctx, token.ID)
	noteDetail(ctx, "scopes", strings.Join(each(token.Scopes, func(s cluster.Scope) string { return string(s) }), " "))
	if err != nil {
		return nil, err
	}
	return &struct {
		CacheControl string `header:"Cache-Control"`
		Body         client.NewAPIToken
	}{"no-store", client.NewAPIToken{APIToken: tokenOf(token), Secret: secret}}, nil
}

// newToken turns the wire's request into the core's; all that is wrong with it
// is said at once.
func newToken(b client.TokenRequest, p cluster.Principal, now time.Time) (accounts.NewToken, error) {
	n := accounts.NewToken{Name: b.Name}
	if b.Scopes != nil {
		n.Scopes = each(b.Scopes, func(s string) cluster.Scope { return cluster.Scope(s) })
	}
	var err error
	n.ExpiresAt, err = expiryOf(b, now)
	if faults := alsoWrong(cluster.FaultsOf(err), n.Check(p, now)); len(faults) > 0 {
		return n, &cluster.InvalidError{Fields: faults}
	}
	return n, nil
}

// expiryOf is when the token ends; zero: never.
func expiryOf(b client.TokenRequest, now time.Time) (time.Time, error) {
	switch {
	case b.ExpiresAt != "" && b.ExpiresIn != "":
		return time.Time{}, cluster.Invalid("expires_in", "give either expires_at or expires_in, not both")
	case b.ExpiresAt != "":
		at, err := time.Parse(time.RFC3339, b.ExpiresAt)
		if err != nil {
			return time.Time{}, cluster.Invalid("expires_at", "must be a time such as 2027-01-31T00:00:00Z")
		}
		return at.UTC(), nil
	case b.ExpiresIn != "":
		d, err := time.ParseDuration(b.ExpiresIn)
		if err != nil || d <= 0 || d > cluster.MaxTimeout {
			return time.Time{}, cluster.Invalid("expires_in", "must be a duration such as 720h, at most "+cluster.MaxTimeout.String())
		}
		return now.Add(d).Truncate(time.Second).UTC(), nil
	}
	return time.Time{}, nil
}

func (s *Server) listTokens(ctx context.Context, in *struct {
	PageParams
	Strict StrictQuery
},
) (*listOutput[client.APIToken], error) {
	all, err := s.accounts.Tokens(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	tokens, next := pageOf("listTokens", all, in.PageParams, func(t cluster.APIToken, after place) bool {
		return after.before(t.CreatedAt, t.ID)
	}, func(t cluster.APIToken) place { return place{at: t.CreatedAt.UnixNano(), id: t.ID} })
	return &listOutput[client.APIToken]{client.List[client.APIToken]{Items: each(tokens, tokenOf), NextCursor: next}}, nil
}

func (s *Server) deleteToken(ctx context.Context, in *struct {
	IDPath
	Strict StrictQuery
},
) (*struct{}, error) {
	return nil, s.accounts.RemoveToken(ctx, caller(ctx), in.ID)
}
