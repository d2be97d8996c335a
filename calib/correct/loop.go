package correct

// loop is what the loops over pixels in assembly are told; the offsets of its fields are written there.
type loop struct {
	dst      *byte // int16 or float32
	raw      *uint16
	codes    *uint16
	step     uintptr // bytes that codes go on with sixteen pixels
	n        int     // pixels, a multiple of 16, or of wide
	dataMask uint32
	bias     uint32
	special  uint32 // all bits where JUNGFRAU's codes mean something
	_        uint32
	pedestal *byte // int16 or float32
	factor   *float32
	others   [2]struct{ pedestal, factor *float32 }
	modes    *float32 // common mode of each bank of a row
	wide     int      // pixels of a bank, a multiple of 16
	src      *float32 // pixels less their pedestals; it is overwritten
	stream   uint32   // past the caches to dst, which is a multiple of 32
	_        uint32
	part     *float32
	careful  [8]uint32 // all bits where a pixel may be bad in its first range and good in another
	_        [8]uint32 // room for marks
}

// switching is what convertAVX512 is told. Beside that it has room for a bit for each of four thousand pixels on their
// way, where one switched, and for the values of those of a thousand.
type switching struct {
	loop
	switched [4096 / 64]uint64 //nolint:unused // by Go
	values   [1024]float32     //nolint:unused // by Go
}
