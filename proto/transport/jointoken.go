package transport

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
)

const (
	tokenVersion = "cloudai1"
	secretBytes  = 20 // 160 random bits, 32 characters without padding
	tokenParts   = 4
	// tokenLength is the same for every token: cloudai1, secret, fingerprint,
	// checksum, and the dots between.
	tokenLength = 8 + 1 + 32 + 1 + 71 + 1 + 8
	// tokenFileLimit bounds what is read when the configured path is something
	// else altogether.
	tokenFileLimit = 4096
)

var secretEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// JoinToken is what a worker needs to join: proof that it may, and how to
// recognize the master. It prints redacted; [JoinToken.Encode] gives the text.
type JoinToken struct {
	// Secret is sent in RegisterWorker and nowhere else.
	Secret string
	// Fingerprint is that of the master's certificate.
	Fingerprint string
}

// NewJoinToken returns a token with a new random secret.
func NewJoinToken(fingerprint string) (JoinToken, error) {
	var secret [secretBytes]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return JoinToken{}, err
	}
	return withFingerprint(secretEncoding.EncodeToString(secret[:]), fingerprint)
}

func withFingerprint(secret, fingerprint string) (JoinToken, error) {
	if !fingerprintForm.MatchString(fingerprint) {
		return JoinToken{}, fmt.Errorf("%q is not a fingerprint", fingerprint)
	}
	return JoinToken{Secret: secret, Fingerprint: fingerprint}, nil
}

// Encode returns the token as one word: version, secret, fingerprint and a
// checksum over all of them, with dots between.
func (t JoinToken) Encode() string {
	body := tokenVersion + "." + t.Secret + "." + t.Fingerprint
	return body + "." + checksum(body)
}

// String leaves the secret out.
func (t JoinToken) String() string { return tokenVersion + ".<secret>." + t.Fingerprint }

// GoString leaves the secret out.
func (t JoinToken) GoString() string { return t.String() }

// LogValue leaves the secret out.
func (t JoinToken) LogValue() slog.Value { return slog.StringValue(t.String()) }

// checksum tells a mistyped token from a wrong one. CRC-32 finds every change
// within four neighbouring characters for certain.
func checksum(body string) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body)))
}

// ParseJoinToken reads what [JoinToken.Encode] wrote; white space around it is
// ignored. Its errors say what is wrong and do not repeat the text, which may
// hold the secret.
func ParseJoinToken(text string) (JoinToken, error) {
	text = strings.TrimSpace(text)
	if err := checkTokenShape(text); err != nil {
		return JoinToken{}, fmt.Errorf("join token: %w", err)
	}
	parts := strings.Split(text, ".")
	secret, fingerprint, sum := parts[1], parts[2], parts[3]
	if checksum(strings.TrimSuffix(text, "."+sum)) != sum {
		return JoinToken{}, errors.New("join token: mistyped: its checksum does not fit")
	}
	// The checksum fits, so what is wrong below was not a typo.
	raw, err := secretEncoding.DecodeString(secret)
	if err != nil || len(raw) != secretBytes || secretEncoding.EncodeToString(raw) != secret {
		return JoinToken{}, errors.New("join token: its secret is malformed")
	}
	token, err := withFingerprint(secret, fingerprint)
	if err != nil {
		return JoinToken{}, errors.New("join token: its fingerprint is malformed")
	}
	return token, nil
}

// checkTokenShape looks for what people do to a token on its way: nothing
// copied, cut off, broken over two lines, something else altogether.
func checkTokenShape(text string) error {
	version, _, _ := strings.Cut(text, ".")
	switch {
	case text == "":
		return errors.New("empty")
	case strings.ContainsAny(text, " \t\r\n"):
		return errors.New("white space in the middle: it must be one word")
	case len(text) < len(tokenVersion) && strings.HasPrefix(tokenVersion, text):
		return truncated(text)
	case version != tokenVersion && strings.HasPrefix(version, "cloudai"):
		return fmt.Errorf("another version than %s, or mistyped there", tokenVersion)
	case version != tokenVersion:
		return fmt.Errorf("not a join token: one starts with %s", tokenVersion)
	case len(text) < tokenLength:
		return truncated(text)
	case len(text) > tokenLength:
		return fmt.Errorf("too long: %d characters of %d", len(text), tokenLength)
	case strings.Count(text, ".") != tokenParts-1:
		return fmt.Errorf("mistyped: it must have %d dots", tokenParts-1)
	}
	return nil
}

func truncated(text string) error {
	return fmt.Errorf("truncated: %d characters of %d", len(text), tokenLength)
}

// LoadOrCreateJoinToken returns the token kept in path, making it (mode 0600)
// when there is none. When the token was made for another fingerprint, the file
// is rewritten with the present one and the same secret. A damaged file is an
// error that names it.
func LoadOrCreateJoinToken(path, fingerprint string) (JoinToken, error) {
	token, err := ReadJoinToken(path)
	if errors.Is(err, fs.ErrNotExist) {
		token, err = createJoinToken(path, fingerprint)
	}
	if err != nil {
		return JoinToken{}, err
	}
	if token.Fingerprint == fingerprint {
		return token, closeToOthers(path)
	}
	token, err = withFingerprint(token.Secret, fingerprint)
	if err != nil {
		return JoinToken{}, err
	}
	if err := replaceFile(path, []byte(token.Encode()+"\n")); err != nil {
		return JoinToken{}, fmt.Errorf("keep the join token: %w", err)
	}
	return token, nil
}

// createJoinToken returns the token that stands in path afterwards, be it its
// own or that of a process that was faster.
func createJoinToken(path, fingerprint string) (JoinToken, error) {
	token, err := NewJoinToken(fingerprint)
	if err != nil {
		return JoinToken{}, err
	}
	if err := createFile(path, []byte(token.Encode()+"\n")); err != nil && !errors.Is(err, fs.ErrExist) {
		return JoinToken{}, fmt.Errorf("keep the join token: %w", err)
	}
	return ReadJoinToken(path)
}

// ReadJoinToken reads the token in path. The error is fs.ErrNotExist when there
// is no such file.
func ReadJoinToken(path string) (JoinToken, error) {
	f, err := os.Open(path)
	if err != nil {
		return JoinToken{}, fmt.Errorf("read the join token: %w", err)
	}
	content, err := io.ReadAll(io.LimitReader(f, tokenFileLimit))
	if err := errors.Join(err, f.Close()); err != nil {
		return JoinToken{}, fmt.Errorf("read the join token: %w", err)
	}
	token, err := ParseJoinToken(string(content))
	if err != nil {
		return JoinToken{}, fmt.Errorf("%s: %w", path, err)
	}
	return token, nil
}

// SecretEqual compares two join secrets in a time that tells nothing about
// them. An empty secret equals none.
func SecretEqual(got, want string) bool {
	// Hashing makes the lengths equal, which the comparison would give away.
	g, w := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(g[:], w[:]) == 1 && want != ""
}
