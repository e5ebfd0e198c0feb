// Package agent owns the attempts that run on this worker: from their
// acceptance until the master has acknowledged their result. It registers,
// sends heartbeats, and settles with the master what may run.
//
// [Machine] takes all decisions. It has no goroutine, clock or I/O: its inputs
// are method calls with the time, its outputs are lists of [Action] and the
// next deadline. [Agent] feeds it: it carries actions out in goroutines that it
// owns and hands their results back.
//
// The agent keeps no record of its own. Containers with their labels, stored
// log and exit code, and the bound output folders, are what a new process
// finds; they are removed only after the master has the result.
package agent
