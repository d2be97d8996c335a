// Package kernels is the source of what a GPU does for package cuda, kernels.cu, and the same compiled for the CPU: so tests
// compare it with the definition of package hit on every machine. Its PTX, which the driver of a GPU compiles, is made of
// it by ptx.py.
package kernels

// /* C11, and not GNU C, since then no multiplication is fused with an addition. */
// #cgo CFLAGS: -O2 -Wall -Wextra -std=c11
// #cgo LDFLAGS: -lm
// #include <stdlib.h>
// #include "launch.h"
import "C"

import (
	_ "embed" // the C compiler includes kernels.cu; so the go command sees that it has changed
	"fmt"
	"unsafe"
)

// Source is kernels.cu.
//
//go:embed kernels.cu
var Source []byte

// Header is params.h, which Source includes.
//
//go:embed params.h
var Header []byte

// Launch runs a kernel on the CPU, by its place in the list of package cuda. The seed decides in which order blocks and
// threads take their turns. params is memory that no collector of garbage moves, and so is what it points to.
func Launch(kernel int, g Grid, seed uint64, params unsafe.Pointer) error {
	if C.drp_launch(C.int(kernel), C.u32(g.Blocks), C.u32(g.Frames), C.u32(g.Threads), C.u64(seed), (*C.struct_Params)(params)) == 0 {
		return fmt.Errorf("kernels: there is no kernel %d for %+v", kernel, g)
	}
	return nil
}

// Grid is the size of a launch: blocks of so many threads for each frame.
type Grid struct{ Blocks, Frames, Threads int }

// Alloc gives memory for Launch, with some that means nothing in it; Free takes it back.
func Alloc(bytes int) unsafe.Pointer {
	m := C.malloc(C.size_t(max(bytes, 1)))
	rest := unsafe.Slice((*byte)(m), bytes)
	for i := range rest {
		rest[i] = 0xa5
	}
	return m
}

// Free takes memory back.
func Free(m unsafe.Pointer) { C.free(m) }

// Layout tells where the fields of Params lie, in their order, and the sizes of all structures.
func Layout() (params []int, sizes map[string]int) {
	var p C.struct_Params
	for _, at := range []uintptr{unsafe.Offsetof(p.raw), unsafe.Offsetof(p.pedestal), unsafe.Offsetof(p.codes),
		unsafe.Offsetof(p.pedestals), unsafe.Offsetof(p.factors), unsafe.Offsetof(p.bin), unsafe.Offsetof(p.panelOf),
		unsafe.Offsetof(p.panels), unsafe.Offsetof(p.sample), unsafe.Offsetof(p.sampleAt), unsafe.Offsetof(p.ring),
		unsafe.Offsetof(p.ringAt), unsafe.Offsetof(p.limit), unsafe.Offsetof(p.below), unsafe.Offsetof(p.least), unsafe.Offsetof(p.most),
		unsafe.Offsetof(p.open), unsafe.Offsetof(p.mean), unsafe.Offsetof(p.offset), unsafe.Offsetof(p.lo), unsafe.Offsetof(p.hi),
		unsafe.Offsetof(p.sums), unsafe.Offsetof(p.parent), unsafe.Offsetof(p.candidates), unsafe.Offsetof(p.groups),
		unsafe.Offsetof(p.out), unsafe.Offsetof(p.adcThreshold), unsafe.Offsetof(p.minSNR), unsafe.Offsetof(p.doubt), unsafe.Offsetof(p.step),
		unsafe.Offsetof(p.noSigma), unsafe.Offsetof(p.total), unsafe.Offsetof(p.stride), unsafe.Offsetof(p.pixels),
		unsafe.Offsetof(p.cols), unsafe.Offsetof(p.bins), unsafe.Offsetof(p.code), unsafe.Offsetof(p.bias),
		unsafe.Offsetof(p.dataMask), unsafe.Offsetof(p.special), unsafe.Offsetof(p.pick), unsafe.Offsetof(p.minPix),
		unsafe.Offsetof(p.maxPix), unsafe.Offsetof(p.radius), unsafe.Offsetof(p.maxCandidates), unsafe.Offsetof(p.maxGroups),
		unsafe.Offsetof(p.maxPeaks), unsafe.Offsetof(p.outBytes), unsafe.Offsetof(p.pool)} {
		params = append(params, int(at))
	}
	return params, map[string]int{"Params": C.sizeof_struct_Params, "Panel": C.sizeof_struct_Panel, "Sums": C.sizeof_struct_Sums,
		"Group": C.sizeof_struct_Group, "Head": C.sizeof_struct_Head, "Record": C.sizeof_struct_Record}
}
