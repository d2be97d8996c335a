package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"drp/drp"
	"drp/record"
)

// trial runs a script on one event in a process of its own.
type trial struct {
	python, script string
	args           []string
	detector       string
	pdb            bool
	deadline       time.Duration

	cmd     *exec.Cmd
	stopped error // why we ended it
}

// verdict is what the process says of itself, as far as it comes.
type verdict struct {
	Outcome string `json:"outcome"` // started, passed, rejected, failed, stopped
	Where   string `json:"where"`   // the datagram it failed at
}

// run gives the file to the script.
func (t *trial) run(event *record.Quarantined, constants *storeFlag) error {
	dir, err := os.MkdirTemp("", "drp-test-")
	if err != nil {
		return general(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file, note := filepath.Join(dir, "event.xtc2"), filepath.Join(dir, "verdict.json")
	if err := os.WriteFile(file, event.File(), 0o600); err != nil {
		return general(err)
	}
	if err := writeCorrected(dir, event, constants); err != nil {
		return err
	}
	t.cmd = exec.Command(t.python, append([]string{"-m", "drp", t.script}, t.args...)...)
	t.cmd.Env = t.environment(file, note)
	t.cmd.Stdout, t.cmd.Stderr = os.Stdout, os.Stderr
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if t.pdb {
		t.cmd.Stdin = os.Stdin // a process group of its own could not read from the terminal
	} else {
		t.cmd.SysProcAttr.Setpgid = true
	}
	if err := t.watch(); err != nil {
		return &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("start %s: %w", t.python, err)}
	}
	return t.judge(note)
}

// environment is that of the pipeline's children, without what is meant for drp.
func (t *trial) environment(file, note string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "DRP_") {
			env = append(env, e)
		}
	}
	env = append(env, "DRP_TRIAL="+note, "DRP_TRIAL_CALIB="+filepath.Dir(file), "DRP_FILES="+file, "DRP_DETECTOR="+t.detector)
	if t.pdb {
		env = append(env, "DRP_TRIAL_PDB=1")
	}
	for _, name := range []string{"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"} {
		if _, set := os.LookupEnv(name); !set {
			env = append(env, name+"=1")
		}
	}
	if path := drp.PythonPath(); path != "" {
		if old := os.Getenv("PYTHONPATH"); old != "" {
			path += string(os.PathListSeparator) + old
		}
		env = append(env, "PYTHONPATH="+path)
	}
	return env
}

// watch runs the process to its end, which is ours to bring about when it takes too long or the user has enough.
func (t *trial) watch() error {
	runtime.LockOSThread() // Pdeathsig is about the thread that starts the process
	defer runtime.UnlockOSThread()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := t.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { // without reaping it: as long as it is not, its process group cannot be somebody else's
		const pPID = 1
		for {
			_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(t.cmd.Process.Pid), 0,
				syscall.WEXITED|syscall.WNOWAIT, 0, 0)
			if errno != syscall.EINTR {
				close(ended)
				return
			}
		}
	}()
	if t.pdb {
		for running := true; running; {
			select {
			case <-ended:
				running = false
			case <-signals: // the debugger has it, too
			}
		}
	} else {
		t.wait(ended, signals)
		_ = syscall.Kill(-t.cmd.Process.Pid, syscall.SIGKILL) // and what it started
	}
	_ = t.cmd.Wait() // its verdict is in ProcessState
	return nil
}

// wait waits for the end, by itself or by us.
func (t *trial) wait(ended <-chan struct{}, signals <-chan os.Signal) {
	late := time.NewTimer(t.deadline)
	defer late.Stop()
	select {
	case <-ended:
		return
	case <-signals:
		t.stopped = &drp.Failure{Kind: drp.Interrupted, Err: errors.New("interrupted")}
	case <-late.C:
		t.stopped = &drp.Failure{Kind: drp.Script, Err: fmt.Errorf("the script hangs: it was not through after %v, and was "+
			"ended; its stack is above (--deadline)", t.deadline)}
		_ = t.cmd.Process.Signal(syscall.SIGUSR1) // faulthandler writes the stacks
		select {
		case <-ended:
		case <-time.After(time.Second):
		}
	}
	_ = syscall.Kill(-t.cmd.Process.Pid, syscall.SIGKILL)
	<-ended
}

// judge makes the exit code of what happened.
func (t *trial) judge(note string) error {
	if t.stopped != nil {
		return t.stopped
	}
	var v verdict
	text, err := os.ReadFile(note)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	switch {
	case err != nil:
		return &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("%s did not come to run the script (%v); it needs the "+
			"package drp and numpy: pip install ./python", t.python, t.cmd.ProcessState)}
	case v.Outcome == "passed" || v.Outcome == "rejected":
		return nil
	case v.Outcome == "failed":
		return &drp.Failure{Kind: drp.Script, Err: fmt.Errorf("the script failed at %s", v.Where)}
	case v.Outcome == "stopped":
		return general(errors.New("stopped in the debugger"))
	}
	return &drp.Failure{Kind: drp.Script, Err: fmt.Errorf("the script's process ended (%v) before it was through",
		t.cmd.ProcessState)}
}
