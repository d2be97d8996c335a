package bench

// sumPlain is sum16 for machines without vectors of ours.
func sumPlain(raw []uint16, pedestal []int16) (sum uint64) {
	pedestal = pedestal[:len(raw)]
	for i, r := range raw {
		sum += uint64(uint32(int32(int16(r)) + int32(pedestal[i])))
	}
	return sum
}
