package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"drp/internal/testkit"
)

var diskRows = []row{
	{fault: "F12", name: "file size limit", brief: true, how: "RLIMIT_FSIZE of 64 KiB: EFBIG", accept: "what cannot be written is counted as failed; what is in the files is right",
		run: fileSizeLimit},
	{fault: "F12", name: "full disk", brief: true, how: "a tmpfs of 256 KiB", accept: "the same; the recording goes on when there is room again", run: fullDisk},
	{fault: "F12", name: "disk that does not answer", how: "an ext4 in a file, frozen for 3 s (10 s)", accept: "nothing is lost, no worker is killed for it",
		run: frozenDisk},
	{fault: "F12", name: "read-only remount", how: "the tmpfs made read-only in the middle, and writable again", accept: "what cannot be written is counted; the rest is right",
		run: readOnly},
	{fault: "F12", name: "file removed", brief: true, how: "rm of the files while they are written", accept: "no panic; a failure is said, and counted", run: fileRemoved},
	{fault: "F12", name: "folder without permission", brief: true, how: "a folder that may not be written to", accept: "exit code 3 and a sentence", run: noPermission},
	{fault: "F12", name: "folder closed in mid-run", how: "chmod of the folder between two chunks, for a second", accept: "what cannot be written is counted; the rest is right",
		run: closedLater},
	{fault: "F13", name: "file cut anywhere", brief: true, how: "a file in progress cut at each byte (at 60 of them)", accept: "repair gives a legal file with each whole event",
		run: cutAnywhere},
}

func fileSizeLimit(c *trial) {
	s := newStream(c, 1000)
	dir := filepath.Join(c.TempDir(), "out")
	p := c.wrapped([]string{"prlimit", "--fsize=65536"}, "-s", s.path, "-w", "2", "-o", dir, "-p", script(c, "", "pass"))
	o := p.start().finish()
	if o.books == nil || o.code != 6 && o.code != 1 {
		c.Fatalf("exit code %d, want 1 or 6:\n%s", o.code, tail(o.stderr))
	}
	a := c.proves(s, o, dir, or(absent))
	if o.books.Failed == 0 || len(a.seen) < 50 {
		c.Errorf("%d events are recorded and %d failed", len(a.seen), o.books.Failed)
	}
	c.measured("exit code %d; %d recorded, %d failed", o.code, o.books.Recorded, o.books.Failed)
}

// mounted is a small tmpfs of its own.
func mounted(c *trial, options string) string {
	dir := filepath.Join(c.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		c.Fatalf("%v", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		c.skip("no rights to mount: %v", err)
	}
	c.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func fullDisk(c *trial) {
	const rate = 500
	s := newStream(c, rate*times(6, 12))
	disk := mounted(c, "size=256k")
	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 160<<10), 0o600); err != nil {
		c.Fatalf("%v", err)
	}
	dir := filepath.Join(disk, "out")
	p := c.pipeline("-s", s.path, "--rate", fmt.Sprint(rate), "-w", "2", "-o", dir, "-p", script(c, "", "pass"), "--max-loss", "100").start()
	if !testkit.Within(testkit.Patience, func() bool { return strings.Contains(p.Stderr.String(), "no space left on device") || p.Over() }) {
		c.Errorf("the full disk is not noticed")
	}
	size := written(dir)
	began := time.Now()
	_ = os.Remove(filler)
	resumed := testkit.Within(testkit.Patience, func() bool { return written(dir) > size })
	took := time.Since(began)
	o := p.finish()
	if o.books == nil {
		c.Fatalf("no summary:\n%s", tail(o.stderr))
	}
	a := c.proves(s, o, dir, or(absent))
	if !resumed {
		c.Errorf("the recording does not go on when there is room")
	}
	c.measured("exit code %d; %d recorded, %d failed; on after %v", o.code, len(a.seen), o.books.Failed, took.Round(10*time.Millisecond))
}

func readOnly(c *trial) {
	const rate = 500
	s := newStream(c, rate*6)
	disk := mounted(c, "size=4m")
	dir := filepath.Join(disk, "out")
	p := c.pipeline("-s", s.path, "--rate", fmt.Sprint(rate), "-w", "2", "-o", dir, "-p", script(c, "", "pass"), "--max-loss", "100",
		"--chunk-bytes", "20000").start()
	p.recording(dir)
	err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	busy := errors.Is(err, syscall.EBUSY) // a file system with files open for writing cannot be made read-only
	if err != nil && !busy {
		c.skip("remount: %v", err)
	}
	<-time.After(time.Second)
	_ = syscall.Mount("", disk, "", syscall.MS_REMOUNT, "")
	o := p.finish()
	if o.books == nil {
		c.Fatalf("no summary:\n%s", tail(o.stderr))
	}
	c.proves(s, o, dir, or(absent))
	if busy {
		c.measured("the kernel refuses it while files are open; in the simulation of package record")
	}
	c.measured("exit code %d; %d failed", o.code, o.books.Failed)
}

func frozenDisk(c *trial) {
	image, dir := filepath.Join(c.TempDir(), "image"), filepath.Join(c.TempDir(), "disk")
	for _, words := range [][]string{{"truncate", "-s", "16M", image}, {"mkfs.ext4", "-q", "-F", image}, {"mkdir", dir},
		{"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			c.skip("%s: %s", strings.Join(words[:1], " "), strings.TrimSpace(string(out)))
		}
	}
	c.Cleanup(func() {
		_ = exec.Command("fsfreeze", "-u", dir).Run()
		_ = exec.Command("umount", dir).Run()
	})
	const rate = 300
	stall := time.Duration(times(3, 10)) * time.Second
	s := newStream(c, rate*(int(stall.Seconds())+3))
	out := filepath.Join(dir, "out")
	p := c.pipeline("-s", s.path, "--rate", fmt.Sprint(rate), "-w", "2", "--deadline", "1s", "-o", out, "-p", script(c, "", "pass")).start()
	p.recording(out)
	if text, err := exec.Command("fsfreeze", "-f", dir).CombinedOutput(); err != nil {
		c.skip("fsfreeze: %s", text)
	}
	<-time.After(stall)
	_ = exec.Command("fsfreeze", "-u", dir).Run()
	o := p.ended(0)
	a := c.proves(s, o, out, or(absent))
	if o.books.Restarts > 0 {
		c.Errorf("%d workers were killed for a slow disk", o.books.Restarts)
	}
	c.measured("%d recorded, %d failed, %d restarts", len(a.seen), o.books.Failed, o.books.Restarts)
}

