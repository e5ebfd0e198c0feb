package rig

import "testing"

// Two processes of a rig are never told the same address, which each would find
// free as long as the other has not started.
func TestFreeAddressIsAnotherEachTime(t *testing.T) {
	given := map[string]bool{}
	for range 2000 {
		address, err := FreeAddress()
		if err != nil {
			t.Fatal(err)
		}
		if given[address] {
			t.Fatalf("%s is given again", address)
		}
		given[address] = true
	}
}
