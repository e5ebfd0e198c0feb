package transport

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The bytes are part of the protocol: master and worker may differ in version.
func TestProofStaysTheSame(t *testing.T) {
	got := hex.EncodeToString(Proof("secret", []byte("challenge"), "sha256:aa", "sha256:bb", "w1", "s1"))
	if want := "7739586eae315d9a9e37c5f3f85f75c385555d73f2a1236a7f84f08451347f64"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestProofHoldsForOneCaseOnly(t *testing.T) {
	type proof struct {
		secret, challenge, master, worker, id, session string
	}
	of := func(p proof) []byte {
		return Proof(p.secret, []byte(p.challenge), p.master, p.worker, p.id, p.session)
	}
	right := proof{"secret", "challenge", fingerprintA, fingerprintB, "w1", "s1"}
	if !ProofHolds(of(right), of(right)) {
		t.Error("the right proof does not hold")
	}
	for name, change := range map[string]func(*proof){
		"secret":          func(p *proof) { p.secret = "Secret" },
		"no secret":       func(p *proof) { p.secret = "" },
		"challenge":       func(p *proof) { p.challenge = "Challenge" },
		"master":          func(p *proof) { p.master = fingerprintB },
		"worker":          func(p *proof) { p.worker = fingerprintA },
		"ends swapped":    func(p *proof) { p.master, p.worker = p.worker, p.master },
		"id":              func(p *proof) { p.id = "w2" },
		"session":         func(p *proof) { p.session = "s2" },
		"moved border":    func(p *proof) { p.id, p.session = "w", "1s1" },
		"moved challenge": func(p *proof) { p.challenge, p.master = p.challenge+p.master[:1], p.master[1:] },
		"all in one":      func(p *proof) { p.id, p.session = "w1s1", "" },
	} {
		other := right
		change(&other)
		if ProofHolds(of(other), of(right)) {
			t.Errorf("%s: it holds", name)
		}
	}
	sent := of(right)
	for name, bad := range map[string][]byte{
		"absent": nil, "empty": {}, "cut": sent[:31], "longer": append(bytes.Clone(sent), 0), "zeros": make([]byte, 32),
	} {
		if ProofHolds(bad, of(right)) {
			t.Errorf("%s: it holds", name)
		}
	}
	if ProofHolds(nil, nil) {
		t.Error("nothing proves nothing")
	}
}

func TestChallengesDiffer(t *testing.T) {
	a, b := NewChallenge(), NewChallenge()
	if len(a) != ChallengeSize || bytes.Equal(a, b) || bytes.Equal(a, make([]byte, ChallengeSize)) {
		t.Errorf("%x and %x", a, b)
	}
}
