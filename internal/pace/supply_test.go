package pace

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// TestSupply: a quarter of what is to spare, within bounds, a second after it is; and the least where nothing is known.
func TestSupply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spare, known := 2., true
		s := &Supply{Least: least, Most: most, Spare: func() (float64, bool) { return spare, known }}
		is := func(what string, want float64) {
			t.Helper()
			if got := s.share(time.Now()); got != want || s.Full() != (want < 2*least) {
				t.Errorf("%s: %g, want %g", what, got, want)
			}
		}
		is("nothing is known of the past", least)
		time.Sleep(999 * ms)
		is("not a second is over", least)
		time.Sleep(ms)
		is("two cores are idle", most)
		spare = 0.08
		time.Sleep(time.Second)
		is("little is", 0.02)
		spare = 0.001
		time.Sleep(time.Second)
		is("none is", least)
		spare, known = 2, false
		time.Sleep(time.Second)
		is("it cannot be read", least)
		known = true
		time.Sleep(time.Second)
		is("it can", most)
		time.Sleep(time.Hour)
		is("an hour on average", least)
	})
}

// TestLeastIsLess: where processors are full all together take less than a hundredth of one core, and who waits then goes on when
// they are full no more.
func TestLeastIsLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var idle atomic.Bool // a core
		all := NewThrift(&Supply{Least: least, Most: most, Spare: func() (float64, bool) {
			if idle.Load() {
				return 1, true
			}
			return 0, true
		}})
		end := time.Now().Add(time.Minute)
		var used atomic.Int64
		for b, cost := range map[*Budget]time.Duration{all.Pictures: 5 * ms, all.Answers: ms, all.Words: ms} {
			go func() {
				for time.Now().Before(end) && b.Bear(t.Context(), cost) {
					used.Add(int64(cost))
				}
			}()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if part := time.Duration(used.Load()).Seconds() / 60; part > 0.01 || part < 0.9*least {
			t.Errorf("they took %g of a core", part)
		}
		time.Sleep(time.Minute)
		all.Pictures.Charge(time.Second)
		began := time.Now()
		go func() {
			time.Sleep(time.Second)
			idle.Store(true)
		}()
		if !all.Pictures.Bear(t.Context(), 0) {
			t.Fatal("not let through")
		}
		if got, at := time.Since(began).Seconds(), 1/most; got < at-1 || got > at+3 {
			t.Errorf("a second of processor time was made up for after %g s", got)
		}
	})
}

// machine is a folder that says what a system does.
type machine struct {
	t    *testing.T
	root string
}

func (m machine) write(name, format string, args ...any) {
	m.t.Helper()
	path := filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// idle says how long the first processor that is allowed was idle, beside one that is not.
func (m machine) idle(ticks, waited int) {
	m.t.Helper()
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		m.t.Fatal(err)
	}
	cpu := 0
	for !allowed.IsSet(cpu) {
		cpu++
	}
	m.write("proc/stat", "cpu  1 2 3 99999999 5 6\ncpu%d 1 2 3 %d %d 0 0 0 0 0\ncpu1023 1 2 3 %d 5 6\nintr 1 2\n", cpu, ticks, waited, 7*ticks)
}

// TestProcessors: idle time of the processors that are allowed, no more than a quota leaves, and none where one was used up.
func TestProcessors(t *testing.T) {
	m := machine{t, t.TempDir()}
	stat := func(used time.Duration, throttled int) {
		m.write("sys/fs/cgroup/a/cpu.stat", "usage_usec %d\nnr_periods 7\nnr_throttled %d\n", used.Microseconds(), throttled)
	}
	m.write("proc/self/cgroup", "9:name=systemd:/x\n0::/a/b\n")
	m.write("sys/fs/cgroup/cpu.stat", "usage_usec 1\n")
	m.write("sys/fs/cgroup/a/cpu.max", "max 100000\n")
	stat(0, 3)
	m.idle(1000, 10)
	p, now := NewProcessors(m.root), time.Now()
	p.now = func() time.Time { return now }
	if _, known := p.Spare(); known {
		t.Error("the first time something is known")
	}
	is := func(what string, want float64) {
		t.Helper()
		now = now.Add(time.Second)
		if got, known := p.Spare(); !known || math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %g, %t, want %g", what, got, known, want)
		}
	}
	m.idle(1050, 30)
	is("idle, and waiting for a disk", 0.7)
	is("neither", 0)
	m.write("sys/fs/cgroup/a/cpu.max", "200000 100000\n")
	is("a quota that was not known before", 0)
	m.idle(1150, 30)
	stat(1500*ms, 3)
	is("half a core of the quota is left", 0.5)
	m.idle(1250, 30)
	is("all of it", 1)
	m.idle(1350, 30)
	stat(1500*ms, 4)
	is("it was stopped", 0)
	m.idle(1450, 30)
	is("it was, a while ago", 0)
	now = now.Add(8 * time.Second)
	m.idle(2350, 30)
	is("it was not for long", 1)
	m.write("proc/stat", "nonsense\n")
	if _, known := p.Spare(); known {
		t.Error("nonsense tells something")
	}
	if _, known := p.Spare(); known {
		t.Error("so does the next")
	}
}

// TestOldGroups: the processors are full, too, where a system without a single tree of groups says that this one was stopped.
func TestOldGroups(t *testing.T) {
	m := machine{t, t.TempDir()}
	m.write("proc/self/cgroup", "4:cpu,cpuacct:/outside/of/here\n3:cpuset:/\n")
	m.write("sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_throttled 1\n")
	m.idle(100, 0)
	p := NewProcessors(m.root)
	_, _ = p.Spare()
	for i, times := range []int{2, 2} {
		m.idle(10000*(i+1), 0)
		m.write("sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_throttled %d\n", times)
		if got, known := p.Spare(); !known || (got > 0) != (i == 1) {
			t.Errorf("%d: %g, %t", i, got, known)
		}
		p.full = time.Time{}
	}
}

// TestThisMachine: this one can be read.
func TestThisMachine(t *testing.T) {
	p := NewProcessors("/")
	_, _ = p.Spare()
	if cores, known := p.Spare(); !known || cores < 0 {
		t.Errorf("%g, %t", cores, known)
	}
}
