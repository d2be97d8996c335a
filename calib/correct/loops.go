package correct

// Loops says what the loops over pixels are written in on this machine.
func Loops() string {
	if inWide() {
		return "assembly for AVX2 and AVX-512"
	}
	if inVectors() {
		return "assembly for AVX2"
	}
	return "Go"
}
