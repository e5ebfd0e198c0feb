package docker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/docker/docker/api/types/registry"
)

// dockerHub is the name under which clients keep Docker Hub's credentials.
const dockerHub = "https://index.docker.io/v1/"

// helperName is what may follow "docker-credential-" in a program's name.
var helperName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// clientConfig is what matters of the Docker client's config.json.
type clientConfig struct {
	Auths       map[string]registry.AuthConfig `json:"auths"`
	CredsStore  string                         `json:"credsStore"`
	CredHelpers map[string]string              `json:"credHelpers"`
}

// credentials returns what to send to a registry, encoded as the engine wants
// it; empty when there are none. The file is read each time, since people log
// in while the worker runs.
func credentials(ctx context.Context, dir, domain string) (string, error) {
	if dir == "" {
		return "", nil
	}
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var config clientConfig
	if err := json.Unmarshal(data, &config); err != nil {
		return "", fmt.Errorf("config.json: %w", err)
	}
	key := domain
	if domain == "docker.io" {
		key = dockerHub
	}
	auth, err := config.lookUp(ctx, key)
	if err != nil || auth == (registry.AuthConfig{}) {
		return "", err
	}
	auth.ServerAddress = key
	return registry.EncodeAuthConfig(auth)
}

// lookUp asks the registry's own helper, then the file, then the store.
func (c clientConfig) lookUp(ctx context.Context, key string) (registry.AuthConfig, error) {
	for host, helper := range c.CredHelpers {
		if hostOf(host) == hostOf(key) {
			return askHelper(ctx, helper, key)
		}
	}
	for host, auth := range c.Auths {
		if hostOf(host) == hostOf(key) && (auth.Auth != "" || auth.Username != "" || auth.IdentityToken != "") {
			return decodeAuth(auth)
		}
	}
	if c.CredsStore != "" {
		return askHelper(ctx, c.CredsStore, key)
	}
	return registry.AuthConfig{}, nil
}

// hostOf strips scheme and path, as registries are written in many ways.
func hostOf(key string) string {
	_, rest, found := strings.Cut(key, "://")
	if !found {
		rest = key
	}
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// decodeAuth takes user and password out of the field that holds both.
func decodeAuth(auth registry.AuthConfig) (registry.AuthConfig, error) {
	if auth.Auth == "" {
		return auth, nil
	}
	plain, err := base64.StdEncoding.DecodeString(auth.Auth)
	if err != nil {
		return registry.AuthConfig{}, errors.New("config.json: a registry's auth is not base64")
	}
	user, password, ok := strings.Cut(string(plain), ":")
	if !ok {
		return registry.AuthConfig{}, errors.New("config.json: a registry's auth has no password")
	}
	auth.Username, auth.Password, auth.Auth = user, strings.TrimRight(password, "\x00"), ""
	return auth, nil
}

// askHelper runs a credential helper, which gets the registry on its standard
// input and answers in JSON.
func askHelper(ctx context.Context, helper, key string) (registry.AuthConfig, error) {
	if !helperName.MatchString(helper) {
		return registry.AuthConfig{}, fmt.Errorf("config.json: bad credential helper %q", helper)
	}
	cmd := exec.CommandContext(ctx, "docker-credential-"+helper, "get") //nolint:gosec // a helper that DOCKER_CONFIG names, checked to be a plain name
	cmd.Stdin = strings.NewReader(key)
	out, err := cmd.Output()
	if bytes.Contains(out, []byte("credentials not found")) {
		return registry.AuthConfig{}, nil
	}
	if err != nil {
		return registry.AuthConfig{}, fmt.Errorf("credential helper %s: %w", helper, err)
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(out, &answer); err != nil {
		return registry.AuthConfig{}, fmt.Errorf("credential helper %s: %w", helper, err)
	}
	if answer.Username == "<token>" {
		return registry.AuthConfig{IdentityToken: answer.Secret}, nil
	}
	return registry.AuthConfig{Username: answer.Username, Password: answer.Secret}, nil
}
