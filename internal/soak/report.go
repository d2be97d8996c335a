package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is what a soak test found.
type report struct {
	options  options
	begun    time.Time
	commit   string
	length   time.Duration
	highest  float64 // events per second, 0 when it was not measured
	rate     float64 // that was asked for
	samples  []sample
	faults   []fault
	end      ending
	verdicts []verdict
}

// verdict is one thing that was judged.
type verdict struct {
	what, found, bar string
	ok               bool
}

// The bars. A slope over less than an hour says nothing about a day: then only growth that no cache explains is judged.
const (
	longRun        = time.Hour
	longSlope      = 1.0 // MB per hour
	shortGrowth    = 8.0 // MB, by the fitted line, from the end of the warm-up on
	moreFiles      = 4   // descriptors; a replacement that is under way has some
	moreThreads    = 4   // of the Go runtime, which keeps those it once needed
	longRateKept   = 0.9 // of the rate at the beginning
	shortRateKept  = 0.7
	warmUpFraction = 0.2
	warmUpLongest  = 10 * time.Minute
)

// judge compares with the bars.
func (r *report) judge() {
	warm := min(warmUpLongest, time.Duration(warmUpFraction*float64(r.length)))
	settled := slices.DeleteFunc(slices.Clone(r.samples), func(s sample) bool { return s.at < warm })
	add := func(ok bool, what, found, bar string) {
		r.verdicts = append(r.verdicts, verdict{what: what, found: found, bar: bar, ok: ok})
	}
	const fewest = 6
	if len(settled) < fewest {
		add(false, "samples", fmt.Sprint(len(settled)), fmt.Sprintf("at least %d after the warm-up", fewest))
	} else {
		r.judgeGrowth(settled, add)
	}
	e := r.end
	add(!e.early && e.code == 130, "end", fmt.Sprintf("exit code %d, early: %v", e.code, e.early), "ends when interrupted, code 130")
	if e.books == nil {
		add(false, "books", "none", "a summary")
	} else {
		add(e.books.balance(), "books", fmt.Sprintf("received %d, in flight %d", e.books.Received, e.books.InFlight), "balance")
		add(e.books.Restarts > 0 || len(r.faults) == 0, "restarts", fmt.Sprint(e.books.Restarts), "children are replaced")
	}
	add(len(e.children)+e.segments == 0, "left behind", fmt.Sprintf("%d children, %d segments", len(e.children), e.segments), "nothing")
}

func (r *report) judgeGrowth(s []sample, add func(ok bool, what, found, bar string)) {
	slope := slopePerHour(s, func(s *sample) float64 { return s.rss })
	hours := (s[len(s)-1].at - s[0].at).Hours()
	found := fmt.Sprintf("%+.2f MB/h, %+.2f MB in %.3f h", slope, slope*hours, hours)
	if r.length >= longRun {
		add(slope < longSlope, "memory of drp", found, fmt.Sprintf("< %g MB/h", longSlope))
	} else {
		add(slope*hours < shortGrowth, "memory of drp", found, fmt.Sprintf("< %g MB in all, as the run is shorter than %v",
			shortGrowth, longRun))
	}
	for _, c := range []struct {
		what  string
		value func(*sample) float64
		more  float64
	}{
		{"descriptors of drp", func(s *sample) float64 { return float64(s.descriptors) }, moreFiles},
		{"threads of drp", func(s *sample) float64 { return float64(s.threads) }, moreThreads},
		{"segments", func(s *sample) float64 { return float64(s.segments) }, 0},
		{"children", func(s *sample) float64 { return float64(s.children) }, 1},
	} {
		from, to := thirds(s, c.value)
		add(to <= from+c.more, c.what, fmt.Sprintf("%g, then %g", from, to), fmt.Sprintf("at most %g more", c.more))
	}
	from, to := thirds(s, func(s *sample) float64 { return s.rate })
	kept := longRateKept
	if r.length < longRun {
		kept = shortRateKept
	}
	add(to >= kept*from, "events/s", fmt.Sprintf("%.0f, then %.0f", from, to), fmt.Sprintf("at least %.0f %% of what it was", 100*kept))
}

