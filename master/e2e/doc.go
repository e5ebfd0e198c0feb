// Package e2e drives the real binaries, bin/master and bin/worker, against a
// real Docker engine, and holds them to the contract from the outside: through
// the socket, the command line, the disk and the engine's own account of what
// ran. Its tests need the build tag engine; `make e2e` builds the binaries and
// runs them.
//
// They touch only processes that they started and containers that carry the
// label of their own cluster.
//
// A test that asserts a deadline, a first attempt under a short heartbeat, or what
// a process takes, runs alone. The others say t.Parallel and run a few at a time
// when those are through.
package e2e
