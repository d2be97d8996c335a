//go:build race

package correct_test

const racing = true
