//go:build race

package e2e

// raceDetector tells whether the tests, and so the program, are built with it.
const raceDetector = true
