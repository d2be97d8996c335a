// Package store keeps sets of constants, in two ways behind the interface calib.Store: embedded, in a folder of this
// machine, and over HTTP, so that many machines share one.
//
//	DIR/calib.sqlite             a row for each set: its document, and what it is looked up by
//	DIR/arrays/ab/abcdef….npy    its arrays, named after the SHA-256 of the file; sets share equal ones
//	DIR/lock                     held, shared, by who adds; alone, by who cleans up
//
// A set is in the store when its row is: arrays are written and synced before, so that a writer that dies leaves no half
// set, only files that nobody asks for. Who opens the store next removes these. Nothing is changed in place, and an array
// that was cut short or altered is found by its name and refused.
//
// Several processes may use a store at the same time, and several goroutines an Embedded or a remote store. A set that
// was given out belongs to the caller. Close ends the use; what is under way fails.
package store
