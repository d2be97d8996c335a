package npy

import (
	"fmt"
	"math"
	"unsafe"
)

// Number is the types of elements there are. A bool is read as a uint8.
type Number interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int8 | ~int16 | ~int32 | ~int64 | ~float32 | ~float64
}

// Array is what a file holds.
type Array struct {
	Shape  []int // empty for a single number
	Values any   // a slice of one of the Number types, row major
}

// As gives the values in another type. A value that the type cannot hold is an error; a float64 becomes the nearest
// float32. Of an array that has the type already it gives the values themselves.
func As[T Number](a *Array) ([]T, error) {
	if same, ok := a.Values.([]T); ok {
		return same, nil
	}
	switch v := a.Values.(type) {
	case []uint8:
		return convert[T](v)
	case []uint16:
		return convert[T](v)
	case []uint32:
		return convert[T](v)
	case []uint64:
		return convert[T](v)
	case []int8:
		return convert[T](v)
	case []int16:
		return convert[T](v)
	case []int32:
		return convert[T](v)
	case []int64:
		return convert[T](v)
	case []float32:
		return convert[T](v)
	case []float64:
		return convert[T](v)
	}
	return nil, fmt.Errorf("values of type %T are no numbers of an array", a.Values)
}

// convert goes by way of float64, which holds all that constants can be; what lies beyond 2^53 is refused as not exact.
func convert[T, F Number](from []F) ([]T, error) {
	to := make([]T, len(from))
	var half, one T = T(1) / 2, 1
	whole := half == 0 // of an integer type the half of one is nothing
	lowest, highest := bounds[T]()
	for i, f := range from {
		v := float64(f)
		switch {
		case F(v) != f && !math.IsNaN(v):
			return nil, fmt.Errorf("value %d is %v, which has too many digits", i, f)
		case whole && (!(v >= lowest && v <= highest) || v != math.Trunc(v)):
			return nil, fmt.Errorf("value %d is %v, which is no %T", i, f, one)
		case !whole && !math.IsInf(v, 0) && math.IsInf(float64(T(v)), 0):
			return nil, fmt.Errorf("value %d is %v, which is too large for a %T", i, f, one)
		}
		to[i] = T(v)
	}
	return to, nil
}

// bounds are those of an integer type. The upper ones of 64 bits are the largest float64 below.
func bounds[T Number]() (lowest, highest float64) {
	var zero T
	bits := int(unsafe.Sizeof(zero)) * 8
	if zero-1 > 0 {
		return 0, math.Nextafter(math.Ldexp(1, bits), 0) - float64(bits/64)
	}
	return -math.Ldexp(1, bits-1), math.Nextafter(math.Ldexp(1, bits-1), 0)
}

// elements is the product of a shape, -1 if it is none or too large.
func elements(shape []int) int {
	n := 1
	for _, extent := range shape {
		if extent < 0 || extent > math.MaxInt32 || n > math.MaxInt32*64/max(1, extent) {
			return -1
		}
		n *= extent
	}
	return n
}

// bytesOf is the memory of a slice.
func bytesOf[T Number](values []T) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*int(unsafe.Sizeof(values[0])))
}
