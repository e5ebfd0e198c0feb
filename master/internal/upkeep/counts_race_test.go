//go:build race

package upkeep

// kills is how often each process is killed, and damages how often an archive is
// damaged; the race detector makes all of that some ten times as long.
const (
	kills   = 4
	damages = 12
)
