package fex_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/fex"
	"drp/internal/testkit"
	"drp/xtc"
)

// summing is another kind of child: a slot holds a batch of contributions, pairs of a number and a value, and its answer is
// how many there were and the sum of the values. It counts the transitions it is shown, so that a replacement can be told.
const summing = `import struct, sys
from drp._child_slots import serve

shown = []

def transition(service, data):
    shown.append(service)
    return b""

def work(slot):
    if not slot:
        raise ValueError("an empty batch")
    pairs = list(struct.iter_unpack("<qd", slot))
    return struct.pack("<qdq", len(pairs), sum(value for _, value in pairs), len(shown))

print("arguments", sys.argv[1:])
sys.exit(serve(work, transition))
`

// batch gives the only worker a batch of contributions.
func (r *rig) batch(values ...float64) (tag uint64) {
	r.t.Helper()
	ring := r.pool.Events[0]
	for deadline := time.Now().Add(testkit.Patience); time.Now().Before(deadline); r.pool.Wait(100 * time.Millisecond) {
		loan, ok := ring.TryLoan()
		if !ok {
			continue
		}
		n := 0
		for i, v := range values {
			binary.LittleEndian.PutUint64(loan.Bytes()[n:], uint64(i))
			binary.LittleEndian.PutUint64(loan.Bytes()[n+8:], math.Float64bits(v))
			n += 16
		}
		ix := loan.Seal(n)
		tag := r.tag(ix)
		r.group.Workers[0].Event(ix, n, 0, uint64(r.sent), tag)
		return tag
	}
	r.t.Fatalf("no slot came free; log:\n%s", r.log)
	return 0
}

// checkSum checks the answer to a batch.
func (r *rig) checkSum(tag uint64, values ...float64) {
	r.t.Helper()
	want := 0.0
	for _, v := range values {
		want += v
	}
	b := []byte(r.results[tag])
	if r.status(tag) != fex.OK || len(b) != 24 {
		r.t.Fatalf("batch %d: status %d, %d bytes, %v", tag, r.status(tag), len(b), r.failure(tag))
	}
	number, sum := binary.LittleEndian.Uint64(b), math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))
	if shown := binary.LittleEndian.Uint64(b[16:]); number != uint64(len(values)) || sum != want || shown != 2 {
		r.t.Errorf("batch %d: %d values, sum %g, %d transitions; want %d, %g, 2", tag, number, sum, shown, len(values), want)
	}
}

// TestAnotherKindOfChild answers batches from a ring of slots and is supervised as a script is: with kill -9 in the middle
// every batch is answered once.
func TestAnotherKindOfChild(t *testing.T) {
	for _, spares := range []int{0, 1} {
		t.Run(fmt.Sprintf("%d spares", spares), func(t *testing.T) {
			dir := t.TempDir()
			testkit.WriteFile(t, filepath.Join(dir, "summing.py"), summing)
			r := startRig(t, rigOptions{module: "summing", path: dir, args: []string{"one", "two"}, spares: spares})
			for i, d := range []xtc.Dgram{testkit.Plain(xtc.Configure, 1), testkit.Plain(xtc.BeginRun, 2)} {
				if a := r.transition(d)[0]; a.Status != fex.OK {
					t.Fatalf("transition %d: %v", i, a.Failure)
				}
			}
			if spares > 0 {
				r.warm(spares)
			}
			values := func(k int) []float64 { return []float64{float64(k), 0.5, float64(-2 * k)}[:1+k%3] }
			const batches = 600
			var tags []uint64
			for k := range batches {
				tags = append(tags, r.batch(values(k)...))
				if k == batches/2 {
					r.wait(tags[k-40])
					if err := syscall.Kill(r.group.PID(0), syscall.SIGKILL); err != nil {
						t.Fatal(err)
					}
				}
			}
			r.waitAll()
			for k, tag := range tags {
				r.checkSum(tag, values(k)...)
			}
			if r.restartCount() != 1 {
				t.Errorf("%d restarts", r.restartCount())
			}
			empty := waited(r, r.batch())
			if f := r.failure(empty); r.status(empty) != fex.Failed || f.Type != "ValueError" || f.Line != 12 ||
				!strings.HasSuffix(f.File, "summing.py") || !strings.Contains(f.Traceback, "an empty batch") {
				t.Errorf("an empty batch: status %d, %+v", r.status(empty), f)
			}
			r.checkSum(waited(r, r.batch(1, 2)), 1, 2)
			if !strings.Contains(r.log.String(), "arguments ['one', 'two']") {
				t.Errorf("the log says:\n%s", r.log)
			}
			r.check()
		})
	}
}

// TestModuleThatIsMissing is named.
func TestModuleThatIsMissing(t *testing.T) {
	_, err := newRig(t, rigOptions{module: "nobody_has_this", path: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "No module named nobody_has_this") {
		t.Errorf("got %v", err)
	}
}
