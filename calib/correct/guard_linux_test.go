package correct_test

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"drp/calib"
)

// atTheEnd gives n values that end where memory that may be touched does.
func atTheEnd[T any](t *testing.T, n int) []T {
	t.Helper()
	var one T
	bytes, page := n*int(unsafe.Sizeof(one)), os.Getpagesize()
	room := (bytes + page - 1) / page * page
	memory, err := syscall.Mmap(-1, 0, room+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(memory) })
	if err := syscall.Mprotect(memory[room:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&memory[room-bytes])), n)
}

// Raw pixels may be the last in a segment of shared memory: nothing is read after them, and nothing written after the
// corrected ones.
func TestNothingBehindFrames(t *testing.T) {
	for _, model := range []string{"jungfrau-part", "epix10ka-part", "epix100-part"} {
		seed := rand.New(rand.NewPCG(8, 9))
		set, config := randomSet(seed, model, 4, 192)
		n, last := set.SegmentPixels(), len(set.Serials)-1
		raw, floats, integers := atTheEnd[uint16](t, n), atTheEnd[float32](t, n), atTheEnd[int16](t, n)
		copy(raw, randomRaw(seed, set)[last*n:])
		for _, mode := range []*calib.CommonMode{nil, {Method: calib.Median, Rows: true, MaxADU: 100},
			{Method: calib.ClippedMean, Rows: true, MaxADU: 100}} {
			set.CommonMode = mode
			tables := tablesOf(t, set, config)
			tables.Float32(floats, raw, last)
			tables.ADU16(integers, raw, last)
			tables.Narrow().Float32(floats, raw, last)
			tables.Narrow().ADU16(integers, raw, last)
		}
	}
}
