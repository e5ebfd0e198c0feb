package transport

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// FingerprintError says that the far end is not the one that was pinned.
type FingerprintError struct {
	Want, Got string
}

// Error names both fingerprints.
func (e *FingerprintError) Error() string {
	return fmt.Sprintf("the other end is not the expected one: its certificate is %s, pinned is %s", e.Got, e.Want)
}

// ServerCredentials accepts TLS 1.3 from any client that has a certificate and
// its key, or, when id is plaintext, unencrypted connections from loopback.
// Handlers must check who it is with [PeerFingerprint].
func ServerCredentials(id Identity) credentials.TransportCredentials {
	if id.plaintext {
		return newPlaintextCredentials()
	}
	config := baseConfig(id)
	// The handshake proves that the client owns the certificate's key. Go
	// verifies chains and dates only from VerifyClientCertIfGiven on, which is
	// as it should be: there is no authority to chain to, and the trust in a
	// pinned certificate ends when the pin is removed, not at a date.
	config.ClientAuth = tls.RequireAnyClientCert
	// A resumed session would skip the proof of the key.
	config.SessionTicketsDisabled = true
	return credentials.NewTLS(config)
}

// ClientCredentials presents id and accepts only the server with the pinned
// fingerprint, over TLS 1.3; another one fails the handshake with a
// [FingerprintError]. When id is plaintext, nothing is encrypted or checked but
// that the server is on loopback.
func ClientCredentials(id Identity, pinned string) credentials.TransportCredentials {
	if id.plaintext {
		return newPlaintextCredentials()
	}
	config := baseConfig(id)
	// What InsecureSkipVerify skips are the chain, the host name and the dates.
	// The pin replaces all three; the proof of the key is not skipped.
	config.InsecureSkipVerify = true
	// VerifyConnection, not VerifyPeerCertificate: it also runs for resumed
	// sessions.
	config.VerifyConnection = func(state tls.ConnectionState) error {
		return checkPin(state, pinned)
	}
	return credentials.NewTLS(config)
}

// UnpinnedCredentials presents id and accepts any server with a certificate,
// over TLS 1.3, for a first call to somebody who is not known yet. Nothing may
// be said on such a connection that not everybody may hear; who it was tells
// [FingerprintOf] afterwards. When id is plaintext, they are as from
// [ClientCredentials].
func UnpinnedCredentials(id Identity) credentials.TransportCredentials {
	if id.plaintext {
		return newPlaintextCredentials()
	}
	config := baseConfig(id)
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if _, ok := stateFingerprint(state); !ok {
			return errNoCertificate
		}
		return nil
	}
	return credentials.NewTLS(config)
}

var errNoCertificate = errors.New("the other end has no certificate")

func baseConfig(id Identity) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	if len(id.Certificate.Certificate) > 0 {
		config.Certificates = []tls.Certificate{id.Certificate}
	}
	return config
}

func checkPin(state tls.ConnectionState, pinned string) error {
	if !fingerprintForm.MatchString(pinned) {
		return fmt.Errorf("%q is not a fingerprint to pin", pinned)
	}
	got, ok := stateFingerprint(state)
	if !ok {
		return errNoCertificate
	}
	if subtle.ConstantTimeCompare([]byte(got), []byte(pinned)) != 1 {
		return &FingerprintError{Want: pinned, Got: got}
	}
	return nil
}

// PeerFingerprint returns the fingerprint of the far end of the call that ctx
// belongs to. It is absent without TLS.
func PeerFingerprint(ctx context.Context) (string, bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "", false
	}
	return FingerprintOf(p)
}

// FingerprintOf returns the fingerprint of the far end of the call that filled
// p, as grpc.Peer has it done. It is absent without TLS.
func FingerprintOf(p *peer.Peer) (string, bool) {
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return "", false
	}
	return stateFingerprint(info.State)
}

func stateFingerprint(state tls.ConnectionState) (string, bool) {
	if len(state.PeerCertificates) == 0 {
		return "", false
	}
	return Fingerprint(state.PeerCertificates[0].Raw), true
}
