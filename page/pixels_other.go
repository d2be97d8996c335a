//go:build !amd64

package page

func pairsInVectors([]float32, []float32, []float32) int      { return 0 }
func boundsInVectors([]float32) (low, high float32, n int)    { return 0, 0, 0 }
func levelsInVectors([]byte, []float32, float32, float32) int { return 0 }
