package http

import (
	"context"
	"fmt"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// from asks over TCP from an address.
func (e *edge) from(t testing.TB, addr, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr, r.Host = addr, "127.0.0.1:8080"
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	if addr == elsewhere {
		local.IP = net.IPv4(192, 0, 2, 1)
	}
	r = r.WithContext(context.WithValue(r.Context(), nethttp.LocalAddrContextKey, local))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

const here, elsewhere = "127.0.0.1:1234", "192.0.2.7:1234"

// signUp makes an account and gives the header that speaks for it.
func (e *edge) signUp(t testing.TB, name string) (bearer string, s client.Session) {
	t.Helper()
	body := fmt.Sprintf(`{"name":%q,"email":"%s@example.org","password":"long enough"}`, name, name)
	s = decode[client.Session](t, e.from(t, here, "POST", "/api/auth/register", body), 201)
	return "Authorization: Bearer " + s.Token, s
}

func TestFirstAdministrator(t *testing.T) {
	body := `{"name":"ann","email":"ann@example.org","password":"long enough"%s}`
	plain := fmt.Sprintf(body, "")
	for _, c := range []struct {
		name, addr, body string
		headers          []string
		want             int
	}{
		{"from elsewhere", elsewhere, plain, nil, 403},
		{"with a wrong code", elsewhere, fmt.Sprintf(body, `,"setup_code":"abcd-abcd-abcd"`), nil, 403},
		{"by way of a proxy here", here, plain, []string{"X-Forwarded-For: 127.0.0.1"}, 403},
		{"by way of another", here, plain, []string{"Forwarded: for=127.0.0.1"}, 403},
		{"by way of a third", here, plain, []string{"X-Forwarded-Proto: https"}, 403},
		{"by way of a fourth", here, plain, []string{"CF-Connecting-IP: 192.0.2.9"}, 403},
		{"by another's name", here, plain, []string{"Host: evil.example:8080"}, 403},
		{"from a page of that name", here, plain, []string{"Host: evil.example:8080", "Origin: http://evil.example:8080", "Sec-Fetch-Site: same-origin"}, 403},
		{"by name", here, plain, []string{"Host: LocalHost:8080"}, 201},
		{"by no address", here, plain, []string{"Host: 0.0.0.0:8080"}, 201},
		{"from here", here, plain, nil, 201},
		{"from here, by IPv6", "[::1]:5", plain, nil, 201},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEdge(t)
			w := e.from(t, c.addr, "POST", "/api/auth/register", c.body, c.headers...)
			if c.want != 201 {
				wantProblem(t, w, c.want)
				return
			}
			if s := decode[client.Session](t, w, 201); s.User.Role != "admin" || s.Token == "" || s.User.ID == "" {
				t.Fatalf("%+v", s)
			}
		})
	}
	e := newEdge(t)
	coded := fmt.Sprintf(body, `,"setup_code":"`+e.accounts.SetupCode()+`"`)
	if s := decode[client.Session](t, e.from(t, elsewhere, "POST", "/api/auth/register", coded), 201); s.User.Role != "admin" {
		t.Fatalf("%+v", s)
	}
	second := `{"name":"bob","email":"bob@example.org","password":"long enough"}`
	if s := decode[client.Session](t, e.from(t, elsewhere, "POST", "/api/auth/register", second), 201); s.User.Role != "user" {
		t.Fatalf("%+v", s)
	}
	e = newEdge(t)
	if w := e.ask(t, doorSocket, "POST", "/api/auth/register", plain); decode[client.Session](t, w, 201).User.Role != "admin" {
		t.Fatal("from the socket")
	}
}

