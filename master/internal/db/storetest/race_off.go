//go:build !race

package storetest

// raceDetector: see race_on.go.
const raceDetector = false
