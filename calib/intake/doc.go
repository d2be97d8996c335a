// Package intake makes sets of constants from the files that people have: NPY, and text of numbers. It lays arrays that
// come per gain range or without the axis of segments out as a set wants them, and deals with gains that are not known,
// as it is told to.
//
// Files are not trusted; what comes out is for calib.Set.Check to judge. Nothing here is shared between goroutines.
package intake
