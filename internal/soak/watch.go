package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sample is what can be seen of drp from outside at one moment.
type sample struct {
	at          time.Duration // since the start
	rss         float64       // MB, without shared memory, which has a fixed size
	shared      float64       // MB of shared memory that drp has touched
	childrenRSS float64       // MB, without shared memory, of all Python children
	descriptors int
	threads     int
	children    int
	segments    int
	rate        float64 // events per second as last said, 0 before the first time
}

// fault is what was done to a child.
type fault struct {
	at   time.Duration
	what string
}

// watch samples and plants faults until the time is over or drp has ended.
func (j *job) watch(ctx context.Context, length time.Duration, seed uint64) (samples []sample, faults []fault) {
	rng := rand.New(rand.NewPCG(seed, 3))
	every := min(30*time.Second, max(time.Second, length/200))
	between := min(60*time.Second, max(4*time.Second, length/15)) // on average
	begun := time.Now()
	next := time.Duration(float64(between) * (0.5 + rng.Float64()))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return samples, faults
		case <-j.done:
			return samples, faults
		case <-tick.C:
		}
		now := time.Since(begun)
		if now >= length {
			return samples, faults
		}
		if s, ok := j.look(now); ok {
			samples = append(samples, s)
		}
		j.prune()
		if now >= next {
			if what := plant(rng, j.cmd.Process.Pid); what != "" {
				faults = append(faults, fault{at: now, what: what})
			}
			next = now + time.Duration(float64(between)*rng.ExpFloat64())
		}
	}
}

// plant kills or stops a Python child. Which one was still drp's a moment ago.
func plant(rng *rand.Rand, parent int) string {
	all := pythons(parent)
	if len(all) == 0 {
		return ""
	}
	pid := all[rng.IntN(len(all))]
	what, signal := "kill -9", syscall.SIGKILL
	if rng.IntN(3) == 0 {
		what, signal = "SIGSTOP", syscall.SIGSTOP
	}
	if syscall.Kill(pid, signal) != nil {
		return ""
	}
	return what
}

var progress = regexp.MustCompile(`(?m)^\d+ events  (\d+)/s  `)

// look takes a sample; it fails when drp is ending.
func (j *job) look(at time.Duration) (sample, bool) {
	pid := j.cmd.Process.Pid
	s := sample{at: at, segments: segmentsOf(pid)}
	status := statusOf(pid)
	s.rss, s.shared = (status["VmRSS"]-status["RssShmem"])/1024, status["RssShmem"]/1024
	s.threads = int(status["Threads"])
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	s.descriptors = len(open)
	for _, child := range pythons(pid) {
		status := statusOf(child)
		s.childrenRSS += (status["VmRSS"] - status["RssShmem"]) / 1024
		s.children++
	}
	if all := progress.FindAllStringSubmatch(j.said.String(), -1); len(all) > 0 {
		s.rate, _ = strconv.ParseFloat(all[len(all)-1][1], 64)
	}
	return s, err == nil && s.rss > 0
}

// statusOf gives the numbers of /proc/PID/status; sizes are in kB.
func statusOf(pid int) map[string]float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	found := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 {
			if v, err := strconv.ParseFloat(f[1], 64); err == nil {
				found[strings.TrimSuffix(f[0], ":")] = v
			}
		}
	}
	return found
}

// pythons are the children of a process that run the package drp, sorted.
func pythons(parent int) (found []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(f) < 2 || f[0] == "Z" || f[1] != strconv.Itoa(parent) {
			continue
		}
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if isChild(string(line)) {
			found = append(found, pid)
		}
	}
	slices.Sort(found)
	return found
}

// isChild tells a child of drp by its command line, as it was started or as it names itself.
func isChild(line string) bool {
	return strings.Contains(line, "\x00-m\x00drp\x00") || strings.HasPrefix(line, "drp worker ")
}

// living are those of some processes of drp that still run.
func living(pids []int) (found []int) {
	for _, pid := range pids {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && isChild(string(line)) {
			found = append(found, pid)
		}
	}
	return found
}

// segmentsOf counts the shared-memory segments that a process made.
func segmentsOf(creator int) (n int) {
	table, _ := os.ReadFile("/proc/sysvipc/shm")
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == strconv.Itoa(creator) { // key shmid perms size cpid …
			n++
		}
	}
	return n
}
