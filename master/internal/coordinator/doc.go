// Package coordinator is the one owner of task and worker state. Every change
// goes through it, in one order: decide, persist with compare-and-set, apply,
// publish.
//
// machine holds the decisions. It is a step function split into methods:
// message and time go in; writes, orders to workers and the next deadline come
// out. It has no goroutine, no clock and no I/O. Coordinator drives it: it
// takes the lock, lets the machine decide, releases the lock, carries out what
// came back and feeds the outcome in again. A file is about one event and has
// both: the machine's methods first, then the Coordinator's.
//
// To read it in one sitting:
//
//   - what it remembers and says: task.go, worker.go, machine.go, step.go
//   - what drives it: decide.go, coordinator.go (errands.go, turns.go), commit.go
//   - a task's way: submit.go, dispatch.go, report.go, result.go
//   - a worker's way: register.go, heartbeat.go, loss.go, removal.go
//   - who else may place tasks: agent.go
//   - what people change: cancel.go, edit.go, and many at once: batch.go,
//     cancel_many.go, cancel_begun.go
//   - what they see: views.go, query.go, watch.go, measure.go, fileuse.go
//   - after a start: recover.go
//   - once, however often it is asked for: once.go, entering.go; who asked: deed.go;
//     how much may wait: weight.go
//   - what is not kept: retain.go (when), prune.go (what)
//   - whether all of this is so: invariants.go, mismatches.go, patrol.go
//
// ports.go is what it needs of others.
package coordinator
