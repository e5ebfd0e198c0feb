//go:build race

package transfer_test

// kills is how often a move is killed; the race detector makes one some ten times as long.
const kills = 4
