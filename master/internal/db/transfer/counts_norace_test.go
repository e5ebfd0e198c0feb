//go:build !race

package transfer_test

// kills is how often a move is killed.
const kills = 12
