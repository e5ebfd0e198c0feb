//go:build race

package storetest

// raceDetector makes everything about ten times as slow.
const raceDetector = true
