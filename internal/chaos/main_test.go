package chaos

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"drp/internal/testkit"
)

var (
	full     = flag.Bool("full", false, "make every fault as often as the catalogue wants, not only a few times")
	seedFlag = flag.Uint64("seed", 0, "what chance depends on (0: the time)")
	rowFlag  = flag.String("row", "", "only rows whose name begins with this, such as F1 or F12/full")
	report   = flag.String("report", "", "file for the table of what was found, below the root of the repository")
)

// program is the built binary, with the race detector.
var program string

// seed is printed with every failure: it and the commit make the same choices again.
var seed uint64

func TestMain(m *testing.M) {
	flag.Parse()
	if seed = *seedFlag; seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "drp-chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// Some rows run it as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	program = filepath.Join(dir, "drp")
	build := exec.Command("go", "build", "-race", "-o", program, "./cmd/drp")
	build.Dir = testkit.Root()
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if err := writeReport(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