func TestSigningInAndOut(t *testing.T) {
	e := newEdge(t)
	bearer, s := e.signUp(t, "ann")
	me := decode[client.User](t, e.from(t, elsewhere, "GET", "/api/auth/me", "", bearer), 200)
	if me.Files == nil || me.Files.Used != 0 || me.Files.Quota != nil {
		t.Fatalf("files: %+v", me.Files)
	}
	me.Files = nil // not in the reply to a sign-in
	if me != s.User || me.Email != "ann@example.org" {
		t.Fatalf("%+v, %+v", me, s.User)
	}
	w := e.from(t, elsewhere, "POST", "/api/auth/login", `{"email":"ANN@example.org","password":"long enough"}`)
	again := decode[client.Session](t, w, 200)
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != nethttp.SameSiteLaxMode || cookies[0].Secure || cookies[0].Value != again.Token {
		t.Fatalf("%+v", cookies)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("a token may be kept by caches")
	}
	cookie := "Cookie: " + cookies[0].Name + "=" + cookies[0].Value
	decode[client.User](t, e.from(t, elsewhere, "GET", "/api/auth/me", "", cookie), 200)

	gone := e.from(t, elsewhere, "POST", "/api/auth/logout", "", cookie)
	if gone.Code != 204 || gone.Result().Cookies()[0].MaxAge >= 0 {
		t.Fatalf("%d %v", gone.Code, gone.Header())
	}
	wantProblem(t, e.from(t, elsewhere, "GET", "/api/auth/me", "", cookie), 401)
	decode[client.User](t, e.from(t, elsewhere, "GET", "/api/auth/me", "", bearer), 200)

	w = e.from(t, elsewhere, "POST", "/api/auth/password", `{"old_password":"long enough","new_password":"another one"}`, bearer)
	fresh := decode[client.Session](t, w, 200)
	wantProblem(t, e.from(t, elsewhere, "GET", "/api/auth/me", "", bearer), 401)
	decode[client.User](t, e.from(t, elsewhere, "GET", "/api/auth/me", "", "Authorization: bearer "+fresh.Token), 200)
	wantProblem(t, e.from(t, elsewhere, "POST", "/api/auth/login", `{"email":"ann@example.org","password":"long enough"}`), 401)

	// On the socket nobody signs in.
	if me := decode[client.User](t, e.get(t, "/api/auth/me"), 200); me.ID != "local" || me.Role != "admin" {
		t.Fatalf("%+v", me)
	}
	if w := e.ask(t, doorSocket, "POST", "/api/auth/logout", ""); w.Code != 204 {
		t.Fatalf("%d", w.Code)
	}
}

