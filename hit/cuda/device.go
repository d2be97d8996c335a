//go:build cuda && cgo

package cuda

// #include <cuda.h>
import "C"

import (
	_ "embed" // of the PTX
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// ptx is the kernels, which the driver compiles for the device it finds.
//
//go:embed kernels/kernels.ptx
var ptx string

// Device is the first GPU of the machine, by way of the CUDA driver. The program ends as it starts where there is no driver
// or no GPU: that is how the library does it, so that a machine is probed by a process of its own.
type Device struct {
	context   cu.CUContext
	module    cu.Module
	functions [len(Kernels)]cu.Function
	streams   []cu.Stream
}

// Open implements Driver. The context belongs to the calling thread from here on.
func (d *Device) Open(streams int) (name string, err error) {
	n, err := cu.NumDevices()
	if err != nil {
		return "", fmt.Errorf("count the GPUs: %w", err)
	}
	if n == 0 {
		return "", fmt.Errorf("there is no GPU")
	}
	device, err := cu.GetDevice(0)
	if err != nil {
		return "", fmt.Errorf("get the GPU: %w", err)
	}
	if name, err = device.Name(); err != nil {
		return "", fmt.Errorf("name the GPU: %w", err)
	}
	if d.context, err = device.MakeContext(cu.SchedAuto); err != nil {
		return "", fmt.Errorf("make a context on %s: %w", name, err)
	}
	if d.module, err = cu.LoadData(ptx); err != nil {
		return "", fmt.Errorf("load the kernels on %s (its driver must know CUDA 12.5 or newer, and says %d): %w", name, cu.Version(), err)
	}
	for k, kernel := range Kernels {
		if d.functions[k], err = d.module.Function(kernel); err != nil {
			return "", fmt.Errorf("find the kernel %s: %w", kernel, err)
		}
	}
	for range streams {
		s, err := cu.MakeStream(cu.NonBlocking)
		if err != nil {
			return "", fmt.Errorf("make a stream: %w", err)
		}
		d.streams = append(d.streams, s)
	}
	return name, nil
}

// Alloc implements Driver.
func (d *Device) Alloc(bytes int) (Memory, error) {
	m, err := cu.MemAlloc(int64(bytes))
	return Memory(m), err
}

// Free implements Driver.
func (d *Device) Free(m Memory) error { return cu.MemFree(cu.DevicePtr(m)) }

// Register implements Driver; the library does not have it.
func (d *Device) Register(b []byte) error {
	return result("cuMemHostRegister", C.cuMemHostRegister(unsafe.Pointer(&b[0]), C.size_t(len(b)), C.CU_MEMHOSTREGISTER_PORTABLE))
}

// Unregister implements Driver.
func (d *Device) Unregister(b []byte) error {
	return result("cuMemHostUnregister", C.cuMemHostUnregister(unsafe.Pointer(&b[0])))
}

func result(call string, code C.CUresult) error {
	if code == C.CUDA_SUCCESS {
		return nil
	}
	var name *C.char
	if C.cuGetErrorName(code, &name) != C.CUDA_SUCCESS {
		return fmt.Errorf("%s: error %d", call, int(code))
	}
	return fmt.Errorf("%s: %s", call, C.GoString(name))
}

// Write implements Driver. The copy may come back before all is on the device, and streams do not wait for it.
func (d *Device) Write(to Memory, from []byte) error {
	if err := cu.MemcpyHtoD(cu.DevicePtr(to), unsafe.Pointer(&from[0]), int64(len(from))); err != nil {
		return err
	}
	return cu.Synchronize()
}

// CopyIn implements Driver.
func (d *Device) CopyIn(stream int, to Memory, from []byte) error {
	return cu.MemcpyHtoDAsync(cu.DevicePtr(to), unsafe.Pointer(&from[0]), int64(len(from)), d.streams[stream])
}

// CopyOut implements Driver.
func (d *Device) CopyOut(stream int, to []byte, from Memory) error {
	return cu.MemcpyDtoHAsync(unsafe.Pointer(&to[0]), cu.DevicePtr(from), int64(len(to)), d.streams[stream])
}

// Launch implements Driver. The library hands on arguments of 8 bytes, so that Params lie on the device.
func (d *Device) Launch(stream int, k Kernel, g Grid, params Memory) error {
	return d.functions[k].Launch(g.Blocks, 1, g.Frames, g.Threads, 1, 1, 0, d.streams[stream], []unsafe.Pointer{unsafe.Pointer(&params)})
}

// Done implements Driver.
func (d *Device) Done(stream int) (bool, error) {
	switch err := d.streams[stream].Query(); err {
	case nil:
		return true, nil
	case cu.NotReady:
		return false, nil
	default:
		return false, err
	}
}

// Close implements Driver.
func (d *Device) Close() error { return d.context.Destroy() }
