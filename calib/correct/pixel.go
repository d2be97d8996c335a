package correct

// Pixels are what ADU16 knows of a segment, for loops that take the pedestal off on their way. They belong to the tables,
// and are only read.
type Pixels struct {
	Pedestal []int16  // rounded, less Bias; BadPedestal where the pixel is bad
	Codes    []uint16 // the bits of a raw pixel that tell of another range: of pixel i at i & Wrap
	Wrap     int
	DataMask uint16
	Bias     uint16
}

// BadPedestal is the pedestal of bad pixels.
const BadPedestal = badPedestal

// Pixels gives those of a segment.
func (t *Tables) Pixels(segment int) Pixels {
	s := &t.segments[segment]
	return Pixels{s.pedestal16, s.codes, s.wrap, s.dataMask, s.bias}
}

// CommonMode tells whether ADU16 takes a common mode off.
func (t *Tables) CommonMode() bool { return t.common != nil }

// Switched tells what ADU16 gives for a good pixel whose range bits are set: Switched16, or Bad16.
func (t *Tables) Switched(segment int, raw uint16) int16 { return t.segments[segment].switched16(raw) }

// OnHugePages asks for huge pages below an array that has not been touched yet, where there are any.
func OnHugePages[T any](a []T) []T { return onHugePages(a) }

// Vectors tells whether this machine can run loops for AVX2, and for AVX-512 (F, BW and VL).
func Vectors() (avx2, avx512 bool) { return inVectors(), inWide() }
