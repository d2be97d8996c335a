package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"drp/internal/rundir"
	"drp/shm"
)

// started is a process that drp up started, as it is written down for drp down. Its owner tells it from any other that
// gets its number later.
type started struct {
	Name  string    `json:"name"`
	Owner shm.Owner `json:"owner"`
	Log   string    `json:"log"`
}

// fleet is what was started of a partition, in a file of the runtime folder that one command at a time may have.
type fleet struct {
	path    string
	release func()
	all     []started

	children map[string]*child // of this command
}

// openFleet reads what was started, and keeps other commands away.
func openFleet(partition string) (*fleet, error) {
	dir, err := upFolder()
	if err != nil {
		return nil, err
	}
	f := &fleet{path: filepath.Join(dir, partition+".json"), children: map[string]*child{}}
	if f.release, err = rundir.Hold(f.path + ".lock"); err != nil {
		if held := (*rundir.HeldError)(nil); errors.As(err, &held) {
			err = fmt.Errorf("partition %s is being started or ended: %w", partition, err)
		}
		return nil, err
	}
	text, err := os.ReadFile(f.path)
	if err == nil {
		err = json.Unmarshal(text, &f.all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.release()
		return nil, fmt.Errorf("%s does not say what was started: %w: end what runs of partition %s by hand, and remove the file", f.path, err,
			partition)
	}
	return f, nil
}

// save writes down what was started; nothing is left of a fleet that is no more.
func (f *fleet) save() error {
	if len(f.all) == 0 {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.MarshalIndent(f.all, "", "  ")
	if err != nil {
		return err
	}
	next := f.path + ".next"
	if err := os.WriteFile(next, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, f.path)
}

// living gives the process of a name, if it runs.
func (f *fleet) living(name string) (started, bool) {
	for _, s := range f.all {
		if s.Name == name && s.Owner.Alive() {
			return s, true
		}
	}
	return started{}, false
}

// forget leaves out those who do not run.
func (f *fleet) forget() {
	var left []started
	for _, s := range f.all {
		if s.Owner.Alive() {
			left = append(left, s)
		}
	}
	f.all = left
}

// child is a process that this command has started.
type child struct {
	started
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// start starts a process that outlives this command, in a session of its own, with its output in a file.
func (f *fleet) start(l *launch, log string) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	words := l.words(program)
	c := &child{cmd: exec.Command(words[0], words[1:]...), done: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = out, out
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	owner, err := shm.OwnerOf(c.cmd.Process.Pid)
	go func() {
		_ = c.cmd.Wait() // its state tells
		close(c.done)
	}()
	if err != nil { // it has ended already
		<-c.done
		return nil, fmt.Errorf("it ended at once: %s", lastWords(log))
	}
	c.started = started{Name: l.name, Owner: owner, Log: log}
	f.forget()
	f.children[l.name] = c
	f.all = append(f.all, c.started)
	return c, f.save()
}

// own is what this command has started.
func (f *fleet) own() (all []started) {
	for _, c := range f.children {
		all = append(all, c.started)
	}
	return all
}

// lastWords is the last line of a log.
func lastWords(log string) string {
	const enough = 2000
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text[max(0, len(text)-enough):])), "\n")
	return plain(lines[len(lines)-1])
}

// signal sends a signal to that very process, and to no other that has got its number.
func (s *started) signal(sig os.Signal) {
	p, err := os.FindProcess(s.Owner.PID) // which holds on to the process, by a descriptor
	if err != nil {
		return
	}
	defer func() { _ = p.Release() }()
	if s.Owner.Alive() {
		_ = p.Signal(sig)
	}
}

// gone waits until none of them runs, and gives those who do.
func gone(all []started, patience time.Duration) (left []started) {
	for deadline := time.Now().Add(patience); ; {
		left = nil
		for _, s := range all {
			if s.Owner.Alive() {
				left = append(left, s)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(20 * time.Millisecond) // they are no children of ours: there is nothing to wait for
	}
}

// end ends processes: in order, and then at once. It names those who had to be killed.
func (f *fleet) end(all []started, patience time.Duration) error {
	for _, s := range all {
		s.signal(syscall.SIGTERM)
	}
	var killed []string
	for _, s := range gone(all, patience) {
		killed = append(killed, fmt.Sprintf("%s (process %d)", s.Name, s.Owner.PID))
		s.signal(syscall.SIGCONT)
		s.signal(syscall.SIGKILL)
	}
	const afterKill = 10 * time.Second
	gone(all, afterKill)
	f.forget()
	err := f.save()
	if len(killed) > 0 {
		err = errors.Join(fmt.Errorf("%s did not end within %v, and had to be killed", strings.Join(killed, ", "), patience), err)
	}
	return err
}
