//go:build !race

package testkit

// RaceDetector tells whether the tests are built with it.
const RaceDetector = false
