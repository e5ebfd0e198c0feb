//go:build !race

package upkeep

// kills is how often each process is killed, and damages how often an archive is
// damaged.
const (
	kills   = 12
	damages = 45
)
