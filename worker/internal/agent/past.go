package agent

// pastSize bounds what is remembered of attempts that are over.
const pastSize = 1 << 15

// past remembers the last attempts that are over, so that an assignment which
// was repeated and arrives late does not run the task again.
type past struct {
	known map[Ref]struct{}
	ring  []Ref
	next  int
}

func newPast() past { return past{known: make(map[Ref]struct{})} }

func (p *past) add(ref Ref) {
	if p.has(ref) {
		return
	}
	if len(p.ring) < pastSize {
		p.ring = append(p.ring, ref)
	} else {
		delete(p.known, p.ring[p.next])
		p.ring[p.next] = ref
		p.next = (p.next + 1) % pastSize
	}
	p.known[ref] = struct{}{}
}

func (p *past) has(ref Ref) bool {
	_, ok := p.known[ref]
	return ok
}
