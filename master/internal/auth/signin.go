package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"cloudai/master/internal/cluster"
)

// SignIn is what the token of a sign-in says.
type SignIn struct {
	ID         string // of this one sign-in
	UserID     cluster.UserID
	Generation int64 // of the account when it signed in
	IssuedAt   time.Time
	ExpiresAt  time.Time // to the second
}

// Signer makes and reads the tokens of sign-ins: JSON Web Tokens (RFC 7519)
// signed with HMAC-SHA256, and with nothing else. It is safe for concurrent
// use.
type Signer struct {
	key    []byte
	issuer string
	now    func() time.Time
	parser *jwt.Parser
}

// NewSigner makes a Signer. The issuer is the cluster's id: another cluster's
// tokens are none, whatever their key.
func NewSigner(key []byte, issuer string, now func() time.Time) *Signer {
	return &Signer{key: key, issuer: issuer, now: now, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(now), jwt.WithStrictDecoding(),
	)}
}

type claims struct {
	jwt.RegisteredClaims
	Generation int64 `json:"gen"`
}

// Sign makes the token.
func (s *Signer) Sign(in SignIn) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID: in.ID, Subject: string(in.UserID), Issuer: s.issuer,
			IssuedAt: jwt.NewNumericDate(in.IssuedAt), ExpiresAt: jwt.NewNumericDate(in.ExpiresAt),
		},
		Generation: in.Generation,
	}).SignedString(s.key)
}

// longestToken is beyond what Sign makes, in bytes.
const longestToken = 4096

// Read checks a token. cluster.ErrUnauthenticated says what is wrong with it.
func (s *Signer) Read(token string) (SignIn, error) {
	switch {
	case len(token) > longestToken:
		return SignIn{}, notSignedIn("the token is too long to be one of ours")
	case strings.ContainsAny(token, "\r\n"): // which the decoder would pass over
		return SignIn{}, notSignedIn("the token has a line end in it")
	}
	var c claims
	_, err := s.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return s.key, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return SignIn{}, notSignedIn("the sign-in has expired; sign in again")
	case err != nil:
		return SignIn{}, notSignedIn("the token is not one that this master has given out")
	case c.ID == "" || c.Subject == "":
		return SignIn{}, notSignedIn("the token is incomplete")
	}
	return SignIn{
		ID: c.ID, UserID: cluster.UserID(c.Subject), Generation: c.Generation,
		IssuedAt: timeOf(c.IssuedAt), ExpiresAt: timeOf(c.ExpiresAt),
	}, nil
}

func timeOf(d *jwt.NumericDate) time.Time {
	if d == nil {
		return time.Time{}
	}
	return d.UTC()
}

func notSignedIn(why string) error { return fmt.Errorf("%w: %s", cluster.ErrUnauthenticated, why) }
