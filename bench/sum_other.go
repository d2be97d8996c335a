//go:build !amd64

package bench

func sum16(raw []uint16, pedestal []int16) uint64 { return sumPlain(raw, pedestal) }
