package testkit

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Root is the folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// PythonPath is the folder that holds the Python package drp.
func PythonPath() string { return filepath.Join(Root(), "python", "src") }

// python finds the interpreter once, and why it will not do.
var python = sync.OnceValues(func() (path, trouble string) {
	path = os.Getenv("DRP_TEST_PYTHON")
	if path == "" {
		path = filepath.Join(Root(), ".venv", "bin", "python3")
		if _, err := os.Stat(path); err != nil {
			path = "python3"
		}
	}
	if out, err := exec.Command(path, "-c", "import numpy").CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return path, err.Error() + ": " + lines[len(lines)-1]
	}
	return path, ""
})

// Python is the interpreter for the tests: DRP_TEST_PYTHON, or that of .venv, or the first python3. A test is skipped
// where it has no numpy.
func Python(t testing.TB) string {
	t.Helper()
	path, trouble := python()
	if trouble != "" {
		t.Skipf("no Python with numpy (make test sets one up; DRP_TEST_PYTHON names another): %s: %s", path, trouble)
	}
	return path
}

// Data is a file or folder of the sample data: in DRP_TESTDATA, or in shared/data beside the repository. A test is
// skipped where there are none, and fails where it asks for one that is not among them.
func Data(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("DRP_TESTDATA")
	if dir == "" {
		dir = filepath.Join(filepath.Dir(Root()), "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no sample data (DRP_TESTDATA names its folder): %v", err)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// Script writes a Python script and gives its path.
func Script(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script.py")
	WriteFile(t, path, text)
	return path
}

// WriteFile writes a file that a test owns.
func WriteFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// RuntimeFolder makes sockets of a test lie apart from others', in a folder that it gives.
func RuntimeFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "drp-") //nolint:usetesting // that of a test has too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	return dir
}

// FilesIn lists the regular files below a folder, which need not be there. The record of a run's status is none of them where it
// lies beside the data that it is of.
func FilesIn(dir string) []string {
	var found []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			found = append(found, path)
		}
		return nil
	})
	status := func(path string) bool { return strings.HasSuffix(path, "-status.jsonl") }
	if slices.ContainsFunc(found, func(path string) bool { return !status(path) }) {
		found = slices.DeleteFunc(found, status)
	}
	return found
}

// PythonWith is Python where it has a module, too; a test is skipped where it has not. The extra "dev" of the package installs
// all that tests want.
func PythonWith(t testing.TB, module string) string {
	t.Helper()
	path := Python(t)
	if out, err := exec.Command(path, "-c", "import "+module).CombinedOutput(); err != nil {
		t.Skipf("%s has no %s (make test installs it): %s", path, module, strings.TrimSpace(string(out)))
	}
	return path
}
