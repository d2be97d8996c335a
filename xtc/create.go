package xtc

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// createOutput makes <final>.inprogress.
func createOutput(disk Disk, final string) (*gatherFile, error) {
	if disk.Exists(final) {
		return nil, takenError(final + " exists already: take another folder or run number")
	}
	path := final + inProgressSuffix
	f, err := disk.Create(path)
	if err != nil {
		return nil, err
	}
	return &gatherFile{disk: disk, file: f, path: path, final: final, buf: make([]byte, 0, gatherBufferBytes),
		parts: make([][]byte, 0, maxIovecs)}, nil
}

// A takenError is a sentence that says why a name cannot be had; it counts as fs.ErrExist.
type takenError string

func (e takenError) Error() string { return string(e) }

// Is makes errors.Is find fs.ErrExist.
func (e takenError) Is(target error) bool { return target == fs.ErrExist }

// whoseInProgress explains a file in progress that is in the way.
func whoseInProgress(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s is in the way: %w", path, err)
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == syscall.EWOULDBLOCK {
		who := "another drp"
		if pid := lockHolder(f); pid > 0 {
			who += fmt.Sprintf(" (pid %d)", pid)
		}
		return takenError(who + " is writing " + path)
	}
	return takenError(fmt.Sprintf("%s was left by a run that was aborted: drp xtc repair %s completes it; or take another folder or "+
		"run number", path, strings.TrimSuffix(path, inProgressSuffix)))
}

// lockHolder looks the holder of a flock up in the table of the kernel, or gives 0: flock itself does not say.
//
//	1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF
func lockHolder(f *os.File) int {
	var st syscall.Stat_t
	if syscall.Fstat(int(f.Fd()), &st) != nil {
		return 0
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	inode := ":" + strconv.FormatUint(st.Ino, 10)
	for line := range strings.Lines(string(locks)) {
		w := strings.Fields(line)
		if len(w) > 5 && w[1] == "FLOCK" && strings.HasSuffix(w[5], inode) {
			pid, _ := strconv.Atoi(w[4])
			return pid
		}
	}
	return 0
}

// createPair makes the folders and both files, or nothing.
func createPair(disk Disk, dir string, name FileName) (big, small *gatherFile, err error) {
	if err := name.check(); err != nil {
		return nil, nil, err
	}
	if err := disk.MakeDir(filepath.Join(dir, smallDataDir)); err != nil {
		return nil, nil, err
	}
	if big, err = createOutput(disk, filepath.Join(dir, name.Data())); err != nil {
		return nil, nil, err
	}
	if small, err = createOutput(disk, filepath.Join(dir, name.SmallData())); err != nil {
		big.discard()
		return nil, nil, err
	}
	return big, small, nil
}
