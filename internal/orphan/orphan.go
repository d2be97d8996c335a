// Package orphan finds processes that a script started and that outlived the drp whose script it was.
//
// What drp starts carries a mark in its environment, and so does all that is started by it in turn, wherever it puts
// itself. The mark says whose it is: process id, start time, the process-id namespace in which these count, and a number,
// since one process may have several. While that process lives, its own guard sees to what it started, and nothing here
// is touched; when it is dead, anybody of the same user may end what carries its mark.
package orphan

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"drp/shm"
)

// variable is the name in the environment.
const variable = "DRP_GUARDED="

// NewMark makes a mark of this process, NAME=VALUE.
func NewMark() (string, error) {
	self, err := shm.Self()
	if err != nil {
		return "", err
	}
	number := make([]byte, 8)
	_, _ = rand.Read(number) // never fails
	return fmt.Sprintf("%s%d-%d-%s-%s", variable, self.PID, self.StartTime, namespace(), hex.EncodeToString(number)), nil
}

// namespace names the process-id namespace of this process: a container has its own, in which other processes have the
// same numbers.
func namespace() string {
	link, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "0"
	}
	return strings.Trim(link, "pid:[]")
}

// An Orphan is a process whose drp is dead.
type Orphan struct {
	PID     int
	Owner   int    // process id that the dead drp had
	Command string // what it runs, in short

	mark string
}

// Find lists the orphans of this user.
func Find() ([]Orphan, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("orphan: %w", err)
	}
	self, err := shm.Self()
	if err != nil {
		return nil, err
	}
	var found []Orphan
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == self.PID {
			continue
		}
		mark := markOf(pid)
		if owner, ours := parse(mark, self.BootID); ours && !owner.Alive() {
			found = append(found, Orphan{PID: pid, Owner: owner.PID, Command: command(pid), mark: mark})
		}
	}
	return found, nil
}

// End kills an orphan. That the number is still that of the same process is made sure first.
func (o Orphan) End() error {
	p, err := os.FindProcess(o.PID) // a handle, which no later process of that number can take over
	if err != nil {
		return fmt.Errorf("orphan: process %d: %w", o.PID, err)
	}
	defer func() { _ = p.Release() }()
	if markOf(o.PID) != o.mark {
		return nil // it has ended meanwhile
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("orphan: end process %d: %w", o.PID, err)
	}
	return nil
}

// markOf reads the mark of a living process of this user. A drp that runs within a script of another one marks its
// children a second time: the last is their own.
func markOf(pid int) (mark string) {
	dir := "/proc/" + strconv.Itoa(pid)
	info, err := os.Stat(dir)
	if err != nil {
		return ""
	}
	if st, known := info.Sys().(*syscall.Stat_t); !known || int(st.Uid) != os.Getuid() {
		return ""
	}
	environment, err := os.ReadFile(filepath.Join(dir, "environ")) // empty for a zombie
	if err != nil {
		return ""
	}
	for pair := range bytes.SplitSeq(environment, []byte{0}) {
		if bytes.HasPrefix(pair, []byte(variable)) {
			mark = string(pair)
		}
	}
	return mark
}

// parse reads whose a mark is. One of another process-id namespace says nothing here.
func parse(mark, boot string) (owner shm.Owner, ours bool) {
	words := strings.Split(strings.TrimPrefix(mark, variable), "-")
	if len(words) != 4 || words[2] != namespace() {
		return shm.Owner{}, false
	}
	pid, errPID := strconv.Atoi(words[0])
	start, errStart := strconv.ParseUint(words[1], 10, 64)
	return shm.Owner{PID: pid, StartTime: start, BootID: boot}, errPID == nil && errStart == nil && pid > 0
}

// command is what a process runs, in one short line without control characters.
func command(pid int) string {
	const enough = 80
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	text := strings.ReplaceAll(strings.TrimRight(string(line), "\x00"), "\x00", " ")
	if len(text) > enough {
		text = strings.ToValidUTF8(text[:enough], "") + "…"
	}
	return strings.Trim(strconv.Quote(text), `"`)
}
