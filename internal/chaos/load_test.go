package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"drp/internal/testkit"
)

var loadRows = []row{
	{fault: "F20", name: "script with a syntax error in mid-run", how: "the file is overwritten, then a worker is killed",
		accept: "the old script stays", run: edited("for in x:\n")},
	{fault: "F20", name: "script with other results in mid-run", how: "the same with another declaration",
		accept: "the old script stays", run: edited(strings.NewReplacer("seen", "other", "uint32", "float64"))},
	{fault: "F20", name: "script removed in mid-run", how: "the same with rm", accept: "the old script stays", run: edited(nil)},
	{fault: "F22", name: "three times too fast, block", how: "timestamps three times faster than the script for 2 s, then slower", run: overload("block"),
		accept: "nothing is lost; as regular as the source again 3 s after the load falls"},
	{fault: "F22", name: "three times too fast, drop", brief: true, how: "the same with --policy drop", run: overload("drop"),
		accept: "as many dropped as the script cannot do; latency bounded by the slots; on time 1 s after the load falls"},
}

// edited changes the script while it runs: to a text, by a replacer, or by removing it.
func edited(how any) func(*trial) {
	return func(c *trial) {
		const rate = 500
		s := newStream(c, rate*4)
		dir := filepath.Join(c.TempDir(), "out")
		path := script(c, "", "pass")
		p := c.pipeline(append(manyRestarts(), "-s", s.path, "--rate", fmt.Sprint(rate), "-w", "2", "-o", dir, "-p", path)...).start()
		p.recording(dir)
		switch h := how.(type) {
		case string:
			testkit.WriteFile(c, path, h)
		case *strings.Replacer:
			text, _ := os.ReadFile(path)
			testkit.WriteFile(c, path, h.Replace(string(text)))
		default:
			_ = os.Remove(path)
		}
		for range 3 { // the spare read the old script before
			if pids := p.workers(); len(pids) > 0 {
				_ = syscall.Kill(pids[0], syscall.SIGKILL)
			}
			<-time.After(700 * time.Millisecond)
		}
		o := p.ended(0)
		c.proves(s, o, dir, or(quarantined))
		c.measured("%d restarts, all results as before", o.books.Restarts)
	}
}

// overload sends events at three times the rate that the script can do, and then at half of it.
func overload(policy string) func(*trial) {
	return func(c *trial) {
		const (
			perEvent = 5 * time.Millisecond
			workers  = 2
			can      = int(workers * time.Second / perEvent) // events in a second
			fast     = 3 * can * 2                           // events of the first two seconds
			slots    = 50
		)
		slow := can / 2 * times(5, 8)
		offset := func(n int) time.Duration {
			if n < fast {
				return time.Duration(n) * time.Second / (3 * time.Duration(can))
			}
			return 2*time.Second + time.Duration(n-fast)*time.Second*2/time.Duration(can)
		}
		s := timedStream(c, fast+slow, func(n int) uint64 {
			d := offset(n)
			return uint64(firstSecond+d/time.Second)<<32 | uint64(d%time.Second)
		})
		dir := filepath.Join(c.TempDir(), "out")
		// The number of an event is not in its time here: it is in the first pixel.
		text := script(c, "", "time.sleep(0.005)")
		source := strings.Replace(readString(c, text), "        n = evt.nanoseconds // 40000 + 25000 * (evt.seconds - 1000)\n", "", 1)
		testkit.WriteFile(c, text, strings.Replace(source, "raw = det.raw.raw(evt)\n",
			"raw = det.raw.raw(evt)\n        n = int(raw[0, 0, 0]) // 7\n", 1))
		o := c.pipeline("-s", s.path, "--rate", "recorded", "-w", fmt.Sprint(workers), "--slots", fmt.Sprint(slots), "--policy", policy,
			"-o", dir, "-p", text).start().ended(0)
		allowed := natural
		if policy == "drop" {
			allowed = or(absent)
		}
		a := c.proves(s, o, dir, allowed)
		// A blocked source makes up for a second of what it is behind, and stays behind for the rest.
		worst, recovered := lateness(a.seen, offset, 2*time.Second, policy == "block")
		c.measured("%d received, %d dropped, worst latency %v, late until %v after the load fell", o.books.Received, o.books.Dropped,
			worst.Round(time.Millisecond), recovered.Round(time.Millisecond))
		bound, back := slots*perEvent+300*time.Millisecond, time.Second
		if policy == "block" { // at half load, a second's events take as long again
			bound, back = 10*time.Second, 3*time.Second
		}
		late := *full && (worst > bound || recovered > back) // beside other tests, times tell nothing
		if late || policy == "drop" && o.books.Dropped < fast/4 {
			c.Errorf("worst latency %v, late until %v after the load fell, %d dropped", worst, recovered, o.books.Dropped)
		}
	}
}

// lateness gives the longest time by which an event came after it was due, and how long after the load fell events were
// still late; with shifted, later than those at the end.
func lateness(seen []sighting, offset func(int) time.Duration, fell time.Duration, shifted bool) (worst, recovered time.Duration) {
	due, late := int64(1<<62), make([]time.Duration, len(seen))
	for _, e := range seen {
		due = min(due, e.when-int64(offset(e.n)))
	}
	for i, e := range seen {
		late[i] = time.Duration(e.when - due - int64(offset(e.n)))
		worst = max(worst, late[i])
	}
	var usual time.Duration
	if shifted {
		usual = quantile(slices.Clone(late[max(0, len(late)-200):]), 0.5)
	}
	// It has recovered when a tenth of a second's events are on time; a hiccup of the machine later on does not count.
	for i, e := range seen {
		if offset(e.n) < fell {
			continue
		}
		recovered = offset(e.n) - fell
		if i+20 > len(seen) || slices.Max(late[i:i+20]) <= usual+100*time.Millisecond {
			break
		}
	}
	return worst, recovered
}

func readString(c *trial, path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		c.Fatalf("%v", err)
	}
	return string(text)
}
