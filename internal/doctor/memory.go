package doctor

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// pythonBytes is what a Python child with NumPy takes beside the segments, roughly.
const pythonBytes = 50 << 20

func (h *Host) memory() Finding {
	const item = "memory"
	free, known := h.field("proc/meminfo", "MemAvailable")
	if !known {
		return unknown(item, "/proc/meminfo does not say how much memory is free")
	}
	free <<= 10 // kB
	whose := "on this machine"
	if left, limited := h.groupLeaves("memory", [2]string{"memory.max", "memory.limit_in_bytes"},
		[2]string{"memory.current", "memory.usage_in_bytes"}); limited && left < free {
		free, whose = left, "in this control group"
	}
	needed := h.Need.MemoryBytes + int64(h.Need.Workers)*pythonBytes
	says := fmt.Sprintf("%s are free %s; a run with %d workers on the simulated camera takes %s", megabytes(free), whose,
		h.Need.Workers, megabytes(needed))
	if needed <= free {
		return ok(item, "%s", says)
	}
	fit := free / max(1, needed/int64(max(1, h.Need.Workers)))
	if fit < 1 {
		return trouble(item, "free memory, raise the limit, or give a smaller --slots", "%s", says)
	}
	return trouble(item, fmt.Sprintf("drp -w %d, or a smaller --slots; or raise the memory limit", fit), "%s", says)
}

func (h *Host) segmentLimits() Finding {
	const item = "shared memory"
	largest, okMax := h.number("proc/sys/kernel/shmmax")
	pages, okAll := h.number("proc/sys/kernel/shmall")
	segments, okMni := h.number("proc/sys/kernel/shmmni")
	if !okMax || !okAll || !okMni {
		return unknown(item, "the kernel's limits for shared memory cannot be read (/proc/sys/kernel/shmmax, shmall, shmmni)")
	}
	const page = 4096
	used, count := h.segmentsInUse()
	total := int64(unlimited)
	if pages < unlimited/page {
		total = pages * page
	}
	n := h.Need
	switch {
	case largest < n.LargestBytes:
		return trouble(item, fmt.Sprintf("sudo sysctl -w kernel.shmmax=%d", n.LargestBytes),
			"a segment may have %s, and the largest of a run has %s", megabytes(largest), megabytes(n.LargestBytes))
	case total-used < n.MemoryBytes+n.LargestBytes:
		return trouble(item, fmt.Sprintf("sudo sysctl -w kernel.shmall=%d", (used+n.MemoryBytes+n.LargestBytes)/page+1),
			"all segments together may have %s, of which %s are in use, and a run makes %s", megabytes(total),
			megabytes(used), megabytes(n.MemoryBytes+n.LargestBytes))
	case segments-count < n.Segments():
		return trouble(item, fmt.Sprintf("sudo sysctl -w kernel.shmmni=%d", count+n.Segments()),
			"there may be %d segments, of which there are %d, and a run makes %d", segments, count, n.Segments())
	}
	return ok(item, "the kernel's limits are high enough; %d segments with %s are in use", count, megabytes(used))
}

// segmentsInUse adds up the kernel's table of segments.
func (h *Host) segmentsInUse() (bytes, count int64) {
	for line := range strings.Lines(h.text("proc/sysvipc/shm")) {
		f := strings.Fields(line) // key shmid perms size cpid …
		if len(f) < 5 {
			continue
		}
		if size, err := strconv.ParseInt(f[3], 10, 64); err == nil {
			bytes, count = bytes+size, count+1
		}
	}
	return bytes, count
}

// segment tries what all rests on: a segment that is already removed can be attached by its id.
func (h *Host) segment() Finding {
	const item = "removed segments"
	if err := h.TrySegment(); err != nil {
		return trouble(item, "run on a Linux kernel of its own, or allow shmget, shmat and shmctl (seccomp)",
			"a segment that was removed from the system's table cannot be used, as drp does: %v", err)
	}
	return ok(item, "a segment that was removed from the system's table can be attached")
}

func (h *Host) hugePages() Finding {
	const item = "huge pages"
	choice := chosen(h.text("sys/kernel/mm/transparent_hugepage/shmem_enabled"))
	if choice == "" {
		return unknown(item, "the kernel does not say whether shared memory gets huge pages")
	}
	if choice == "always" || choice == "within_size" || choice == "force" {
		return ok(item, "shared memory gets transparent huge pages (%s)", choice)
	}
	return ok(item, "shared memory has pages of the usual size (transparent huge pages: %s); drp does not ask for others", choice)
}

// chosen is the word in brackets: "always [madvise] never".
func chosen(text string) string {
	_, rest, _ := strings.Cut(text, "[")
	word, _, _ := strings.Cut(rest, "]")
	return word
}

func (h *Host) lockedMemory() Finding {
	const item = "locked memory"
	limit, known := h.limit("Max locked memory")
	switch {
	case !known:
		return unknown(item, "the limit of locked memory cannot be read")
	case limit == unlimited:
		return ok(item, "may be locked without limit; drp locks none")
	}
	return ok(item, "up to %s may be locked; drp locks none", megabytes(limit))
}

// memorySpeed copies memory with one core for a moment.
func (h *Host) memorySpeed() Finding {
	const (
		item   = "memory speed"
		bytes  = 32 << 20
		moment = 150 * time.Millisecond
		slow   = 1e9 // a frame of 4.3 MB takes as long as a typical script
	)
	from, to := make([]byte, bytes), make([]byte, bytes)
	for i := range from {
		from[i] = byte(i)
	}
	copy(to, from) // the first touches the pages
	began, copied := time.Now(), 0
	for time.Since(began) < moment {
		copied += copy(to, from)
	}
	rate := float64(copied) / time.Since(began).Seconds()
	if rate < slow {
		return warning(item, "look for other programs on this machine: top", "one core copies %.2f GB/s, which is slow",
			rate/1e9)
	}
	return ok(item, "one core copies %.1f GB/s", rate/1e9)
}
