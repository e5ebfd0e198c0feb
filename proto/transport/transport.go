// Package transport is what the two ends of a connection must agree on:
// identities, pinned TLS, the join token, keepalive, message limits and the
// reasons of failures.
//
// There is no certificate authority. Each process makes a self-signed
// certificate once and keeps it; its fingerprint is its name. A worker learns
// the master's fingerprint from the join token, the master learns the worker's
// from its registration, and both accept nothing else afterwards. Who a
// fingerprint belongs to, and what it may do, is decided by the callers: this
// package only makes sure that the far end owns it.
package transport

// Sizes in bytes.
const (
	// MaxMessage is the largest message either end accepts or sends.
	MaxMessage = 4 << 20
	// LogChunk is the most log data that one message carries.
	LogChunk = 64 << 10
	// FileChunk is the most file data that one message carries.
	FileChunk = 256 << 10
	// LogTail is the most log data that a task's result carries.
	LogTail = 64 << 10
)
