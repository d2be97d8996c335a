package xtc

import (
	"errors"
	"fmt"
	"strings"
)

// A FormatError says that bytes cannot be what they should be, and where.
type FormatError struct {
	Path     string // empty for bytes in memory
	Offset   int64  // in the file if Path is set, else in the datagram
	Datagram int    // number in the file, counted from 1; 0 if not known
	Reason   string
}

func (e *FormatError) Error() string {
	var s strings.Builder
	if e.Path != "" {
		s.WriteString(e.Path + ": ")
	} else {
		s.WriteString("xtc: ")
	}
	if e.Datagram > 0 {
		fmt.Fprintf(&s, "datagram %d at ", e.Datagram)
	}
	fmt.Fprintf(&s, "byte %d: %s", e.Offset, e.Reason)
	return s.String()
}

func formatErrorf(offset int, format string, args ...any) *FormatError {
	return &FormatError{Offset: int64(offset), Reason: fmt.Sprintf(format, args...)}
}

// Locate turns an error about a datagram in memory into one about a file: a *FormatError without a path gets path and
// number, and its offset moves by that of the datagram. Other errors pass.
func Locate(err error, path string, datagram int, offset int64) error {
	var f *FormatError
	if !errors.As(err, &f) || f.Path != "" {
		return err
	}
	return &FormatError{Path: path, Offset: f.Offset + offset, Datagram: datagram, Reason: f.Reason}
}

// A TruncatedError says that the input ends inside a datagram, as after an interrupted writer. All before it is good.
type TruncatedError struct {
	Path     string `json:"path"`
	Offset   int64  `json:"offset"`   // where the incomplete datagram begins
	Leftover int64  `json:"leftover"` // bytes of it that are there
	Need     int64  `json:"need"`     // bytes it should have; the size of a header where that is incomplete
}

func (e *TruncatedError) Error() string {
	path := e.Path
	if path == "" {
		path = "xtc"
	}
	return fmt.Sprintf("%s: ends inside the datagram at byte %d: %d of %d bytes are there", path, e.Offset, e.Leftover,
		e.Need)
}

// A WriteError says that the disk did not take what a Writer had for it.
type WriteError struct {
	Op  string
	Err error
	// Unknown tells that nobody knows what the files hold behind the last datagram that was written before. The Writer
	// takes nothing more.
	Unknown bool
}

func (e *WriteError) Error() string {
	if e.Unknown {
		return fmt.Sprintf("xtc: %s failed and the files are in an unknown state: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("xtc: %s: %v", e.Op, e.Err)
}

// Unwrap gives the cause.
func (e *WriteError) Unwrap() error { return e.Err }
