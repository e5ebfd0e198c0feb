// Package upkeep is what is done to a master's data besides serving it: a
// backup, putting one back, and a look through all of it. It owns the backup's
// file format and in what order things happen on the disk; it must not know what
// the store is made of.
package upkeep
