package rundir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"drp/shm"
)

var partitionPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

const (
	lockPrefix = "partition-"
	lockSuffix = ".lock"
	// lockPatience is how long a holder may take to write down who it is, or to end after it was killed, which takes a while
	// where it has much memory to give back.
	lockPatience = 5 * time.Second
	lockBytes    = 4096 // more than a holder ever writes
)

// Lock takes a partition for this process, so that no second drp of this user runs on it. The kernel gives it back when
// the process ends, however it ends. Who is refused is told who holds it. The function it gives ends the lock; it may be
// called more than once.
//
// The lock is a flock on a file in Base, not the file itself: a file that a killed process left behind holds nobody up.
func Lock(partition string) (release func(), err error) {
	if !partitionPattern.MatchString(partition) {
		return nil, fmt.Errorf("partition %q: give up to 64 letters, digits, '_', '.' and '-'", partition)
	}
	base, err := Ready()
	if err != nil {
		return nil, err
	}
	release, err = Hold(filepath.Join(base, lockPrefix+partition+lockSuffix))
	if held := (*HeldError)(nil); errors.As(err, &held) {
		return nil, fmt.Errorf("partition %s: %w: end it first, or choose another partition", partition, err)
	}
	if err != nil {
		return nil, fmt.Errorf("partition %s: %w", partition, err)
	}
	return release, nil
}

// HeldError says that another process holds a lock.
type HeldError struct{ Holder string }

func (e *HeldError) Error() string { return e.Holder }

// Hold takes the lock of a path, which lies in a folder of this user alone, as Lock does that of a partition. Who is
// refused gets a *HeldError.
func Hold(path string) (release func(), err error) {
	owner, err := shm.Self()
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(lockPatience); ; {
		file, err := lockFile(path)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			holder, known := holderOf(path)
			if known || time.Now().After(deadline) {
				return nil, &HeldError{holder}
			}
			time.Sleep(5 * time.Millisecond) // it is writing its name, or ending
			continue
		}
		if err != nil {
			return nil, err
		}
		if file == nil { // removed by a holder that ended just now
			continue
		}
		if err := writeHolder(file, owner); err != nil {
			unlock(file)
			return nil, err
		}
		return func() { unlock(file) }, nil
	}
}

// lockFile opens and locks the file. It gives nil when the file is no longer the one under that name, since a lock on
// that keeps nobody away.
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		_ = file.Close()
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	if !sameFile(file, path) {
		_ = file.Close()
		return nil, nil
	}
	return file, nil
}

func sameFile(file *os.File, path string) bool {
	held, errHeld := file.Stat()
	there, errThere := os.Lstat(path)
	return errHeld == nil && errThere == nil && os.SameFile(held, there)
}

// unlock removes the file while it is still locked, so that nobody can have it meanwhile. A second call finds it closed.
func unlock(file *os.File) {
	if sameFile(file, file.Name()) {
		_ = os.Remove(file.Name())
	}
	_ = file.Close()
}

// writeHolder says who holds the lock: a line like the name of its folder, then the time.
func writeHolder(file *os.File, owner shm.Owner) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(name(owner)+"\n"+time.Now().Format(time.RFC3339)+"\n"), 0)
	return err
}

// holderOf describes the holder; known is false as long as the file does not name a living process. One that is ending has
// no command line any more.
func holderOf(path string) (text string, known bool) {
	text = "another drp is running on it"
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return text, false
	}
	defer func() { _ = file.Close() }()
	said, err := io.ReadAll(io.LimitReader(file, lockBytes))
	if err != nil {
		return text, false
	}
	first, rest, _ := strings.Cut(string(said), "\n")
	owner, ok := parse(first)
	if !ok || !owner.Alive() {
		return text, false
	}
	command := commandLine(owner.PID)
	if command == "" {
		return text, false
	}
	text = fmt.Sprintf("process %d is running on it", owner.PID)
	since, _, _ := strings.Cut(rest, "\n")
	if t, err := time.Parse(time.RFC3339, since); err == nil {
		text += " since " + t.Format("2006-01-02 15:04:05")
	}
	return text + ": " + command, true
}

// commandLine is what a process was started as, in one short line without control characters.
func commandLine(pid int) string {
	const enough = 120
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	whole := strings.TrimRight(string(line), "\x00")
	if err != nil || whole == "" {
		return ""
	}
	words := strings.Split(whole, "\x00")
	for i, w := range words {
		if quoted := strconv.Quote(w); w == "" || quoted != `"`+w+`"` || strings.Contains(w, " ") {
			words[i] = quoted
		}
	}
	text := strings.Join(words, " ")
	if len(text) > enough {
		text = strings.ToValidUTF8(text[:enough], "") + "…"
	}
	return text
}
