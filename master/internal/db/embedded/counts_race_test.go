//go:build race

package embedded

// How often tests flip a byte of a whole file, damage a log or a row, tear a log's
// tail, and kill a process; the race detector makes each some ten times as long.
const (
	flips   = 8
	damages = 8
	tears   = 5
	kills   = 4
)