func TestCredentialsThatDoNotCount(t *testing.T) {
	e := newEdge(t)
	bearer, s := e.signUp(t, "ann")
	for name, headers := range map[string][]string{
		"none":                {},
		"basic":               {"Authorization: Basic YW5uOng="},
		"no token":            {"Authorization: Bearer"},
		"two":                 {bearer, bearer},
		"altered":             {bearer + "x"},
		"empty cookie":        {"Cookie: cloudai_session="},
		"another cookie":      {"Cookie: session=" + s.Token},
		"acting for another":  {bearer, client.UserHeader + ": bob"},
		"something else":      {"Authorization: Bearer \x01"},
		"an API token of old": {"Authorization: Bearer cloudai_aaaaaaaaaaaaaaaaaaaaaaaaaa"},
	} {
		w := e.from(t, elsewhere, "GET", "/api/tasks", "", headers...)
		if wantProblem(t, w, 401); w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
	wantProblem(t, e.from(t, elsewhere, "GET", "/api/tasks?access_token="+s.Token, ""), 401)
	if e.from(t, elsewhere, "GET", "/api/tasks", "", bearer).Code != 200 {
		t.Error("the real one is refused")
	}
	// A token counts on the socket too, and less than the socket itself.
	if me := decode[client.User](t, e.ask(t, doorSocket, "GET", "/api/auth/me", "", bearer), 200); me.ID != s.User.ID {
		t.Errorf("%+v", me)
	}
}

// A browser's cookie does nothing for another site's page.
func TestCrossSiteCalls(t *testing.T) {
	e := newEdge(t)
	_, s := e.signUp(t, "ann")
	cookie := "Cookie: " + sessionCookie + "=" + s.Token
	task := `{"docker_image":"alpine"}`
	login := `{"email":"ann@example.org","password":"long enough"}`
	for _, c := range []struct {
		method, path, body string
		headers            []string
		want               int
	}{
		{"POST", "/api/tasks", task, []string{cookie, "Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, 403},
		{"POST", "/api/tasks", task, []string{cookie, "Origin: https://evil.example"}, 403},
		{"DELETE", "/api/tasks/x", "", []string{cookie, "Sec-Fetch-Site: same-site"}, 403},
		{"POST", "/api/auth/login", login, []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"POST", "/api/tasks", task, []string{cookie, "Sec-Fetch-Site: same-origin"}, 201},
		{"POST", "/api/tasks", task, []string{cookie, "Sec-Fetch-Site: same-origin", "Host: cloudai.lan", "Origin: http://cloudai.lan"}, 201},
		{"POST", "/api/tasks", task, []string{cookie, "Sec-Fetch-Site: cross-site", "Origin: http://localhost:3000"}, 201}, // configured
		{"POST", "/api/tasks", task, []string{cookie}, 201},                                                                // no browser
		{"GET", "/api/tasks", "", []string{cookie, "Sec-Fetch-Site: cross-site"}, 200},
		{"POST", "/api/tasks", task, []string{"Authorization: Bearer " + s.Token, "Sec-Fetch-Site: cross-site"}, 201}, // no browser sends that by itself
	} {
		if w := e.from(t, elsewhere, c.method, c.path, c.body, c.headers...); w.Code != c.want {
			t.Errorf("%s %s with %v: %d, want %d: %s", c.method, c.path, c.headers, w.Code, c.want, w.Body)
		}
	}
}

// A page whose name was pointed at this machine's loopback (DNS rebinding)
// passes for one of ours in every browser; it gets nothing, also once there is
// an administrator and anyone may register.
func TestRebinding(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "ann")
	body := `{"name":"mallory","email":"m@example.org","password":"long enough"}`
	evil := []string{"Host: evil.example:8080", "Origin: http://evil.example:8080", "Sec-Fetch-Site: same-origin"}
	wantProblem(t, e.from(t, here, "POST", "/api/auth/register", body, evil...), 403)
	wantProblem(t, e.from(t, here, "GET", "/api/tasks", "", append(evil, bearer)...), 403)
	wantProblem(t, e.from(t, here, "GET", "/health", "", evil...), 403)
	for _, page := range []string{"http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:3000"} {
		host := strings.TrimPrefix(page, "http://")
		if w := e.from(t, here, "GET", "/api/tasks", "", "Host: "+host, "Origin: "+page, bearer); w.Code != 200 {
			t.Errorf("%s: %d %s", page, w.Code, w.Body)
		}
	}
}

// Who may not do it, or asks for what is not there, hears so whatever else is
// wrong with the request.
func TestRefusalsComeInOrder(t *testing.T) {
	e := newEdge(t)
	root, _ := e.signUp(t, "root")
	bob, _ := e.signUp(t, "bob")
	made := decode[client.NewAPIToken](t, e.from(t, here, "POST", "/api/auth/tokens", `{"name":"x"}`, bob), 201)
	ci := "Authorization: Bearer " + made.Secret
	for _, c := range []struct {
		who, method, path, body string
		want                    int
	}{
		{ci, "POST", "/api/auth/tokens", `{`, 403},
		{ci, "POST", "/api/auth/tokens?x=1", ``, 403},
		{ci, "POST", "/api/auth/password", `{"x":1}`, 403},
		{ci, "POST", "/api/auth/logout", `{"x":1}`, 403},
		{ci, "DELETE", "/api/auth/tokens/" + made.ID + "?x=1", ``, 403},
		{root, "DELETE", "/api/auth/tokens/" + made.ID + "?x=1", ``, 404},
		{root, "PATCH", "/api/users/nobody", `{"x":1}`, 404},
		{root, "DELETE", "/api/users/nobody?x=1", ``, 404},
		{root, "POST", "/api/workers/none/drain", `{"x":1}`, 404},
		{root, "DELETE", "/api/workers/none?force=perhaps", ``, 404},
		{root, "GET", "/api/workers/none/tasks?limit=x", ``, 404},
		{root, "GET", "/telemetry/none?x=1", ``, 404},
	} {
		if w := e.from(t, here, c.method, c.path, c.body, c.who); w.Code != c.want {
			t.Errorf("%s %s: %d, want %d: %s", c.method, c.path, w.Code, c.want, w.Body)
		}
	}
}

func TestAuthBodies(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "ann")
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		path, body string
		status     int
		locations  []string
	}{
		{"register", ``, 400, nil},
		{"register", `[]`, 400, nil},
		{"register", `{}`, 422, []string{"name", "email", "password"}},
		{"register", `{"name":1,"email":null,"password":["x"],"admin":true}`, 422, []string{"name", "email", "password", "admin"}},
		{"register", `{"name":"","email":"x","password":"1","name":"b","x":1}`, 422, []string{"name", "email", "password", "x"}},
		{"register", `{"name":"a","name":"b","email":"x@y.z","password":"long enough"}`, 422, []string{"name"}},
		{"register", `{"name":"\u001b[31m","email":"x@y\u0000.z","password":"1234567"}`, 422, []string{"name", "email", "password"}},
		{"register", `{"name":"` + long + `","email":"` + long + `@y.z","password":"` + long + `"}`, 422, []string{"name", "email", "password"}},
		{"register", `{"name":"x","email":"Ann@Example.ORG","password":"long enough"}`, 409, nil},
		{"login", `{}`, 422, []string{"email", "password"}},
		{"login", `{"email":"","password":""}`, 422, []string{"email", "password"}},
		{"login", `{"email":{"$gt":""},"password":{"$gt":""}}`, 422, []string{"email", "password"}},
		{"login", `{"email":"ann@example.org' OR '1'='1","password":"long enough"}`, 401, nil},
		{"login", `{"email":"ann@example.org","password":"` + strings.Repeat("x", maxOpenBody) + `"}`, 413, nil},
		{"login", `{"email":"ann@example.org","password":"` + strings.Repeat("x", 1000) + `"}`, 401, nil},
		{"password", `{}`, 422, []string{"old_password", "new_password"}},
		{"login", `{"email":1,"x":1}`, 422, []string{"email", "password", "x"}},
		{"password", `{"new_password":"short","x":1}`, 422, []string{"old_password", "new_password", "x"}},
		{"password", `{"old_password":"wrong","new_password":"long enough"}`, 422, []string{"old_password"}},
		{"password", `{"old_password":"long enough","new_password":"short"}`, 422, []string{"new_password"}},
		{"logout", `{"x":1}`, 422, []string{"x"}},
		{"logout", `nonsense`, 422, []string{"body"}},
		{"tokens", `{}`, 422, []string{"name"}},
		{"tokens", `{"name":"x","scopes":[]}`, 422, []string{"scopes"}},
		{"tokens", `{"name":"x","scopes":["read","root","read"]}`, 422, []string{"scopes[1]", "scopes[2]"}},
		{"tokens", `{"scopes":["root"],"expires_at":"tomorrow","x":1}`, 422, []string{"name", "scopes[0]", "expires_at", "x"}},
		{"tokens", `{"name":"x","expires_in":"-1h"}`, 422, []string{"expires_in"}},
		{"tokens", `{"name":"x","expires_in":"1e308h"}`, 422, []string{"expires_in"}},
		{"tokens", `{"name":"x","expires_at":"tomorrow"}`, 422, []string{"expires_at"}},
		{"tokens", `{"name":"x","expires_at":"2001-01-01T00:00:00Z"}`, 422, []string{"expires_at"}},
		{"tokens", `{"name":"x","expires_at":"2101-01-01T00:00:00Z","expires_in":"1h"}`, 422, []string{"expires_in"}},
	} {
		name := c.body
		if len(name) > 100 {
			name = name[:100]
		}
		t.Run(c.path+" "+name, func(t *testing.T) {
			wantProblem(t, e.from(t, here, "POST", "/api/auth/"+c.path, c.body, bearer), c.status, c.locations...)
		})
	}
	if users, _ := e.accounts.Users(t.Context(), cluster.Principal{Role: cluster.RoleAdmin}); len(users) != 1 {
		t.Errorf("something was half stored: %+v", users)
	}
}

