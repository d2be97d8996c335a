package cuda_test

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/hit"
	"drp/hit/cuda"
	"drp/hit/cuda/stub"
	"drp/internal/testkit"
	"drp/internal/world"
)

// journal is a log that several goroutines write.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) says(what string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), what)
}

// Whatever becomes of the device, each frame has its result, the same as without it, and says who searched it; from the
// trouble on it is the CPU, and the log says so once.
func TestTroubleWithTheDevice(t *testing.T) {
	testkit.NoLeaks(t)
	for _, c := range []struct {
		name   string
		faults stub.Faults
		says   string
		some   bool // frames are searched by the device before
	}{
		{"out of memory as the plan comes", stub.Faults{Memory: 1000}, "out of memory", false},
		{"lost at once", stub.Faults{LostAt: 1}, "the device is lost", false},
		{"lost later", stub.Faults{LostAt: 40}, "the device is lost", true},
		{"wrong answer at once", stub.Faults{WrongAt: 1}, "something else than the CPU", false},
		{"a launch that does not return", stub.Faults{HangAt: 40, HangFor: time.Minute}, "does not answer", true},
		{"a batch that never ends", stub.Faults{StuckAt: 40}, "does not answer", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, 12))
			scene := newScene(t, r, hit.Sampled)
			if c.faults.WrongAt > 0 {
				scene.plan.Config.CrossCheck = 1 // what is not looked at is not found to be wrong
			}
			var log journal
			var frames []*hit.Frame
			want := make([]hit.Result, 6)
			exact := scene.plan.Definition()
			for i := range want {
				frames = append(frames, scene.frame(r))
				exact.Find(frames[i], &want[i])
			}
			w := world.NewSimulated(3, 1_000_000) // in which it does not matter how slow this machine is
			var g *cuda.GPU
			if err := w.Run(func() {
				var err error
				if g, err = cuda.Open(cuda.Options{World: w, Driver: &stub.Driver{World: w, Faults: c.faults}, Batch: 2,
					Watchdog: 100 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
					t.Error(err)
					return
				}
				all := world.NewJoin(w)
				for range 3 {
					all.Go(func() { searchAll(t, g, scene.plan, frames, want) })
				}
				all.Wait()
				_ = g.Close() // a device that hangs is left alone
			}); err != nil {
				t.Fatal(err)
			}
			b := g.Books()
			if b.GPU+b.Instead != 3*60 || b.Instead == 0 || (b.GPU > 0) != c.some && c.faults.WrongAt == 0 || g.Lost() == nil {
				t.Errorf("%+v, lost: %v", b, g.Lost())
			}
			if log.says("level=ERROR") != 1 || log.says(c.says) != 1 {
				t.Errorf("the log says:\n%s", log.text.String())
			}
		})
	}
}

// searchAll searches frames again and again; once the CPU had to, it stays so.
func searchAll(t *testing.T, g *cuda.GPU, plan *hit.Plan, frames []*hit.Frame, want []hit.Result) {
	finder := g.Finder(plan)
	var got hit.Result
	lost := false
	for i := range 60 {
		k := i % len(frames)
		finder.Find(frames[k], &got)
		if got.Summary != want[k].Summary || len(got.Peaks) != len(want[k].Peaks) {
			t.Errorf("frame %d: %+v by %d, not %+v", i, got.Summary, got.By, want[k].Summary)
		}
		for n := range got.Peaks {
			if got.Peaks[n] != want[k].Peaks[n] {
				t.Errorf("frame %d, peak %d: %+v by %d, not %+v", i, n, got.Peaks[n], got.By, want[k].Peaks[n])
			}
		}
		if got.By != hit.GPU && got.By != hit.Instead || lost && got.By == hit.GPU {
			t.Errorf("frame %d was searched by %d", i, got.By)
		}
		lost = got.By == hit.Instead
	}
}

func TestNoDevice(t *testing.T) {
	testkit.NoLeaks(t)
	if _, err := cuda.Open(cuda.Options{Driver: &stub.Driver{Faults: stub.Faults{Absent: true}}}); !errors.Is(err, stub.ErrAbsent) {
		t.Error(err)
	}
}

// A frame with more than the lists hold is searched by the CPU, and the device goes on.
func TestListsThatAreTooShort(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 14))
	for _, most := range []cuda.Limits{{Candidates: 20, Groups: 1000, Peaks: 1000}, {Candidates: 1000, Groups: 4, Peaks: 1000},
		{Candidates: 10000, Groups: 1000, Peaks: 3}, {Candidates: 1, Groups: 1, Peaks: 1}} {
		for range 4 {
			c := newScene(t, r, hit.Sampled)
			g := open(t, cuda.Options{Driver: &stub.Driver{}, Limits: most})
			finder, exact := g.Finder(c.plan), c.plan.Definition()
			for range 5 {
				f := c.frame(r)
				var got, want hit.Result
				exact.Find(f, &want)
				finder.Find(f, &got)
				same(t, "short lists", &got, &want)
				if got.By != hit.GPU && got.By != hit.CPU || got.By == hit.GPU && int(want.Summary.Pixels) > most.Candidates {
					t.Errorf("%d pixels, searched by %d", want.Summary.Pixels, got.By)
				}
			}
			if b := g.Books(); g.Lost() != nil || b.GPU+b.Overflow != 5 {
				t.Errorf("%+v, lost: %v", b, g.Lost())
			}
		}
	}
}

