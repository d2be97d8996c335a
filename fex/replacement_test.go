package fex_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/fex"
	"drp/internal/testkit"
)

// killAndMeasure kills the child of the only worker while it is idle, and gives the time until an event is answered by
// another.
func (r *rig) killAndMeasure() time.Duration {
	r.t.Helper()
	r.wait(r.event())
	pid := r.group.PID(0)
	if pid == 0 {
		r.t.Fatal("there is no child to kill")
	}
	began := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
	tag := r.event()
	r.wait(tag)
	took := time.Since(began)
	if got := r.status(tag); got != fex.OK && got != fex.Crashed {
		r.t.Errorf("status %d", got)
	}
	return took
}

// warm waits until there is a spare that has seen the Configure.
func (r *rig) warm(n int) {
	r.t.Helper()
	if !testkit.Within(testkit.Patience, func() bool { return fex.WarmSpares(r.group) == n }) {
		r.t.Fatalf("no spare came up; log:\n%s", r.log)
	}
}

// TestReplacementTime is bounded generously; BenchmarkReplacement says how long it takes.
func TestReplacementTime(t *testing.T) {
	for spares, limit := range map[int]time.Duration{1: time.Second, 0: 10 * time.Second} {
		t.Run(fmt.Sprintf("%d spares", spares), func(t *testing.T) {
			r := startRig(t, rigOptions{script: numbered(""), spares: spares})
			r.begin()
			testkit.AtOnce(t, limit, func() time.Duration {
				r.warm(spares)
				return r.killAndMeasure()
			})
			r.end()
			r.check()
		})
	}
}

// BenchmarkReplacement measures the time from kill -9 to the first answer of another child.
func BenchmarkReplacement(b *testing.B) {
	for _, bb := range []struct {
		name   string
		spares int
	}{{"spare", 1}, {"cold", 0}} {
		b.Run(bb.name, func(b *testing.B) {
			r := startRig(b, rigOptions{script: numbered(""), spares: bb.spares})
			r.begin()
			var all []time.Duration
			for range b.N {
				b.StopTimer()
				r.warm(bb.spares)
				r.burst(50) // work that makes the deaths before forgotten
				r.burst(60)
				r.waitAll()
				b.StartTimer()
				all = append(all, r.killAndMeasure())
			}
			b.StopTimer()
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1e3, "ms/median")
			b.ReportMetric(float64(all[len(all)-1].Microseconds())/1e3, "ms/max")
		})
	}
}

// TestDeferredSpare: a script that asks at once which worker it is cannot be run ahead, and takes the place all the same.
func TestDeferredSpare(t *testing.T) {
	script := strings.Replace(numbered(""), "ds = DataSource()", "from drp import drp_info\nds = DataSource()\nwho = drp_info.worker_num", 1)
	r := startRig(t, rigOptions{script: script, spares: 1})
	r.begin()
	r.warm(1)
	r.killAndMeasure()
	r.warm(1)
	for i, tag := range r.burst(20) {
		r.wait(tag)
		r.checkNumber(tag, i+2)
	}
	r.end()
	r.check()
	if n := r.restartCount(); n != 1 {
		t.Errorf("%d restarts", n)
	}
}

// TestStoppedSpareIsNotTried: a fresh child comes instead of one that would not answer, and that one is replaced.
func TestStoppedSpareIsNotTried(t *testing.T) {
	r := startRig(t, rigOptions{script: numbered(""), spares: 1})
	r.begin()
	r.warm(1)
	pid := r.group.PID(0)
	for _, spare := range r.children() {
		if spare == pid {
			continue
		}
		testkit.Stop(t, spare)
	}
	r.killAndMeasure()
	if strings.Contains(r.log.String(), "could not take the place") {
		t.Errorf("it was tried; log:\n%s", r.log)
	}
	if !testkit.Within(testkit.Patience, func() bool { return strings.Contains(r.log.String(), "was stopped by somebody") }) {
		t.Errorf("it was not ended; log:\n%s", r.log)
	}
	r.warm(1)
	r.end()
	r.check()
}

// TestLongScriptForAChildThatDoesNotListen: nobody waits for it for ever.
func TestLongScriptForAChildThatDoesNotListen(t *testing.T) {
	r := startRig(t, rigOptions{script: numbered(""), deadline: testkit.Deadline(t, 500*time.Millisecond)})
	r.begin()
	r.end()
	pid := r.group.PID(0)
	testkit.Stop(t, pid)
	began := time.Now()
	r.group.SetScript([]byte("# " + strings.Repeat("long ", 1<<20) + "\n" + numbered("")))
	if took := time.Since(began); took > testkit.Patience {
		t.Errorf("it took %v", took)
	}
	r.begin()
	if now := r.group.PID(0); now == pid {
		t.Error("the child that does not listen serves on")
	}
	r.checkNumber(waited(r, r.event()), 0)
	r.end()
	r.check()
}

func waited(r *rig, tag uint64) uint64 {
	r.wait(tag)
	return tag
}
