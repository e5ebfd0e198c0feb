// Package cli is the prompt and the one-shot commands. It knows nothing but
// the client of the REST API: what it can do, any program can do.
//
// A line typed at the prompt and the arguments of one process take the same
// way: a fresh tree of commands, one run of it, an exit code.
package cli
