package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var (
	fingerprintA = Fingerprint([]byte("a"))
	fingerprintB = Fingerprint([]byte("b"))
)

func newToken(t testing.TB) JoinToken {
	t.Helper()
	token, err := NewJoinToken(fingerprintA)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestJoinTokenRoundTrip(t *testing.T) {
	token := newToken(t)
	if other := newToken(t); other.Secret == token.Secret {
		t.Error("two tokens share a secret")
	}
	text := token.Encode()
	if len(text) != tokenLength {
		t.Errorf("%d characters, want %d", len(text), tokenLength)
	}
	for _, around := range []string{"%s", "%s\n", " %s", "\t%s\r\n\n"} {
		got, err := ParseJoinToken(fmt.Sprintf(around, text))
		if err != nil || got != token {
			t.Errorf("%q: got %v, %v", around, got, err)
		}
	}
}

func TestJoinTokenRefusals(t *testing.T) {
	token := newToken(t)
	text := token.Encode()
	remade := func(body string) string { return body + "." + checksum(body) }
	for name, c := range map[string]struct{ text, want string }{
		"empty":             {"", "empty"},
		"blank":             {" \n", "empty"},
		"start only":        {"cloud", "truncated: 5 characters"},
		"version only":      {"cloudai1", "truncated"},
		"secret only":       {"cloudai1." + token.Secret, "truncated"},
		"end missing":       {text[:len(text)-1], "truncated"},
		"one too many":      {text + "0", "too long"},
		"twice":             {text + text, "too long"},
		"two lines":         {text[:50] + "\n" + text[50:], "white space"},
		"other version":     {"cloudai2" + text[8:], "another version"},
		"something else":    {"SGVsbG8gd29ybGQ", "not a join token"},
		"no dot":            {strings.Replace(text, ".", "0", 3), "mistyped"},
		"a dot too many":    {strings.Replace(text, "sha256:", "sha256.", 1), "dots"},
		"upper case":        {"cloudai1." + strings.ToUpper(token.Secret) + text[8+1+32:], "mistyped"},
		"secret malformed":  {remade("cloudai1." + strings.Repeat("0", 32) + "." + fingerprintA), "its secret is malformed"},
		"print malformed":   {remade("cloudai1." + token.Secret + ".sha256:" + strings.Repeat("G", 64)), "its fingerprint is malformed"},
		"checksum of other": {text[:tokenLength-8] + "00000000", "mistyped"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseJoinToken(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want %q in it", err, c.want)
			}
			if strings.Contains(err.Error(), token.Secret) {
				t.Errorf("error %v gives the secret away", err)
			}
		})
	}
}

func TestJoinTokenFindsEveryTypo(t *testing.T) {
	text := newToken(t).Encode()
	for i := range text {
		for _, c := range []byte("az07.:x") {
			typo := text[:i] + string(c) + text[i+1:]
			if typo == text {
				continue
			}
			if _, err := ParseJoinToken(typo); err == nil {
				t.Errorf("%q for %q at %d was not noticed", c, text[i], i)
			}
		}
		if i > 0 && text[i] != text[i-1] {
			swapped := text[:i-1] + string(text[i]) + string(text[i-1]) + text[i+1:]
			if _, err := ParseJoinToken(swapped); err == nil {
				t.Errorf("characters swapped at %d were not noticed", i)
			}
		}
	}
}

func TestJoinTokenPrintsWithoutItsSecret(t *testing.T) {
	token := newToken(t)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("joined", "token", token)
	inStruct := struct{ Token JoinToken }{token}
	for _, text := range []string{
		log.String(), fmt.Sprint(token), fmt.Sprintf("%v %+v %#v %s %q", token, token, token, token, token),
		fmt.Sprintf("%v %+v %#v", inStruct, inStruct, inStruct),
	} {
		if strings.Contains(text, token.Secret) || !strings.Contains(text, token.Fingerprint) {
			t.Errorf("printed as %q", text)
		}
	}
}

func TestNewJoinTokenNeedsAFingerprint(t *testing.T) {
	for _, fingerprint := range []string{"", "sha256:", fingerprintA + "\n", strings.ToUpper(fingerprintA)} {
		if _, err := NewJoinToken(fingerprint); err == nil {
			t.Errorf("%q was accepted", fingerprint)
		}
	}
}

func TestJoinTokenFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "join-token")
	if _, err := ReadJoinToken(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("without the file: %v", err)
	}
	first, err := LoadOrCreateJoinToken(path, fingerprintA)
	if err != nil {
		t.Fatal(err)
	}
	checkFolder(t, dir, "join-token")
	if again, err := LoadOrCreateJoinToken(path, fingerprintA); err != nil || again != first {
		t.Errorf("after a restart: %v, %v", again, err)
	}
	if read, err := ReadJoinToken(path); err != nil || read != first {
		t.Errorf("read: %v, %v", read, err)
	}

	moved, err := LoadOrCreateJoinToken(path, fingerprintB)
	if err != nil {
		t.Fatal(err)
	}
	if moved.Secret != first.Secret || moved.Fingerprint != fingerprintB {
		t.Errorf("with another certificate: %+v", moved)
	}
	if read, err := ReadJoinToken(path); err != nil || read != moved {
		t.Errorf("read after the change: %v, %v", read, err)
	}
	if _, err := LoadOrCreateJoinToken(path, "nonsense"); err == nil {
		t.Error("a fingerprint that is none was written")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateJoinToken(path, fingerprintB); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, dir, "join-token")
}

func TestDamagedJoinTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "join-token")
	const damaged = "cloudai1.abc"
	if err := os.WriteFile(path, []byte(damaged), secretFileMode); err != nil {
		t.Fatal(err)
	}
	_, err := LoadOrCreateJoinToken(path, fingerprintA)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("error is %v, must name %s", err, path)
	}
	if now, _ := os.ReadFile(path); string(now) != damaged {
		t.Error("the file was changed")
	}
}

func TestJoinTokenOfProcessesThatStartAtOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "join-token")
	var tokens [16]JoinToken
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() {
			var err error
			if tokens[i], err = LoadOrCreateJoinToken(path, fingerprintA); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, token := range tokens {
		if token != tokens[0] {
			t.Fatal("different tokens")
		}
	}
	checkFolder(t, dir, "join-token")
}

func TestSecretEqual(t *testing.T) {
	for _, c := range []struct {
		got, want string
		equal     bool
	}{
		{"abc", "abc", true},
		{"abc", "abd", false},
		{"ab", "abc", false},
		{"", "abc", false},
		{"abc", "", false},
		{"", "", false},
	} {
		if SecretEqual(c.got, c.want) != c.equal {
			t.Errorf("SecretEqual(%q, %q) is not %v", c.got, c.want, c.equal)
		}
	}
}

func FuzzParseJoinToken(f *testing.F) {
	token := JoinToken{Secret: strings.Repeat("a", 32), Fingerprint: fingerprintA}
	text := token.Encode()
	f.Add(text)
	f.Add(text[:len(text)-1])
	f.Add(text + "\n")
	f.Add("")
	f.Add("cloudai1...")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseJoinToken(text)
		if err != nil {
			if token != (JoinToken{}) {
				t.Errorf("a token beside the error %v", err)
			}
			return
		}
		if token.Encode() != strings.TrimSpace(text) {
			t.Errorf("%q is read as %q", text, token.Encode())
		}
		if len(token.Secret) != 32 || !fingerprintForm.MatchString(token.Fingerprint) {
			t.Errorf("%q gives %#v", text, token)
		}
	})
}
