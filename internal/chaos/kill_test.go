package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

var killRows = []row{
	{fault: "F1", name: "kill -9 at random moments", brief: true, run: killAtRandom,
		how:    "SIGKILL to workers at random moments of one run, 1000 times (20)",
		accept: "each event has one outcome, by content; none is wrong; exit 0 or 130"},
	{fault: "F1", name: "kill -9 of spares", run: killSpares, how: "SIGKILL to every process that is no worker, whenever there is one",
		accept: "the workers do not notice"},
	{fault: "F1", name: "kill -9 at each phase", brief: true, run: killAtPhases,
		how:    "the script kills itself before it reads, in a half-written result, after the result and before the answer",
		accept: "each event is processed again, none is given up, one restart for each"},
	{fault: "F1", name: "replacement by a spare", run: replacementTime(1, 50*time.Millisecond),
		how: "SIGKILL to a worker every 2.5 s, until another process answers", accept: "median below 50 ms"},
	{fault: "F1", name: "replacement without a spare", run: replacementTime(0, time.Second),
		how: "the same with --spares 0", accept: "median below 1 s"},
}

// manyRestarts lets a run go through more deaths than it would without a test.
func manyRestarts() []string { return []string{"--max-restarts", "0"} }

// killAtRandom kills workers so often that there is always one being replaced, and so seldom that each does some work
// between its deaths: a worker that does none is given another process later and later.
func killAtRandom(c *trial) {
	kills, workers, rate := times(20, 1000), 3, 600
	if *full {
		workers, rate = 4, 1500
	}
	s := newStream(c, rate*times(120, 285))
	dir := filepath.Join(c.TempDir(), "out")
	args := append(manyRestarts(), "-s", s.path, "-w", fmt.Sprint(workers), "--slots", "64", "--rate", fmt.Sprint(rate), "-o", dir,
		"-p", script(c, "", "time.sleep((n % 10) * 1e-4)"))
	p := c.pipeline(args...)
	p.limit = 280 * time.Second
	began := time.Now()
	p.start()
	p.recording(dir)
	pause := 440 * time.Millisecond
	if slow := time.Since(began); !*full && slow > pause {
		pause = min(slow, 4*time.Second) // where processes take long to start, they are killed more seldom
	}
	began, hits := time.Now(), 0
	for hits < kills && !p.Over() && time.Since(began) < 270*time.Second {
		<-time.After(time.Duration(c.rng.Int64N(int64(pause)))) // the moment is what is tested
		if pids := p.workers(); len(pids) > 0 {
			if syscall.Kill(pids[c.rng.IntN(len(pids))], syscall.SIGKILL) == nil {
				hits++
			}
		}
	}
	took := time.Since(began)
	if hits < kills {
		c.Errorf("only %d processes could be killed in %v", hits, took)
	}
	p.Signal(syscall.SIGTERM)
	o := p.ended(130)
	a := c.proves(s, o, dir, or(quarantined))
	given := a.count[quarantined]
	if given > hits {
		c.Errorf("%d events were given up by %d kills", given, hits)
	}
	c.measured("%d kills in %.0f s, %d restarts; %d events, %d given up, 0 lost", hits, took.Seconds(), o.books.Restarts,
		o.books.Received, given)
}

func killAtPhases(c *trial) {
	events := times(1200, 9600)
	s := newStream(c, events)
	dir := filepath.Join(c.TempDir(), "out")
	// _patch and writable are what the package calls for the answer and for the place of a result.
	declare := `feed, n = ds._feed, 0
patch, writable = feed._patch, feed.writable
def dies(): os.kill(os.getpid(), signal.SIGKILL)
def before_answer(*args):
    if n % 1200 == 736 and once(f"answer{n}"): dies()
    patch(*args)
def half_written():
    area, at, room = writable()
    if feed.service > 10 and n % 1200 == 1136 and once(f"half{n}"):
        area[at:at + 20] = bytes(range(20))
        dies()
    return area, at, room
feed._patch, feed.writable = before_answer, half_written`
	// Few events are in hand at once, so that the second death that an event sees is its own.
	args := append(manyRestarts(), "-s", s.path, "-w", "2", "--slots", "8", "-o", dir,
		"-p", script(c, declare, `if n % 1200 == 336 and once(f"read{n}"): dies()`))
	o := c.pipeline(args...).start().ended(0)
	c.proves(s, o, dir, natural)
	if want := events / 1200 * 3; o.books.Restarts < want {
		c.Errorf("%d restarts, want %d", o.books.Restarts, want)
	}
	c.measured("%d deaths, all events processed", o.books.Restarts)
}

