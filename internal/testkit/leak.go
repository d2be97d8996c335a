package testkit

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// NoLeaks fails a test that leaves goroutines, child processes, pipes, sockets, files or shared-memory segments behind. What goes
// away by itself is no leak.
func NoLeaks(t testing.TB) {
	t.Helper()
	before, open := goroutines(), descriptors()
	t.Cleanup(func() {
		if left := remains(before, open, Patience); left != "" {
			t.Errorf("left behind:\n%s", left)
		}
	})
}

func leaked(before map[string]int) string {
	var b strings.Builder
	for stack, n := range goroutines() {
		if n > before[stack] {
			fmt.Fprintf(&b, "%d goroutines at\n%s\n", n-before[stack], stack)
		}
	}
	for _, pid := range Children(os.Getpid()) {
		fmt.Fprintf(&b, "process %d: %s\n", pid, CommandLine(pid))
	}
	for _, id := range Segments(os.Getpid()) {
		fmt.Fprintf(&b, "shm segment %d\n", id)
	}
	return b.String()
}

// goroutines counts the goroutines of our own code by what they were started as.
func goroutines() map[string]int {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	count := map[string]int{}
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		if !strings.Contains(stack, "drp/") || strings.Contains(stack, "testing.tRunner") {
			continue
		}
		_, created, _ := strings.Cut(stack, "created by ")
		created, _, _ = strings.Cut(created, " in goroutine")
		count[created]++
	}
	return count
}

// descriptors counts the open pipes, sockets, handles of processes and files; what the Go runtime keeps for itself is none
// of these.
func descriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	n := 0
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue
		}
		kind, _, _ := strings.Cut(to, ":")
		if kind == "pipe" || kind == "socket" || to == "anon_inode:[pidfd]" ||
			strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "/proc/") {
			n++
		}
	}
	return n
}

// Children gives the processes whose parent is pid, zombies included.
func Children(pid int) []int {
	var found []int
	forEachProcess(func(child int, fields []string) {
		if fields[1] == strconv.Itoa(pid) {
			found = append(found, child)
		}
	})
	return found
}

// Group gives the living processes of a process group.
func Group(pgid int) []int {
	var found []int
	forEachProcess(func(pid int, fields []string) {
		if fields[2] == strconv.Itoa(pgid) && fields[0] != "Z" {
			found = append(found, pid)
		}
	})
	return found
}

// forEachProcess passes what /proc/PID/stat says after the name: state, parent, group, …
func forEachProcess(look func(pid int, fields []string)) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // gone meanwhile
		}
		if fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])); len(fields) > 3 {
			look(pid, fields)
		}
	}
}

// Alive tells whether a process runs; a zombie does not.
func Alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	return len(fields) > 0 && fields[0] != "Z"
}

// Marked gives the living processes, but ourselves, that carry a mark NAME=VALUE in their environment.
func Marked(mark string) []int {
	entries, _ := os.ReadDir("/proc")
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err == nil && strings.Contains(string(env), mark+"\x00") && Alive(pid) {
			found = append(found, pid)
		}
	}
	return found
}

// CommandLine is what a process was started as.
func CommandLine(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
}

// RunsScript tells whether a process is one of drp that runs a script, of users or of triggers: as it was started, or as it
// names itself.
func RunsScript(pid int) bool {
	line := CommandLine(pid)
	return strings.Contains(line, " -m drp") || strings.HasPrefix(line, "drp worker ") || strings.HasPrefix(line, "drp trigger ")
}

// Segments lists the shared-memory segments that a process made and that are not gone.
func Segments(creator int) []int {
	table, _ := os.ReadFile("/proc/sysvipc/shm")
	var ids []int
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line) // key shmid perms size cpid …
		if len(f) > 4 && f[4] == strconv.Itoa(creator) {
			id, _ := strconv.Atoi(f[1])
			ids = append(ids, id)
		}
	}
	return ids
}
