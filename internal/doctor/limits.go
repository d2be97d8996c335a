package doctor

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// What a run takes of descriptors and tasks, at its peak: while children start.
const (
	filesOfRun    = 24 // the runtime, the guard, the recorder's files
	filesOfSource = 16 // the streams of one run
	filesOfWorker = 8  // three pipes with both ends, the exec, the handle of the process
	tasksOfRun    = 16 // threads of the runtime, the guard
	tasksOfWorker = 4  // the child and a thread of its libraries; the threads that read its pipe and wait for its end
	fewestTasks   = 12 // as tasksOfRun, on two cores with nothing to spare

	plentyOfTasks = 32768 // a limit that leaves so many is not worth counting those there are
)

func (h *Host) openFiles() Finding {
	const item = "open files"
	limit, known := h.limit("Max open files")
	if !known {
		return unknown(item, "the limit of open files cannot be read")
	}
	needed := int64(filesOfRun + filesOfSource + filesOfWorker*h.Need.Workers)
	if limit < needed {
		return trouble(item, "raise the limit: ulimit -Hn 4096 as root, LimitNOFILE=4096 for a service, "+
			"docker run --ulimit nofile=4096",
			"%d files may be open, and a run with %d workers needs up to %d", limit, h.Need.Workers, needed)
	}
	return ok(item, "enough may be open (%s)", count(limit))
}

// NoThreads says so when a run with so many workers could not get the threads it cannot do without. The Go runtime
// would abort, without a word that helps.
func NoThreads(h *Host) (Finding, bool) {
	f := h.tasksFor(int64(fewestTasks + tasksOfWorker*h.Need.Workers))
	return f, f.Status == Trouble
}

func (h *Host) processes() Finding {
	return h.tasksFor(int64(tasksOfRun + tasksOfWorker*h.Need.Workers))
}

// tasksFor finds out whether so many processes and threads may be added to those there are.
func (h *Host) tasksFor(needed int64) Finding {
	const item = "processes"
	left, limited := h.groupLeaves("pids", [2]string{"pids.max", "pids.max"}, [2]string{"pids.current", "pids.current"})
	if limited && left < needed {
		return trouble(item, fmt.Sprintf("drp -w %d; or raise the limit (docker run --pids-limit, TasksMax= of a service)",
			max(1, (left-tasksOfRun)/tasksOfWorker)),
			"the control group leaves %d processes and threads, and a run with %d workers needs up to %d", left,
			h.Need.Workers, needed)
	}
	limit, known := h.softLimit("Max processes") // which nobody raises for us
	if !known {
		return unknown(item, "the limit of processes cannot be read")
	}
	if h.exempt() || limit-needed > plentyOfTasks {
		return ok(item, "enough may be started")
	}
	if mine := h.tasks(); limit-mine < needed {
		return trouble(item, fmt.Sprintf("end what is not needed, or raise the limit: ulimit -Hu %d as root", mine+2*needed),
			"this user may have %d processes and threads and has %d, and a run with %d workers needs up to %d", limit, mine,
			h.Need.Workers, needed)
	}
	return ok(item, "enough may be started (%s)", count(limit))
}

// exempt tells that the limit of processes does not hold for us: it does not for root, and not with these capabilities.
func (h *Host) exempt() bool {
	const sysAdmin, sysResource = 1 << 21, 1 << 24
	for line := range strings.Lines(h.text("proc/self/status")) {
		if text, ours := strings.CutPrefix(line, "CapEff:"); ours {
			held, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
			return h.UID == 0 || err == nil && held&(sysAdmin|sysResource) != 0
		}
	}
	return h.UID == 0
}

// tasks counts the processes and threads of this user.
func (h *Host) tasks() (n int64) {
	entries, err := fs.ReadDir(h.Root, "proc")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		status := "proc/" + e.Name() + "/status"
		if uid, known := h.field(status, "Uid"); known && uid == int64(h.UID) {
			threads, _ := h.field(status, "Threads")
			n += max(1, threads)
		}
	}
	return n
}

func count(limit int64) string {
	if limit == unlimited {
		return "no limit"
	}
	return "limit " + strconv.FormatInt(limit, 10)
}

// shell looks for what the guard of the children is run by.
func (h *Host) shell() Finding {
	if !h.exists("bin/sh") {
		return trouble("shell", "install one: apt-get install dash", "there is no /bin/sh, which drp starts to guard its children")
	}
	return ok("shell", "/bin/sh is there")
}

// namespace says where other programs can attach what drp makes.
func (h *Host) namespace() Finding {
	const item = "IPC namespace"
	if !h.exists("proc/sysvipc/shm") {
		return trouble(item, "run on Linux with CONFIG_SYSVIPC", "there is no System V shared memory here (/proc/sysvipc/shm)")
	}
	if h.inContainer() {
		f := ok(item, "this is a container: programs outside it can attach the memory of a run only if they share its "+
			"namespace, which a run by itself does not need")
		f.Fix = "to share it: docker run --ipc=host, or podman run --ipc=host"
		return f
	}
	return ok(item, "System V shared memory is there")
}

func (h *Host) inContainer() bool {
	if h.exists(".dockerenv") || h.exists("run/.containerenv") || h.Env("container") != "" {
		return true
	}
	group := h.text("proc/1/cgroup")
	for _, word := range []string{"docker", "kubepods", "containerd", "libpod", "lxc"} {
		if strings.Contains(group, word) {
			return true
		}
	}
	return false
}
