package publish

import (
	"fmt"
	"slices"
	"unsafe"

	"drp/calib"
	"drp/shm"
)

// Array says where an array lies.
type Array struct {
	Name   string `json:"name"`
	DType  string `json:"dtype"` // as numpy writes it: "<f4", "<u2", "|u1"
	Shape  []int  `json:"shape"`
	Offset int    `json:"offset"` // from the start of the shm segment, its header page included; a multiple of 64
}

const (
	alignment = 64
	// arraysAt is where the arrays begin, from the start of the shm segment: after its page and the description.
	arraysAt = shm.HeaderBytes + descriptionRoom
)

// itemBytes are the sizes of the types that constants have.
var itemBytes = map[string]int{"<f4": 4, "<u2": 2, "|u1": 1}

// bytes is the size of the array, -1 if that makes no sense.
func (a *Array) bytes() int {
	n := itemBytes[a.DType]
	for _, d := range a.Shape {
		if d < 1 || n < 1 || d > shm.MaxBytes/n {
			return -1
		}
		n *= d
	}
	if n < 1 || len(a.Shape) == 0 {
		return -1
	}
	return n
}

// field is an array of a set, as bytes and as what it is.
type field struct {
	name, dtype string
	shape       []int
	from        []byte       // of the set
	to          func([]byte) // makes the array of the set point to bytes
}

// fields are the arrays that a set may have. Their shapes follow from what else it says.
func fields(s *calib.Set) []field {
	one := []int{len(s.Serials), s.Rows, s.Cols}
	all := append([]int{s.Ranges()}, one...)
	return []field{
		{"pedestals", "<f4", all, bytesOf(s.Pedestals), func(b []byte) { s.Pedestals = arrayOf[float32](b) }},
		{"gains", "<f4", all, bytesOf(s.Gains), func(b []byte) { s.Gains = arrayOf[float32](b) }},
		{"rms", "<f4", all, bytesOf(s.RMS), func(b []byte) { s.RMS = arrayOf[float32](b) }},
		{"status", "<u2", all, bytesOf(s.Status), func(b []byte) { s.Status = arrayOf[uint16](b) }},
		{"mask", "|u1", one, bytesOf(s.Mask), func(b []byte) { s.Mask = b }},
		{"geometry", "|u1", []int{len(s.Geometry)}, []byte(s.Geometry), func(b []byte) { s.Geometry = string(b) }},
	}
}

func bytesOf[T float32 | uint16 | uint8](a []T) []byte {
	if len(a) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&a[0])), len(a)*int(unsafe.Sizeof(a[0])))
}

// arrayOf views bytes that are aligned for T.
func arrayOf[T float32 | uint16](b []byte) []T {
	var item T
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/int(unsafe.Sizeof(item)))
}

// plan lays the arrays of a set out, one after the other, and gives the end of the last.
func plan(s *calib.Set) (layout []Array, end int, err error) {
	end = arraysAt
	for _, f := range fields(s) {
		if len(f.from) == 0 {
			continue
		}
		a := Array{Name: f.name, DType: f.dtype, Shape: f.shape, Offset: (end + alignment - 1) / alignment * alignment}
		if a.bytes() != len(f.from) {
			return nil, 0, fmt.Errorf("calib: %s of %s has %d bytes, which is not its shape %v: check the set before it is "+
				"published", f.name, s.Detector, len(f.from), f.shape)
		}
		layout, end = append(layout, a), a.Offset+len(f.from)
		if end > shm.MaxBytes {
			return nil, 0, fmt.Errorf("calib: the constants of %s do not fit into one shm segment, which holds %d bytes: give "+
				"each process fewer segments of the detector", s.Detector, shm.MaxBytes)
		}
	}
	return layout, end, nil
}

// view makes the arrays of a set point into memory that begins at offset start of the shm segment. What it does not
// understand, and what would lie outside, is refused.
func view(s *calib.Set, layout []Array, memory []byte, start int) error {
	refuse := func(a *Array, why string) error {
		return fmt.Errorf("calib: the constants of %s are announced with the array %.40q, %.10s, %v at %d: %s", s.Detector,
			a.Name, a.DType, a.Shape, a.Offset, why)
	}
	known := fields(s)
	for i := range layout {
		a := &layout[i]
		size := a.bytes()
		if size < 0 || a.Offset%alignment != 0 {
			return refuse(a, "that is no array")
		}
		if at := a.Offset - start; at < 0 || at > len(memory) || size > len(memory)-at {
			return refuse(a, fmt.Sprintf("there are only %d bytes from %d on", len(memory), start))
		}
		found := false
		for k := range known {
			f := &known[k]
			if f.to == nil || f.name != a.Name || f.dtype != a.DType || f.name != "geometry" && !slices.Equal(f.shape, a.Shape) ||
				len(f.shape) != len(a.Shape) {
				continue
			}
			at := a.Offset - start
			f.to(memory[at : at+size : at+size])
			f.to, found = nil, true
		}
		if !found {
			return refuse(a, "there is none such, or it comes twice, or its shape is not that of the detector")
		}
	}
	if s.Pedestals == nil || s.Gains == nil {
		return fmt.Errorf("calib: the constants of %s are announced without pedestals or gains", s.Detector)
	}
	return nil
}
