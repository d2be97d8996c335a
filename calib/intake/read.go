package intake

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"drp/internal/npy"
)

// maxFileBytes is what one array may take, also as text.
const maxFileBytes = 4 << 30

// ReadFile reads an array from an NPY file, or from text with numbers between blanks and commas, '#' before comments, and
// a row on each line.
func ReadFile(path string) (*npy.Array, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: it is no regular file", path)
	case info.Size() > maxFileBytes:
		return nil, fmt.Errorf("%s: it has %d bytes, and %d are allowed", path, info.Size(), int64(maxFileBytes))
	}
	if info.Size() == 0 {
		return nil, fmt.Errorf("%s: it is empty: the file has 0 bytes", path)
	}
	in := bufio.NewReaderSize(f, 1<<16)
	var a *npy.Array
	start, _ := in.Peek(8)
	switch {
	case bytes.HasPrefix(start, []byte("\x93NUMPY")):
		a, err = npy.Read(in, info.Size())
	case bytes.HasPrefix(start, []byte("\x89HDF\r\n\x1a\n")):
		err = fmt.Errorf("it is an HDF5 file: say which array of it, as in %s:/path/of/the/array", path)
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		err = fmt.Errorf("it is a zip or .npz: unpack it, and name the .npy files in it")
	default:
		a, err = readText(in)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

var (
	// nothing is a place where a number is missing, so that those behind it would move up.
	nothing = regexp.MustCompile(`^[ \t]*[,;]|[,;][ \t]*[,;]`)
	blanks  = func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == ';' || r == '\r' }
)

// readText reads numbers. Lines of equal length make an array of two dimensions. When the last one is shorter they are one
// list, which was wrapped.
func readText(in *bufio.Reader) (*npy.Array, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	values, number, rows, cols, short := []float64{}, 0, 0, 0, 0
	for lines.Scan() {
		number++
		text, _, _ := strings.Cut(lines.Text(), "#")
		if nothing.MatchString(text) {
			return nil, fmt.Errorf("line %d: a number is missing before or between commas: %.40q", number, strings.TrimSpace(text))
		}
		words := strings.FieldsFunc(text, blanks)
		for _, word := range words {
			v, err := strconv.ParseFloat(word, 64)
			if err != nil {
				return nil, fmt.Errorf("line %d: %.40q is no number", number, word)
			}
			values = append(values, v)
		}
		if len(words) == 0 {
			continue
		}
		switch {
		case rows == 0:
			cols = len(words)
		case short > 0:
			return nil, fmt.Errorf("line %d has another length than the lines before it, which have %d numbers", short, cols)
		case len(words) > cols:
			return nil, fmt.Errorf("line %d has %d numbers, and the lines before it have %d", number, len(words), cols)
		case len(words) < cols:
			short = number
		}
		rows++
	}
	switch err := lines.Err(); {
	case err != nil:
		return nil, fmt.Errorf("line %d: %w", number+1, err)
	case len(values) == 0:
		return nil, fmt.Errorf("there is no number in it")
	case short > 0 || rows == 1:
		return &npy.Array{Shape: []int{len(values)}, Values: values}, nil
	}
	return &npy.Array{Shape: []int{rows, cols}, Values: values}, nil
}
