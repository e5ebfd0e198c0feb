package accounts

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"cloudai/master/internal/cluster"
)

func TestManagingAccounts(t *testing.T) {
	o := newOffice(t)
	annIn, bobIn := o.register("ann"), o.register("bob")
	ann, _ := o.who(annIn.Token)
	bob, _ := o.who(bobIn.Token)
	change := func(p cluster.Principal, id cluster.UserID, c UserChange) error {
		_, err := o.ChangeUser(t.Context(), p, id, c)
		return err
	}
	yes, no, admin, user, fresh := true, false, cluster.RoleAdmin, cluster.RoleUser, "a fresh one"

	_, err := o.Users(t.Context(), bob)
	o.wantErr("users by a user", err, cluster.ErrDenied)
	_, err = o.AddUser(t.Context(), bob, NewUser{})
	o.wantErr("adding by a user", err, cluster.ErrDenied)
	o.wantErr("a change by a user", change(bob, bob.UserID, UserChange{Role: &admin}), cluster.ErrDenied)
	o.wantErr("a removal by a user", o.RemoveUser(t.Context(), bob, ann.UserID), cluster.ErrDenied)
	o.wantErr("of nobody", change(ann, "x", UserChange{}), cluster.ErrNotFound)
	o.wantErr("demoting oneself", change(ann, ann.UserID, UserChange{Role: &user}), cluster.ErrConflict)
	o.wantErr("disabling oneself", change(ann, ann.UserID, UserChange{Disabled: &yes}), cluster.ErrConflict)
	o.wantErr("removing oneself", o.RemoveUser(t.Context(), ann, ann.UserID), cluster.ErrConflict)

	if err := change(ann, bob.UserID, UserChange{Role: &admin}); err != nil {
		t.Fatal(err)
	}
	if p, err := o.who(bobIn.Token); err != nil || !p.Admin() {
		t.Fatalf("a role counts at once: %+v, %v", p, err)
	}
	if err := change(ann, bob.UserID, UserChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	_, err = o.who(bobIn.Token)
	o.wantErr("disabled", err, cluster.ErrUnauthenticated)
	_, err = o.Login(t.Context(), "bob@example.org", password, there)
	o.wantErr("signing in while disabled", err, cluster.ErrDenied)
	if err := change(ann, bob.UserID, UserChange{Disabled: &no, Password: &fresh}); err != nil {
		t.Fatal(err)
	}
	_, err = o.who(bobIn.Token)
	o.wantErr("enabled again, the old sign-in", err, cluster.ErrUnauthenticated)
	again, err := o.Login(t.Context(), "bob@example.org", fresh, there)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.RemoveUser(t.Context(), ann, bob.UserID); err != nil {
		t.Fatal(err)
	}
	_, err = o.who(again.Token)
	o.wantErr("removed", err, cluster.ErrUnauthenticated)
	if list, err := o.Users(t.Context(), root); err != nil || len(list) != 1 || list[0].ID != ann.UserID {
		t.Fatalf("%+v, %v", list, err)
	}
}

// Whoever asks, an administrator is left; of two that turn on each other, one.
func TestLastAdministrator(t *testing.T) {
	o := newOffice(t)
	annIn, bobIn := o.register("ann"), o.register("bob")
	ann, _ := o.who(annIn.Token)
	yes, admin, user := true, cluster.RoleAdmin, cluster.RoleUser
	change := func(p cluster.Principal, id cluster.UserID, c UserChange) error {
		_, err := o.ChangeUser(t.Context(), p, id, c)
		return err
	}
	o.wantErr("demoting", change(root, ann.UserID, UserChange{Role: &user}), cluster.ErrConflict)
	o.wantErr("disabling", change(root, ann.UserID, UserChange{Disabled: &yes}), cluster.ErrConflict)
	o.wantErr("removing", o.RemoveUser(t.Context(), root, ann.UserID), cluster.ErrConflict)
	name := "Ann the Second"
	if err := change(root, ann.UserID, UserChange{Name: &name, Role: &admin}); err != nil {
		t.Fatalf("what leaves her an administrator: %v", err)
	}
	if err := change(ann, bobIn.User.ID, UserChange{Role: &admin}); err != nil {
		t.Fatal(err)
	}
	bob, _ := o.who(bobIn.Token)
	var gone atomic.Int64
	var both sync.WaitGroup
	for _, c := range []struct {
		by cluster.Principal
		of cluster.UserID
	}{{ann, bob.UserID}, {bob, ann.UserID}} {
		both.Go(func() {
			if err := o.RemoveUser(context.Background(), c.by, c.of); err == nil {
				gone.Add(1)
			} else if !errors.Is(err, cluster.ErrConflict) {
				t.Error(err)
			}
		})
	}
	both.Wait()
	left, err := o.Users(t.Context(), root)
	if err != nil || gone.Load() != 1 || len(left) != 1 || !administers(left[0]) {
		t.Fatalf("%d removed, left are %+v, %v", gone.Load(), left, err)
	}
}

// With the last account that is no administrator's the setup begins again.
func TestNobodyIsLeft(t *testing.T) {
	o := newOffice(t)
	u, err := o.AddUser(t.Context(), root, NewUser{Name: "bob", Email: "bob@example.org", Password: password})
	if err != nil || o.SetupCode() != "" {
		t.Fatalf("%v, setup code %q", err, o.SetupCode())
	}
	if err := o.RemoveUser(t.Context(), root, u.ID); err != nil || o.SetupCode() == "" {
		t.Fatalf("%v, setup code %q", err, o.SetupCode())
	}
}

// Who has verified the old password just before an administrator's reset does
// not undo it.
func TestResetBeatsAPasswordChangeUnderWay(t *testing.T) {
	o := newOffice(t)
	in := o.register("bob")
	seen, err := o.user(t.Context(), in.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	reset, stolen := "by the administrator", "by the thief"
	if _, err := o.ChangeUser(t.Context(), root, seen.ID, UserChange{Password: &reset}); err != nil {
		t.Fatal(err)
	}
	_, err = o.change(t.Context(), seen.ID, UserChange{Password: &stolen}, &seen)
	o.wantErr("the change", err, cluster.ErrUnauthenticated)
	if _, err := o.Login(t.Context(), "bob@example.org", reset, there); err != nil {
		t.Fatal(err)
	}
}
