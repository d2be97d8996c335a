// Package stub is a driver for package cuda that needs no GPU: the kernels run on the CPU, in an order that a seed decides,
// and it fails as it is told. It is for tests, and for programs built with the tag cudastub.
package stub

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"drp/hit/cuda"
	"drp/hit/cuda/kernels"
	"drp/internal/world"
)

// Faults are what goes wrong. Launches count from 1 on; 0 is never.
type Faults struct {
	Absent     bool          // there is no device
	Memory     int           // bytes that it has; 0 is enough
	Unpinned   bool          // it registers no memory
	LostAt     int           // the launch from which on everything is an error
	WrongAt    int           // the launch from which on peaks are wrong
	HangAt     int           // the launch that does not return before HangFor is over
	StuckAt    int           // the launch from which on nothing is done any more
	HangFor    time.Duration // what a hang takes; 0 is as long as the world stands
	Latency    time.Duration // that passes until a batch is done
	ScatterBy  uint64        // seed of the order in which blocks and threads take turns
	BeforeOpen time.Duration // that passes until the device is there
}

// What the driver says.
var (
	ErrAbsent = errors.New("stub: no device")
	ErrMemory = errors.New("stub: out of memory")
	ErrLost   = errors.New("stub: the device is lost")
)

// Driver implements cuda.Driver.
type Driver struct {
	Faults   Faults
	World    world.World // for what takes time; nil is the machine's own
	Trace    func(Launch)
	launches int
	used     int
	sizes    map[cuda.Memory]int
	due      []time.Duration // when each stream is done
	end      world.Flag
}

// Launch is what a trace is told before it is done.
type Launch struct {
	Kernel cuda.Kernel
	Grid   cuda.Grid
	Params cuda.Memory
	Seed   uint64 // of the order
}

// Open implements cuda.Driver.
func (d *Driver) Open(streams int) (string, error) {
	if d.World == nil {
		d.World = world.Real()
	}
	d.sizes, d.due, d.end = map[cuda.Memory]int{}, make([]time.Duration, streams), d.World.NewFlag()
	if d.Faults.BeforeOpen > 0 {
		d.end.Wait(d.Faults.BeforeOpen)
	}
	if d.Faults.Absent {
		return "", ErrAbsent
	}
	return "stub", nil
}

// Alloc implements cuda.Driver.
func (d *Driver) Alloc(bytes int) (cuda.Memory, error) {
	if d.lost() {
		return 0, ErrLost
	}
	if d.Faults.Memory > 0 && d.used+bytes > d.Faults.Memory {
		return 0, ErrMemory
	}
	m := cuda.Memory(uintptr(kernels.Alloc(bytes)))
	d.used += bytes
	d.sizes[m] = bytes
	return m, nil
}

// Free implements cuda.Driver.
func (d *Driver) Free(m cuda.Memory) error {
	bytes, known := d.sizes[m]
	if !known {
		return fmt.Errorf("stub: %#x is not allocated", m)
	}
	d.used -= bytes
	delete(d.sizes, m)
	kernels.Free(pointer(m))
	return nil
}

// Register implements cuda.Driver.
func (d *Driver) Register([]byte) error {
	if d.Faults.Unpinned {
		return errors.New("stub: memory cannot be registered")
	}
	return nil
}

// Unregister implements cuda.Driver.
func (d *Driver) Unregister([]byte) error { return nil }

// Write implements cuda.Driver.
func (d *Driver) Write(to cuda.Memory, from []byte) error { return d.CopyIn(0, to, from) }

// CopyIn implements cuda.Driver.
func (d *Driver) CopyIn(_ int, to cuda.Memory, from []byte) error {
	if d.lost() {
		return ErrLost
	}
	memory, err := d.memory(to, len(from))
	copy(memory, from)
	return err
}

// CopyOut implements cuda.Driver.
func (d *Driver) CopyOut(_ int, to []byte, from cuda.Memory) error {
	if d.lost() {
		return ErrLost
	}
	memory, err := d.memory(from, len(to))
	copy(to, memory)
	if at := d.Faults.WrongAt; at > 0 && d.launches >= at && len(to) > 8 {
		to[8] ^= 1 // of the number of pixels
	}
	return err
}

// memory gives a piece of what was allocated.
func (d *Driver) memory(at cuda.Memory, bytes int) ([]byte, error) {
	for from, size := range d.sizes {
		if at >= from && at+cuda.Memory(bytes) <= from+cuda.Memory(size) {
			return unsafe.Slice((*byte)(pointer(at)), bytes), nil
		}
	}
	return nil, fmt.Errorf("stub: %d bytes at %#x are not allocated", bytes, at)
}

// pointer is an address of memory that malloc gave.
func pointer(m cuda.Memory) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&m)) }

// Launch implements cuda.Driver.
func (d *Driver) Launch(stream int, k cuda.Kernel, g cuda.Grid, params cuda.Memory) error {
	d.launches++
	if d.launches == d.Faults.HangAt {
		for d.Faults.HangFor == 0 { // a goroutine that never ends, as a call of the driver that does not return
			d.end.Wait(world.ForEver)
		}
		d.end.Wait(d.Faults.HangFor)
	}
	if d.lost() {
		return ErrLost
	}
	seed := d.Faults.ScatterBy * uint64(d.launches)
	if d.Trace != nil {
		d.Trace(Launch{k, g, params, seed})
	}
	d.due[stream] = d.World.Now() + d.Faults.Latency
	return kernels.Launch(int(k), kernels.Grid(g), seed, pointer(params))
}

// Done implements cuda.Driver.
func (d *Driver) Done(stream int) (bool, error) {
	if d.lost() {
		return false, ErrLost
	}
	stuck := d.Faults.StuckAt > 0 && d.launches >= d.Faults.StuckAt
	return !stuck && d.World.Now() >= d.due[stream], nil
}

func (d *Driver) lost() bool { return d.Faults.LostAt > 0 && d.launches >= d.Faults.LostAt }

// Allocations are the memory that is allocated, by address.
func (d *Driver) Allocations() map[cuda.Memory][]byte {
	all := map[cuda.Memory][]byte{}
	for m, bytes := range d.sizes {
		all[m] = unsafe.Slice((*byte)(pointer(m)), bytes)
	}
	return all
}

// Close implements cuda.Driver. It tells what was not given back.
func (d *Driver) Close() error {
	if n := len(d.sizes); n > 0 {
		return fmt.Errorf("stub: %d allocations were not freed", n)
	}
	return nil
}
