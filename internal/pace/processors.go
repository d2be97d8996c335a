package pace

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Processors tell what nobody has used of the processors that this process may run on. It belongs to one goroutine at a time.
type Processors struct {
	root  string // of the file system
	now   func() time.Time
	tasks []string
	last  reading
	full  time.Time // until when they are, since this process was stopped
}

// reading is what the system says at a moment.
type reading struct {
	at        time.Time
	idle      map[int]time.Duration // of each processor that is allowed, since the machine began
	groups    map[string]group      // that this process is in
	throttled int64                 // how often it was stopped, since a group had used up what it may
}

// group is one of processes that may use so much together.
type group struct {
	cores float64       // that it may use
	used  time.Duration // so far
}

// stopped is how long the processors are full once a quota was used up: what was given then is what used it up the last time.
const stopped = 10 * time.Second

// tick is in which the system counts, whatever its own is.
const tick = 10 * time.Millisecond

// NewProcessors reads below a folder, which is / but in tests.
func NewProcessors(root string) *Processors {
	p := &Processors{root: root, now: time.Now}
	p.tasks = p.groupFolders()
	return p
}

// Spare gives the cores that were idle since it was asked last, of the processors that are allowed, and no more than what is left
// of a quota. What cannot be read is not known: then whoever asks had better take them for full.
func (p *Processors) Spare() (cores float64, known bool) {
	now, err := p.read()
	before := p.last
	p.last = now
	took := now.at.Sub(before.at).Seconds()
	if err != nil || before.at.IsZero() || took <= 0 {
		return 0, false
	}
	for cpu, idle := range now.idle {
		if was, there := before.idle[cpu]; there { // one that was not allowed before says nothing yet
			cores += max(0, (idle-was).Seconds()/took)
		}
	}
	for name, g := range now.groups {
		if was, there := before.groups[name]; there {
			cores = min(cores, max(0, g.cores-(g.used-was.used).Seconds()/took))
		}
	}
	if now.throttled > before.throttled {
		p.full = now.at.Add(stopped)
	}
	if now.at.Before(p.full) {
		cores = 0
	}
	return cores, true
}

func (p *Processors) read() (r reading, err error) {
	text, err := os.ReadFile(filepath.Join(p.root, "proc/stat"))
	if err != nil {
		return r, fmt.Errorf("pace: %w", err)
	}
	r.at = p.now()
	var allowed unix.CPUSet
	if err = unix.SchedGetaffinity(os.Getpid(), &allowed); err != nil {
		return r, fmt.Errorf("pace: read the processors allowed: %w", err)
	}
	if r.idle, err = idleOf(text, allowed.IsSet); err != nil {
		return r, err
	}
	r.groups = map[string]group{}
	for _, folder := range p.tasks {
		p.readGroup(folder, &r)
	}
	return r, nil
}

// idleOf gives the time that each processor had nothing to do, or waited for a disk.
func idleOf(stat []byte, allowed func(int) bool) (map[int]time.Duration, error) {
	all := map[int]time.Duration{}
	for line := range bytes.Lines(stat) {
		fields := strings.Fields(string(line))
		const idle, wait = 4, 5
		if len(fields) <= wait || !strings.HasPrefix(fields[0], "cpu") {
			break // they come first
		}
		cpu, err := strconv.Atoi(fields[0][len("cpu"):])
		if err != nil || !allowed(cpu) { // the first line is all of them
			continue
		}
		ticks, err := strconv.ParseInt(fields[idle], 10, 64)
		waited, wrong := strconv.ParseInt(fields[wait], 10, 64)
		if err != nil || wrong != nil {
			return nil, fmt.Errorf("pace: proc/stat says %q", line)
		}
		all[cpu] = time.Duration(ticks+waited) * tick
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("pace: proc/stat knows none of the processors allowed")
	}
	return all, nil
}

// groupFolders finds those that say how much of a processor this process may use together with others: of its group, and of all that
// this is in.
func (p *Processors) groupFolders() (all []string) {
	text, err := os.ReadFile(filepath.Join(p.root, "proc/self/cgroup"))
	if err != nil {
		return nil // a system without groups
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		top := ""
		for controller := range strings.SplitSeq(parts[1], ",") {
			if controller == "cpu" {
				top = filepath.Join(p.root, "sys/fs/cgroup", parts[1]) // as they were before there was one tree for all
			}
		}
		if parts[1] == "" {
			top = filepath.Join(p.root, "sys/fs/cgroup")
		}
		for folder := filepath.Join(top, parts[2]); top != "" && strings.HasPrefix(folder, top); folder = filepath.Dir(folder) {
			if _, err := os.Stat(filepath.Join(folder, "cpu.stat")); err == nil {
				all = append(all, folder)
			}
		}
	}
	return all
}

// readGroup adds what a group may use, and how often it was stopped. One without a quota says nothing.
func (p *Processors) readGroup(folder string, r *reading) {
	stat := figures(filepath.Join(folder, "cpu.stat"))
	r.throttled += stat["nr_throttled"]
	text, err := os.ReadFile(filepath.Join(folder, "cpu.max"))
	if err != nil {
		return
	}
	var quota, period float64
	if n, _ := fmt.Sscan(string(text), &quota, &period); n == 2 && period > 0 { // it is "max" without one
		r.groups[folder] = group{quota / period, time.Duration(stat["usage_usec"]) * time.Microsecond}
	}
}

// figures are lines of a name and a number.
func figures(path string) map[string]int64 {
	text, _ := os.ReadFile(path) // one that is not there has none
	all := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		if name, number, found := strings.Cut(strings.TrimSpace(line), " "); found {
			all[name], _ = strconv.ParseInt(number, 10, 64)
		}
	}
	return all
}
