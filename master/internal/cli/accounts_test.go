package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cloudai/master/client"
	"cloudai/master/internal/accounts"
	"cloudai/master/internal/cluster"
)

var local = cluster.Principal{UserID: cluster.LocalUser, Role: cluster.RoleAdmin}

// with runs a command with something on standard input.
func (w *world) with(t *testing.T, stdin string, args ...string) spoken {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stdin")
	must(t, os.WriteFile(path, []byte(stdin), 0o600))
	in, err := os.Open(path)
	must(t, err)
	defer in.Close()
	var out, errs bytes.Buffer
	s := w.shell(&out, &errs)
	s.stdin = in
	code := s.execute(t.Context(), args)
	return spoken{out.String(), errs.String(), code}
}

// person adds an account; golden files have its name in capitals for its id.
func (w *world) person(t *testing.T, name string) cluster.User {
	t.Helper()
	u, err := w.accounts.AddUser(t.Context(), local, accounts.NewUser{Name: name, Email: name + "@example.org", Password: "password of " + name})
	must(t, err)
	w.random = append(w.random, string(u.ID), strings.ToUpper(name)+"-------------"[:max(0, 16-len(name))])
	return u
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	if got := w.cli(t, "users"); got.code != 0 || got.stdout != "" || !strings.Contains(got.stderr, "users add") {
		t.Errorf("%+v", got)
	}
	w.person(t, "ann")
	bob := w.person(t, "bob")
	w.random = append(w.random, string(bob.ID[:10]), "BOB-------")
	golden(t, "users", w.transcript(t,
		"users", "users list -o yaml", "users role ANN@example.org admin", "users role bob@example.org boss", "users role bob",
		"users disable "+string(bob.ID[:10]), "users disable nobody", "users enable bob@example.org -o json", "users enable ''",
		"users remove bob@example.org", "users remove bob@example.org --yes", "users add bob@example.org", "users reset ann@example.org", "users",
	))
}

func TestPasswordFromStdin(t *testing.T) {
	w := newWorld(t)
	got := w.with(t, "the password\r\n", "users", "add", "Ann@Example.org", "--role", "admin", "--password-stdin")
	if got.code != 0 || strings.Count(got.stdout, "\n") != 1 || !strings.Contains(got.stderr, "admin") {
		t.Fatalf("%+v", got)
	}
	id := cluster.UserID(strings.TrimSpace(got.stdout))
	if s, err := w.accounts.Login(t.Context(), "ann@example.org", "the password", ""); err != nil || s.User.ID != id || s.User.Name != "Ann" {
		t.Errorf("%+v %v", s, err)
	}
	if got := w.with(t, "another one\n", "users", "reset", "ann@example.org", "--password-stdin"); got.code != 0 || !strings.Contains(got.stderr, "new password") {
		t.Errorf("%+v", got)
	}
	if _, err := w.accounts.Login(t.Context(), "ann@example.org", "another one", ""); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct{ stdin, want string }{
		{"", "--password-stdin: no password"},
		{"\n", "--password-stdin: no password"},
		{"two\nlines\n", "--password-stdin: more than one line"},
		{"short", "password: must have 8"},
		{strings.Repeat("long", 1000), "password: must have 8"},
		{"the password", "there is an account"},
	} {
		got := w.with(t, tt.stdin, "users", "add", "ann@example.org", "--password-stdin")
		if got.code == 0 || !strings.Contains(got.stderr, tt.want) || strings.Contains(got.stderr, tt.stdin) && len(tt.stdin) > 5 {
			t.Errorf("%.20q: %+v", tt.stdin, got)
		}
	}
	if got := w.with(t, "x", "users", "add", "no address", "--password-stdin"); got.code != exitUsage || !strings.Contains(got.stderr, "email: must be") {
		t.Errorf("%+v", got)
	}
}

// secretOf matches what a token is.
var secretOf = regexp.MustCompile(`^\S{20,}\n$`)

func TestTokens(t *testing.T) {
	w := newWorld(t)
	got := w.cli(t, "token", "ci", "--expires", "720h")
	if got.code != 0 || !secretOf.MatchString(got.stdout) || !strings.Contains(got.stderr, "may read, submit and expires 20") {
		t.Fatalf("%+v", got)
	}
	if p, _, err := w.accounts.Identify(t.Context(), strings.TrimSpace(got.stdout)); err != nil || p.UserID != cluster.LocalUser || len(p.Scopes) != 2 {
		t.Errorf("%+v %v", p, err)
	}
	w.person(t, "ann")
	got = w.cli(t, "--user", "ann@example.org", "token", "list", "-o", "json")
	if got.code != 0 || !strings.Contains(got.stdout, `"items": []`) {
		t.Errorf("another's token: %+v", got)
	}
	got = w.cli(t, "--user", "ann@example.org", "token", "--scope", "read", "-o", "json", "--", "list")
	var made client.NewAPIToken
	if err := json.Unmarshal([]byte(got.stdout), &made); err != nil || made.Name != "list" || made.Scopes[0] != "read" || made.Secret == "" {
		t.Fatalf("%+v %v", got, err)
	}
	tokens, err := w.accounts.Tokens(t.Context(), local)
	must(t, err)
	id := tokens[0].ID
	w.random = append(w.random, id, "TOKEN-----------", id[:8], "TOKEN---", made.ID, "ANN-TOKEN-------", tokens[0].ExpiresAt.Format("2006-01-02 15:04:05"), "IN-720-HOURS-------")
	golden(t, "tokens", w.transcript(t,
		"token", "token list", "--user ann@example.org token list", "token remove nothing", "token remove "+id[:8], "token list",
		"token ''", "token a b", "token --scope read", "--user ann@example.org token x --scope admin", "token x --scope read,read",
		"--user nobody token x",
	))
}

// A master elsewhere wants a token; who has none is told how to get one.
func TestIdentity(t *testing.T) {
	w := newWorld(t)
	w.random = append(w.random, w.url, "URL")
	reader := strings.TrimSpace(w.cli(t, "token", "reader", "--scope", "read").stdout)
	admin := strings.TrimSpace(w.cli(t, "token", "boss", "--scope", "read,submit,admin").stdout)
	as := func(token string, args ...string) spoken {
		var out, errs bytes.Buffer
		s := w.shell(&out, &errs)
		s.base.token = token
		code := s.execute(t.Context(), append([]string{"--server", w.url}, args...))
		return spoken{out.String(), errs.String(), code}
	}
	var all strings.Builder
	for _, tt := range []struct{ name, token, line string }{
		{"no token", "", "list-tasks"},
		{"a wrong one", "nonsense", "list-tasks"},
		{"read", reader, "list-tasks"},
		{"read", reader, "task alpine"},
		{"read", reader, "users"},
		{"read", reader, "drain w1"},
		{"admin", admin, "users"},
		{"no token", "", "doctor"},
	} {
		all.WriteString("> " + tt.line + "   # " + tt.name + "\n" + w.shown(as(tt.token, strings.Fields(tt.line)...)) + "\n")
	}
	golden(t, "identity", all.String())
}
