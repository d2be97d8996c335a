package source

import (
	"errors"
	"fmt"
	"io/fs"

	"drp/xtc"
)

// StrangeError says that a file does not begin as a recording does.
type StrangeError struct {
	Path string
	Err  error // of the xtc package
}

// Error implements error.
func (e *StrangeError) Error() string {
	const advice = "name a file that drp or the LCLS DAQ has recorded"
	format, cut := (*xtc.FormatError)(nil), (*xtc.TruncatedError)(nil)
	switch {
	case errors.As(e.Err, &cut):
		return fmt.Sprintf("source: %s is no XTC2 file, or was cut off before anything was in it: %d of the %d bytes of its first datagram are there; %s",
			e.Path, cut.Leftover, cut.Need, advice)
	case errors.As(e.Err, &format):
		return fmt.Sprintf("source: %s is no XTC2 file: its first %d bytes do not begin a datagram (%s); %s", e.Path, xtc.DgramHeaderBytes, format.Reason,
			advice)
	}
	return fmt.Sprintf("source: %v", e.Err)
}

// Unwrap gives the cause.
func (e *StrangeError) Unwrap() error { return e.Err }

// missingError says that there is nothing of a name; it is fs.ErrNotExist to who asks.
type missingError string

// Error implements error.
func (e missingError) Error() string { return string(e) }

// Is tells what it is.
func (missingError) Is(target error) bool { return target == fs.ErrNotExist }

func missing(format string, args ...any) error { return missingError(fmt.Sprintf(format, args...)) }
