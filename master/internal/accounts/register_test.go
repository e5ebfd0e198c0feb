package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

func TestFirstAccount(t *testing.T) {
	o := newOffice(t)
	code := o.SetupCode()
	if len(code) < 12 {
		t.Fatalf("setup code %q", code)
	}
	_, err := o.Register(t.Context(), person("mallory"), false)
	o.wantErr("from elsewhere", err, cluster.ErrDenied)
	wrong := person("mallory")
	wrong.SetupCode = code[:len(code)-1]
	_, err = o.Register(t.Context(), wrong, false)
	o.wantErr("with a wrong code", err, cluster.ErrDenied)
	wrong.Password = ""
	_, err = o.Register(t.Context(), wrong, false)
	o.wantErr("the door comes before the form", err, cluster.ErrDenied)

	right := person("ann")
	right.SetupCode = code
	s, err := o.Register(t.Context(), right, false)
	if err != nil || s.User.Role != cluster.RoleAdmin || !s.ExpiresAt.Equal(o.now.Add(time.Hour).Truncate(time.Second)) {
		t.Fatalf("%+v, %v", s, err)
	}
	if o.SetupCode() != "" {
		t.Fatal("the code outlives the setup")
	}
	if s := o.register("bob"); s.User.Role != cluster.RoleUser {
		t.Fatalf("the second one is %s", s.User.Role)
	}
	o.restart()
	if o.SetupCode() != "" {
		t.Fatal("a restart sets up again")
	}
	if p, err := o.who(s.Token); err != nil || p.UserID != s.User.ID || !p.Admin() {
		t.Fatalf("the sign-in after a restart: %+v, %v", p, err)
	}
}

// Of many who want to be first one becomes the administrator.
func TestRaceToBeFirst(t *testing.T) {
	o := newOffice(t)
	var admins, others int
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			s, err := o.Register(context.Background(), person(fmt.Sprint("p", n)), true)
			for errors.Is(err, cluster.ErrBusy) {
				s, err = o.Register(context.Background(), person(fmt.Sprint("p", n)), true)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case s.User.Role == cluster.RoleAdmin:
				admins++
			default:
				others++
			}
		})
	}
	all.Wait()
	if admins != 1 || others != 5 {
		t.Fatalf("%d administrators, %d others", admins, others)
	}
}

func TestClosedRegistration(t *testing.T) {
	o := newOffice(t)
	o.open = false
	o.restart()
	ann := o.register("ann") // somebody has to begin
	_, err := o.Register(t.Context(), person("bob"), true)
	o.wantErr("a second one", err, cluster.ErrDenied)
	admin, _ := o.who(ann.Token)
	if _, err := o.AddUser(t.Context(), admin, NewUser{Name: "bob", Email: "bob@example.org", Password: password}); err != nil {
		t.Fatal(err)
	}
}

func TestRegistrationNamesEachBadField(t *testing.T) {
	o := newOffice(t)
	o.register("ann")
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		r    Registration
		want []string
	}{
		{Registration{}, []string{"name", "email", "password"}},
		{Registration{Name: " \t", Email: "x", Password: "short"}, []string{"name", "email", "password"}},
		{Registration{Name: "a\x1b[2J", Email: "a b@c.d", Password: strings.Repeat("x", 129)}, []string{"name", "email", "password"}},
		{Registration{Name: long, Email: long + "@example.org", Password: "\xff\xff\xff\xff\xff\xff\xff\xff"}, []string{"name", "email", "password"}},
		{Registration{Name: "\u202egnal", Email: "Ann <ann@example.org>", Password: password}, []string{"name", "email"}},
		{Registration{Name: "ok", Email: "a@b\r\nBcc: x@y", Password: password}, []string{"email"}},
		{Registration{Name: "ok", Email: "\"a\x00\"@b.c", Password: password}, []string{"email"}},
		{Registration{Name: "ok", Email: "a,b@c.d", Password: "ééééééé"}, []string{"email", "password"}},
	} {
		_, err := o.Register(t.Context(), c.r, true)
		var invalid *cluster.InvalidError
		if !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", c.r, err)
			continue
		}
		var got []string
		for _, f := range invalid.Fields {
			got = append(got, f.Location)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%+v: %v, want %v", c.r, got, c.want)
		}
	}
	for _, r := range []Registration{
		{Name: "Zoë 🦊", Email: "o'neil+x@sub.example.org", Password: "pässwörd"}, // eight characters
		{Name: "x", Email: "x@localhost", Password: strings.Repeat("é", 128)},
	} {
		if _, err := o.Register(t.Context(), r, true); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
	_, err := o.Register(t.Context(), Registration{Name: "x", Email: "ANN@Example.org", Password: password}, true)
	o.wantErr("an email that is taken", err, cluster.ErrConflict)
}
