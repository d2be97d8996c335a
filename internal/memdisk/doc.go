// Package memdisk is a disk in memory for tests: files of an xtc.Writer that go wrong where the test wants it.
//
// Fault is asked before every operation and may let part of a write through before it fails. What the files hold can be
// looked at, or saved to a real folder, at any moment; so can what a power cut would have left, since every file knows
// how much of it was synced. The same calls always give the same answers: there is no clock, no goroutine, and nothing
// depends on the order of a map. A Disk belongs to one goroutine.
package memdisk
