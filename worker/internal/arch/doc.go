// Package arch holds the worker's packages to the import directions of the
// design. It contains a test and no code.
package arch
