//go:build !cudastub && !(cuda && cgo)

package main

import "drp/hit/cuda"

// newDriver makes the driver of a GPU; nil in programs that have none.
var newDriver func() (cuda.Driver, error)
