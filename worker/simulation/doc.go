// Package simulation is a worker's host without Docker, network, clock or
// goroutines: the real agent.Machine over a simulated engine, moved on one step
// at a time, in an order and with faults that the caller's random numbers
// decide. It exists for the model of the whole cluster, whose other half lies
// in another module and so cannot import the agent itself. No program imports
// it.
//
// A Node is the host. Its containers, output folders and notes about the engine
// outlive the worker's processes, which start, end and are killed at any step.
// What the process wants of its engine is done by Step; what it wants of the
// master comes out of Calls, and Answer brings the replies.
package simulation
