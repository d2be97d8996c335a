package hit

// vectors says what the machine's loops are written in. What they are is all the same, but for the time.
type vectors int

const (
	noVectors vectors = iota
	avx2
	avx512
)
