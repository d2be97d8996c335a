// Package doctor looks at a machine and says whether a run will work on it, and what to do where it will not.
//
// Each check is a function of a Host, which holds all that a check can see: a file system in place of the machine's /proc,
// /sys and /etc, and functions in place of what has to be tried. So a test can plant any trouble. Nothing is changed but
// for what is tried and taken back: a segment, a Python child, a file in the output folder. What cannot be read is
// unknown, and is no trouble: containers and unprivileged users see little.
package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"time"
)

// Status is how bad a finding is.
type Status string

// The statuses. Only trouble would stop a run.
const (
	OK      Status = "ok"
	Unknown Status = "unknown"
	Warning Status = "warning"
	Trouble Status = "trouble"
)

// Finding is the outcome of one check.
type Finding struct {
	Item   string `json:"item"`
	Status Status `json:"status"`
	Says   string `json:"says"`
	Fix    string `json:"fix,omitempty"` // what to do, as a command where there is one
}

// Need is what the run that shall work takes.
type Need struct {
	Workers      int   // Python children
	LargestBytes int64 // of a segment
	MemoryBytes  int64 // of all segments, what is touched at the start
}

// Segments is how many the run makes: one of transitions, and two for each worker.
func (n Need) Segments() int64 { return 1 + 2*int64(n.Workers) }

// Host is the machine as the checks see it.
type Host struct {
	Root   fs.FS // of the file system, without the leading slash
	UID    int
	User   string              // its name, if it has one
	Env    func(string) string // the environment
	Cores  int                 // that this process may use
	Need   Need
	Output string // folder for the files of a run; empty: not looked at

	// What has to be tried. A nil function is a check that is left out.
	TrySegment func() error                                 // make a segment, and attach it by its id
	TryPython  func(context.Context) (said string, e error) // start one child, as a run does
	TryRunDir  func() (path string, longest int, e error)   // make the run-time folder; the longest path of a socket in it
	Leftovers  func() ([]string, error)                     // what drp clean would remove
}

// Examine makes all checks, one after the other since some measure.
func Examine(ctx context.Context, h *Host) []Finding {
	began := time.Now()
	all := []Finding{
		h.root(), h.cpu(), h.memorySpeed(), h.memory(), h.segmentLimits(), h.hugePages(), h.lockedMemory(), h.openFiles(),
		h.processes(), h.namespace(), h.logind(), h.shell(), h.gpu(),
	}
	if h.TrySegment != nil {
		all = append(all, h.segment())
	}
	if h.TryRunDir != nil {
		all = append(all, h.runDir())
	}
	if h.Leftovers != nil {
		all = append(all, h.leftovers())
	}
	if h.TryPython != nil {
		all = append(all, h.python(ctx))
	}
	if h.Output != "" {
		all = append(all, output(h.Output, diskTrial)...)
	}
	// No port is listened on yet: a check that they are free belongs here.
	now := time.Now()
	return append(all, clock(h.text("sys/devices/system/clocksource/clocksource0/current_clocksource"), now.Sub(began),
		now.Round(0).Sub(began.Round(0))))
}

// TooFew are the limits that a run with so many workers would meet. It costs next to nothing, and is meant for the start of
// a run.
func TooFew(h *Host) (found []Finding) {
	for _, f := range []Finding{h.openFiles(), h.processes()} {
		if f.Status == Trouble {
			found = append(found, f)
		}
	}
	return found
}

// Worst is the worst status among findings.
func Worst(all []Finding) Status {
	rank := map[Status]int{OK: 0, Unknown: 1, Warning: 2, Trouble: 3}
	worst := OK
	for _, f := range all {
		if rank[f.Status] > rank[worst] {
			worst = f.Status
		}
	}
	return worst
}

func ok(item, format string, args ...any) Finding {
	return Finding{Item: item, Status: OK, Says: fmt.Sprintf(format, args...)}
}

func unknown(item, format string, args ...any) Finding {
	return Finding{Item: item, Status: Unknown, Says: fmt.Sprintf(format, args...)}
}

func warning(item, fix, format string, args ...any) Finding {
	return Finding{Item: item, Status: Warning, Says: fmt.Sprintf(format, args...), Fix: fix}
}

func trouble(item, fix, format string, args ...any) Finding {
	return Finding{Item: item, Status: Trouble, Says: fmt.Sprintf(format, args...), Fix: fix}
}

// megabytes writes a size for people.
func megabytes(n int64) string {
	if n >= 10e9 {
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}
