// Package rig runs a cluster of real processes in a folder of its own, for
// tests and measurements: it starts, stops and kills masters and workers,
// waits until they serve, and looks at what they left on the disk and in the
// engine. It judges nothing; it returns errors and leaves the verdict to its
// caller.
package rig
