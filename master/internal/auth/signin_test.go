package auth

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"cloudai/master/internal/cluster"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func at(when time.Time) func() time.Time { return func() time.Time { return when } }

var key = []byte("0123456789abcdef0123456789abcdef")

func TestSignIn(t *testing.T) {
	in := SignIn{ID: "s1", UserID: "ann", Generation: 3, IssuedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	token, err := NewSigner(key, "c1", at(noon)).Sign(in)
	if err != nil {
		t.Fatal(err)
	}
	read := func(key []byte, issuer string, now time.Time, token string) error {
		_, err := NewSigner(key, issuer, at(now)).Read(token)
		return err
	}
	if got, err := NewSigner(key, "c1", at(noon.Add(59*time.Minute))).Read(token); err != nil || got != in {
		t.Fatalf("%+v, %v", got, err)
	}
	sign := func(method jwt.SigningMethod, k any, c jwt.MapClaims) string {
		s, err := jwt.NewWithClaims(method, c).SignedString(k)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	whole := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"iss": "c1", "sub": "ann", "jti": "s", "iat": noon.Unix(), "exp": noon.Add(time.Hour).Unix()}
		change(c)
		return c
	}
	same := func(jwt.MapClaims) {}
	if err := read(key, "c1", noon, sign(jwt.SigningMethodHS256, key, whole(same))); err != nil {
		t.Fatalf("the test's own token is refused: %v", err)
	}
	parts := strings.Split(token, ".")
	for name, err := range map[string]error{
		"expired":          read(key, "c1", noon.Add(time.Hour), token),
		"another key":      read([]byte(strings.Repeat("x", 32)), "c1", noon, token),
		"another cluster":  read(key, "c2", noon, token),
		"no algorithm":     read(key, "c1", noon, sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, whole(same))),
		"longer hash":      read(key, "c1", noon, sign(jwt.SigningMethodHS512, key, whole(same))),
		"no expiry":        read(key, "c1", noon, sign(jwt.SigningMethodHS256, key, whole(func(c jwt.MapClaims) { delete(c, "exp") }))),
		"no user":          read(key, "c1", noon, sign(jwt.SigningMethodHS256, key, whole(func(c jwt.MapClaims) { delete(c, "sub") }))),
		"no id":            read(key, "c1", noon, sign(jwt.SigningMethodHS256, key, whole(func(c jwt.MapClaims) { delete(c, "jti") }))),
		"other claims":     read(key, "c1", noon, parts[0]+"."+parts[0]+"."+parts[2]),
		"no signature":     read(key, "c1", noon, parts[0]+"."+parts[1]+"."),
		"a line end in it": read(key, "c1", noon, token[:len(token)-5]+"\n"+token[len(token)-5:]),
		"empty":            read(key, "c1", noon, ""),
		"something else":   read(key, "c1", noon, "\x00\xff.."),
		"a megabyte of it": read(key, "c1", noon, strings.Repeat("a.", 1<<19)),
	} {
		if !errors.Is(err, cluster.ErrUnauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecrets(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	if a == b || !IsSecret(a) || IsSecret("eyJ.x.y") || SecretHash(a) == SecretHash(b) || len(SecretHash(a)) != 64 {
		t.Fatalf("%s %s", a, SecretHash(a))
	}
}

func FuzzReadSignIn(f *testing.F) {
	s := NewSigner(key, "c1", at(noon))
	token, _ := s.Sign(SignIn{ID: "s", UserID: "ann", IssuedAt: noon, ExpiresAt: noon.Add(time.Hour)})
	f.Add(token)
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		in, err := s.Read(text)
		if err == nil && (in.UserID != "ann" || in.ID != "s") {
			t.Fatalf("%q is taken for %+v", text, in)
		}
	})
}
