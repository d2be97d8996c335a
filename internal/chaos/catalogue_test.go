package chaos

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/internal/testkit"
)

// A row is one way to make one fault of the catalogue.
type row struct {
	fault  string // of the catalogue, F1 to F22
	name   string
	how    string // the fault is made
	accept string
	brief  bool // so quick that it runs with all other tests
	run    func(c *trial)
	// later says what the row waits for: with which stage of the pipeline it comes.
	later string
	// known is a defect of the program that is not mended yet: the row fails, and says so, and the tests pass. When it
	// does not fail any more that is said, too.
	known string
}

func (r *row) title() string { return r.fault + "/" + strings.ReplaceAll(r.name, " ", "-") }

// A trial is one execution of a row. What goes wrong is an error of the test, unless the row is known to fail.
type trial struct {
	*testing.T
	row     *row
	rng     *rand.Rand
	mu      sync.Mutex // protects the two below
	figures []string
	wrong   []string
}

// Errorf notes what is wrong.
func (c *trial) Errorf(format string, args ...any) {
	c.Helper()
	c.mu.Lock()
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
	c.mu.Unlock()
	if c.row.known == "" {
		c.T.Errorf(format, args...)
	} else {
		c.Logf(format, args...)
	}
}

// Fatalf is Errorf, and the end of the row.
func (c *trial) Fatalf(format string, args ...any) {
	c.Helper()
	c.Errorf(format, args...)
	if c.row.known == "" {
		c.FailNow()
	}
	c.SkipNow()
}

func (c *trial) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.wrong) > 0
}

// measured notes a figure for the report.
func (c *trial) measured(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.figures = append(c.figures, fmt.Sprintf(format, args...))
}

// times is how often a fault is made: seldom in the short set, as often as wanted in the full one.
func times(short, all int) int {
	if *full {
		return all
	}
	return short
}

// A verdict is what the report says of a row.
type verdict struct {
	row     *row
	word    string
	figures []string
	took    time.Duration
}

var (
	verdictsMu sync.Mutex // protects verdicts
	verdicts   []verdict
)

// TestCatalogue makes all faults. The rows run one after the other when they are measured, else side by side.
func TestCatalogue(t *testing.T) {
	testkit.Python(t)
	t.Logf("seed %d", seed)
	for i := range catalogue {
		r := &catalogue[i]
		if *rowFlag != "" && r.fault != *rowFlag && !strings.HasPrefix(r.title(), *rowFlag) || // F1 is not F12
			*rowFlag != "" && !strings.Contains(*rowFlag, "/") && r.fault != *rowFlag {
			continue
		}
		if r.later != "" || !*full && !r.brief && *rowFlag == "" {
			note(verdict{row: r, word: cmp.Or(r.later, "not run: make chaos")})
			continue
		}
		t.Run(r.title(), func(t *testing.T) {
			if !*full {
				t.Parallel()
			}
			r.execute(t)
		})
	}
}

func (r *row) execute(t *testing.T) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.title()))
	c := &trial{T: t, row: r, rng: rand.New(rand.NewPCG(seed, h.Sum64()))} // a row alone makes the choices it makes with all
	began := time.Now()
	defer func() {
		v := verdict{row: r, word: "passed", figures: c.figures, took: time.Since(began)}
		switch {
		case r.known != "" && c.failed():
			v.word = fmt.Sprintf("FAILS, known: %s (%s)", r.known, shortly(c.wrong))
		case r.known != "":
			v.word = "passed, though known to fail: " + r.known
		case t.Failed():
			v.word = "FAILED: " + shortly(c.wrong)
			t.Logf("again with the same choices: make chaos CHAOS_FLAGS=\"-seed %d -row %s\"", seed, r.title())
		case t.Skipped():
			v.word = "not run here"
		}
		note(v)
	}()
	r.run(c)
}

// shortly is the first line of the first complaint.
func shortly(wrong []string) string {
	if len(wrong) == 0 {
		return "see the log"
	}
	line, _, _ := strings.Cut(wrong[0], "\n")
	return line[:min(len(line), 150)]
}

func note(v verdict) {
	verdictsMu.Lock()
	defer verdictsMu.Unlock()
	verdicts = append(verdicts, v)
}

// skip leaves a row out where the machine does not allow the fault.
func (c *trial) skip(format string, args ...any) {
	c.measured(format, args...)
	c.Skipf(format, args...)
}

// writeReport prints the table, and writes it to the file asked for.
func writeReport() error {
	if *report == "" || len(verdicts) == 0 {
		return nil
	}
	slices.SortStableFunc(verdicts, func(a, b verdict) int { return number(a.row.fault) - number(b.row.fault) })
	var b bytes.Buffer
	commit, _ := exec.Command("git", "-C", testkit.Root(), "describe", "--always", "--dirty").Output()
	fmt.Fprintf(&b, "# Faults\n\nSeed %d, commit %s, program with the race detector.\n\n", seed, strings.TrimSpace(string(commit)))
	b.WriteString("| | fault | made by | accepted | measured | verdict | s |\n|---|---|---|---|---|---|---:|\n")
	for _, v := range verdicts {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %.1f |\n", v.row.fault, v.row.name, v.row.how, v.row.accept,
			strings.Join(v.figures, "; "), strings.ReplaceAll(strings.ReplaceAll(v.word, "|", "/"), "\n", " "), v.took.Seconds())
	}
	path := *report
	if !filepath.IsAbs(path) {
		path = filepath.Join(testkit.Root(), path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func number(fault string) int {
	n, _ := strconv.Atoi(fault[1:])
	return n
}
