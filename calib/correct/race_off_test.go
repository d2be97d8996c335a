//go:build !race

package correct_test

// racing is whether the race detector is on, which makes loops over pixels ten times slower.
const racing = false
