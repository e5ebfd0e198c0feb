package cluster

import "fmt"

// Resources is an amount that a task asks for or a worker has.
type Resources struct {
	CPU     float64 // cores
	Memory  int64   // MiB
	Storage int64   // MiB
	GPU     int     // devices
}

// Plus adds two amounts.
func (r Resources) Plus(o Resources) Resources {
	return Resources{CPU: r.CPU + o.CPU, Memory: r.Memory + o.Memory, Storage: r.Storage + o.Storage, GPU: r.GPU + o.GPU}
}

// Minus takes an amount away; the result may be negative.
func (r Resources) Minus(o Resources) Resources {
	return Resources{CPU: r.CPU - o.CPU, Memory: r.Memory - o.Memory, Storage: r.Storage - o.Storage, GPU: r.GPU - o.GPU}
}

// cpuSlack forgives what adding up fractions of cores loses.
const cpuSlack = 1e-9

// Fits reports whether the amount is at most o in every kind.
func (r Resources) Fits(o Resources) bool {
	return r.CPU <= o.CPU+cpuSlack && r.Memory <= o.Memory && r.Storage <= o.Storage && r.GPU <= o.GPU
}

// Lacking names the first kind in which the amount exceeds o, with both
// numbers, or "" when it fits: "cpu: asked 4, free 1.5".
func (r Resources) Lacking(o Resources, word string) string {
	switch {
	case r.CPU > o.CPU+cpuSlack:
		return fmt.Sprintf("cpu: asked %g, %s %.4g", r.CPU, word, max(o.CPU, 0))
	case r.Memory > o.Memory:
		return fmt.Sprintf("memory: asked %d MiB, %s %d MiB", r.Memory, word, max(o.Memory, 0))
	case r.Storage > o.Storage:
		return fmt.Sprintf("storage: asked %d MiB, %s %d MiB", r.Storage, word, max(o.Storage, 0))
	case r.GPU > o.GPU:
		return fmt.Sprintf("gpu: asked %d, %s %d", r.GPU, word, max(o.GPU, 0))
	}
	return ""
}
