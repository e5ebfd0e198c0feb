package queue

import (
	"fmt"
	"testing"
)

// BenchmarkQueue has 100,000 waiting items of 1,000 shapes.
func BenchmarkQueue(b *testing.B) {
	q := New()
	items := make([]Item, 100_000)
	for n := range items {
		items[n] = item(fmt.Sprintf("t%06d", n), n%3, n, fmt.Sprint(n%1000))
		q.Push(items[n])
	}
	b.Run("PushAgain", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			q.Push(items[n%len(items)])
		}
	})
	b.Run("Position", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			q.Position(items[n%len(items)].ID)
		}
	})
	b.Run("ScanOfRefusals", func(b *testing.B) {
		for b.Loop() {
			q.Scan(func(Item) Answer { return Skip })
		}
	})
}
