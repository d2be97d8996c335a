package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// TestModes: what a run makes is for its user, and files also for the group to read, even where the user's mask would
// allow everything.
func TestModes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "above", "out")
	v := pipeline(t, "-s", smallSim+",events=0", "--rate", "2000", "-w", "2", "--slots", "32", "-p", bundled("passthrough.py"), "-o", dir)
	v.Cmd.Args = append([]string{"bash", "-c", `umask 0; exec "$0" "$@"`}, v.Cmd.Args...)
	v.Cmd.Path = "/bin/bash"
	v.start()
	running := func() bool { return strings.Contains(v.Stderr.String(), "2 workers") && len(testkit.FilesIn(dir)) > 1 }
	if !testkit.Within(testkit.Patience, running) {
		t.Fatalf("it does not run:\n%s", v.Stderr.String())
	}
	segments := permissions(t, v.Cmd.Process.Pid)
	if len(segments) != 6 { // of the transitions, of the settings, and two for each worker
		t.Errorf("%d segments", len(segments))
	}
	writable := 0
	for id, perms := range segments {
		const destroyed = 0o1000 // is on its way out with the last who is attached
		switch perms {
		case destroyed | 0o600:
			writable++
		case destroyed | 0o400: // raw data and settings, which only drp writes
		default:
			t.Errorf("segment %d has the permissions %o", id, perms)
		}
	}
	if writable != 2 {
		t.Errorf("%d segments can be written by children, want the two with results", writable)
	}
	modes(t, filepath.Dir(dir), 0o750, 0o640)
	modes(t, v.RunDir, 0o700, 0o600)
	signal(t, v, syscall.SIGINT)
	o := v.finish().wants(t, 130)
	if len(o.dataFiles(t)) == 0 {
		t.Error("there are no files")
	}
	modes(t, filepath.Dir(dir), 0o750, 0o640)
	if info, err := os.Stat(v.Summary); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the summary: %v, %v", info, err)
	}
}

// modes checks everything below a folder, which itself is not ours; a socket is as a file in a private folder.
func modes(t *testing.T, top string, dirs, files fs.FileMode) {
	t.Helper()
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := files
		if d.IsDir() {
			want = dirs
		}
		if path != top && info.Mode().Perm() != want {
			t.Errorf("%s has the mode %v, want %v", path, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// permissions gives the segments that a process made, with the word of the kernel's table.
func permissions(t *testing.T, creator int) map[int]uint64 {
	t.Helper()
	table, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]uint64{}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line) // key shmid perms size cpid …
		if len(f) < 5 || f[4] != strconv.Itoa(creator) {
			continue
		}
		id, errID := strconv.Atoi(f[1])
		perms, errPerms := strconv.ParseUint(f[2], 8, 32)
		if errID != nil || errPerms != nil {
			t.Errorf("%s", line)
		}
		found[id] = perms
	}
	return found
}
