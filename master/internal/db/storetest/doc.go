// Package storetest holds what every store must do: Run, the one suite that
// all backends pass, and Memory, the reference store. It must not know how any
// backend works.
package storetest
