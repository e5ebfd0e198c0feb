package transport

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// LoadOrCreateSecret returns the random text kept in path, of 260 bits and no
// white space, making it (mode 0600) when there is none.
func LoadOrCreateSecret(path string) (string, error) {
	secret, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	fresh := rand.Text() + rand.Text()
	if err := createFile(path, []byte(fresh+"\n")); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	return readSecret(path) // ours, or that of a process that was faster
}

func readSecret(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	secret := strings.TrimSpace(string(content))
	if len(secret) < len(rand.Text())*2 {
		return "", fmt.Errorf("%s: damaged: %d characters of %d; remove it to have another one made", path, len(secret), len(rand.Text())*2)
	}
	return secret, closeToOthers(path)
}
