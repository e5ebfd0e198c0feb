package freeport

import "testing"

// Two processes are never told the same address, which each would find free as
// long as the other has not started.
func TestAnotherEachTime(t *testing.T) {
	given := map[string]bool{}
	for range 2000 {
		address, err := Address()
		if err != nil {
			t.Fatal(err)
		}
		if given[address] {
			t.Fatalf("%s is given again", address)
		}
		given[address] = true
	}
}
