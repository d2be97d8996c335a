// Package plot draws frames with what was found in them, and charts of searches with several parameters, as images of
// the standard library. It reads what it is given, keeps nothing, and may be used by several goroutines at once.
package plot
