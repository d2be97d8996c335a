package main

import (
	"bytes"
	_ "embed" // of the script
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

//go:embed script.py
var script []byte

// books are what drp says of a run at its end.
type books struct {
	Received        int64   `json:"received"`
	Recorded        int64   `json:"recorded"`
	Rejected        int64   `json:"rejected"`
	Vetoed          int64   `json:"vetoed"`
	Quarantined     int64   `json:"quarantined"`
	Dropped         int64   `json:"dropped"`
	Failed          int64   `json:"failed"`
	InFlight        int64   `json:"in_flight"`
	Damaged         int64   `json:"damaged"`
	Late            int64   `json:"late"`
	Restarts        int64   `json:"restarts"`
	EventsPerSecond float64 `json:"events_per_second"`
	DeadtimeSeconds float64 `json:"deadtime_seconds"`
}

func (b *books) balance() bool {
	return b.InFlight == 0 && b.Received > 0 &&
		b.Received == b.Recorded+b.Rejected+b.Vetoed+b.Quarantined+b.Dropped+b.Failed
}

// job is one run of drp.
type job struct {
	cmd     *exec.Cmd
	dir     string
	summary string
	said    lastWords
	done    chan struct{}
	pruned  int
}

// ending is what became of it.
type ending struct {
	early    bool // it ended before it was asked to
	code     int
	books    *books
	said     string
	children []int // that outlived it
	segments int
	pruned   int // files that were removed on the way, so that the disk is not filled
}

// filesPerRun bounds how many run numbers are used up: the simulator has 9999.
const filesPerRun = 5000

// start runs drp without end on small frames, recorded into a new file every few seconds.
func start(o options, dir string, length time.Duration) (*job, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	j := &job{dir: dir, summary: filepath.Join(dir, "books.json"), done: make(chan struct{})}
	text := filepath.Join(dir, "script.py")
	if err := os.WriteFile(text, script, 0o600); err != nil {
		return nil, err
	}
	rate, perSecond := "full", 20000.0
	if o.rate > 0 {
		rate, perSecond = fmt.Sprintf("%.1f", o.rate), o.rate
	}
	perRun := int(perSecond * max(10, length.Seconds()/filesPerRun))
	j.cmd = exec.Command(o.program, "-s", fmt.Sprintf("sim:segments=1,rows=64,cols=64,bank=16,slow=1000,events=%d,runs=9999", perRun),
		"--rate", rate, "-w", fmt.Sprint(o.workers), "-p", fmt.Sprintf("'%s' %d", text, o.seed), "-o", filepath.Join(dir, "files"),
		"--summary", j.summary, "--max-loss", "100", "--prescale", "100", "--deadline", "3s", "--python", o.python)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "DRP_") {
			j.cmd.Env = append(j.cmd.Env, e)
		}
	}
	j.cmd.Env = append(j.cmd.Env, "XDG_RUNTIME_DIR="+dir)
	j.cmd.Stdout, j.cmd.Stderr = &j.said, &j.said
	j.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's ctrl-C is for us, who end it in order
	if err := j.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = j.cmd.Wait() // its verdict is in ProcessState
		close(j.done)
	}()
	return j, nil
}

// prune removes the files that are complete.
func (j *job) prune() {
	_ = filepath.WalkDir(filepath.Join(j.dir, "files"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(path, ".xtc2") && os.Remove(path) == nil {
			j.pruned++
		}
		return nil
	})
}

// end asks drp to end, if it has not, and looks at what it left.
func (j *job) end() ending {
	const patience = 30 * time.Second
	var e ending
	select {
	case <-j.done:
		e.early = true
	default:
		_ = j.cmd.Process.Signal(os.Interrupt)
	}
	before := pythons(j.cmd.Process.Pid)
	select {
	case <-j.done:
	case <-time.After(patience):
		_ = j.cmd.Process.Kill()
		<-j.done
	}
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		e.children, e.segments = living(before), segmentsOf(j.cmd.Process.Pid)
		if len(e.children)+e.segments == 0 || time.Now().After(deadline) {
			break
		}
	}
	e.code, e.said, e.pruned = j.cmd.ProcessState.ExitCode(), j.said.String(), j.pruned
	text, err := os.ReadFile(j.summary)
	if err == nil {
		var b books
		if err = json.Unmarshal(text, &b); err == nil {
			e.books = &b
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		e.said += fmt.Sprintf("\nthe summary: %v", err)
	}
	return e
}

// lastWords keeps the end of what was written.
type lastWords struct {
	mu  sync.Mutex // protects buf
	buf bytes.Buffer
}

func (l *lastWords) Write(b []byte) (int, error) {
	const enough = 1 << 16
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > 2*enough {
		l.buf.Next(l.buf.Len() - enough)
	}
	return l.buf.Write(b)
}

func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
