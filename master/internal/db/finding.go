package db

// Finding is something about a store, or about files beside it, that a look
// through them has found.
type Finding struct {
	File  string `json:"file"`
	Place string `json:"place"` // a byte, a page, a table and row; may be empty
	What  string `json:"what"`
	// Leftover is what an interrupted process has left: nothing is lost, and a
	// start puts it in order.
	Leftover bool `json:"leftover"`
}
