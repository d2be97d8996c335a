// Package rundir is where a process keeps its sockets: a folder of its own, mode 0700, named after the process, in the
// user's runtime folder. A folder whose owner is dead may be removed by anybody of the same user; nothing else is. Beside
// these folders lie the locks of the partitions, of which only one process at a time may have each.
package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// Ready makes the folder of all processes and gives its path. It refuses one that is not this user's alone, since whoever
// owns it could put sockets of his own there.
func Ready() (string, error) {
	base := Base()
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", fmt.Errorf("rundir: %w", err)
	}
	return base, Private(base)
}

// Shared folders: of those who broadcast constants, of runs that can be watched, of run controls, and of what was started
// together.
const (
	Calib   = "calib"
	Monitor = "monitor"
	Control = "control"
	Up      = "up"
)

// shared are the folders that have sockets.
var shared = [...]string{Calib, Monitor, Control}

// Shared makes a folder of all processes of this user, for sockets that keep their place when their owner is started
// anew, and gives its path. Beside each socket lies its lock, which Hold takes.
func Shared(name string) (string, error) {
	base, err := Ready()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, name)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("rundir: %w", err)
	}
	return dir, Private(dir)
}

// LongestSocket is the length that the path of a socket may have: sun_path holds 108 bytes with the zero at the end.
const LongestSocket = 107

// SocketPath is where a socket of a process lies; it tells how long such a path becomes.
func SocketPath(o shm.Owner, socket string) string { return filepath.Join(Base(), name(o), socket) }

// Create makes the folder of this process.
func Create() (string, error) {
	owner, err := shm.Self()
	if err != nil {
		return "", err
	}
	base, err := Ready()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, name(owner))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("rundir: %w", err)
	}
	return dir, nil
}

// Private refuses a folder that is not this user's alone.
func Private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("rundir: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir() || !ok || int(st.Uid) != os.Getuid():
		return fmt.Errorf("rundir: %s is not a folder of this user alone (mode 0700): have its owner remove it, or use "+
			"a folder of your own (XDG_RUNTIME_DIR is that of all sockets that are not named)", dir)
	case info.Mode()&fs.ModeSticky != 0:
		return fmt.Errorf("rundir: %s is a folder for everybody (it has the sticky bit), and sockets lie in one of this user alone (mode "+
			"0700): make one of your own, and name that", dir)
	case info.Mode().Perm() != 0o700:
		return fmt.Errorf("rundir: %s has the mode %04o, and others could put sockets there (it must be 0700): chmod 700 %s", dir,
			info.Mode().Perm(), dir)
	}
	return nil
}

// The name of a folder says whose it is: pid, start time and boot id.
func name(o shm.Owner) string { return fmt.Sprintf("%d-%d-%s", o.PID, o.StartTime, o.BootID) }

func parse(text string) (shm.Owner, bool) {
	parts := strings.SplitN(text, "-", 3)
	if len(parts) != 3 {
		return shm.Owner{}, false
	}
	pid, errPID := strconv.Atoi(parts[0])
	start, errStart := strconv.ParseUint(parts[1], 10, 64)
	owner := shm.Owner{PID: pid, StartTime: start, BootID: parts[2]}
	ours := errPID == nil && errStart == nil && pid > 0 && parts[2] != "" && name(owner) == text // we write no 007 and no +7
	return owner, ours
}

// Stale lists the folders whose owners are dead, and the files of partitions that nobody has locked.
func Stale() ([]string, error) {
	entries, err := os.ReadDir(Base())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("rundir: %w", err)
	}
	if err := Private(Base()); err != nil {
		return nil, err
	}
	var stale []string
	for _, e := range entries {
		path := filepath.Join(Base(), e.Name())
		owner, ours := parse(e.Name())
		if ours && e.IsDir() && !owner.Alive() || isLock(e.Name()) && e.Type().IsRegular() && unlocked(path) {
			stale = append(stale, path)
		}
	}
	for _, folder := range shared {
		stale = append(stale, staleSockets(filepath.Join(Base(), folder))...)
	}
	return stale, nil
}

// staleSockets lists the locks of a shared folder that nobody holds, whose sockets are of no use any more.
func staleSockets(dir string) (stale []string) {
	entries, err := os.ReadDir(dir)
	if err != nil || Private(dir) != nil {
		return nil // there is none, or it is not ours
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasSuffix(path, lockSuffix) && e.Type().IsRegular() && unlocked(path) {
			stale = append(stale, path)
		}
		if ofTheDead(path) && e.Type().IsRegular() {
			stale = append(stale, path)
		}
	}
	return stale
}

// besidePattern is a file beside the socket of a process that has no partition: nobody will have that name again. What others leave
// for the next process of their partition stays.
var besidePattern = regexp.MustCompile(`^calib-pid-([1-9][0-9]*)-[^/]*\.(generation|use)$`)

// ofTheDead tells whether a path is such a file of a process that is gone.
func ofTheDead(path string) bool {
	found := besidePattern.FindStringSubmatch(filepath.Base(path))
	if found == nil {
		return false
	}
	pid, err := strconv.Atoi(found[1])
	if err != nil || !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	lock := strings.TrimSuffix(path, "."+found[2]) + lockSuffix
	_, err = os.Lstat(lock)
	return errors.Is(err, fs.ErrNotExist) || unlocked(lock) // its process may be one of another container
}

func inShared(path string) bool {
	folder, err := filepath.Rel(Base(), filepath.Dir(path))
	return err == nil && slices.Contains(shared[:], folder)
}

func isLock(name string) bool {
	return strings.HasPrefix(name, lockPrefix) && strings.HasSuffix(name, lockSuffix)
}

// unlocked asks for a shared lock, which a holder does not grant.
func unlocked(path string) bool {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil
}

// removeLock removes the file of a lock that nobody holds, and the socket that it is for, while it is locked here.
func removeLock(path string) error {
	file, err := lockFile(path)
	if err != nil {
		return fmt.Errorf("rundir: %w: not removed", err)
	}
	if file == nil {
		return nil
	}
	defer unlock(file)
	socket := strings.TrimSuffix(path, lockSuffix)
	info, err := os.Lstat(socket)
	if err == nil && info.Mode().Type() == fs.ModeSocket {
		err = os.Remove(socket)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("rundir: %w", err)
	}
	return nil
}

// Remove removes what is stale: a folder with the sockets in it, the file of a partition, or a socket in a shared folder
// with its lock. Anything else in a folder is not ours, and keeps it.
func Remove(dir string) error {
	if isLock(filepath.Base(dir)) && filepath.Dir(dir) == Base() || strings.HasSuffix(dir, lockSuffix) && inShared(dir) {
		return removeLock(dir)
	}
	if inShared(dir) && ofTheDead(dir) {
		return os.Remove(dir)
	}
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
