package testkit

import (
	"os/exec"
	"testing"
	"time"
)

// Patience is how long a test waits for what must come: so much longer than that takes on a busy machine that only what hangs is late.
const Patience = 90 * time.Second

// Within polls until a condition holds; it reports whether it came to hold in time. What takes longer is looked for less often: to look
// may be to read all of /proc, and takes a core from those that are waited for.
func Within(limit time.Duration, holds func() bool) bool {
	const soon, often, seldom = 8, 5 * time.Millisecond, 20 * time.Millisecond
	began := time.Now()
	for !holds() {
		past := time.Since(began)
		if past >= limit {
			return false
		}
		<-time.After(min(max(often, past/soon), seldom))
	}
	return true
}

// Deadline is one for a child that hangs, which its siblings keep: not less than least, and eight times as long as an interpreter
// takes at present to be there with numpy, since a busy machine makes them slow; but a quarter of a minute at the most.
func Deadline(t testing.TB, least time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	if out, err := exec.Command(Python(t), "-c", "import numpy").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return max(least, min(8*time.Since(began), 15*time.Second))
}

// AtOnce checks that something does not wait for anything that takes limit: it is done again, five times at most, since a busy machine
// makes it slow now and then, and not each time.
func AtOnce(t testing.TB, limit time.Duration, do func() time.Duration) {
	t.Helper()
	const tries = 5
	var took time.Duration
	for range tries {
		if took = do(); took <= limit {
			return
		}
		t.Logf("it took %v", took)
	}
	t.Errorf("each of %d times it took more than %v", tries, limit)
}
