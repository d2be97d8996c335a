package chaos

import (
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"drp/internal/testkit"
)

const killed = "killed at the deadline, its events processed again; the others' p99 grows by no more than 10 % and 25 ms"

var hangRows = []row{
	{fault: "F2", name: "SIGSTOP", brief: true, how: "SIGSTOP to a worker", accept: killed, run: hangs("")},
	{fault: "F2", name: "endless loop", how: "the script", accept: killed, run: hangs("while True: pass")},
	{fault: "F2", name: "sleep", how: "the script", accept: killed, run: hangs("time.sleep(1000)")},
	{fault: "F2", name: "a search that holds the GIL", brief: true, how: "a regular expression that needs ages", accept: killed,
		run: hangs(`re.match("(a+)+b", "a" * 60)`)},
	{fault: "F2", name: "a call that holds the GIL", how: "a lock of the C library that is never freed, by ctypes.PyDLL", accept: killed,
		run: hangs("lock, lib = ctypes.create_string_buffer(64), ctypes.PyDLL(None); lib.pthread_mutex_lock(lock); lib.pthread_mutex_lock(lock)")},
	{fault: "F2", name: "signals blocked", how: "the script blocks all signals, and loops", accept: killed,
		run: hangs("signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(1000)")},
	{fault: "F2", name: "one of four hangs once", how: "SIGSTOP to one of four workers, the source as fast as they are",
		accept: "the run takes no longer than without, and the deadline of one worker", run: oneOfFour},
}

func hangs(how string) func(*trial) {
	return func(c *trial) {
		const rate = 400
		deadline := 500 * time.Millisecond
		if !*full { // beside other tests
			deadline = testkit.Deadline(c, deadline)
		}
		s := newStream(c, rate*(times(2, 5)+2*int(deadline.Seconds()+0.5)))
		dir := filepath.Join(c.TempDir(), "out")
		body := "pass"
		if how != "" {
			body = fmt.Sprintf("if n == %d and once(\"hang\"):\n    %s", rate, how)
		}
		p := c.pipeline("-s", s.path, "-w", "2", "--slots", "1000", "--rate", fmt.Sprint(rate), "--deadline", deadline.String(),
			"-o", dir, "-p", script(c, "", body)).start()
		if how == "" {
			p.reaching(dir, int64(rate*len(s.events[0])))
			if pids := p.workers(); len(pids) > 0 {
				_ = syscall.Kill(pids[0], syscall.SIGSTOP)
			}
		}
		o := p.ended(0)
		a := c.proves(s, o, dir, natural)
		if o.books.Restarts != 1 {
			c.Errorf("%d restarts, want 1", o.books.Restarts)
		}
		others(c, a.seen, rate, max(deadline, time.Second)/2)
	}
}

// others compares how late the worker that went on was before and while the other one hung: an event is late by what it
// comes after the time at which it was due, had none been late.
func others(c *trial, seen []sighting, rate int, margin time.Duration) {
	staying := stays(seen, margin)
	gone, back := lastOfTheFirst(seen, staying)
	if gone == 0 || back == 0 {
		c.Errorf("it cannot be told who hung")
		return
	}
	due := int64(1 << 62)
	for _, e := range seen {
		if e.when > 0 {
			due = min(due, e.when-int64(e.n)*int64(time.Second)/int64(rate))
		}
	}
	var before, during []time.Duration
	for _, e := range seen {
		late := time.Duration(e.when - due - int64(e.n)*int64(time.Second)/int64(rate))
		switch {
		case e.when == 0 || e.pid != staying:
		case e.when < gone && e.n > rate/4: // the first ones begin with the run
			before = append(before, late)
		case e.when >= gone && e.when < back:
			during = append(during, late)
		}
	}
	if len(before) < 50 || len(during) < 50 {
		c.Errorf("the other worker answered %d events before and %d while one hung", len(before), len(during))
		return
	}
	p, q := quantile(before, 0.99), quantile(during, 0.99)
	if *full && q > p+p/10+25*time.Millisecond { // beside other tests, times tell nothing
		c.Errorf("the other worker's p99 was %v, and %v while one hung", p, q)
	}
	c.measured("back after %v; p99 of the other %.1f ms before, %.1f ms meanwhile (%d events)",
		time.Duration(back-gone).Round(time.Millisecond), p.Seconds()*1e3, q.Seconds()*1e3, len(during))
}

// stays is the process that answered from the beginning to the end, but for a margin.
func stays(seen []sighting, margin time.Duration) int {
	if len(seen) == 0 {
		return 0
	}
	first, last := seen[0].when, seen[len(seen)-1].when
	lo, hi := spans(seen)
	for pid := range lo {
		if lo[pid]-first < int64(margin) && last-hi[pid] < int64(margin) {
			return pid
		}
	}
	return 0
}

// spans are the times of the first and the last answer of each process.
func spans(seen []sighting) (lo, hi map[int]int64) {
	lo, hi = map[int]int64{}, map[int]int64{}
	for _, e := range seen {
		if e.when == 0 {
			continue
		}
		if lo[e.pid] == 0 {
			lo[e.pid] = e.when
		}
		lo[e.pid], hi[e.pid] = min(lo[e.pid], e.when), max(hi[e.pid], e.when)
	}
	return lo, hi
}

// lastOfTheFirst is when the process that hung answered for the last time, and when its replacement began.
func lastOfTheFirst(seen []sighting, keeps int) (gone, back int64) {
	if len(seen) == 0 {
		return 0, 0
	}
	lo, hi := spans(seen)
	for pid := range lo {
		if pid == keeps {
			continue
		}
		if gone == 0 || hi[pid] < gone {
			gone = hi[pid]
		}
	}
	for _, when := range lo {
		if when > gone && (back == 0 || when < back) {
			back = when
		}
	}
	return gone, back
}

func quantile(all []time.Duration, q float64) time.Duration {
	slices.Sort(all)
	return all[min(len(all)-1, int(float64(len(all))*q))]
}

// oneOfFour compares the time of two runs. The script sleeps, so that the cores are not what it lacks.
func oneOfFour(c *trial) {
	const deadline = 500 * time.Millisecond
	s := newStream(c, times(600, 2000))
	took := func(stop bool) float64 {
		dir := filepath.Join(c.TempDir(), "out")
		p := c.pipeline("-s", s.path, "-w", "4", "--slots", "32", "--deadline", deadline.String(), "-o", dir,
			"-p", script(c, "", "time.sleep(0.01)")).start()
		p.recording(dir)
		if stop {
			if pids := p.workers(); len(pids) > 0 {
				_ = syscall.Kill(pids[c.rng.IntN(len(pids))], syscall.SIGSTOP)
			}
		}
		o := p.ended(0)
		c.proves(s, o, dir, natural)
		return o.books.Seconds
	}
	without, with := took(false), took(true)
	c.measured("%.2f s without, %.2f s with", without, with)
	// The others have filled the window and wait, at most until the deadline, the stack dump, and the replacement.
	if with > without*1.1+deadline.Seconds()+2 {
		c.Errorf("the run took %.2f s, and %.2f s when one hung", without, with)
	}
}
