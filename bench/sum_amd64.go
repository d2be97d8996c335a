package bench

import "golang.org/x/sys/cpu"

//go:noescape
func sumAVX2(raw *uint16, pedestal *int16, n int) uint64

// sum16 adds all values of a frame and a pedestal of the same length, a multiple of 32, modulo 2^32 in parts: what matters
// is that all are read, as fast as the machine can.
func sum16(raw []uint16, pedestal []int16) (sum uint64) {
	if !cpu.X86.HasAVX2 {
		return sumPlain(raw, pedestal)
	}
	return sumAVX2(&raw[0], &pedestal[:len(raw)][0], len(raw))
}
