package transport

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// ChallengeSize is the length of a challenge in bytes.
const ChallengeSize = 32

// proofContext keeps a proof from ever being taken for another MAC under the
// same secret.
const proofContext = "cloudai1 worker knows the join secret"

// NewChallenge returns what a worker has not been asked before.
func NewChallenge() []byte {
	challenge := make([]byte, ChallengeSize)
	_, _ = rand.Read(challenge) // never fails
	return challenge
}

// Proof shows whoever knows the join secret that its sender knows it, too, and
// tells nothing about it to anybody else: it is the HMAC-SHA256 under the
// secret over
//
//   - a fixed text, so that it proves this and nothing else;
//   - the challenge, so that a proof that was overheard is of no use later;
//   - the fingerprints of both ends of the connection, so that it can't be
//     relayed: who stands between a master and a worker has to show either of
//     them a certificate of its own;
//   - the worker's id and session, so that they are the worker's own words.
//
// Each part comes with its length before it, so that no two lists of parts are
// the same bytes. The fingerprints are empty without TLS, which does not leave
// the machine.
func Proof(secret string, challenge []byte, masterFingerprint, workerFingerprint, workerID, session string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	for _, part := range [][]byte{
		[]byte(proofContext), challenge, []byte(masterFingerprint), []byte(workerFingerprint), []byte(workerID), []byte(session),
	} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// ProofHolds compares what was sent as a proof with what [Proof] gives, in a
// time that tells nothing about it. An empty one never holds.
func ProofHolds(sent, want []byte) bool { return len(want) > 0 && hmac.Equal(sent, want) }
