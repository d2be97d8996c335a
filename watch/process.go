package watch

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Processes looks at processes of this machine. It may be used by any number of goroutines.
type Processes struct {
	mu     sync.Mutex // protects shares
	shares map[int]share
}

type share struct {
	bytes int64
	at    time.Time
}

// shareMaxAge is for how long the proportional size is kept: the system goes through all pages to find it.
const shareMaxAge = 5 * time.Second

// Look fills in what the system says of the worker's process.
func (p *Processes) Look(w *Worker) {
	if w.PID == 0 {
		return
	}
	lookQuickly(w)
	w.Share = p.share(w.PID)
}

// lookQuickly leaves out what takes long to find.
func lookQuickly(w *Worker) {
	fields := statOf(w.PID)
	const state, user, system = 0, 11, 12 // behind the name
	if len(fields) > system {
		if s := fields[state]; s == "T" || s == "t" {
			w.State = "stopped"
		}
		w.CPU = ticks(fields[user]) + ticks(fields[system])
	}
	w.Resident = residentOf(w.PID)
}

// statOf gives the words of /proc/PID/stat that follow the name, which may hold any character.
func statOf(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// ticks are in 1/100 s on every Linux that Go runs on.
func ticks(text string) float64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return float64(n) / 100
}

func residentOf(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

func (p *Processes) share(pid int) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if known, ok := p.shares[pid]; ok && now.Sub(known.at) < shareMaxAge {
		return known.bytes
	}
	if p.shares == nil {
		p.shares = map[int]share{}
	}
	for other, known := range p.shares {
		if now.Sub(known.at) > 2*shareMaxAge { // it has gone
			delete(p.shares, other)
		}
	}
	got := share{proportionalOf(pid), now}
	p.shares[pid] = got
	return got.bytes
}

func proportionalOf(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "Pss:" {
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}
