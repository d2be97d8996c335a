package testkit

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// Main runs the tests of a package for its TestMain, and fails when all of them together leave something behind: what
// NoLeaks looks for, also of the tests that do not ask for it. It gives the exit code.
func Main(m *testing.M) int {
	before, open := goroutines(), descriptors()
	code := m.Run()
	if code != 0 {
		return code
	}
	if left := remains(before, open, Patience); left != "" {
		fmt.Fprintf(os.Stderr, "FAIL: the tests of this package left behind:\n%s", left)
		return 1
	}
	return 0
}

// remains says what is there and was not, when it does not go away in time.
func remains(before map[string]int, open int, patience time.Duration) (left string) {
	Within(patience, func() bool {
		left = leaked(before)
		if now := descriptors(); now > open {
			left += fmt.Sprintf("%d open pipes, sockets and files, before it were %d\n", now, open)
		}
		return left == ""
	})
	return left
}
