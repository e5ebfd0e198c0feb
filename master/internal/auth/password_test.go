package auth

import (
	"errors"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
)

func TestPasswords(t *testing.T) {
	h := NewHasher()
	hash, err := h.Hash("correct horse")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q, %v", hash, err)
	}
	if again, _ := h.Hash("correct horse"); again == hash {
		t.Fatal("the same password hashes to the same value twice")
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horse ": false, "Correct horse": false, "": false} {
		if ok, err := h.Verify(hash, password); ok != want || err != nil {
			t.Errorf("%q: %v, %v", password, ok, err)
		}
	}
	if ok, err := h.Verify("", ""); ok || err != nil {
		t.Errorf("nobody's password: %v, %v", ok, err)
	}
}

// A hash that the store has lost bytes of is an error, not a no, and costs no
// more than one of ours.
func TestDamagedHashes(t *testing.T) {
	h := NewHasher()
	for _, hash := range []string{
		"x", "$argon2i$v=19$m=8,t=1,p=1$AAAA$AAAA", "$argon2id$v=16$m=8,t=1,p=1$AAAA$AAAA", "$argon2id$v=19$m=8,t=1$AAAA$AAAA",
		"$argon2id$v=19$m=4294967295,t=1,p=1$AAAA$AAAA", "$argon2id$v=19$m=8,t=99,p=1$AAAA$AAAA", "$argon2id$v=19$m=8,t=1,p=0$AAAA$AAAA",
		"$argon2id$v=19$m=8,t=1,p=1$$AAAA", "$argon2id$v=19$m=8,t=1,p=1$AAAA$", "$argon2id$v=19$m=8,t=1,p=1$!$AAAA",
	} {
		if ok, err := h.Verify(hash, "x"); ok || err == nil {
			t.Errorf("%s: %v, %v", hash, ok, err)
		}
	}
}

func TestTwoAtATime(t *testing.T) {
	h := NewHasher()
	var release []func()
	for range AtOnce {
		r, err := h.turn()
		if err != nil {
			t.Fatal(err)
		}
		release = append(release, r)
	}
	if _, err := h.Hash("x"); !errors.Is(err, cluster.ErrBusy) {
		t.Fatalf("a third one: %v", err)
	}
	if _, err := h.Verify("", "x"); !errors.Is(err, cluster.ErrBusy) {
		t.Fatalf("a third one: %v", err)
	}
	release[0]()
	if _, err := h.Hash("x"); err != nil {
		t.Fatalf("once one is done: %v", err)
	}
}
