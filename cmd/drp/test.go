package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/record"
)

// testFlags are what the verb test is told.
type testFlags struct {
	event    string
	number   int64
	time     string
	pdb      bool
	python   string
	detector string
	deadline time.Duration
	calib    storeFlag
	hits     hitsFlag
}

const testLong = `test runs a script on one event, without the pipeline, and shows what it adds, removes and rejects, or how it fails.

A quarantined event has a report beside it that names script and arguments; they need not be given then. Of another file
one event is chosen with --event-number or --time. Words for the script that begin with a dash go behind --.

Exit codes: 0 the event passes, 5 the script fails, crashes or hangs, 2 usage, 3 configuration, 4 the file.`

func newTestCommand() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test [SCRIPT [ARGS]] --event FILE",
		Short: "Run a script on one event, to see what it does there",
		Long:  testLong,
		Example: `  drp test --event out/quarantine/xpptut15-r0014-s000-event-0000000100000066.xtc2
  drp test myroi.py 100 120 --event run.xtc2 --event-number 17 --pdb`,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(_ *cobra.Command, words []string) error {
			return f.run(words)
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.event, "event", "", "`file` with the event: a quarantined one, or any XTC2 file")
	fl.Int64Var(&f.number, "event-number", -1, "take this event of the file, counted from 0")
	fl.StringVar(&f.time, "time", "", "take the event of this `time`: 12.000040000, or as 64 bits, 0xc00009c40")
	fl.BoolVar(&f.pdb, "pdb", false, "open the Python debugger where the script fails or calls breakpoint()")
	fl.StringVar(&f.python, "python", "", "Python interpreter (default: that of the active or neighbouring .venv, or python3)")
	fl.StringVar(&f.detector, "detector", "", "detector that a script takes as its own (default: as in the report, or the first camera)")
	fl.StringVar(&f.calib.name, "calib", "", "`folder or address` of the store of constants (default: as for drp; none: do without)")
	fl.Var(&f.hits, "hits", "look for hits first, for evt.hits: `FINDER:name=value,…`, as the run did")
	fl.DurationVar(&f.deadline, "deadline", 30*time.Second, "longest time the script may take, with all it imports; none with --pdb")
	return cmd
}

func (f *testFlags) run(words []string) error {
	choice, err := f.check()
	if err != nil {
		return err
	}
	event, err := pickEvent(f.event, choice)
	if err != nil {
		return err
	}
	report, err := record.ReadReport(f.event)
	if err != nil && (len(words) == 0 || !errors.Is(err, fs.ErrNotExist)) {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("no script, and no report beside %s that names one: drp test SCRIPT ARGS --event FILE", f.event)
		}
		fmt.Fprintf(os.Stderr, "drp: %v\n", err)
	}
	t := trial{pdb: f.pdb, deadline: f.deadline, detector: f.detector}
	if report != nil {
		event.Number = report.Number
		if t.detector == "" {
			t.detector = report.Detector
		}
		if len(words) == 0 {
			words = append([]string{report.Script}, report.Args...)
			warnOfChange(report)
		}
	}
	if len(words) == 0 {
		return fmt.Errorf("no script: the report beside %s cannot be read", f.event)
	}
	if t.script, err = scriptPath(words[0]); err != nil {
		return err
	}
	t.args = words[1:]
	if t.python, err = drp.FindPython(f.python); err != nil {
		return err
	}
	printf("event %d, time %d.%09d, %d bytes: %s\n", event.Number, event.Event.Time()>>32, uint32(event.Event.Time()),
		len(event.Event), filepath.Base(t.script))
	if err := searchEvent(event, &f.hits, &f.calib); err != nil {
		return err
	}
	return t.run(event, &f.calib)
}

func (f *testFlags) check() (eventChoice, error) {
	choice := eventChoice{number: f.number}
	if f.event == "" {
		return choice, errors.New("no event: name a file with --event")
	}
	if f.number < -1 || f.number >= 0 && f.time != "" {
		return choice, errors.New("choose one event, by --event-number from 0 on or by --time")
	}
	if f.deadline <= 0 {
		return choice, fmt.Errorf("--deadline %v: give a time above 0", f.deadline)
	}
	if f.time != "" {
		t, err := parseTime(f.time)
		if err != nil {
			return choice, fmt.Errorf("--time: %w", err)
		}
		choice.time, choice.byTime = t, true
	}
	return choice, nil
}

// scriptPath refuses what cannot be run.
func scriptPath(name string) (string, error) {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", name)
	}
	if err == nil {
		name, err = filepath.Abs(name)
	}
	if err != nil {
		return "", &drp.Failure{Kind: drp.Script, Err: fmt.Errorf("script: %w", err)}
	}
	return name, nil
}

// warnOfChange says when the script is not the one that failed.
func warnOfChange(r *record.Report) {
	text, err := os.ReadFile(r.Script)
	if err != nil || r.ScriptSHA256 == "" {
		return
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != r.ScriptSHA256 {
		fmt.Fprintf(os.Stderr, "drp: %s has changed since the event was quarantined\n", r.Script)
	}
}
