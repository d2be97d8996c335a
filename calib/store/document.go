package store

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"drp/calib"
	"drp/internal/npy"
)

const (
	documentFormat = 1
	// maxDocumentBytes is room for the geometry of the largest detectors, about 400 KB, and 10000 segments.
	maxDocumentBytes = 4 << 20
	// maxArrayBytes is an array of three ranges of a 100-megapixel detector.
	maxArrayBytes = 3 * 4 * 100 << 20
)

// Document says all of a set but its arrays, which it names: it is what the database keeps and what travels over HTTP.
type Document struct {
	Format     int               `json:"format"`
	Detector   string            `json:"detector"`
	Type       string            `json:"type"`
	Serials    []string          `json:"serials"`
	FirstRun   int               `json:"first_run"`
	LastRun    int               `json:"last_run"`
	Unit       calib.Unit        `json:"unit"`
	Rows       int               `json:"rows"`
	Cols       int               `json:"cols"`
	Ranges     []string          `json:"ranges"`
	CommonMode *calib.CommonMode `json:"common_mode,omitempty"`
	Geometry   string            `json:"geometry,omitempty"`
	Places     []int             `json:"places,omitempty"`
	Provenance calib.Provenance  `json:"provenance"`
	Digest     string            `json:"digest"`           // of the set: calib.Set.Digest
	Arrays     []Array           `json:"arrays,omitempty"` // not in lists
}

// Array is one array of a document.
type Array struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // of its NPY file
	Bytes  int64  `json:"bytes"`  // as well
}

// DocumentOf describes a set, without its arrays.
func DocumentOf(s *calib.Set) *Document {
	model := calib.ModelOf(s.Model)
	return &Document{Format: documentFormat, Detector: s.Detector, Type: s.Model, Serials: s.Serials, FirstRun: s.FirstRun,
		LastRun: s.LastRun, Unit: s.Unit, Rows: s.Rows, Cols: s.Cols, Ranges: model.Ranges, CommonMode: s.CommonMode,
		Geometry: s.Geometry, Places: s.Places, Provenance: s.Provenance, Digest: s.Digest}
}

// Set is the set of a document, still without arrays.
func (d *Document) Set() *calib.Set {
	return &calib.Set{Detector: d.Detector, Model: d.Type, Serials: d.Serials, FirstRun: d.FirstRun, LastRun: d.LastRun,
		Unit: d.Unit, Rows: d.Rows, Cols: d.Cols, CommonMode: d.CommonMode, Geometry: d.Geometry, Places: d.Places, Provenance: d.Provenance,
		Digest: d.Digest}
}

// ID is what the set is asked for by: the digest of the document.
func (d *Document) ID() (string, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("calib: document of %s: %w", d.Detector, err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))[:32], nil
}

// ParseDocument reads a document that somebody else wrote; what it says of its set is for Set.Check to judge.
func ParseDocument(text []byte) (*Document, error) {
	if len(text) > maxDocumentBytes {
		return nil, fmt.Errorf("the document has %d bytes, and %d are allowed", len(text), maxDocumentBytes)
	}
	d := &Document{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("the document is no JSON of a set: %w", err)
	}
	if d.Format != documentFormat {
		return nil, fmt.Errorf("the document has format %d, and this version reads %d", d.Format, documentFormat)
	}
	var names []string
	for _, a := range d.Arrays {
		switch {
		case !slices.Contains(ArrayNames, a.Name) || slices.Contains(names, a.Name):
			return nil, fmt.Errorf("the document names the array %q, which is unknown or named twice", a.Name)
		case !isDigest(a.SHA256):
			return nil, fmt.Errorf("the document gives %q as the SHA-256 of %s", a.SHA256, a.Name)
		case a.Bytes < 0 || a.Bytes > maxArrayBytes:
			return nil, fmt.Errorf("the document gives %s a size of %d bytes", a.Name, a.Bytes)
		}
		names = append(names, a.Name)
	}
	return d, nil
}

func isDigest(s string) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 2*sha256.Size
}