// What a GPU is not for is said once, and searched by the CPU.
func TestWhatAGPUIsNotFor(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	c := newScene(t, r, hit.Sampled)
	config := c.plan.Config
	config.Pixels = hit.Calibrated
	plan, err := hit.NewPlan(config, c.plan.Camera)
	if err != nil {
		t.Fatal(err)
	}
	var log journal
	g := open(t, cuda.Options{Driver: &stub.Driver{}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		var got, want hit.Result
		f := c.frame(r)
		plan.NewFinder().Find(f, &want)
		g.Finder(plan).Find(f, &got)
		same(t, "calibrated", &got, &want)
		if got.By != hit.CPU {
			t.Errorf("searched by %d", got.By)
		}
	}
	if g.Books().Other != 3 || log.says("pixels are calibrated") != 1 {
		t.Errorf("%+v\n%s", g.Books(), log.text.String())
	}
}

// Where memory cannot be registered, frames are copied, and that is said once.
func TestMemoryThatCannotBeRegistered(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	c := newScene(t, r, hit.Full)
	var log journal
	g := open(t, cuda.Options{Driver: &stub.Driver{Faults: stub.Faults{Unpinned: true}}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	g.Register(make([]byte, 4096))
	finder, exact := g.Finder(c.plan), c.plan.Definition()
	for range 3 {
		var got, want hit.Result
		f := c.frame(r)
		exact.Find(f, &want)
		finder.Find(f, &got)
		same(t, "unregistered", &got, &want)
	}
	if b := g.Books(); b.Staged != 3 || b.GPU != 3 || log.says("cannot be registered") != 1 {
		t.Errorf("%+v\n%s", b, log.text.String())
	}
}

// In a simulated world a device that is slow holds nobody up for ever, and batches form while one is under way.
func TestBatchesFormWhileOneIsUnderWay(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 6))
	c := newScene(t, r, hit.Sampled)
	w := world.NewSimulated(1, 1_000_000)
	var b cuda.Books
	var took time.Duration
	if err := w.Run(func() {
		g, err := cuda.Open(cuda.Options{World: w, Batch: 8, Driver: &stub.Driver{World: w, Faults: stub.Faults{Latency: 3 * time.Millisecond}}})
		if err != nil {
			t.Error(err)
			return
		}
		began := w.Now()
		all := world.NewJoin(w)
		for range 16 {
			f := c.frame(r)
			all.Go(func() {
				finder := g.Finder(c.plan)
				for range 5 {
					var got hit.Result
					finder.Find(f, &got)
				}
			})
		}
		all.Wait()
		b, took = g.Books(), w.Now()-began
		w.NewFlag().Wait(time.Hour) // without work
		if again := g.Books(); again != b {
			t.Errorf("%+v became %+v", b, again)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if b.GPU != 80 || b.Batches > 30 {
		t.Errorf("%+v", b)
	}
	if least := 5 * 3 * time.Millisecond; b.Busy < least || b.Busy > took {
		t.Errorf("it was busy for %v, in %v", b.Busy, took)
	}
}

// SelfTest finds nothing wrong with kernels that are right, and something with those that are not.
func TestSelfTest(t *testing.T) {
	if err := cuda.SelfTest(open(t, cuda.Options{Driver: &stub.Driver{}})); err != nil {
		t.Error(err)
	}
	if err := cuda.SelfTest(open(t, cuda.Options{Driver: &stub.Driver{Faults: stub.Faults{WrongAt: 30}}})); !errors.Is(err, cuda.ErrWrong) {
		t.Error(err)
	}
}

// A machine that sleeps while a batch is under way is no device that hangs.
func TestSleepIsNoHang(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	c := newScene(t, r, hit.Sampled)
	f := c.frame(r)
	w := world.NewSimulated(1, 1_000_000)
	if err := w.Run(func() {
		g, err := cuda.Open(cuda.Options{World: w, Driver: &stub.Driver{World: w, Faults: stub.Faults{Latency: 4 * time.Millisecond}}})
		if err != nil {
			t.Error(err)
			return
		}
		w.After(2*time.Millisecond, func() { w.Jump(time.Hour) })
		var got hit.Result
		if g.Finder(c.plan).Find(f, &got); got.By != hit.GPU || g.Lost() != nil {
			t.Errorf("searched by %d, lost: %v", got.By, g.Lost())
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// Find allocates nothing once it has seen a few frames, nor does the goroutine of the device.
func TestFindAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	c := newScene(t, r, hit.Sampled)
	c.plan.Config.CrossCheck = 0
	finder := open(t, cuda.Options{Driver: &stub.Driver{}}).Finder(c.plan)
	f, to := c.frame(r), hit.Result{}
	for range 5 {
		finder.Find(f, &to)
	}
	if n := testing.AllocsPerRun(100, func() { finder.Find(f, &to) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
