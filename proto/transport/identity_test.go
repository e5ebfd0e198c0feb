package transport

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestIdentityIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on the way")
	first, err := LoadOrCreateIdentity(dir, "master")
	if err != nil {
		t.Fatal(err)
	}
	if !fingerprintForm.MatchString(first.Fingerprint) {
		t.Errorf("fingerprint %q", first.Fingerprint)
	}
	if key, ok := first.Certificate.PrivateKey.(*ecdsa.PrivateKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("key is %T, not P-256", first.Certificate.PrivateKey)
	}
	again, err := LoadOrCreateIdentity(dir, "master")
	if err != nil {
		t.Fatal(err)
	}
	if again.Fingerprint != first.Fingerprint {
		t.Errorf("fingerprint %s after a restart, was %s", again.Fingerprint, first.Fingerprint)
	}
	other, err := LoadOrCreateIdentity(dir, "worker")
	if err != nil {
		t.Fatal(err)
	}
	if other.Fingerprint == first.Fingerprint {
		t.Error("two names share an identity")
	}
	checkFolder(t, dir, "master.pem", "worker.pem")
}

// checkFolder checks that dir holds these files and no others, and that nobody
// else can read them.
func checkFolder(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode(); mode != secretFileMode {
			t.Errorf("%s has mode %v", e.Name(), mode)
		}
	}
	if got, want := strings.Join(found, " "), strings.Join(names, " "); got != want {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

func TestIdentityOfProcessesThatStartAtOnce(t *testing.T) {
	dir := t.TempDir()
	var fingerprints [16]string
	var wg sync.WaitGroup
	for i := range fingerprints {
		wg.Go(func() {
			id, err := LoadOrCreateIdentity(dir, "worker")
			if err != nil {
				t.Error(err)
			}
			fingerprints[i] = id.Fingerprint
		})
	}
	wg.Wait()
	for _, f := range fingerprints {
		if f != fingerprints[0] {
			t.Fatalf("different identities: %v", fingerprints)
		}
	}
	checkFolder(t, dir, "worker.pem")
}

func TestIdentityAfterACrashWhileItWasMade(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, ".master.pem.123.tmp")
	foreign := filepath.Join(dir, ".other.pem.123.tmp")
	for _, path := range []string{left, foreign} {
		if err := os.WriteFile(path, []byte("-----BEGIN CERT"), secretFileMode); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-2 * staleTempAge)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	underWay := filepath.Join(dir, ".master.pem.456.tmp")
	if err := os.WriteFile(underWay, nil, secretFileMode); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateIdentity(dir, "master"); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, dir, filepath.Base(underWay), filepath.Base(foreign), "master.pem")
}

func TestDamagedIdentity(t *testing.T) {
	content, err := newIdentityPEM("master")
	if err != nil {
		t.Fatal(err)
	}
	other, err := newIdentityPEM("master")
	if err != nil {
		t.Fatal(err)
	}
	keyAt := bytes.Index(content, []byte("-----BEGIN PRIVATE KEY"))
	otherKeyAt := bytes.Index(other, []byte("-----BEGIN PRIVATE KEY"))
	flipped := bytes.Clone(content)
	flipped[100] ^= 1
	for name, damaged := range map[string][]byte{
		"empty":              {},
		"zeros":              make([]byte, len(content)),
		"cut in the middle":  content[:len(content)/2],
		"cut at the end":     content[:len(content)-20],
		"certificate only":   content[:keyAt],
		"key only":           content[keyAt:],
		"another's key":      append(bytes.Clone(content[:keyAt]), other[otherKeyAt:]...),
		"two certificates":   append(bytes.Clone(content[:keyAt]), content...),
		"something after it": append(bytes.Clone(content), "more"...),
		"a bit flipped":      flipped,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "master.pem")
			if err := os.WriteFile(path, damaged, secretFileMode); err != nil {
				t.Fatal(err)
			}
			_, err := LoadOrCreateIdentity(dir, "master")
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("error is %v, must name %s", err, path)
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(now, damaged) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestIdentityIsClosedToOthers(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadOrCreateIdentity(dir, "master"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "master.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateIdentity(dir, "master"); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, dir, "master.pem")
}

func TestIdentityNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"", ".", "../master", "a/b", "-a", "A", "a\x00"} {
		if _, err := LoadOrCreateIdentity(dir, name); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
	checkFolder(t, dir)
}

func TestIdentityInAFolderThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, secretFileMode); err != nil {
		t.Fatal(err)
	}
	_, err := LoadOrCreateIdentity(filepath.Join(file, "sub"), "master")
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error is %v, must name %s", err, file)
	}
}
