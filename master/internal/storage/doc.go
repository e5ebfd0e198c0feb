// Package storage keeps the output files of tasks. An upload grows in a
// staging folder of its attempt; publishing verifies it against the worker's
// manifest, flushes it and moves it into the owner's folder by one rename, so
// that files are visible whole or not at all:
//
//	{dir}/.staging/{task}/{attempt}-{lease}/...
//	{dir}/{user}/{task}/...
//	{dir}/.trash/...        moved away, to be deleted
//
// Paths inside a task come from strangers. They are checked, resolved only
// below their own folder (os.Root), and only regular files are ever made or
// opened. Who may read what is decided elsewhere.
package storage
