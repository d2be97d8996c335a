package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"drp/internal/rundir"
)

func (h *Host) root() Finding {
	const item = "user"
	if h.UID == 0 {
		return warning(item, "run as an ordinary user; nothing in drp needs root",
			"running as root: user scripts run with all rights")
	}
	return ok(item, "an ordinary user (%d)", h.UID)
}

func (h *Host) cpu() Finding {
	const item = "cores"
	if quota := h.coreQuota(); quota < float64(h.Cores) {
		return warning(item, fmt.Sprintf("drp -w %d", max(1, int(quota))),
			"%d cores are there, and the control group allows the time of %.1f", h.Cores, quota)
	}
	policy := "sys/devices/system/cpu/cpu0/cpufreq/"
	governor, driver := h.text(policy+"scaling_governor"), h.text(policy+"scaling_driver")
	// The drivers of newer processors choose the frequency themselves, also under this name.
	if governor == "powersave" && !strings.Contains(driver, "pstate") {
		return warning(item, "sudo cpupower frequency-set -g performance",
			"%d cores, held at a low frequency by the governor %s", h.Cores, governor)
	}
	if governor == "" {
		return ok(item, "%d cores", h.Cores)
	}
	return ok(item, "%d cores, governor %s", h.Cores, governor)
}

// coreQuota is how many cores' time the control groups allow.
func (h *Host) coreQuota() float64 {
	least := math.Inf(1)
	for _, dir := range h.groups("cpu") {
		var quota, period float64
		if _, err := fmt.Sscan(h.text(path.Join(dir, "cpu.max")), &quota, &period); err != nil { // "max 100000"
			q, okQuota := h.number(path.Join(dir, "cpu.cfs_quota_us")) // -1 is none
			p, okPeriod := h.number(path.Join(dir, "cpu.cfs_period_us"))
			if !okQuota || !okPeriod {
				continue
			}
			quota, period = float64(q), float64(p)
		}
		if quota > 0 && period > 0 {
			least = min(least, quota/period)
		}
	}
	return least
}

// gpu only reports: nothing uses one yet.
func (h *Host) gpu() Finding {
	const item = "GPU"
	devices, _ := fs.Glob(h.Root, "dev/nvidia[0-9]*")
	driver, _, _ := strings.Cut(h.text("proc/driver/nvidia/version"), "\n")
	switch {
	case len(devices) == 0 && driver == "":
		return ok(item, "there is none; none is needed")
	case driver == "":
		return ok(item, "%d NVIDIA devices, of a driver that does not say its version", len(devices))
	}
	return ok(item, "%d NVIDIA devices; %s", len(devices), strings.Join(strings.Fields(driver), " "))
}

// lowestUserID is the first user that logind does not count as one of the system.
const lowestUserID = 1000

// logind finds out whether the end of the user's last session takes something from a run that goes on.
func (h *Host) logind() Finding {
	const item = "logind"
	runtime := h.Env("XDG_RUNTIME_DIR")
	switch {
	case !h.exists("run/systemd/system"):
		return ok(item, "is not in charge here")
	case h.UID < lowestUserID:
		return ok(item, "leaves users of the system alone")
	case h.User != "" && h.exists("var/lib/systemd/linger/"+h.User):
		return ok(item, "keeps what this user has when no session is open (linger)")
	}
	switch h.logindSetting("RemoveIPC") {
	case "no", "false", "0", "off":
		if !strings.HasPrefix(runtime, "/run/user/") {
			return ok(item, "RemoveIPC is off")
		}
	}
	fix := "loginctl enable-linger"
	if h.exists(fmt.Sprintf("run/systemd/users/%d", h.UID)) {
		return warning(item, fix, "when the last session of this user ends, logind removes its run-time folder and unused "+
			"shared memory: a run that shall go on without a session is better protected")
	}
	return warning(item, fix, "no session of this user is open, so that logind may remove its run-time folder and unused "+
		"shared memory at any time")
}

