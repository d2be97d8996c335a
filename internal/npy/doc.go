// Package npy reads and writes NumPy's array files, format 1.0 and 2.0, as far as calibration needs them: real numbers
// in C order, little or big endian when read, little endian when written. Arrays of objects are refused, since reading one
// means to run what its writer wanted; so is whatever else is no plain number.
//
// Input is never trusted. A header is at most 64 KiB long, an array as large as the caller allows, and memory is taken as
// the bytes arrive, not as the header promises. What is read belongs to the caller, and nothing here is shared.
package npy
