package xtc

import (
	"fmt"
	"strconv"
)

// A DataType is the type of the elements of one entry of a Names.
type DataType uint32

const (
	UInt8 DataType = iota
	UInt16
	UInt32
	UInt64
	Int8
	Int16
	Int32
	Int64
	Float
	Double
	CharStr  // rank 1, NUL-terminated inside its shape
	EnumVal  // int32, entry "value:TypeName"
	EnumDict // int32, entry "Symbol:TypeName"

	numDataTypes = 13
)

// Valid tells whether the type is known.
func (t DataType) Valid() bool { return t < numDataTypes }

// Bytes is the size of one element, 0 for a type that is not known.
func (t DataType) Bytes() int {
	sizes := [numDataTypes]uint8{1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 1, 4, 4}
	if t.Valid() {
		return int(sizes[t])
	}
	return 0
}

// String gives the name the format description uses, for example "UINT16".
func (t DataType) String() string {
	names := [numDataTypes]string{"UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FLOAT",
		"DOUBLE", "CHARSTR", "ENUMVAL", "ENUMDICT"}
	if t.Valid() {
		return names[t]
	}
	return "DataType(" + strconv.FormatUint(uint64(t), 10) + ")"
}

// MarshalText puts the name into JSON.
func (t DataType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// A Version is that of an algorithm.
type Version struct{ Major, Minor, Micro uint8 }

// VersionOf is the inverse of Uint32; bits above the 24 used are dropped.
func VersionOf(v uint32) Version { return Version{uint8(v >> 16), uint8(v >> 8), uint8(v)} }

// Uint32 is the form in the file.
func (v Version) Uint32() uint32 { return uint32(v.Major)<<16 | uint32(v.Minor)<<8 | uint32(v.Micro) }

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Micro) }

// MarshalText puts "2.0.1" into JSON.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
