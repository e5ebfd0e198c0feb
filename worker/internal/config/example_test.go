package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The example file lists all that can be set, commented out, with its default.
func TestEnvExampleIsComplete(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if want := "\n# " + s.name + "=" + s.fallback + "\n"; !strings.Contains(string(text), want) {
			t.Errorf(".env.example lacks the line %q", strings.TrimSpace(want))
		}
	}
}
