package cuda

// Memory is an address on the device.
type Memory uint64

// Driver is what a GPU needs of the device. All methods are called by one goroutine, after Open. Streams are numbered; what
// is asked of one is done in order, and CopyIn, CopyOut and Launch may return before it is.
type Driver interface {
	// Open takes the device, and tells its name.
	Open(streams int) (name string, err error)
	Alloc(bytes int) (Memory, error)
	Free(m Memory) error
	// Register lets the device read and write memory of the host directly; without it copies are slower.
	Register(b []byte) error
	Unregister(b []byte) error
	// Write copies at once.
	Write(to Memory, from []byte) error
	CopyIn(stream int, to Memory, from []byte) error
	CopyOut(stream int, to []byte, from Memory) error
	Launch(stream int, k Kernel, g Grid, params Memory) error
	// Done tells whether all that was asked of a stream is done.
	Done(stream int) (bool, error)
	// Close gives the device back.
	Close() error
}

// Grid is the size of a launch: blocks of so many threads for each frame.
type Grid struct{ Blocks, Frames, Threads int }

// Kernel is one of those in kernels/kernels.cu.
type Kernel int

// The kernels, in the order of Kernels.
const (
	start Kernel = iota
	sampled
	sampledBounds
	fullSums
	fullBounds
	offsets
	candidates
	doubt
	rings
	keep
	join
	roots
	gather
	peaks
)

// Kernels are their names.
var Kernels = [...]string{"start", "sampled", "sampledBounds", "fullSums", "fullBounds", "offsets", "candidates", "doubt", "rings", "keep", "join", "roots", "gather", "peaks"}

func (k Kernel) String() string { return Kernels[k] }
