// Package cuda finds Bragg peaks on a GPU: the same ones as package hit, to the last bit, or none.
//
// A GPU takes frames from all finders that were made for it. Frames that come about the same time make a batch: it is
// copied to the buffers of a lane, searched there by a few kernels, and what comes back is a list of peaks for each frame,
// which Find puts in order. Lanes take turns, so that one is copied to while another is searched. The constants of a plan
// go to the device once.
//
//	gpu, err := cuda.Open(cuda.Options{Driver: driver})
//	finder := gpu.Finder(plan)
//	finder.Find(&frame, &result)
//
// One goroutine owns the device; all calls of the driver are made there. Find copies frames into memory that the device can
// read, unless they lie in memory that was registered, waits, and gives the result; it is for one goroutine, as any
// hit.Finder. A frame's pixels must stay until Find returns, as everywhere; when the device is lost they may still be read
// by it afterwards, and what it makes of them is thrown away.
//
// The answer is always there: what a GPU is not for (Unsupported), and what does not fit its lists, is searched by the
// finder of the CPU. When the device reports an error, has no memory, does not answer in time, or finds something else
// than the CPU in a frame that both search, it is given up for the rest of the run: Result.By tells it of each event, and
// the log once.
//
// Kernels are in the folder kernels, with their PTX. Drivers are Device, in programs built with the tag cuda, and that of
// the folder stub, which runs the kernels on the CPU and fails as it is told.
package cuda