// ArrayNames are the names of the arrays, in their order.
var ArrayNames = []string{"pedestals", "gains", "rms", "status", "mask"}

// WriteArray writes an array of a set as NPY. A set that does not have it writes nothing.
func WriteArray(w io.Writer, s *calib.Set, name string) error {
	all, one := []int{s.Ranges(), len(s.Serials), s.Rows, s.Cols}, []int{len(s.Serials), s.Rows, s.Cols}
	write := func(values []float32) error {
		if len(values) == 0 {
			return nil
		}
		return npy.Write(w, all, values)
	}
	switch name {
	case "pedestals":
		return write(s.Pedestals)
	case "gains":
		return write(s.Gains)
	case "rms":
		return write(s.RMS)
	case "status":
		if len(s.Status) > 0 {
			return npy.Write(w, all, s.Status)
		}
	case "mask":
		if len(s.Mask) > 0 {
			return npy.Write(w, one, s.Mask)
		}
	}
	return nil
}

// describe finds size and digest of the arrays by writing them to nobody.
func (d *Document) describe(s *calib.Set) error {
	d.Arrays = nil
	for _, name := range ArrayNames {
		h := newDigester(io.Discard)
		if err := WriteArray(h, s, name); err != nil {
			return err
		}
		if h.bytes > 0 {
			d.Arrays = append(d.Arrays, Array{Name: name, SHA256: h.sum(), Bytes: h.bytes})
		}
	}
	return nil
}

// readArray reads an array into a set and makes sure that it is what the document says.
func readArray(r io.Reader, s *calib.Set, a Array) error {
	h := newDigester(io.Discard)
	in := io.TeeReader(io.LimitReader(r, a.Bytes), h)
	array, err := npy.Read(in, a.Bytes)
	if err != nil {
		return err
	}
	if n, err := io.Copy(io.Discard, in); err != nil {
		return err
	} else if n > 0 {
		return fmt.Errorf("%d bytes follow the array", n)
	}
	var rest [1]byte
	if n, _ := r.Read(rest[:]); n > 0 {
		return fmt.Errorf("it is longer than its %d bytes", a.Bytes)
	}
	if h.sum() != a.SHA256 {
		return fmt.Errorf("it was altered: its SHA-256 is %s", h.sum())
	}
	return place(s, a.Name, array)
}

// place puts an array where it belongs. That it has the right number of elements is for Set.Check to say.
func place(s *calib.Set, name string, a *npy.Array) error {
	ok := false
	switch name {
	case "pedestals":
		s.Pedestals, ok = a.Values.([]float32)
	case "gains":
		s.Gains, ok = a.Values.([]float32)
	case "rms":
		s.RMS, ok = a.Values.([]float32)
	case "status":
		s.Status, ok = a.Values.([]uint16)
	case "mask":
		s.Mask, ok = a.Values.([]uint8)
	}
	if !ok {
		return fmt.Errorf("its elements are %T", a.Values)
	}
	return nil
}

// verify checks a set that was read, and that it is the one that was put.
func verify(s *calib.Set) error {
	was := s.Digest
	if err := s.Check(); err != nil {
		return err
	}
	if was != "" && s.Digest != was { // one that was put by hand may have none
		return refused(s.Detector, "they are not what was put into the store: the digest is %s and was %s", s.Digest, was)
	}
	return nil
}

func refused(detector, format string, args ...any) error {
	return &calib.RefusedError{Detector: detector, Reason: fmt.Sprintf(format, args...)}
}

// prepare checks a set that is put and makes its document.
func prepare(s *calib.Set) (*Document, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	d := DocumentOf(s)
	if err := d.describe(s); err != nil {
		return nil, err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	if len(text) > maxDocumentBytes {
		return nil, refused(s.Detector, "the document has %d bytes, and %d are allowed: is the geometry one?", len(text),
			maxDocumentBytes)
	}
	for _, a := range d.Arrays {
		if a.Bytes > maxArrayBytes {
			return nil, refused(s.Detector, "%s has %d bytes, and %d are allowed", a.Name, a.Bytes, maxArrayBytes)
		}
	}
	return d, nil
}
