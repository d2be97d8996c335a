package doctor

import (
	"strings"
	"testing"
)

// FuzzHost lets every file that the checks read hold any text.
func FuzzHost(f *testing.F) {
	for _, text := range healthy() {
		f.Add(text, uint8(0))
	}
	f.Add("0::/../../x\n1:cpu,cpuacct:/a/b\n:::\n", uint8(5))
	f.Add("9223372036854775807 1\n", uint8(3))
	f.Add("0 0", uint8(9))
	files := []string{"proc/meminfo", "proc/sys/kernel/shmmax", "proc/sys/kernel/shmall", "proc/sys/kernel/shmmni",
		"proc/sysvipc/shm", "proc/self/limits", "proc/self/cgroup", "sys/fs/cgroup/user.slice/run/memory.max",
		"sys/fs/cgroup/user.slice/run/memory.current", "sys/fs/cgroup/user.slice/run/cpu.max",
		"sys/fs/cgroup/user.slice/run/pids.max", "sys/fs/cgroup/user.slice/run/pids.current", "proc/7/status", "proc/1/cgroup",
		"sys/kernel/mm/transparent_hugepage/shmem_enabled", "usr/lib/systemd/logind.conf", "proc/driver/nvidia/version"}
	checks := []func(*Host) Finding{(*Host).root, (*Host).cpu, (*Host).memory, (*Host).segmentLimits, (*Host).hugePages,
		(*Host).lockedMemory, (*Host).openFiles, (*Host).processes, (*Host).namespace, (*Host).logind, (*Host).shell, (*Host).gpu}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		changes := map[string]string{"run/systemd/system/": ""}
		if at := int(which); at < len(files) {
			changes[files[at]] = text
		} else {
			for _, name := range files {
				changes[name] = text
			}
		}
		h := host(changes)
		for _, check := range checks {
			found := check(h)
			if found.Item == "" || found.Says == "" || found.Status == Trouble && found.Fix == "" {
				t.Errorf("%+v", found)
			}
			if strings.Contains(found.Says+found.Fix, "%!") && !strings.Contains(text, "%!") || strings.Contains(found.Fix, "-w -") {
				t.Errorf("%+v", found)
			}
		}
		for _, found := range TooFew(h) {
			if found.Status != Trouble {
				t.Errorf("%+v", found)
			}
		}
	})
}
