// Package coordinator is the one owner of task and worker state. Every change
// goes through it, in one order: decide, persist with compare-and-set, apply,
// publish.
//
// machine holds the decisions. It is a step function split into methods:
// message and time go in; writes, orders to workers and the next deadline come
// out. It has no goroutine, no clock and no I/O. Coordinator drives it: it
// takes the lock, lets the machine decide, releases the lock, carries out what
// came back and feeds the outcome in again.
package coordinator
