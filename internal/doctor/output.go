package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// trial is how much is written to a disk, and for how long at most.
type trial struct {
	bytes int64
	step  int64 // written at once, then synced
	time  time.Duration
}

var diskTrial = trial{bytes: 256 << 20, step: 32 << 20, time: 2 * time.Second}

const (
	slowDisk  = 100e6 // bytes per second; less than one worker can deliver
	fewBytes  = 10e9
	noBytes   = 1e9
	diskItem  = "output"
	speedItem = "output speed"
)

// output tries the folder for the files of a run: what the recorder does there, and how fast it is.
func output(dir string, t trial) []Finding {
	place, err := nearest(dir)
	if err != nil {
		return []Finding{trouble(diskItem, "name another folder with -o", "%v", err)}
	}
	probe, err := os.MkdirTemp(place, ".drp-doctor-")
	if err != nil {
		return []Finding{trouble(diskItem, "name another folder with -o, or get the right to write: ls -ld "+place,
			"nothing can be written in %s: %v", place, errors.Unwrap(err))}
	}
	defer func() { _ = os.RemoveAll(probe) }()
	file, err := os.OpenFile(filepath.Join(probe, "probe"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return []Finding{trouble(diskItem, "name another folder with -o", "%v", err)}
	}
	defer func() { _ = file.Close() }()
	return []Finding{properties(place, file), speed(place, file, t)}
}

// nearest is the folder, or the first above it that is there, in which a run would make it.
func nearest(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return "", &fs.PathError{Op: "use", Path: dir, Err: syscall.ENOTDIR}
		case err == nil:
			return dir, nil
		case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir:
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}

// fileSystems are those that people record to, by the numbers of statfs(2).
var fileSystems = map[int64]string{
	0xEF53: "ext4", 0x58465342: "xfs", 0x9123683E: "btrfs", 0x01021994: "tmpfs", 0x6969: "nfs", 0x0BD00BD0: "lustre",
	0x47504653: "gpfs", 0x19830326: "beegfs", 0x794C7630: "overlay", 0x65735546: "fuse", 0x2FC12FC1: "zfs",
	0xFF534D42: "cifs", 0xFE534D42: "smb", 0x00C36400: "ceph",
}

// properties looks at space, kind, links and locks.
func properties(place string, file *os.File) Finding {
	var st syscall.Statfs_t
	if err := syscall.Statfs(place, &st); err != nil {
		return unknown(diskItem, "%s: %v", place, err)
	}
	kind := fileSystems[st.Type&0xFFFFFFFF]
	if kind == "" {
		kind = fmt.Sprintf("a file system of kind %#x", st.Type)
	}
	free := int64(st.Bavail) * st.Bsize
	says := fmt.Sprintf("%s is on %s with %s free", place, kind, megabytes(free))
	switch {
	case free < noBytes:
		return trouble(diskItem, "make room, or name another folder with -o", "%s", says)
	case free < fewBytes:
		return warning(diskItem, "make room, or name another folder with -o", "%s", says)
	case kind == "tmpfs":
		return warning(diskItem, "name a folder on a disk with -o", "%s: that is memory, and is lost at the next start", says)
	}
	if err := os.Link(file.Name(), file.Name()+".link"); err != nil {
		return warning(diskItem, "name a folder on another file system with -o", "%s; it has no hard links, so that a file of "+
			"the same name that appears at the last moment would be overwritten", says)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return warning(diskItem, "name a folder on another file system with -o", "%s; it has no locks, so that a file in "+
			"progress does not tell whether its writer lives", says)
	}
	return ok(diskItem, "%s; hard links and locks work", says)
}

// speed writes and syncs.
func speed(place string, file *os.File, t trial) Finding {
	buf := make([]byte, t.step)
	for i := range buf {
		buf[i] = byte(i * 7 >> 3) // not zeros, which some file systems do not write
	}
	began, written := time.Now(), int64(0)
	for written < t.bytes && time.Since(began) < t.time {
		n, err := file.Write(buf)
		if err == nil {
			err = file.Sync()
		}
		if err != nil {
			return trouble(speedItem, "name another folder with -o", "%v", err)
		}
		written += int64(n)
	}
	rate := float64(written) / time.Since(began).Seconds()
	if rate < slowDisk {
		return warning(speedItem, "name a folder on a faster disk with -o", "%s takes %.3f GB/s, synced", place, rate/1e9)
	}
	return ok(speedItem, "%s takes %.2f GB/s, synced", place, rate/1e9)
}