// works tells whether a process has been given its part of the data, as a spare has not.
func works(pid int) bool {
	maps, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	return strings.Count(string(maps), "/SYSV") >= 3
}

// workers are the children that work.
func (p *process) workers() []int {
	return slices.DeleteFunc(p.children(), func(pid int) bool { return !works(pid) })
}

func killSpares(c *trial) {
	const rate = 500
	s := newStream(c, rate*times(4, 15))
	dir := filepath.Join(c.TempDir(), "out")
	p := c.pipeline("-s", s.path, "-w", "2", "--rate", fmt.Sprint(rate), "-o", dir, "--spares", "2", "-p", script(c, "", "pass")).start()
	p.recording(dir)
	hits := 0
	for !p.Over() {
		<-time.After(time.Duration(c.rng.IntN(200)) * time.Millisecond)
		for _, pid := range p.children() {
			if !works(pid) && syscall.Kill(pid, syscall.SIGKILL) == nil {
				hits++
			}
		}
	}
	o := p.ended(0)
	c.proves(s, o, dir, natural)
	if o.books.Restarts != 0 || hits == 0 {
		c.Errorf("%d restarts by %d kills", o.books.Restarts, hits)
	}
	c.measured("%d kills, %d restarts", hits, o.books.Restarts)
}

func replacementTime(spares int, limit time.Duration) func(*trial) {
	return func(c *trial) {
		kills := times(3, 20)
		const rate, rest = 1000, 2500 * time.Millisecond
		s := newStream(c, rate*(kills*3+15))
		dir := filepath.Join(c.TempDir(), "out")
		args := append(manyRestarts(), "-s", s.path, "-w", "2", "--rate", fmt.Sprint(rate), "-o", dir, "--spares", fmt.Sprint(spares),
			"-p", script(c, "", "pass"))
		p := c.pipeline(args...).start()
		p.recording(dir)
		var at []int64
		for range kills {
			<-time.After(rest) // until a spare is ready again
			pids := p.workers()
			if len(pids) == 0 {
				c.Fatalf("there are no workers: %s", tail(p.Stderr.String()))
			}
			at = append(at, time.Now().UnixNano())
			_ = syscall.Kill(pids[c.rng.IntN(len(pids))], syscall.SIGKILL)
		}
		<-time.After(rest)
		p.Signal(syscall.SIGTERM)
		a := c.proves(s, p.ended(130), dir, or(quarantined))
		gaps := replacements(a.seen, at)
		if len(gaps) < kills {
			c.Errorf("%d of %d killed workers were replaced", len(gaps), kills)
			return
		}
		if gaps[len(gaps)/2] > limit {
			c.Errorf("a worker is replaced after %v, want %v", gaps[len(gaps)/2], limit)
		}
		c.measured("median %v, worst %v of %d", gaps[len(gaps)/2].Round(time.Millisecond),
			gaps[len(gaps)-1].Round(time.Millisecond), kills)
	}
}

// replacements gives the times from each kill to the first answer of a process that had not answered before, sorted.
func replacements(seen []sighting, kills []int64) (gaps []time.Duration) {
	first := map[int]int64{}
	for _, e := range seen {
		if e.pid != 0 && (first[e.pid] == 0 || e.when < first[e.pid]) {
			first[e.pid] = e.when
		}
	}
	for i, k := range kills {
		best := int64(0)
		for _, when := range first {
			if when > k && (best == 0 || when < best) && (i+1 == len(kills) || when < kills[i+1]) {
				best = when
			}
		}
		if best != 0 {
			gaps = append(gaps, time.Duration(best-k))
		}
	}
	slices.Sort(gaps)
	return gaps
}
