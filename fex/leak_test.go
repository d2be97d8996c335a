package fex_test

import (
	"strings"
	"testing"

	"drp/fex"
)

// TestScriptThatLeaksDescriptors costs an event each time that none is free, and the run goes on with another process.
func TestScriptThatLeaksDescriptors(t *testing.T) {
	r := startRig(t, rigOptions{script: numbered(`
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
try:
    os.open("/dev/null", os.O_RDONLY)
except OSError as error:
    raise RuntimeError("cannot work") from error`)})
	r.begin()
	tags := r.burst(500)
	r.waitAll()
	failed := 0
	for i, tag := range tags {
		if r.status(tag) == fex.OK {
			r.checkNumber(tag, i)
		} else if failed++; r.status(tag) != fex.Failed || !r.failure(tag).Exhausted {
			t.Errorf("event %d: status %d, %v", i, r.status(tag), r.failure(tag))
		}
	}
	replaced := strings.Count(r.log.String(), "has used up what the system gives it")
	// Those that the process had read already fail with it, a group at the most.
	if replaced < 3 || failed < replaced || failed > 250 {
		t.Errorf("%d events failed, %d processes were replaced; log:\n%s", failed, replaced, r.log)
	}
	if n := r.restartCount(); n != 0 {
		t.Errorf("%d restarts", n)
	}
	r.end()
	r.check()
}
