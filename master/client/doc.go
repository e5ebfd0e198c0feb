// Package client speaks CloudAI's REST API: over the Unix socket of a master
// on this machine, where no login is needed, or over HTTP with a token.
//
// It also holds the API's shapes, the one definition of them: the master's
// REST edge encodes the very types that this package decodes, so the two
// cannot drift apart. It imports nothing of the master's internals, so that
// others can import it.
//
// Units: CPU in cores, memory and storage in MiB, GPU in devices, other sizes
// in bytes, times in UTC, durations Go style ("90s").
package client
