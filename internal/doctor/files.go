package doctor

import (
	"bufio"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// unlimited stands for the kernel's "max" and "unlimited".
const unlimited = math.MaxInt64

// text reads a small file; empty when it cannot be read.
func (h *Host) text(name string) string {
	b, err := fs.ReadFile(h.Root, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// number reads a number, of which only what fits in 63 bits can differ.
func (h *Host) number(name string) (int64, bool) { return parseNumber(h.text(name)) }

func parseNumber(text string) (int64, bool) {
	if text == "max" || text == "unlimited" {
		return unlimited, true
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, false
	}
	return int64(min(n, unlimited)), true
}

func (h *Host) exists(name string) bool {
	_, err := fs.Stat(h.Root, name)
	return err == nil
}

// field finds "NAME: VALUE ..." or "NAME VALUE" among the lines of a file, and gives the number.
func (h *Host) field(file, name string) (int64, bool) {
	for line := range strings.Lines(h.text(file)) {
		f := strings.Fields(line)
		if len(f) >= 2 && strings.TrimSuffix(f[0], ":") == name {
			return parseNumber(f[1])
		}
	}
	return 0, false
}

// limit finds a resource limit of this process, the hard one since the Go runtime and a shell can rise to it:
//
//	Max open files            1024                 524288               files
func (h *Host) limit(name string) (int64, bool) { return h.limitAt(name, 1) }

// softLimit finds the one that holds at present.
func (h *Host) softLimit(name string) (int64, bool) { return h.limitAt(name, 0) }

func (h *Host) limitAt(name string, column int) (int64, bool) {
	for line := range strings.Lines(h.text("proc/self/limits")) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if f := strings.Fields(rest); len(f) >= 2 {
				return parseNumber(f[column])
			}
		}
	}
	return 0, false
}

// groups are the folders of the control groups that this process is in for a controller, from its own upwards, in both
// versions of control groups. Each may set a limit.
func (h *Host) groups(controller string) (folders []string) {
	lines := bufio.NewScanner(strings.NewReader(h.text("proc/self/cgroup")))
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		var tops []string
		if parts[0] == "0" && parts[1] == "" {
			tops = []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}
		} else if slices.Contains(strings.Split(parts[1], ","), controller) {
			tops = []string{"sys/fs/cgroup/" + controller, "sys/fs/cgroup/" + parts[1]}
		}
		for _, top := range tops {
			for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
				folders = append(folders, path.Join(top, group))
				if group == "/" {
					break
				}
			}
		}
	}
	return folders
}

// groupLeaves is the least that the control groups leave of something that is limited, and whether any limits it. The
// names are of version 2 and of version 1.
func (h *Host) groupLeaves(controller string, limits, uses [2]string) (left int64, limited bool) {
	left = unlimited
	for _, dir := range h.groups(controller) {
		for i := range limits {
			limit, okLimit := h.number(path.Join(dir, limits[i]))
			used, okUsed := h.number(path.Join(dir, uses[i]))
			const none = 1 << 62 // version 1 writes "no limit" as a very large number
			if okLimit && okUsed && limit < none {
				left, limited = min(left, max(0, limit-used)), true
			}
		}
	}
	return left, limited
}
