package http

import (
	"testing"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// Everybody sees what their own files take and may take, administrators also
// what everybody's do.
func TestFileUse(t *testing.T) {
	e := newEdge(t)
	bearer, ann := e.signUp(t, "ann") // the administrator
	other, bob := e.signUp(t, "bob")
	id := e.submit(t, cluster.UserID(bob.User.ID), cluster.TaskRequest{})
	e.publish(t, cluster.UserID(bob.User.ID), id, map[string]string{"a": "12345"})
	e.core.SetQuota(7)

	want := func(what string, u client.User, used int64) {
		t.Helper()
		if u.Files == nil || u.Files.Used != used || u.Files.Quota == nil || *u.Files.Quota != 7 {
			t.Errorf("%s: %+v", what, u.Files)
		}
	}
	want("bob's own", decode[client.User](t, e.from(t, elsewhere, "GET", "/api/auth/me", "", other), 200), 5)
	want("ann's own", decode[client.User](t, e.from(t, elsewhere, "GET", "/api/auth/me", "", bearer), 200), 0)
	list := decode[client.List[client.User]](t, e.from(t, elsewhere, "GET", "/api/users", "", bearer), 200)
	if len(list.Items) != 2 {
		t.Fatalf("%+v", list)
	}
	for _, u := range list.Items {
		want(u.Name, u, map[string]int64{ann.User.ID: 0, bob.User.ID: 5}[u.ID])
	}
	wantProblem(t, e.from(t, elsewhere, "GET", "/api/users", "", other), 403)
	want("after a change", decode[client.User](t, e.from(t, elsewhere, "PATCH", "/api/users/"+bob.User.ID, `{"name":"Bob"}`, bearer), 200), 5)
}
