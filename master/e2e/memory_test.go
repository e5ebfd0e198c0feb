//go:build engine

package e2e

import (
	"fmt"
	"testing"

	"cloudai/master/e2e/rig"
)

// mebibytes are bytes that print as MiB.
type mebibytes int64

func (m mebibytes) String() string { return fmt.Sprintf("%.1f MiB", float64(m)/(1<<20)) }

// memory watches how far a process's resident memory rises over what it had
// when it was idle. Of a process that is started anew the rise counts from the
// same level.
type memory struct {
	name  string
	level int64 // when idle
	rise  int64 // the most seen
}

// idle takes a process, after it has done something of the kind once, as the
// level from which the rise counts.
func idle(t *testing.T, name string, p *rig.Process) *memory {
	t.Helper()
	level, _, err := p.Resident()
	must(t, err)
	must(t, p.ForgetPeak())
	return &memory{name: name, level: level}
}

// look takes the peak of a process into account, before it ends.
func (m *memory) look(t *testing.T, p *rig.Process) {
	t.Helper()
	_, peak, err := p.Resident()
	must(t, err)
	m.rise = max(m.rise, peak-m.level)
}

// maxRise is by how much the memory of master and worker may grow, whatever
// the size of logs and outputs.
const maxRise = mebibytes(64 << 20)

// judge notes the figure.
func (m *memory) judge(t *testing.T, during string) {
	t.Helper()
	atMost(t, fmt.Sprintf("memory of the %s (idle %v) grows during %s by", m.name, mebibytes(m.level), during), mebibytes(m.rise), maxRise)
}
