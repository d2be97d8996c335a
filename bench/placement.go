package bench

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// placement holds threads on processors. Where the kernel puts the two ends of a pipe changes the time of a round trip
// several times over, so that it has to be fixed before two round trips can be compared.
type placement struct {
	all  unix.CPUSet
	here int // the two processors used
	far  int
}

func newPlacement() (*placement, error) {
	p := &placement{here: -1, far: -1}
	if err := unix.SchedGetaffinity(0, &p.all); err != nil {
		return nil, fmt.Errorf("bench: read the processors allowed: %w", err)
	}
	for cpu := range len(p.all) * 64 {
		if !p.all.IsSet(cpu) {
			continue
		}
		if p.here < 0 {
			p.here = cpu
		}
		p.far = cpu // the last one: rarely a sibling thread of the first
	}
	return p, nil
}

// apart puts this program on one processor and the child on another, together both on one.
func (p *placement) apart(pid int) error    { return p.put(p.here, pid, p.far) }
func (p *placement) together(pid int) error { return p.put(p.here, pid, p.here) }

func (p *placement) put(self, pid, child int) error {
	if err := setThreads(os.Getpid(), single(self)); err != nil {
		return err
	}
	return setThreads(pid, single(child))
}

// free lets the kernel choose again.
func (p *placement) free(pid int) error {
	if err := setThreads(os.Getpid(), &p.all); err != nil {
		return err
	}
	return setThreads(pid, &p.all)
}

func single(cpu int) *unix.CPUSet {
	var s unix.CPUSet
	s.Set(cpu)
	return &s
}

// setThreads sets the processors of every thread of a process. Threads that start meanwhile inherit them.
func setThreads(pid int, set *unix.CPUSet) error {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetaffinity(tid, set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("bench: hold thread %d on a processor: %w", tid, err)
		}
	}
	return nil
}