func TestAPITokensOverREST(t *testing.T) {
	e := newEdge(t)
	e.signUp(t, "root")
	bob, _ := e.signUp(t, "bob")
	made := decode[client.NewAPIToken](t, e.from(t, elsewhere, "POST", "/api/auth/tokens", `{"name":"ci","expires_in":"1h","scopes":["submit"]}`, bob), 201)
	if made.Secret == "" || made.ExpiresAt == nil || made.LastUsedAt != nil || len(made.Scopes) != 1 {
		t.Fatalf("%+v", made)
	}
	ci := "Authorization: Bearer " + made.Secret
	decode[client.Task](t, e.from(t, elsewhere, "POST", "/api/tasks", `{"docker_image":"alpine"}`, ci), 201)
	p := wantProblem(t, e.from(t, elsewhere, "GET", "/api/tasks", "", ci), 403)
	if !strings.Contains(p.Detail, "read") {
		t.Errorf("%s does not name the scope", p.Detail)
	}
	wantProblem(t, e.from(t, elsewhere, "POST", "/api/auth/tokens", `{"name":"x"}`, ci), 403)
	wantProblem(t, e.from(t, elsewhere, "POST", "/api/auth/tokens", `{"name":"x","scopes":["admin"]}`, bob), 422, "scopes[0]")
	decode[client.NewAPIToken](t, e.from(t, elsewhere, "POST", "/api/auth/tokens", `{"name":"second"}`, bob), 201)

	first := decode[client.List[client.APIToken]](t, e.from(t, elsewhere, "GET", "/api/auth/tokens?limit=1", "", bob), 200)
	if len(first.Items) != 1 || first.Items[0].Name != "ci" || first.Items[0].LastUsedAt == nil || first.NextCursor == "" {
		t.Fatalf("%+v", first)
	}
	rest := decode[client.List[client.APIToken]](t, e.from(t, elsewhere, "GET", "/api/auth/tokens?cursor="+first.NextCursor, "", bob), 200)
	if len(rest.Items) != 1 || rest.Items[0].Name != "second" || rest.NextCursor != "" {
		t.Fatalf("%+v", rest)
	}
	if body := e.from(t, elsewhere, "GET", "/api/auth/tokens", "", bob).Body.String(); strings.Contains(body, made.Secret) || strings.Contains(body, "hash") {
		t.Errorf("a secret is shown again: %s", body)
	}
	if w := e.from(t, elsewhere, "DELETE", "/api/auth/tokens/"+made.ID, "", bob); w.Code != 204 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	wantProblem(t, e.from(t, elsewhere, "DELETE", "/api/auth/tokens/"+made.ID, "", bob), 404)
	wantProblem(t, e.from(t, elsewhere, "POST", "/api/tasks", `{"docker_image":"alpine"}`, ci), 401)
}

