// Package cxi writes frames and their peaks as CXI files, which CrystFEL's indexamajig reads (--peaks=cxi), and geometry files
// that fit them.
//
// A Writer has a Python process write the file with h5py. Frames are put into slots of shared memory, where that process
// takes them from: between whoever makes a frame and the file there is no copy. The caller has a slot from Slot until Write;
// slots may be filled by several goroutines at once, and Write is called by one. Finish ends the file under its final name;
// Abort, and any failure, leaves nothing.
package cxi
