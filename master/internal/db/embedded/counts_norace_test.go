//go:build !race

package embedded

// How often tests flip a byte of a whole file, damage a log or a row, tear a log's
// tail, and kill a process.
const (
	flips   = 25
	damages = 60
	tears   = 30
	kills   = 25
)
