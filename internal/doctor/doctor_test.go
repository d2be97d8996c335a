package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// tree is a file system of files with their text; a name that ends in a slash is a folder.
func tree(files map[string]string) fs.FS {
	all := fstest.MapFS{}
	for name, text := range files {
		if folder, is := strings.CutSuffix(name, "/"); is {
			all[folder] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
			continue
		}
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

const shmHeader = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid\n"

// healthy is a machine on which all is well.
func healthy() map[string]string {
	return map[string]string{
		"proc/meminfo":                                     "MemTotal: 32000000 kB\nMemAvailable:   16000000 kB\n",
		"proc/sys/kernel/shmmax":                           "18446744073692774399\n",
		"proc/sys/kernel/shmall":                           "18446744073692774399\n",
		"proc/sys/kernel/shmmni":                           "4096\n",
		"proc/sysvipc/shm":                                 shmHeader + "         0          5  1600               4096   100   100      1  1000  1000  1000  1000\n",
		"proc/self/limits":                                 limits("524288", "63000", "8388608"),
		"proc/self/cgroup":                                 "0::/user.slice/run\n",
		"sys/fs/cgroup/user.slice/run/memory.max":          "max\n",
		"sys/kernel/mm/transparent_hugepage/shmem_enabled": "always within_size advise [never] deny force\n",
		"sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
		"bin/sh": "",
	}
}

func limits(files, processes, locked string) string {
	return "Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max processes             " + processes + "                  " + processes + "                processes \n" +
		"Max open files            10                   " + files + "               files     \n" +
		"Max locked memory         1                    " + locked + "              bytes     \n"
}

func host(changes map[string]string) *Host {
	files := healthy()
	for name, text := range changes {
		if text == "-" {
			delete(files, name)
			continue
		}
		files[name] = text
	}
	return &Host{Root: tree(files), UID: 1000, User: "ada", Cores: 4, Env: func(string) string { return "" },
		Need: Need{Workers: 4, LargestBytes: 512 << 20, MemoryBytes: 4 << 30}}
}

// TestPlanted plants each trouble and looks for the sentence.
func TestPlanted(t *testing.T) {
	const logind = "run/systemd/system/"
	group := func(path string) string { return "sys/fs/cgroup/user.slice/" + path }
	tests := []struct {
		name    string
		changes map[string]string
		check   func(*Host) Finding
		status  Status
		says    string
		fix     string
	}{
		{"memory", nil, (*Host).memory, OK, "16.4 GB are free on this machine", ""},
		{"no meminfo", map[string]string{"proc/meminfo": "-"}, (*Host).memory, Unknown, "does not say", ""},
		{"nonsense in meminfo", map[string]string{"proc/meminfo": "MemAvailable: lots\nMemAvailable:\n"}, (*Host).memory, Unknown, "", ""},
		{"little memory", map[string]string{"proc/meminfo": "MemAvailable: 3000000 kB\n"}, (*Host).memory, Trouble,
			"3072 MB are free on this machine; a run with 4 workers", "drp -w 2"},
		{"hardly any memory", map[string]string{"proc/meminfo": "MemAvailable: 30 kB\n"}, (*Host).memory, Trouble, "", "smaller --slots"},
		{"a group with little memory", map[string]string{group("run/memory.max"): "3000000000\n", group("run/memory.current"): "1000000000\n"},
			(*Host).memory, Trouble, "2000 MB are free in this control group", "drp -w 1"},
		{"a group above with little", map[string]string{group("memory.max"): "3000000000\n", group("memory.current"): "4000000000\n"},
			(*Host).memory, Trouble, "0 MB are free in this control group", ""},
		{"a group of version 1", map[string]string{"proc/self/cgroup": "4:memory:/docker/x\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000000", "sys/fs/cgroup/memory/memory.usage_in_bytes": "0"},
			(*Host).memory, Trouble, "2000 MB are free in this control group", ""},
		{"a group of version 1 without limit", map[string]string{"proc/self/cgroup": "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712", "sys/fs/cgroup/memory/memory.usage_in_bytes": "0"},
			(*Host).memory, OK, "on this machine", ""},

		{"segments", nil, (*Host).segmentLimits, OK, "1 segments with 0 MB are in use", ""},
		{"small segments", map[string]string{"proc/sys/kernel/shmmax": "33554432"}, (*Host).segmentLimits, Trouble,
			"a segment may have 34 MB, and the largest of a run has 537 MB", "sudo sysctl -w kernel.shmmax=536870912"},
		{"few pages", map[string]string{"proc/sys/kernel/shmall": "1000000"}, (*Host).segmentLimits, Trouble, "all segments together",
			"sudo sysctl -w kernel.shmall=1179650"},
		{"few segments", map[string]string{"proc/sys/kernel/shmmni": "9"}, (*Host).segmentLimits, Trouble,
			"there may be 9 segments, of which there are 1, and a run makes 9", "kernel.shmmni=10"},
		{"limits not readable", map[string]string{"proc/sys/kernel/shmall": "-"}, (*Host).segmentLimits, Unknown, "cannot be read", ""},

		{"open files", nil, (*Host).openFiles, OK, "limit 524288", ""},
		{"few open files", map[string]string{"proc/self/limits": limits("64", "100", "1")}, (*Host).openFiles, Trouble,
			"64 files may be open, and a run with 4 workers needs up to 72", "ulimit -Hn"},
		{"limits missing", map[string]string{"proc/self/limits": "-"}, (*Host).openFiles, Unknown, "cannot be read", ""},
		{"processes", nil, (*Host).processes, OK, "enough may be started", ""},
		{"few processes", map[string]string{"proc/self/limits": limits("1", "40", "1"),
			"proc/7/status": "Name: x\nUid:\t1000\t1000\nThreads:\t30\n", "proc/8/status": "Uid:\t0\nThreads:\t500\n"},
			(*Host).processes, Trouble, "may have 40 processes and threads and has 30", "ulimit -Hu"},
		{"a group with few processes", map[string]string{group("run/pids.max"): "50", group("run/pids.current"): "30"},
			(*Host).processes, Trouble, "leaves 20 processes", "drp -w 1"},
		{"processes not known", map[string]string{"proc/self/limits": "nonsense"}, (*Host).processes, Unknown, "", ""},

		{"huge pages", nil, (*Host).hugePages, OK, "never", ""},
		{"huge pages for all", map[string]string{"sys/kernel/mm/transparent_hugepage/shmem_enabled": "[always] never"}, (*Host).hugePages,
			OK, "gets transparent huge pages (always)", ""},
		{"huge pages not known", map[string]string{"sys/kernel/mm/transparent_hugepage/shmem_enabled": "-"}, (*Host).hugePages, Unknown, "", ""},
		{"locked memory", nil, (*Host).lockedMemory, OK, "up to 8 MB", ""},
		{"locked memory without limit", map[string]string{"proc/self/limits": limits("1", "1", "unlimited")}, (*Host).lockedMemory,
			OK, "without limit", ""},

		{"a shell", nil, (*Host).shell, OK, "is there", ""},
		{"no shell", map[string]string{"bin/sh": "-"}, (*Host).shell, Trouble, "there is no /bin/sh", "apt-get install dash"},
		{"no shared memory", map[string]string{"proc/sysvipc/shm": "-"}, (*Host).namespace, Trouble, "no System V shared memory", "CONFIG_SYSVIPC"},
		{"shared memory", nil, (*Host).namespace, OK, "is there", ""},
		{"a container", map[string]string{".dockerenv": ""}, (*Host).namespace, OK, "this is a container", "--ipc=host"},
		{"a pod", map[string]string{"proc/1/cgroup": "0::/kubepods/x\n"}, (*Host).namespace, OK, "this is a container", ""},

		{"cores", nil, (*Host).cpu, OK, "4 cores", ""},
		{"the time of two cores", map[string]string{group("cpu.max"): "200000 100000\n"}, (*Host).cpu, Warning, "allows the time of 2.0", "drp -w 2"},
		{"all the time", map[string]string{group("cpu.max"): "max 100000\n"}, (*Host).cpu, OK, "4 cores", ""},
		{"version 1 of half a core", map[string]string{"proc/self/cgroup": "1:cpu,cpuacct:/\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000"}, (*Host).cpu, Warning, "the time of 0.5", "drp -w 1"},
		{"version 1 without limit", map[string]string{"proc/self/cgroup": "1:cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, (*Host).cpu, OK, "4 cores", ""},
		{"slow cores", map[string]string{"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave"}, (*Host).cpu, Warning,
			"governor powersave", "cpupower"},
		{"cores that know better", map[string]string{"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave",
			"sys/devices/system/cpu/cpu0/cpufreq/scaling_driver": "intel_pstate"}, (*Host).cpu, OK, "", ""},

		{"no GPU", nil, (*Host).gpu, OK, "none is needed", ""},
		{"two GPUs", map[string]string{"dev/nvidia0": "", "dev/nvidia1": "", "dev/nvidiactl": "",
			"proc/driver/nvidia/version": "NVRM version: NVIDIA  570.1\nGCC"}, (*Host).gpu, OK, "2 NVIDIA devices; NVRM version: NVIDIA 570.1", ""},
		{"a GPU without driver", map[string]string{"dev/nvidia0": ""}, (*Host).gpu, OK, "does not say its version", ""},

		{"no logind", nil, (*Host).logind, OK, "is not in charge", ""},
		{"logind without a session", map[string]string{logind: ""}, (*Host).logind, Warning, "no session of this user is open", "enable-linger"},
		{"logind with a session", map[string]string{logind: "", "run/systemd/users/1000": ""}, (*Host).logind, Warning, "the last session", "enable-linger"},
		{"a user that lingers", map[string]string{logind: "", "var/lib/systemd/linger/ada": ""}, (*Host).logind, OK, "linger", ""},
		{"RemoveIPC off", map[string]string{logind: "", "etc/systemd/logind.conf": "[Login]\n#RemoveIPC=yes\nRemoveIPC = no\n"}, (*Host).logind, OK, "is off", ""},
		{"RemoveIPC on again", map[string]string{logind: "", "etc/systemd/logind.conf": "RemoveIPC=no\n",
			"etc/systemd/logind.conf.d/a.conf": "RemoveIPC=yes\n"}, (*Host).logind, Warning, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wants(t, test.check(host(test.changes)), test.status, test.says, test.fix) })
	}
}

func wants(t *testing.T, f Finding, status Status, says, fix string) {
	t.Helper()
	if f.Status != status || !strings.Contains(f.Says, says) || !strings.Contains(f.Fix, fix) || f.Item == "" || f.Says == "" {
		t.Errorf("%+v, want %s with %q and %q", f, status, says, fix)
	}
	if (status == Warning || status == Trouble) && f.Fix == "" {
		t.Errorf("%+v does not say what to do", f)
	}
}

func TestUsers(t *testing.T) {
	h := host(nil)
	wants(t, h.root(), OK, "ordinary user", "")
	h.UID = 0
	wants(t, h.root(), Warning, "running as root: user scripts run with all rights", "ordinary user")
	h = host(map[string]string{"run/systemd/system/": "", "proc/self/limits": limits("1", "2", "3")})
	h.UID = 0
	wants(t, h.logind(), OK, "users of the system", "")
	wants(t, h.processes(), OK, "", "") // the limit does not hold for root
	h.Env = func(string) string { return "/run/user/1000" }
	h.UID = 1000
	wants(t, h.logind(), Warning, "run-time folder", "")
	wants(t, h.namespace(), OK, "this is a container", "") // by the variable "container"
}

func TestWhatIsTried(t *testing.T) {
	broken := errors.New("it is broken")
	h := host(nil)
	h.TrySegment = func() error { return broken }
	wants(t, h.segment(), Trouble, "it is broken", "seccomp")
	h.TrySegment = func() error { return nil }
	wants(t, h.segment(), OK, "can be attached", "")

	h.TryRunDir = func() (string, int, error) { return "", 0, broken }
	wants(t, h.runDir(), Trouble, "it is broken", "XDG_RUNTIME_DIR")
	h.TryRunDir = func() (string, int, error) { return "/run/drp", 108, nil }
	wants(t, h.runDir(), Warning, "paths of 108 bytes, and 107 are allowed", "XDG_RUNTIME_DIR")
	h.TryRunDir = func() (string, int, error) { return "/run/drp", 107, nil }
	wants(t, h.runDir(), OK, "/run/drp", "")

	h.Leftovers = func() ([]string, error) { return []string{"segment 5", "x"}, nil }
	wants(t, h.leftovers(), Warning, "left 2 things, such as segment 5", "drp clean")
	h.Leftovers = func() ([]string, error) { return nil, broken }
	wants(t, h.leftovers(), Unknown, "it is broken", "")
	h.Leftovers = func() ([]string, error) { return nil, nil }
	wants(t, h.leftovers(), OK, "", "")
	lost := host(map[string]string{"proc/7/stat": "", "proc/sysvipc/shm": shmHeader +
		"0 11 600 8192 6 6 0 1000 1000\n" + // lost
		"0 12 600 8192 6 6 1 1000 1000\n0 13 600 8192 7 6 0 1000 1000\n" + // in use, and of a living process
		"0 14 600 8192 6 6 0 1001 1000\n9 15 600 8192 6 6 0 1000 1000\n0 16 600 8192 6 6 0 1000 1000\n"}) // others', with a key, lost
	lost.Leftovers = h.Leftovers
	wants(t, lost.leftovers(), Warning, "2 shared-memory segments of this user", "ipcrm -m 11 -m 16")

	h.TryPython = func(context.Context) (string, error) { return "", broken }
	wants(t, h.python(t.Context()), Trouble, "it is broken", "--python")
	h.TryPython = func(context.Context) (string, error) { return "Python 3.14", nil }
	wants(t, h.python(t.Context()), OK, "Python 3.14; a child starts in", "")
}

func TestTooFew(t *testing.T) {
	if found := TooFew(host(nil)); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	found := TooFew(host(map[string]string{"proc/self/limits": limits("64", "20", "1"), "proc/7/status": "Uid: 1000\nThreads: 3\n"}))
	if len(found) != 2 || found[0].Item != "open files" || found[1].Item != "processes" {
		t.Errorf("%+v", found)
	}
}

func TestClock(t *testing.T) {
	wants(t, clock("tsc", time.Second, time.Second+time.Millisecond), OK, "steady", "")
	wants(t, clock("", time.Second, time.Second), Unknown, "", "")
	wants(t, clock("hpet", time.Second, time.Second), Warning, "slow to read", "clocksource")
	wants(t, clock("tsc", time.Second, -time.Hour), Warning, "jumped by 1h0m1s", "timesync")
}

func TestOutput(t *testing.T) {
	small := trial{bytes: 1 << 20, step: 1 << 18, time: time.Minute}
	dir := t.TempDir()
	all := output(filepath.Join(dir, "not", "there", "yet"), small)
	if len(all) != 2 || Worst(all) == Trouble || !strings.Contains(all[0].Says, dir+" is on ") || !strings.Contains(all[1].Says, "GB/s") {
		t.Errorf("%+v", all)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "out")} {
		if all := output(bad, small); len(all) != 1 {
			t.Errorf("%+v", all)
		} else {
			wants(t, all[0], Trouble, "not a directory", "-o")
		}
	}
	if all := output("/proc/sys", small); len(all) != 1 {
		t.Errorf("%+v", all)
	} else {
		wants(t, all[0], Trouble, "nothing can be written in /proc/sys", "ls -ld")
	}
	wants(t, speed(dir, full(t), small), Trouble, "no space left", "-o")
}

// full is a disk without room.
func full(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestExamine: all checks together, on a healthy machine and where nothing at all can be seen.
func TestExamine(t *testing.T) {
	h := host(nil)
	h.Output = t.TempDir()
	h.TrySegment = func() error { return nil }
	h.TryRunDir = func() (string, int, error) { return "/run/drp", 50, nil }
	h.TryPython = func(context.Context) (string, error) { return "Python", nil }
	h.Leftovers = func() ([]string, error) { return nil, nil }
	began := time.Now()
	seen := map[string]bool{}
	for _, f := range Examine(t.Context(), h) {
		if f.Status == Trouble || seen[f.Item] || f.Says == "" {
			t.Errorf("%+v", f)
		}
		seen[f.Item] = true
	}
	if took := time.Since(began); len(seen) != 20 || took > time.Minute {
		t.Errorf("%d items in %v", len(seen), took)
	}
	blind := &Host{Root: fstest.MapFS{}, UID: 1000, Env: func(string) string { return "" }, Need: Need{Workers: 1}}
	for _, f := range Examine(t.Context(), blind) {
		if f.Status == Trouble && f.Item != "IPC namespace" && f.Item != "shell" {
			t.Errorf("%+v", f)
		}
	}
}

func TestWorst(t *testing.T) {
	if w := Worst(nil); w != OK {
		t.Error(w)
	}
	if w := Worst([]Finding{{Status: Warning}, {Status: Trouble}, {Status: OK}}); w != Trouble {
		t.Error(w)
	}
	if w := Worst([]Finding{{Status: Unknown}, {Status: Warning}}); w != Warning {
		t.Error(w)
	}
}

// TestNoThreads: in between the two bounds a run begins, with a warning.
func TestNoThreads(t *testing.T) {
	for _, test := range []struct {
		limit, capabilities string
		uid                 int
		none, warned        bool
	}{
		{"23", "0", 1000, true, true}, {"24", "0", 1000, false, true}, {"28", "0", 1000, false, false},
		{"23", "0000000001000000", 1000, false, false}, {"23", "0", 0, false, false}, {"unlimited", "0", 1000, false, false},
	} {
		h := host(map[string]string{"proc/self/limits": limits("5000", test.limit, "1"), "proc/7/status": "Uid: 1000\nThreads: 4\n",
			"proc/self/status": "Name:\tdrp\nCapEff:\t" + test.capabilities + "\n"})
		h.UID, h.Need.Workers = test.uid, 2
		f, none := NoThreads(h)
		if none != test.none || none && !strings.Contains(f.Says, "needs up to 20") {
			t.Errorf("%+v: %+v", test, f)
		}
		if warned := h.processes().Status == Trouble; warned != test.warned {
			t.Errorf("%+v: %+v", test, h.processes())
		}
	}
}
