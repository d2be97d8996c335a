package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unsafe"
)

const (
	magic = "\x93NUMPY"
	// maxHeaderBytes is far more than the header of a plain array has: 118 bytes as a rule.
	maxHeaderBytes = 1 << 16
	maxRank        = 8
)

var (
	descrPattern   = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	fortranPattern = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	shapePattern   = regexp.MustCompile(`'shape'\s*:\s*\(([0-9,\s]*)\)`)
)

// Read reads one array of at most maxBytes, and leaves what comes behind it. Errors say what is wrong with the file.
func Read(r io.Reader, maxBytes int64) (*Array, error) {
	descr, shape, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	a := &Array{Shape: shape}
	in := input{r: r, n: elements(shape), maxBytes: maxBytes, swap: strings.HasPrefix(descr, ">")}
	if in.n < 0 {
		return nil, fmt.Errorf("the shape %v has more elements than fit", shape)
	}
	switch strings.TrimLeft(descr, "<>|=") {
	case "u1", "b1":
		a.Values, err = values[uint8](in)
	case "u2":
		a.Values, err = values[uint16](in)
	case "u4":
		a.Values, err = values[uint32](in)
	case "u8":
		a.Values, err = values[uint64](in)
	case "i1":
		a.Values, err = values[int8](in)
	case "i2":
		a.Values, err = values[int16](in)
	case "i4":
		a.Values, err = values[int32](in)
	case "i8":
		a.Values, err = values[int64](in)
	case "f4":
		a.Values, err = values[float32](in)
	case "f8":
		a.Values, err = values[float64](in)
	default:
		return nil, fmt.Errorf("elements of type %q: only integers, bool, float32 and float64 are read", descr)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// readHeader reads up to the first element.
//
//	| \x93NUMPY 6 | major 1 | minor 1 | length 2 (major 1) or 4 (major 2) | Python dict, padded with blanks, \n | elements
func readHeader(r io.Reader) (descr string, shape []int, err error) {
	var start [12]byte
	if _, err := io.ReadFull(r, start[:10]); err != nil || string(start[:6]) != magic {
		if err != nil && !ended(err) {
			return "", nil, err
		}
		return "", nil, errors.New("this is no NPY file: it does not begin with \\x93NUMPY")
	}
	length := int(binary.LittleEndian.Uint16(start[8:]))
	switch start[6] {
	case 1:
	case 2, 3: // 3 differs in the names of fields, which plain numbers do not have
		if _, err := io.ReadFull(r, start[10:]); err != nil {
			return "", nil, short(err, "in its header")
		}
		length = int(min(binary.LittleEndian.Uint32(start[8:]), maxHeaderBytes+1))
	default:
		return "", nil, fmt.Errorf("NPY format %d.%d: only 1.0 to 3.0 are known", start[6], start[7])
	}
	if length > maxHeaderBytes {
		return "", nil, fmt.Errorf("the header is longer than %d bytes", maxHeaderBytes)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(r, header); err != nil {
		return "", nil, short(err, "in its header")
	}
	return parseHeader(string(header))
}

func parseHeader(header string) (descr string, shape []int, err error) {
	d, f, s := descrPattern.FindStringSubmatch(header), fortranPattern.FindStringSubmatch(header),
		shapePattern.FindStringSubmatch(header)
	switch {
	case d == nil:
		return "", nil, errors.New("the header names no simple type of elements")
	case f == nil || s == nil:
		return "", nil, errors.New("the header lacks fortran_order or shape")
	case f[1] == "True":
		return "", nil, errors.New("the array is stored in Fortran order: save numpy.ascontiguousarray of it")
	}
	for word := range strings.SplitSeq(s[1], ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		extent, err := strconv.Atoi(word)
		if err != nil || len(shape) == maxRank {
			return "", nil, fmt.Errorf("the shape (%.80s) makes no sense", s[1])
		}
		shape = append(shape, extent)
	}
	return d[1], shape, nil
}

type input struct {
	r        io.Reader
	n        int
	maxBytes int64
	swap     bool
}

// values reads the elements into memory that grows with them.
func values[T Number](in input) ([]T, error) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if int64(in.n)*int64(size) > in.maxBytes {
		return nil, fmt.Errorf("%d elements of %d bytes are more than the %d bytes there can be", in.n, size, in.maxBytes)
	}
	const step = 1 << 18
	all := []T{}
	for len(all) < in.n {
		k := min(in.n-len(all), max(step, len(all)))
		all = slices.Grow(all, k)
		part := all[len(all) : len(all)+k]
		got, err := io.ReadFull(in.r, bytesOf(part))
		if err != nil {
			return nil, short(err, fmt.Sprintf("after %d of %d bytes", len(all)*size+got, in.n*size))
		}
		all = all[:len(all)+k]
	}
	if in.swap && size > 1 {
		b := bytesOf(all)
		for i := 0; i < len(b); i += size {
			slices.Reverse(b[i : i+size])
		}
	}
	return all, nil
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// short says where a file ends too early.
func short(err error, where string) error {
	if ended(err) {
		return fmt.Errorf("the file ends %s", where)
	}
	return err
}

// Decode reads an array from memory that holds nothing else.
func Decode(b []byte) (*Array, error) {
	r := bytes.NewReader(b)
	a, err := Read(r, int64(len(b)))
	if err == nil && r.Len() > 0 {
		err = fmt.Errorf("%d bytes follow the array", r.Len())
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}
