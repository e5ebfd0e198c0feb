package accounts

import (
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/faultstore"
)

func TestLogin(t *testing.T) {
	o := newOffice(t)
	o.register("ann")
	s, err := o.Login(t.Context(), "Ann@EXAMPLE.org", password, there)
	if err != nil || s.User.Name != "ann" {
		t.Fatalf("%+v, %v", s, err)
	}
	for _, c := range [][2]string{{"ann@example.org", "wrong"}, {"nobody@example.org", password}, {"ann@example.org", strings.Repeat("x", 200)}, {strings.Repeat("x", 300), password}} {
		_, err := o.Login(t.Context(), c[0], c[1], there)
		o.wantErr(c[0], err, cluster.ErrUnauthenticated)
		if strings.Contains(err.Error(), "nobody") {
			t.Errorf("%v tells who has an account", err)
		}
	}
	_, err = o.Login(t.Context(), "", "", there)
	o.wantErr("an empty form", err, cluster.ErrInvalid)
	o.store.FailAt(1, faultstore.Refused)
	_, err = o.Login(t.Context(), "ann@example.org", password, there)
	o.wantErr("without the store", err, cluster.ErrUnavailable)
	o.now = o.now.Add(time.Hour)
	_, err = o.who(s.Token)
	o.wantErr("an hour later", err, cluster.ErrUnauthenticated)
}

// A sign-in that was ended stays so, whatever happens to the master; the others
// of the account go on.
func TestLogout(t *testing.T) {
	o := newOffice(t)
	one := o.register("ann")
	two, err := o.Login(t.Context(), "ann@example.org", password, there)
	if err != nil {
		t.Fatal(err)
	}
	o.store.FailWriteAt(1, faultstore.Refused)
	o.wantErr("without the store", o.Logout(t.Context(), one.Token), cluster.ErrUnavailable)
	if _, err := o.who(one.Token); err != nil {
		t.Fatalf("half signed out: %v", err)
	}
	for range 2 { // once more changes nothing
		if err := o.Logout(t.Context(), one.Token); err != nil {
			t.Fatal(err)
		}
		_, err = o.who(one.Token)
		o.wantErr("signed out", err, cluster.ErrUnauthenticated)
		o.restart()
	}
	if _, err := o.who(two.Token); err != nil {
		t.Fatalf("the other sign-in: %v", err)
	}
	o.now = o.now.Add(2 * time.Hour)
	three, _ := o.Login(t.Context(), "ann@example.org", password, there)
	if err := o.Logout(t.Context(), three.Token); err != nil || len(o.ended) != 1 {
		t.Fatalf("%d sign-ins are remembered as over, %v", len(o.ended), err)
	}
}

func TestChangePassword(t *testing.T) {
	o := newOffice(t)
	s := o.register("ann")
	p, _ := o.who(s.Token)
	_, err := o.ChangePassword(t.Context(), p, "wrong", "another one", there)
	o.wantErr("with a wrong one", err, cluster.ErrInvalid)
	_, err = o.ChangePassword(t.Context(), p, password, "short", there)
	o.wantErr("to a short one", err, cluster.ErrInvalid)
	_, err = o.ChangePassword(t.Context(), root, password, "another one", there)
	o.wantErr("of nobody's account", err, cluster.ErrDenied)
	narrow := p
	narrow.Scopes = cluster.Scopes
	_, err = o.ChangePassword(t.Context(), narrow, password, "another one", there)
	o.wantErr("by an API token", err, cluster.ErrDenied)

	now, err := o.ChangePassword(t.Context(), p, password, "another one", there)
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.who(s.Token)
	o.wantErr("the sign-in before", err, cluster.ErrUnauthenticated)
	if _, err := o.who(now.Token); err != nil {
		t.Fatal(err)
	}
	_, err = o.Login(t.Context(), "ann@example.org", password, there)
	o.wantErr("with the one before", err, cluster.ErrUnauthenticated)
	if _, err := o.Login(t.Context(), "ann@example.org", "another one", there); err != nil {
		t.Fatal(err)
	}
}

// A store that does not answer is no reason to take anybody for nobody.
func TestIdentifyWithoutStore(t *testing.T) {
	o := newOffice(t)
	s := o.register("ann")
	ann, _ := o.who(s.Token)
	_, secret, err := o.AddToken(t.Context(), ann, NewToken{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	o.store.Use(func(faultstore.Call) faultstore.Fault { return faultstore.Fault{Err: db.ErrUnavailable} })
	for _, c := range []string{s.Token, secret} {
		_, err := o.who(c)
		o.wantErr(c, err, cluster.ErrUnavailable)
	}
}
