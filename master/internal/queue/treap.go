package queue

import "hash/maphash"

// treap is an ordered set of keys that also knows the rank of each. Expected
// O(log n) for every operation. The heap priority of a node is a hash of its
// key, so the shape does not hang on the order of inserts. After Aragon and
// Seidel, "Randomized Search Trees" (1989), with subtree sizes for ranks.
type treap[V any] struct {
	root *node[V]
	seed maphash.Seed
}

type node[V any] struct {
	key         key
	value       V
	heap        uint64
	size        int
	left, right *node[V]
}

func newTreap[V any]() *treap[V] { return &treap[V]{seed: maphash.MakeSeed()} }

func size[V any](n *node[V]) int {
	if n == nil {
		return 0
	}
	return n.size
}

func (n *node[V]) resize() { n.size = 1 + size(n.left) + size(n.right) }

func (t *treap[V]) len() int { return size(t.root) }

// split divides n into keys below k and the rest.
func split[V any](n *node[V], k key) (below, rest *node[V]) {
	if n == nil {
		return nil, nil
	}
	if n.key.before(k) {
		n.right, rest = split(n.right, k)
		n.resize()
		return n, rest
	}
	below, n.left = split(n.left, k)
	n.resize()
	return below, n
}

// join unites two treaps, all keys of a before those of b.
func join[V any](a, b *node[V]) *node[V] {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.heap > b.heap:
		a.right = join(a.right, b)
		a.resize()
		return a
	default:
		b.left = join(a, b.left)
		b.resize()
		return b
	}
}

func (t *treap[V]) insert(k key, v V) {
	below, rest := split(t.root, k)
	n := &node[V]{key: k, value: v, heap: maphash.String(t.seed, k.id), size: 1}
	t.root = join(join(below, n), rest)
}

func (t *treap[V]) remove(k key) {
	t.root = removeNode(t.root, k)
}

func removeNode[V any](n *node[V], k key) *node[V] {
	if n == nil {
		return nil
	}
	switch {
	case k.before(n.key):
		n.left = removeNode(n.left, k)
	case n.key.before(k):
		n.right = removeNode(n.right, k)
	default:
		return join(n.left, n.right)
	}
	n.resize()
	return n
}

// rank counts the keys before k.
func (t *treap[V]) rank(k key) int {
	r := 0
	for n := t.root; n != nil; {
		if n.key.before(k) {
			r += 1 + size(n.left)
			n = n.right
		} else {
			n = n.left
		}
	}
	return r
}

// first is the least node, nil when empty.
func (t *treap[V]) first() *node[V] {
	n := t.root
	for n != nil && n.left != nil {
		n = n.left
	}
	return n
}

// after is the least node past k, nil when there is none.
func (t *treap[V]) after(k key) *node[V] {
	var best *node[V]
	for n := t.root; n != nil; {
		if k.before(n.key) {
			best, n = n, n.left
		} else {
			n = n.right
		}
	}
	return best
}
