package script_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drp/internal/script"
)

const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // sha256 of "hello"

// write makes a script in a folder that only this user can write to.
func write(t *testing.T, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "my roi.py")
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	chmod(t, path, mode)
	return path
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestAPlainScript(t *testing.T) {
	path := write(t, 0o644)
	link := filepath.Join(t.TempDir(), "link.py")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(path))
	for _, name := range []string{path, link, "my roi.py", "./my roi.py"} {
		info, err := script.Examine(name)
		if err != nil || info.SHA256 != sum || info.Bytes != 5 || len(info.Warnings) != 0 {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
		if want, _ := filepath.EvalSymlinks(path); info.Path != want {
			t.Errorf("%s is %s, want %s", name, info.Path, want)
		}
	}
}

func TestWhatIsNoScript(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, path, want string }{
		{"a folder", t.TempDir(), "not a regular file"},
		{"a pipe", pipe, "not a regular file"},
		{"a device", "/dev/null", "not a regular file"},
		{"a loop of links", loop, "too many links"},
		{"a folder that is a file", write(t, 0o600) + "/x.py", "not a directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if info, err := script.Examine(test.path); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v, %v", info, err)
			}
		})
	}
	if _, err := script.Examine("missing.py"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestWhatOthersMayWrite(t *testing.T) {
	info, err := script.Examine(write(t, 0o666))
	if err != nil || len(info.Warnings) != 1 || !strings.Contains(info.Warnings[0], "can be written by everybody") {
		t.Errorf("%+v, %v", info, err)
	}
	path := write(t, 0o600)
	chmod(t, filepath.Dir(path), 0o1777)
	info, err = script.Examine(path)
	if err != nil || len(info.Warnings) != 1 || !strings.Contains(info.Warnings[0], "put modules there") {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestFilesOfAnotherUser needs the right to give a file away.
func TestFilesOfAnotherUser(t *testing.T) {
	path := write(t, 0o644)
	if err := os.Chown(path, 65534, -1); err != nil {
		t.Skip("only root can give a file to another user: ", err)
	}
	if info, err := script.Examine(path); err != nil || len(info.Warnings) != 0 {
		t.Errorf("a file that only another user can write to: %+v, %v", info, err)
	}
	chmod(t, path, 0o646)
	if _, err := script.Examine(path); err == nil || !strings.Contains(err.Error(), "belongs to another user (65534)") {
		t.Errorf("a file of another user that everybody can write to: %v", err)
	}
}
