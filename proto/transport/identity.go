package transport

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

const (
	fingerprintPrefix = "sha256:"
	pemCertificate    = "CERTIFICATE"
	pemKey            = "PRIVATE KEY"
)

var (
	identityName    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	fingerprintForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Identity is who a process is on the wire. The zero value has no certificate:
// every handshake with it fails.
type Identity struct {
	// Certificate is self-signed, with its key. It is empty without TLS.
	Certificate tls.Certificate
	// Fingerprint is that of Certificate, as from [Fingerprint]. It is empty
	// without TLS.
	Fingerprint string

	plaintext bool
}

// Plaintext says that connections of this identity are neither encrypted nor
// authenticated; see [PlaintextIdentity].
func (id Identity) Plaintext() bool { return id.plaintext }

// Fingerprint names a DER certificate: "sha256:" and the hash in lower-case hex.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return fingerprintPrefix + hex.EncodeToString(sum[:])
}

// LoadOrCreateIdentity reads the identity in dir/name.pem, or makes it when
// there is none. The file holds certificate and key together, so that neither
// can be there without the other. Processes that start at once get the same
// identity. A damaged file is an error that names it: a new identity in its
// place would silently lock out everyone who pinned the old one.
func LoadOrCreateIdentity(dir, name string) (Identity, error) {
	if !identityName.MatchString(name) {
		return Identity{}, fmt.Errorf("%q can't name an identity: use lower-case letters, digits and dashes", name)
	}
	path := filepath.Join(dir, name+".pem")
	id, err := loadIdentity(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	content, err := newIdentityPEM(name)
	if err != nil {
		return Identity{}, fmt.Errorf("make an identity: %w", err)
	}
	if err := createFile(path, content); err != nil && !errors.Is(err, fs.ErrExist) {
		return Identity{}, fmt.Errorf("keep the identity: %w", err)
	}
	// Whatever stands there now counts, also when another process was faster.
	return loadIdentity(path)
}

func loadIdentity(path string) (Identity, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Identity{}, fmt.Errorf("read the identity: %w", err)
	}
	id, err := parseIdentity(content)
	if err != nil {
		return Identity{}, fmt.Errorf("the identity in %s is damaged (%w): restore the file, "+
			"or remove it to get a new identity, which those who pinned the old one will refuse", path, err)
	}
	if err := closeToOthers(path); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// parseIdentity reads one certificate and one key and nothing else: what is
// left over hints at a file that was edited or cut.
func parseIdentity(content []byte) (Identity, error) {
	var blocks [2][]byte // certificate, key
	for i, kind := range []string{pemCertificate, pemKey} {
		block, rest := pem.Decode(content)
		if block == nil || block.Type != kind {
			return Identity{}, fmt.Errorf("no %s where one should be", kind)
		}
		blocks[i], content = pem.EncodeToMemory(block), rest
	}
	if len(bytes.TrimSpace(content)) > 0 {
		return Identity{}, errors.New("something follows the key")
	}
	cert, err := tls.X509KeyPair(blocks[0], blocks[1])
	if err != nil {
		return Identity{}, err
	}
	// The key pair fits whatever else was changed in the certificate, but the
	// fingerprint does not survive it.
	if leaf := cert.Leaf; leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) != nil {
		return Identity{}, errors.New("the certificate is not as it was signed")
	}
	return Identity{Certificate: cert, Fingerprint: Fingerprint(cert.Certificate[0])}, nil
}

// newIdentityPEM makes a P-256 key and a certificate that it signs itself. The
// certificate is valid at any time: it is pinned, not expired, and a wrong
// clock must not part a worker from its master. Its names matter only to
// clients that check names because they can't pin.
func newIdentityPEM(name string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"CloudAI"}, CommonName: name},
		DNSNames:              []string{name, "localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:             time.Date(1970, time.January, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC), // RFC 5280, 4.1.2.5: no end
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	content := pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: cert})
	return append(content, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: keyDER})...), nil
}
