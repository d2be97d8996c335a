// Package rundir is where a process keeps its sockets: a folder of its own, mode 0700, named after the process, in the
// user's runtime folder. A folder whose owner is dead may be removed by anybody of the same user; nothing else is.
package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"drp/shm"
)

// Base is the folder of all processes of this user: drp in $XDG_RUNTIME_DIR, or drp-UID in the temporary folder.
func Base() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "drp")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("drp-%d", os.Getuid()))
}

// Create makes the folder of this process. It refuses a base that is not this user's alone, since whoever owns it could
// put sockets of his own there.
func Create() (string, error) {
	owner, err := shm.Self()
	if err != nil {
		return "", err
	}
	base := Base()
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", fmt.Errorf("rundir: %w", err)
	}
	if err := private(base); err != nil {
		return "", err
	}
	dir := filepath.Join(base, name(owner))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("rundir: %w", err)
	}
	return dir, nil
}

func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("rundir: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(st.Uid) != os.Getuid() || info.Mode().Perm() != 0o700 {
		return fmt.Errorf("rundir: %s is not a folder of this user alone (mode 0700): remove it", dir)
	}
	return nil
}

// The name of a folder says whose it is: pid, start time and boot id.
func name(o shm.Owner) string { return fmt.Sprintf("%d-%d-%s", o.PID, o.StartTime, o.BootID) }

func parse(name string) (shm.Owner, bool) {
	parts := strings.SplitN(name, "-", 3)
	if len(parts) != 3 {
		return shm.Owner{}, false
	}
	pid, errPID := strconv.Atoi(parts[0])
	start, errStart := strconv.ParseUint(parts[1], 10, 64)
	return shm.Owner{PID: pid, StartTime: start, BootID: parts[2]}, errPID == nil && errStart == nil && parts[2] != ""
}

// Stale lists the folders whose owners are dead.
func Stale() ([]string, error) {
	entries, err := os.ReadDir(Base())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("rundir: %w", err)
	}
	if err := private(Base()); err != nil {
		return nil, err
	}
	var stale []string
	for _, e := range entries {
		if owner, ours := parse(e.Name()); ours && e.IsDir() && !owner.Alive() {
			stale = append(stale, filepath.Join(Base(), e.Name()))
		}
	}
	return stale, nil
}

// Remove removes a stale folder and the sockets in it. Anything else in it is not ours, and keeps the folder.
func Remove(dir string) error {
	owner, ours := parse(filepath.Base(dir))
	if !ours || owner.Alive() || filepath.Dir(dir) != Base() {
		return fmt.Errorf("rundir: %s does not belong to a dead process: not removed", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("rundir: %w", err)
	}
	for _, e := range entries {
		if e.Type()&fs.ModeSocket != 0 {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("rundir: %w", err)
			}
		}
	}
	if err := os.Remove(dir); err != nil {
		return fmt.Errorf("rundir: %w", err)
	}
	return nil
}
