package http

import (
	"context"
	nethttp "net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/accounts"
	"cloudai/master/internal/cluster"
)

func (s *Server) authRoutes(api huma.API) {
	register(api, accessOpen, guarded(huma.Operation{
		OperationID: "register", Method: nethttp.MethodPost, Path: "/api/auth/register", DefaultStatus: nethttp.StatusCreated,
		Summary: "Make an account and sign in", Tags: []string{"auth"},
		Description: "The first account is an administrator's and must come from the master's own machine, or with the setup_code that " +
			"the master prints while there is none. 403 when registration is closed.",
	}, func(context.Context, cluster.Principal, string) error { return s.accounts.MayRegister() }), s.register)
	withBody[client.Registration](api, nethttp.MethodPost, "/api/auth/register")
	register(api, accessOpen, huma.Operation{
		OperationID: "getRegistration", Method: nethttp.MethodGet, Path: "/api/auth/registration",
		Summary: "Who may make an account", Tags: []string{"auth"},
		Description: "What a page has to ask before it registers somebody.",
	}, s.getRegistration)
	register(api, accessOpen, huma.Operation{
		OperationID: "login", Method: nethttp.MethodPost, Path: "/api/auth/login",
		Summary: "Sign in", Tags: []string{"auth"},
		Description: "Also sets a cookie for browsers. 429 with Retry-After after 10 failures for one account, or 100 from one address, " +
			"within 15 minutes; where the account has signed in from before, only failures from there count against it.",
	}, s.login)
	withBody[client.Credentials](api, nethttp.MethodPost, "/api/auth/login")
	register(api, accessAnyone, guarded(huma.Operation{
		OperationID: "logout", Method: nethttp.MethodPost, Path: "/api/auth/logout", DefaultStatus: nethttp.StatusNoContent,
		Summary: "End this sign-in", Tags: []string{"auth"},
	}, func(ctx context.Context, _ cluster.Principal, _ string) error {
		return s.accounts.MayLogout(callOf(ctx).who.credential)
	}), s.logout)
	register(api, accessAnyone, huma.Operation{
		OperationID: "getMe", Method: nethttp.MethodGet, Path: "/api/auth/me",
		Summary: "Who calls, and what their output files take", Tags: []string{"auth"},
	}, s.getMe)
	register(api, accessAnyone, guarded(huma.Operation{
		OperationID: "changePassword", Method: nethttp.MethodPost, Path: "/api/auth/password",
		Summary: "Change one's password", Tags: []string{"auth"},
		Description: "Ends all sign-ins of the account; the reply is a new one.",
	}, func(ctx context.Context, p cluster.Principal, _ string) error {
		return s.accounts.MayChangePassword(ctx, p)
	}), s.changePassword)
	withBody[client.PasswordChange](api, nethttp.MethodPost, "/api/auth/password")
}

// sessionOutput is a reply with a sign-in.
type sessionOutput struct {
	SetCookie    nethttp.Cookie `header:"Set-Cookie"`
	CacheControl string         `header:"Cache-Control"`
	Body         client.Session
}

func sessionReply(ctx context.Context, session accounts.Session, err error) (*sessionOutput, error) {
	if err != nil {
		return nil, err
	}
	return &sessionOutput{
		SetCookie: cookie(ctx, session.Token, session.ExpiresAt), CacheControl: "no-store", Body: sessionOf(session),
	}, nil
}

// cookie keeps a sign-in in a browser, out of reach of the page's scripts and
// of other sites' forms; an empty token takes it away.
func cookie(ctx context.Context, token string, until time.Time) nethttp.Cookie {
	c := nethttp.Cookie{ //nolint:gosec // Secure wherever there is TLS; a browser would drop it elsewhere
		Name: sessionCookie, Value: token, Path: "/", Expires: until,
		HttpOnly: true, SameSite: nethttp.SameSiteLaxMode, Secure: callOf(ctx).secure,
	}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}

func (s *Server) register(ctx context.Context, in *BodyInput) (*sessionOutput, error) {
	body, err := decodeBody(ctx, in.RawBody, func(b client.Registration) error { return registrationOf(b).Check() })
	if err != nil {
		return nil, err
	}
	session, err := s.accounts.Register(ctx, registrationOf(body), callOf(ctx).trusted)
	noteSignIn(ctx, body.Email, session.User.ID)
	return sessionReply(ctx, session, err)
}

func registrationOf(b client.Registration) accounts.Registration {
	return accounts.Registration{Name: b.Name, Email: b.Email, Password: b.Password, SetupCode: b.SetupCode}
}

func (s *Server) getRegistration(ctx context.Context, _ *struct{ Strict StrictQuery }) (*struct {
	CacheControl string `header:"Cache-Control"`
	Body         client.RegistrationState
}, error,
) {
	first := s.accounts.SetupCode() != ""
	return &struct {
		CacheControl string `header:"Cache-Control"`
		Body         client.RegistrationState
	}{"no-store", client.RegistrationState{
		Open: s.accounts.MayRegister() == nil, First: first, SetupCode: first && !callOf(ctx).trusted,
	}}, nil
}

func (s *Server) login(ctx context.Context, in *BodyInput) (*sessionOutput, error) {
	body, err := decodeBody(ctx, in.RawBody, func(b client.Credentials) error { return accounts.CheckCredentials(b.Email, b.Password) })
	if err != nil {
		return nil, err
	}
	session, err := s.accounts.Login(ctx, body.Email, body.Password, callOf(ctx).address)
	noteSignIn(ctx, body.Email, session.User.ID)
	return sessionReply(ctx, session, err)
}

func (s *Server) logout(ctx context.Context, _ *struct {
	Strict StrictQuery
	None   NoBody
},
) (*struct {
	SetCookie nethttp.Cookie `header:"Set-Cookie"`
}, error,
) {
	if credential := callOf(ctx).who.credential; credential != "" { // the socket has no sign-in to end
		if err := s.accounts.Logout(ctx, credential); err != nil {
			return nil, err
		}
	}
	return &struct {
		SetCookie nethttp.Cookie `header:"Set-Cookie"`
	}{cookie(ctx, "", time.Time{})}, nil
}

func (s *Server) getMe(ctx context.Context, _ *struct{ Strict StrictQuery }) (*userOutput, error) {
	u, err := s.accounts.Me(ctx, caller(ctx))
	return s.userReply(ctx, u, err)
}

func (s *Server) changePassword(ctx context.Context, in *BodyInput) (*sessionOutput, error) {
	body, err := decodeBody(ctx, in.RawBody, func(b client.PasswordChange) error {
		return accounts.CheckPasswordChange(b.OldPassword, b.NewPassword)
	})
	if err != nil {
		return nil, err
	}
	session, err := s.accounts.ChangePassword(ctx, caller(ctx), body.OldPassword, body.NewPassword, callOf(ctx).address)
	return sessionReply(ctx, session, err)
}
