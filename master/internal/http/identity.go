package http

import (
	"context"
	"errors"
	"fmt"
	"net"
	nethttp "net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// sessionCookie holds a browser's sign-in.
const sessionCookie = "cloudai_session"

// door is where a connection came in.
type door int

const (
	doorTCP    door = iota // someone who has to show who they are
	doorSocket             // someone who may use the master's files
)

// identity is who calls.
type identity struct {
	cluster.Principal
	credential string    // what proved it; empty on the socket
	until      time.Time // when it stops to; zero: never
}

// forwarding are the headers by which a proxy shows that the caller is another
// than the one who connects; those that begin with X-Forwarded- are more.
var forwarding = []string{
	"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip",
	"X-Cluster-Client-Ip", "X-Original-Forwarded-For", "X-Original-Host",
}

func forwarded(h nethttp.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") || slices.Contains(forwarding, name) {
			return true
		}
	}
	return false
}

// trusted reports whether the call certainly comes from the master's own
// machine: from loopback, through no proxy, and meant for this machine by name.
func trusted(r *nethttp.Request) bool {
	if doorOf(r) == doorSocket {
		return true
	}
	return !forwarded(r.Header) && isLoopback(r.RemoteAddr) && isLocalName(r.Host)
}

// isLoopback reports whether an address, with or without a port, is one of
// loopback.
func isLoopback(hostport string) bool {
	ip := net.ParseIP(hostOf(hostport))
	return ip != nil && ip.IsLoopback()
}

// isLocalName reports whether a host, with or without a port, is this machine
// by a name that nobody else can give to an address.
func isLocalName(hostport string) bool {
	host := hostOf(hostport)
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

func hostOf(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// fromForeignPage reports whether a browser's page makes the call that has got
// here by a name of its own: whoever owns a name may point it at this machine's
// loopback, and the page then passes for one of ours (DNS rebinding). The sites
// of CORS_ALLOWED_ORIGINS, a proxy's among them, may.
func (s *Server) fromForeignPage(r *nethttp.Request) bool {
	origin := r.Header.Get("Origin")
	local, _ := r.Context().Value(nethttp.LocalAddrContextKey).(net.Addr)
	if origin == "" || slices.Contains(s.origins, origin) || local == nil || !isLoopback(local.String()) {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !isLocalName(u.Host)
}

func doorOf(r *nethttp.Request) door {
	d, _ := r.Context().Value(doorKey{}).(door)
	return d
}

// identify says who calls, or why nobody is known: a *Problem of 401 or 403,
// or what kept the accounts from being asked.
func (s *Server) identify(r *nethttp.Request) (identity, error) {
	credential, fromCookie, err := credentialOf(r)
	switch {
	case err != nil:
		return identity{}, err
	case credential == "" && doorOf(r) == doorSocket:
		return s.fromSocket(r)
	case credential == "":
		return identity{}, unauthenticated("this call needs an identity: sign in with POST /api/auth/login, or send an API token, " +
			"as Authorization: Bearer; on the master's own machine bin/master cli needs neither")
	case len(r.Header.Values(client.UserHeader)) > 0:
		return identity{}, unauthenticated(client.UserHeader + " works on the master's socket only, and without a token")
	}
	if fromCookie {
		if err := s.csrf.Check(r); err != nil {
			return identity{}, newProblem(nethttp.StatusForbidden, "this call comes from another site's page; send the token as Authorization: Bearer")
		}
	}
	p, until, err := s.accounts.Identify(r.Context(), credential)
	return identity{Principal: p, credential: credential, until: until}, err
}

// credentialOf finds what the caller shows: the Authorization header, a
// browser's cookie, or on WebSockets, whose headers a browser does not let one
// set, the query.
func credentialOf(r *nethttp.Request) (credential string, fromCookie bool, err error) {
	given := r.Header.Values("Authorization")
	switch {
	case len(given) > 1:
		return "", false, unauthenticated("there is more than one Authorization header")
	case len(given) == 1:
		scheme, token, _ := strings.Cut(given[0], " ")
		token = strings.TrimSpace(token)
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return "", false, unauthenticated("the Authorization header must be: Bearer, a space and a token")
		}
		return token, false, nil
	}
	if strings.HasPrefix(r.URL.Path, "/ws/") {
		if token := r.URL.Query().Get("access_token"); token != "" {
			return token, false, nil
		}
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil && cookie.Value != "" && doorOf(r) == doorTCP {
		return cookie.Value, true, nil
	}
	return "", false, nil
}

// userID is what may follow --user; it ends up as a folder's name.
var userID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// fromSocket is who may use the master's files: its administrator, or whom
// that one acts for.
func (s *Server) fromSocket(r *nethttp.Request) (identity, error) {
	admin := identity{Principal: cluster.Principal{UserID: cluster.LocalUser, Role: cluster.RoleAdmin}}
	users := r.Header.Values(client.UserHeader)
	if len(users) == 0 {
		return admin, nil
	}
	if len(users) == 1 && strings.Contains(users[0], "@") {
		id, err := s.accounts.Resolve(r.Context(), users[0])
		if errors.Is(err, cluster.ErrNotFound) {
			return identity{}, unauthenticated(client.UserHeader + ": no account has this email")
		}
		return identity{Principal: cluster.Principal{UserID: id, Role: cluster.RoleUser}}, err
	}
	switch {
	case len(users) > 1 || !userID.MatchString(users[0]):
		return identity{}, unauthenticated(client.UserHeader +
			" must name one user by email, or by an id of 1 to 64 letters, digits and . _ - , beginning with a letter or digit")
	case users[0] == string(cluster.LocalUser):
		return admin, nil
	}
	// Acting for someone is acting as a user, whatever the role of the account.
	return identity{Principal: cluster.Principal{UserID: cluster.UserID(users[0]), Role: cluster.RoleUser}}, nil
}

func unauthenticated(why string) *Problem {
	return newProblem(nethttp.StatusUnauthorized, why).with("WWW-Authenticate", "Bearer")
}

// identityPause is how often the caller of a long reply is looked at again.
const identityPause = 20 * time.Second

// awaitEnd waits until the caller of a long reply is not any more who opened
// it, and says why; nil when the context ends before that.
func (s *Server) awaitEnd(ctx context.Context, was identity) error {
	if was.credential == "" { // the socket's
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(identityPause)
	defer ticker.Stop()
	var expired <-chan time.Time
	if !was.until.IsZero() {
		timer := time.NewTimer(time.Until(was.until))
		defer timer.Stop()
		expired = timer.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-expired:
		case <-ticker.C:
		}
		if err := s.revalidate(ctx, was); err != nil {
			return err
		}
	}
}

// revalidate is an error when the credential does not speak for the same
// principal any more. A store that does not answer is no reason.
func (s *Server) revalidate(ctx context.Context, was identity) error {
	p, _, err := s.accounts.Identify(ctx, was.credential)
	switch {
	case errors.Is(err, cluster.ErrUnauthenticated):
		return err
	case err != nil: // nobody knows
		return nil //nolint:nilerr // as said above
	case p.UserID != was.UserID || p.Role != was.Role || !slices.Equal(p.Scopes, was.Scopes):
		return fmt.Errorf("%w: what the caller may do has changed", cluster.ErrDenied)
	}
	return nil
}
