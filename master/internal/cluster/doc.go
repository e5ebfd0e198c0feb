// Package cluster is CloudAI's domain: tasks and their lifecycle, attempts,
// workers, resources, events and the errors that people meet. It is pure: no
// I/O, no clock, no goroutine, standard library only. Methods that change
// something return a new value and leave the receiver as it was; nothing else
// in the program assigns a state.
//
// Units everywhere: CPU in cores, memory and storage in MiB, GPU in devices,
// times in UTC.
package cluster
