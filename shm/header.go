package shm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
)

var magic = [8]byte{'d', 'r', 'p', 's', 'h', 'm', '1', 0}

const headerVersion = 1

// Owner names a process beyond the reuse of its pid.
type Owner struct {
	PID       int
	StartTime uint64 // clock ticks after boot, /proc/PID/stat field 22
	BootID    string
}

// Self is the calling process as an Owner.
func Self() (Owner, error) { return Process(os.Getpid()) }

// Process is a process of this machine as an Owner.
func Process(pid int) (Owner, error) {
	start, err := startTime(pid)
	if err != nil {
		return Owner{}, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Owner{}, fmt.Errorf("shm: read boot id: %w", err)
	}
	return Owner{PID: pid, StartTime: start, BootID: strings.TrimSpace(string(boot))}, nil
}

// String names the process for ever: no other has had or will have this name.
func (o Owner) String() string { return fmt.Sprintf("%d-%d-%s", o.PID, o.StartTime, o.BootID) }

// Alive tells whether that very process still runs. A zombie counts as dead: it holds nothing any more.
func (o Owner) Alive() bool {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || strings.TrimSpace(string(boot)) != o.BootID {
		return false
	}
	start, err := startTime(o.PID)
	return err == nil && start == o.StartTime
}

// startTime reads field 22 of /proc/PID/stat. The command in field 2 may hold spaces and brackets, hence the last ')'.
func startTime(pid int) (uint64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("shm: start time of process %d: %w", pid, err)
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
		return 0, fmt.Errorf("shm: start time of process %d: it has ended", pid)
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}

func putHeader(page []byte, owner Owner) {
	binary.LittleEndian.PutUint32(page[8:], headerVersion)
	binary.LittleEndian.PutUint32(page[12:], uint32(owner.PID))
	binary.LittleEndian.PutUint64(page[16:], owner.StartTime)
	copy(page[32:72], owner.BootID)
	copy(page, magic[:]) // last: a header with the magic is complete
}

// parseHeader returns the owner written in a header page, and whether it is one of ours.
func parseHeader(page []byte) (Owner, bool) {
	if len(page) < HeaderBytes || !bytes.Equal(page[:8], magic[:]) {
		return Owner{}, false
	}
	boot, _, _ := bytes.Cut(page[32:72], []byte{0})
	return Owner{
		PID:       int(binary.LittleEndian.Uint32(page[12:])),
		StartTime: binary.LittleEndian.Uint64(page[16:]),
		BootID:    string(boot),
	}, true
}