// logindSetting finds a key in the files of logind; later files go before earlier ones.
func (h *Host) logindSetting(key string) (value string) {
	files := []string{"usr/lib/systemd/logind.conf", "etc/systemd/logind.conf"}
	for _, pattern := range []string{"usr/lib/systemd/logind.conf.d/*.conf", "etc/systemd/logind.conf.d/*.conf"} {
		found, _ := fs.Glob(h.Root, pattern)
		files = append(files, found...)
	}
	for _, file := range files {
		for line := range strings.Lines(h.text(file)) {
			if name, v, isPair := strings.Cut(strings.TrimSpace(line), "="); isPair && strings.TrimSpace(name) == key {
				value = strings.ToLower(strings.TrimSpace(v))
			}
		}
	}
	return value
}

func (h *Host) runDir() Finding {
	const item = "run-time folder"
	dir, longest, err := h.TryRunDir()
	if err != nil {
		return trouble(item, "remove what is there, or name another folder: export XDG_RUNTIME_DIR=$(mktemp -d)", "%v", err)
	}
	if longest > rundir.LongestSocket {
		return warning(item, "export XDG_RUNTIME_DIR=$(mktemp -d)",
			"%s has so long a name that sockets in it would have paths of %d bytes, and %d are allowed", dir, longest,
			rundir.LongestSocket)
	}
	return ok(item, "%s is this user's alone", dir)
}

func (h *Host) leftovers() Finding {
	const item = "leftovers"
	found, err := h.Leftovers()
	lost := h.lostSegments()
	switch {
	case err != nil:
		return unknown(item, "what killed runs left cannot be listed: %v", err)
	case len(found) > 0:
		return warning(item, "drp clean", "killed runs left %d things, such as %s", len(found), found[0])
	case len(lost) > 0:
		return warning(item, "see who made them, ipcs -mp, and if it was drp: ipcrm -m "+strings.Join(lost, " -m "),
			"%d shared-memory segments of this user are used by nobody, and who made them is gone; they have no mark of "+
				"drp, which a kill at an unlucky moment may have prevented", len(lost))
	}
	return ok(item, "no killed run left anything")
}

// lostSegments are private segments of this user that nobody is attached to and whose maker is gone. They are only
// listed, since other programs may keep such.
func (h *Host) lostSegments() (ids []string) {
	for line := range strings.Lines(h.text("proc/sysvipc/shm")) {
		f := strings.Fields(line) // key shmid perms size cpid lpid nattch uid …
		if len(f) > 7 && f[0] == "0" && f[6] == "0" && f[7] == strconv.Itoa(h.UID) && !h.exists("proc/"+f[4]) {
			ids = append(ids, f[1])
		}
	}
	return ids
}

func (h *Host) python(ctx context.Context) Finding {
	const (
		item = "Python"
		long = 5 * time.Second
	)
	began := time.Now()
	said, err := h.TryPython(ctx)
	took := time.Since(began).Round(10 * time.Millisecond)
	if err != nil {
		return trouble(item, "do what the sentence says, or name another interpreter: --python", "%v", err)
	}
	if took > long {
		return warning(item, "keep the environment on a local disk", "%s; a child took %v to start", said, took)
	}
	return ok(item, "%s; a child starts in %v", said, took)
}

// clock compares the two clocks over the time the checks took.
func clock(source string, monotonic, wall time.Duration) Finding {
	const (
		item = "clock"
		jump = 100 * time.Millisecond
	)
	if d := (wall - monotonic).Abs(); d > jump {
		return warning(item, "timedatectl timesync-status", "the time of day jumped by %v in the last %v; deadlines are not "+
			"affected, times in the log are", d.Round(time.Millisecond), monotonic.Round(time.Millisecond))
	}
	switch source {
	case "":
		return unknown(item, "the kernel does not say what its clock is")
	case "hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit":
		return warning(item, "ask the administrator why the kernel does not use tsc: dmesg | grep -i clocksource",
			"the kernel's clock is %s, which is slow to read", source)
	}
	return ok(item, "%s; the time of day is steady", source)
}
