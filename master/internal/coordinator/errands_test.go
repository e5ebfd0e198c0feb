package coordinator

import (
	"context"
	"testing"
)

// What is asked for before the beginning is done from then on; after the end
// nothing is.
func TestErrands(t *testing.T) {
	var e errands
	ran := make(chan string, 3)
	ask := func(name string) { e.run(func(context.Context) { ran <- name }) }
	ask("early")
	if len(ran) != 0 {
		t.Fatal("begun too early")
	}
	e.begin(t.Context())
	ask("then")
	e.end()
	ask("late")
	e.all.Wait()
	if len(ran) != 2 {
		t.Fatalf("%d of 2 were run", len(ran))
	}
}
