package correct

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const hugePageBytes = 2 << 20

// onHugePages asks for huge pages below an array that has not been touched yet. The loops read several of them in step,
// and the machine reads ahead up to the end of a page only: with huge ones they are a quarter faster. It is no matter
// where there are none.
func onHugePages[T any](a []T) []T {
	if len(a) == 0 {
		return a
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&a[0])), len(a)*int(unsafe.Sizeof(a[0])))
	skip := int(-uintptr(unsafe.Pointer(&a[0])) % hugePageBytes)
	if n := (len(bytes) - skip) / hugePageBytes * hugePageBytes; n > 0 {
		_ = unix.Madvise(bytes[skip:skip+n], unix.MADV_HUGEPAGE)
	}
	return a
}