func fileRemoved(c *trial) {
	const rate = 1000
	s := newStream(c, rate*3)
	dir := filepath.Join(c.TempDir(), "out")
	p := c.pipeline("-s", s.path, "--rate", fmt.Sprint(rate), "-w", "2", "-o", dir, "-p", script(c, "", "pass"), "--max-loss", "100",
		"--chunk-bytes", "100000").start()
	p.recording(dir)
	for _, path := range testkit.FilesIn(dir) {
		_ = os.Remove(path)
	}
	o := p.finish()
	if o.books == nil {
		c.Fatalf("no summary:\n%s", tail(o.stderr))
	}
	lost := o.books.Recorded - len(auditRun(s, nil, dir, or(absent)).seen)
	// What was in the removed file is gone with it; that it was cannot be hidden behind exit code 0.
	if o.code == 0 || !strings.Contains(o.stderr, "removed") && !strings.Contains(o.stderr, "no such file") {
		c.Errorf("exit code %d, and nobody is told that %d events are gone:\n%s", o.code, lost, tail(o.stderr))
	}
	c.measured("exit code %d; %d events were in the removed file", o.code, lost)
}

// modesCount are the words in front of a program for which the modes of files count, as they do not for root.
func modesCount(c *trial) []string {
	if os.Getuid() != 0 {
		return nil
	}
	wrapper := []string{"setpriv", "--bounding-set=-dac_override,-dac_read_search"}
	if out, err := exec.Command(wrapper[0], append(wrapper[1:], "true")...).CombinedOutput(); err != nil {
		c.skip("setpriv: %v %s", err, strings.TrimSpace(string(out)))
	}
	return wrapper
}

func noPermission(c *trial) {
	dir := filepath.Join(c.TempDir(), "closed")
	if err := os.Mkdir(dir, 0o555); err != nil {
		c.Fatalf("%v", err)
	}
	o := c.wrapped(modesCount(c), "-s", newStream(c, 10).path, "-w", "1", "-o", filepath.Join(dir, "out"), "-p", script(c, "", "pass")).run()
	if o.code != 3 || !strings.Contains(o.stderr, "permission denied") {
		c.Errorf("exit code %d:\n%s", o.code, tail(o.stderr))
	}
	c.measured("exit code %d", o.code)
}

// closedLater takes the rights away from the folder when chunks have begun to be made in it.
func closedLater(c *trial) {
	const rate = 500
	s := newStream(c, rate*4)
	dir := filepath.Join(c.TempDir(), "out")
	p := c.wrapped(modesCount(c), "-s", s.path, "--rate", fmt.Sprint(rate), "-w", "2", "-o", dir, "-p", script(c, "", "pass"),
		"--max-loss", "100", "--chunk-bytes", "20000").start()
	p.recording(dir)
	_ = os.Chmod(dir, 0o500)
	<-time.After(time.Second)
	_ = os.Chmod(dir, 0o750)
	o := p.finish()
	if o.books == nil {
		c.Fatalf("no summary:\n%s", tail(o.stderr))
	}
	c.proves(s, o, dir, or(absent))
	c.measured("exit code %d; %d recorded, %d failed", o.code, o.books.Recorded, o.books.Failed)
}

// cutAnywhere cuts a record at every byte, and repairs all of the pieces.
func cutAnywhere(c *trial) {
	s := newStream(c, 12)
	dir := filepath.Join(c.TempDir(), "out")
	c.pipeline("-s", s.path, "-w", "1", "-o", dir, "-p", script(c, "", "pass")).start().ended(0)
	whole, err := os.ReadFile(dataFiles(dir)[0])
	if err != nil {
		c.Fatalf("%v", err)
	}
	var ends []int // of whole datagrams
	for _, d := range testkit.Dgrams(c, dataFiles(dir)[0]) {
		last := 0
		if len(ends) > 0 {
			last = ends[len(ends)-1]
		}
		ends = append(ends, last+d.Size())
	}
	cuts, folder := []int{}, c.TempDir()
	for at := range len(whole) + 1 {
		if *full || c.rng.IntN(len(whole)) < 60 {
			cuts = append(cuts, at)
			testkit.WriteFile(c, cutName(folder, at)+".inprogress", string(whole[:at]))
		}
	}
	out, _ := exec.Command(program, "xtc", "repair", folder).CombinedOutput()
	for _, at := range cuts {
		want := 0
		for _, end := range ends {
			if end <= at {
				want = end
			}
		}
		got, err := os.ReadFile(cutName(folder, at))
		if want > 0 && (err != nil || string(got) != string(whole[:want])) {
			c.Errorf("cut at %d of %d: %d bytes are recovered of %d whole ones, %v\n%s", at, len(whole), len(got), want, err, tail(string(out)))
			return
		}
	}
	c.measured("%d cuts of a file of %d bytes", len(cuts), len(whole))
}

func cutName(folder string, at int) string {
	return filepath.Join(folder, fmt.Sprintf("test-r%04d-s000-c000.xtc2", at))
}
