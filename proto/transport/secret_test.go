package transport

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d", "secret")
	one, err := LoadOrCreateSecret(path)
	if err != nil || len(one) < 32 {
		t.Fatalf("%q, %v", one, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	two, err := LoadOrCreateSecret(path)
	if err != nil || two != one {
		t.Fatalf("%q after %q, %v", two, one, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	for _, damaged := range []string{"", "short", "\n"} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := LoadOrCreateSecret(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Fatalf("%q is taken for %q, %v", damaged, got, err)
		}
	}
}