// slopePerHour fits a line by least squares.
func slopePerHour(s []sample, value func(*sample) float64) float64 {
	var meanX, meanY, xy, xx float64
	n := float64(len(s))
	for i := range s {
		meanX += s[i].at.Hours() / n
		meanY += value(&s[i]) / n
	}
	for i := range s {
		dx := s[i].at.Hours() - meanX
		xy += dx * (value(&s[i]) - meanY)
		xx += dx * dx
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}

// thirds gives the medians of the first and the last third.
func thirds(s []sample, value func(*sample) float64) (first, last float64) {
	median := func(s []sample) float64 {
		var all []float64
		for i := range s {
			all = append(all, value(&s[i]))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	n := max(1, len(s)/3)
	return median(s[:n]), median(s[len(s)-n:])
}

func (r *report) failed() (bad []verdict) {
	return slices.DeleteFunc(slices.Clone(r.verdicts), func(v verdict) bool { return v.ok })
}

// text is the report in Markdown.
func (r *report) text() string {
	var b strings.Builder
	said := "passed"
	if len(r.failed()) > 0 {
		said = "FAILED"
	}
	fmt.Fprintf(&b, "# Soak test: %s\n\n", said)
	o := r.options
	fmt.Fprintf(&b, "%s, %v, %d cores, %s, commit %s\n\n", r.begun.Format(time.DateTime), r.length, runtime.NumCPU(), processor(), r.commit)
	fmt.Fprintf(&b, "    make soak HOURS=%g SOAK_FLAGS=\"-seed %d -workers %d -load %g -rate %g\"\n\n", o.hours, o.seed, o.workers, o.load, o.rate)
	if r.highest > 0 {
		fmt.Fprintf(&b, "Highest rate %.0f events/s; asked for %.0f events/s of 64 x 64 pixels.\n", r.highest, r.rate)
	} else {
		fmt.Fprintf(&b, "Asked for %.0f events/s of 64 x 64 pixels.\n", r.rate)
	}
	killed, stopped := 0, 0
	for _, f := range r.faults {
		if f.what == "SIGSTOP" {
			stopped++
		} else {
			killed++
		}
	}
	fmt.Fprintf(&b, "%d children killed, %d stopped; the script raises, prints and leaks. %d files recorded and removed.\n\n", killed,
		stopped, r.end.pruned)
	b.WriteString("| | found | bar | |\n|---|---|---|---|\n")
	for _, v := range r.verdicts {
		word := "ok"
		if !v.ok {
			word = "**no**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", v.what, v.found, v.bar, word)
	}
	if k := r.end.books; k != nil {
		fmt.Fprintf(&b, "\nreceived %d, recorded %d (damaged %d), quarantined %d, dropped %d, failed %d, late %d, restarts %d; "+
			"%.0f events/s, deadtime %.3f s\n", k.Received, k.Recorded, k.Damaged, k.Quarantined, k.Dropped, k.Failed, k.Late, k.Restarts,
			k.EventsPerSecond, k.DeadtimeSeconds)
	}
	r.table(&b)
	if len(r.failed()) > 0 {
		fmt.Fprintf(&b, "\nThe last words of drp:\n\n```\n%s\n```\n", r.end.said[max(0, len(r.end.said)-4000):])
	}
	return b.String()
}

// table shows some of the samples.
func (r *report) table(b *strings.Builder) {
	b.WriteString("\n| time | drp MB | touched shared MB | children MB | descriptors | threads | children | segments | events/s |\n" +
		"|---|---|---|---|---|---|---|---|---|\n")
	step := max(1, len(r.samples)/24)
	for i := 0; i < len(r.samples); i += step {
		s := &r.samples[i]
		fmt.Fprintf(b, "| %v | %.1f | %.1f | %.1f | %d | %d | %d | %d | %.0f |\n", s.at.Round(time.Second), s.rss, s.shared, s.childrenRSS,
			s.descriptors, s.threads, s.children, s.segments, s.rate)
	}
}

func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude", "*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