func TestUsersOverREST(t *testing.T) {
	e := newEdge(t)
	root, rootIn := e.signUp(t, "root")
	bob, bobIn := e.signUp(t, "bob")
	ask := func(who, method, path, body string) *httptest.ResponseRecorder {
		return e.from(t, elsewhere, method, path, body, who)
	}
	for _, call := range [][3]string{
		{"GET", "/api/users", ""},
		{"POST", "/api/users", `{`},
		{"PATCH", "/api/users/" + bobIn.User.ID, `{"role":"admin"}`},
		{"DELETE", "/api/users/" + rootIn.User.ID, ""},
	} {
		wantProblem(t, ask(bob, call[0], call[1], call[2]), 403)
	}
	added := decode[client.User](t, ask(root, "POST", "/api/users", `{"name":"eve","email":"eve@example.org","password":"long enough","role":"admin"}`), 201)
	if added.Role != "admin" {
		t.Fatalf("%+v", added)
	}
	wantProblem(t, ask(root, "POST", "/api/users", `{"name":"","email":"x","password":"y","role":"root","id":"x"}`), 422, "id", "name", "email", "password", "role")
	wantProblem(t, ask(root, "POST", "/api/users", `{"name":"","email":"x","password":"y","role":"root"}`), 422, "name", "email", "password", "role")
	wantProblem(t, ask(root, "PATCH", "/api/users/"+added.ID, `{"name":"","role":"root","disabled":"yes"}`), 422, "disabled", "name", "role")
	wantProblem(t, ask(root, "PATCH", "/api/users/"+added.ID, `{"name":"","role":"root"}`), 422, "name", "role")
	wantProblem(t, ask(root, "PATCH", "/api/users/nobody", `{}`), 404)
	wantProblem(t, ask(root, "PATCH", "/api/users/"+rootIn.User.ID, `{"role":"user"}`), 409)
	changed := decode[client.User](t, ask(root, "PATCH", "/api/users/"+added.ID, `{"name":"Eve","disabled":true}`), 200)
	if changed.Name != "Eve" || !changed.Disabled || changed.Role != "admin" {
		t.Fatalf("%+v", changed)
	}
	list := decode[client.List[client.User]](t, ask(root, "GET", "/api/users?limit=2", ""), 200)
	if len(list.Items) != 2 || list.NextCursor == "" || list.Items[0].ID != rootIn.User.ID {
		t.Fatalf("%+v", list)
	}
	if strings.Contains(ask(root, "GET", "/api/users", "").Body.String(), "argon2") {
		t.Error("a password's hash is shown")
	}
	if w := ask(root, "DELETE", "/api/users/"+bobIn.User.ID, ""); w.Code != 204 {
		t.Fatalf("%d", w.Code)
	}
	wantProblem(t, ask(bob, "GET", "/api/tasks", ""), 401)
	// Acting for an account by its email.
	w := e.ask(t, doorSocket, "POST", "/api/tasks", `{"docker_image":"alpine"}`, client.UserHeader+": eve@example.org")
	if got := decode[client.Task](t, w, 201); got.UserID != added.ID {
		t.Errorf("%+v", got)
	}
	wantProblem(t, e.ask(t, doorSocket, "GET", "/api/tasks", "", client.UserHeader+": nobody@example.org"), 401)
}
