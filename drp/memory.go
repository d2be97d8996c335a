package drp

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memoryAvailable is how many bytes this process may still take, by the machine and by its control group; 0 when the
// system does not say.
func memoryAvailable() int64 {
	available := int64(0)
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemAvailable:" {
				kib, _ := strconv.ParseInt(f[1], 10, 64)
				available = kib << 10
			}
		}
	}
	if free, limited := groupMemory(); limited && (available == 0 || free < available) {
		return max(1, free)
	}
	return available
}

// groupMemory is what the control group (version 2) leaves; limited is false where there is no limit.
func groupMemory() (free int64, limited bool) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		dir := filepath.Join("/sys/fs/cgroup", group)
		limit, errLimit := readNumber(filepath.Join(dir, "memory.max"))
		used, errUsed := readNumber(filepath.Join(dir, "memory.current"))
		return limit - used, errLimit == nil && errUsed == nil
	}
	return 0, false
}

func readNumber(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
