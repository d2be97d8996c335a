package page

import "drp/calib/correct"

//go:noescape
func pairsAVX2(to, upper, lower *float32, n int)

//go:noescape
func boundsAVX2(values *float32, n int) (low, high float32)

//go:noescape
func levelsAVX2(to *byte, values *float32, n int, low, per float32)

// The functions below do as many places as they can, and say how many.

func inVectors() bool {
	avx2, _ := correct.Vectors()
	return avx2
}

func pairsInVectors(out, upper, lower []float32) (n int) {
	if n = len(out) &^ 7; n == 0 || !inVectors() {
		return 0
	}
	pairsAVX2(&out[0], &upper[:2*n][0], &lower[:2*n][0], n)
	return n
}

func boundsInVectors(values []float32) (low, high float32, n int) {
	if n = len(values) &^ 15; n == 0 || !inVectors() {
		return 0, 0, 0
	}
	low, high = boundsAVX2(&values[0], n)
	return low, high, n
}

func levelsInVectors(to []byte, values []float32, low, per float32) (n int) {
	if n = len(values) &^ 15; n == 0 || !inVectors() {
		return 0
	}
	levelsAVX2(&to[:2*n][0], &values[0], n, low, per)
	return n
}
