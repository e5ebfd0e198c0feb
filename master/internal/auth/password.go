package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"cloudai/master/internal/cluster"
)

// The cost of one hash: the second of the two settings of RFC 9106 scaled to
// what a master can spare, as OWASP's cheat sheet has it (19 MiB, two passes,
// one lane).
const (
	hashMemory = 19 * 1024 // KiB
	hashPasses = 2
	hashLanes  = 1
	hashSize   = 32 // bytes
	saltSize   = 16 // bytes
)

// Bounds of what Verify does at the word of a stored hash.
const (
	mostMemory = 1 << 20 // KiB
	mostPasses = 16
	mostLanes  = 16
)

// AtOnce is how many passwords are hashed at a time.
const AtOnce = 2

var encoding = base64.RawStdEncoding

// Hasher hashes passwords with Argon2id, AtOnce at a time, so that sign-ins
// neither fill the memory nor starve the rest. It is safe for concurrent use.
type Hasher struct {
	turns chan struct{}
	dummy string // what nobody's password hashes to
}

// NewHasher makes a Hasher.
func NewHasher() *Hasher {
	// A hash of the usual cost that fits no password: its digest is zero.
	dummy := encode(hashMemory, hashPasses, hashLanes, make([]byte, saltSize), make([]byte, hashSize))
	return &Hasher{turns: make(chan struct{}, AtOnce), dummy: dummy}
}

// turn takes one of the turns; cluster.ErrBusy when all are taken.
func (h *Hasher) turn() (release func(), err error) {
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	default:
		return nil, fmt.Errorf("%w: too many sign-ins at once; try again in a moment", cluster.ErrBusy)
	}
}

// Hash gives what to keep of a password, in the PHC string format.
// cluster.ErrBusy when too many are hashed at the moment.
func (h *Hasher) Hash(password string) (string, error) {
	release, err := h.turn()
	if err != nil {
		return "", err
	}
	defer release()
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	digest := argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashLanes, hashSize)
	return encode(hashMemory, hashPasses, hashLanes, salt, digest), nil
}

// Verify reports whether the password is the one that was hashed. An empty
// hash stands for nobody's: it takes as long and fits nothing. cluster.ErrBusy
// when too many are hashed at the moment.
func (h *Hasher) Verify(hash, password string) (bool, error) {
	if hash == "" {
		hash = h.dummy
	}
	p, err := parse(hash)
	if err != nil {
		return false, err
	}
	release, err := h.turn()
	if err != nil {
		return false, err
	}
	defer release()
	got := argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.lanes, uint32(len(p.digest))) //nolint:gosec // of a stored hash, which is a line of text
	return subtle.ConstantTimeCompare(got, p.digest) == 1 && hash != h.dummy, nil
}

func encode(memory, passes uint32, lanes uint8, salt, digest []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes,
		encoding.EncodeToString(salt), encoding.EncodeToString(digest))
}

type phc struct {
	memory, passes uint32
	lanes          uint8
	salt, digest   []byte
}

var errHash = errors.New("a stored password hash cannot be read")

// parse reads what encode wrote.
func parse(hash string) (p phc, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); err != nil {
		return p, errHash
	}
	if p.memory == 0 || p.memory > mostMemory || p.passes == 0 || p.passes > mostPasses || p.lanes == 0 || p.lanes > mostLanes {
		return p, errHash
	}
	salt, err1 := encoding.DecodeString(parts[4])
	digest, err2 := encoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(salt) == 0 || len(digest) == 0 {
		return p, errHash
	}
	p.salt, p.digest = salt, digest
	return p, nil
}
